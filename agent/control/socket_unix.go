//go:build !windows

package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

const longestPath = 100 // of a socket, on all systems

func path(data string) string { return filepath.Join(data, "agent.sock") }

// listen opens the socket in the data folder, for the service's account and root.
func listen(data string) (net.Listener, error) {
	path := path(data)
	if len(path) > longestPath {
		return nil, fmt.Errorf("the path of the data folder is too long for a socket: %s has %d characters, at most %d work; set data in agent.yaml to a shorter one", path, len(path), longestPath)
	}
	_ = os.Remove(path) // of a killed agent; the spool's lock says that no other runs
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect it: %w", err), listener.Close())
	}
	return listener, nil
}

// dial returns [ErrNotRunning] where nobody listens.
func dial(ctx context.Context, data string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path(data))
	if refused := (*net.OpError)(nil); errors.As(err, &refused) && !errors.Is(err, os.ErrPermission) {
		return nil, ErrNotRunning
	}
	return conn, err
}
