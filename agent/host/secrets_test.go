package host_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/host"
)

// A connector in whatever language that prints the secrets it is given does not
// get them into the agent's log.
func TestProcess_hidesSecretsItHandedOut(t *testing.T) {
	t.Parallel()
	exe := executable(t)
	exe.Serves = []string{"rogue-secrets"}
	dir, err := os.MkdirTemp("", "h") // sockets need short paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var log lockedBuffer
	h, err := host.New(filepath.Join(dir, "run"), []host.Executable{exe}, host.Options{},
		slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Start(t.Context(), "rogue-secrets")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	const password = "correct horse battery"
	if fault, err := p.Open(t.Context(), `{}`, map[string]string{"password": password}); fault != nil || err != nil {
		t.Fatalf("Open = %v, %v", fault, err)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(log.String(), "connecting with"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("what the connector printed is not in the log: %s", log.String())
		}
	}
	if text := log.String(); strings.Contains(text, password) || !strings.Contains(text, "[secret]") {
		t.Errorf("the log holds the password: %s", text)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
