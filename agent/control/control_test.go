package control_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/control"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

type desk struct{}

func (desk) Status() control.Status { return control.Status{PID: 42} }
func (desk) Secrets(context.Context, string) (control.Secrets, error) {
	return control.Secrets{}, errors.New("no system of that name")
}
func (desk) Retry(string) {}
func (desk) Probe(context.Context, string) (*connectorv1.ProbeResponse, error) {
	return nil, errors.New("no system of that name")
}
func (desk) Approve([]uint64, bool, string) ([]uint64, error) { return []uint64{7}, nil }
func (desk) LookForUpdate()                                   {}

func (desk) Draft() string            { return "mode: observe\n" }
func (desk) Systems() *linkv1.Systems { return &linkv1.Systems{} }

// Commands on the host reach the agent of their data folder, and are told when none runs.
func TestServe(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "control") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	client := control.NewClient(dir)
	if _, err := client.Status(t.Context()); !errors.Is(err, control.ErrNotRunning) {
		t.Fatalf("before it runs: %v; want ErrNotRunning", err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	served := make(chan error, 1)
	go func() { served <- control.Serve(ctx, dir, desk{}) }()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		try, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		status, err := client.Status(try)
		cancel()
		if err == nil && status.PID == 42 {
			break
		}
		t.Log(err)
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("no answer: %v", err)
		}
	}
	if missing, err := client.Approve(t.Context(), control.Approval{Jobs: []uint64{7}}); err != nil || len(missing) != 1 {
		t.Errorf("Approve = %v, %v; want job 7 missing", missing, err)
	}
	gone := errors.New("the agent ends")
	stop(gone)
	if err := <-served; !errors.Is(err, gone) {
		t.Errorf("Serve = %v; want the cause of its end", err)
	}
	if _, err := client.Status(t.Context()); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("after its end: %v; want ErrNotRunning", err)
	}
}
