package control

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"

	"github.com/Microsoft/go-winio"

	"github.com/drawbridge-id/drawbridge/agent/custody"
)

// path is the name of the pipe of the agent with this data folder.
func path(data string) string {
	if abs, err := filepath.Abs(data); err == nil {
		data = abs
	}
	return fmt.Sprintf(`\\.\pipe\drawbridge-agent-%.8x`, sha256.Sum256([]byte(strings.ToLower(data))))
}

// listen opens the pipe, for the service's account, the system and
// administrators. It fails if any process has a pipe of that name.
func listen(data string) (net.Listener, error) {
	list, err := custody.PipeList()
	if err != nil {
		return nil, err
	}
	return winio.ListenPipe(path(data), &winio.PipeConfig{SecurityDescriptor: list})
}

// dial returns [ErrNotRunning] where nobody listens.
func dial(ctx context.Context, data string) (net.Conn, error) {
	conn, err := winio.DialPipeContext(ctx, path(data))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning
	}
	return conn, err
}
