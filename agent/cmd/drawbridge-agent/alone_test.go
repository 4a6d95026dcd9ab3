package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent"
	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/spool"
)

// starting is an agent of which only the secrets are asked.
type starting struct {
	*agent.Agent
	retried chan string
}

func (starting) Secrets(context.Context, string) (control.Secrets, error) {
	return control.Secrets{Names: []string{"password"}, Anchors: map[string]string{"bind": "svc"}}, nil
}

func (s starting) Retry(system string) { s.retried <- system }

// On a busy host an agent that starts holds its spool long before it answers;
// a secret given then must reach it.
func TestSecretSet_whileTheAgentStarts(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "starting") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	conf := filepath.Join(dir, "agent.yaml")
	if err := os.WriteFile(conf, []byte("coordinator: localhost:1\ndata: "+dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	journal, err := spool.Open(filepath.Join(dir, "spool.db"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	ctx, stop := context.WithCancel(t.Context())
	s, served := starting{retried: make(chan string, 1)}, make(chan struct{})
	go func() {
		defer close(served)
		time.Sleep(500 * time.Millisecond)
		_ = control.Serve(ctx, dir, s)
	}()
	defer func() { stop(); <-served }()

	var said strings.Builder
	err = Run(ctx, []string{"secret", "set", "ad", "password", "--config", conf}, strings.NewReader("hunter2hunter2"), &said, io.Discard, nil)
	if err != nil {
		t.Fatalf("secret set = %v; want it to wait for the agent", err)
	}
	if got := <-s.retried; got != "ad" || !strings.Contains(said.String(), "is sealed") {
		t.Errorf("the agent was told to try %q, the person %q; want ad and that it is sealed", got, said.String())
	}
}
