package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/spool"
)

// startWait is how long a command waits for an agent that is just starting, or
// just ending: it holds its spool and does not answer.
const startWait = 30 * time.Second

// orAlone has the running agent answer; running is its client then. Where no
// agent runs, alone answers by the spool, which is held until alone returns, so
// that no agent starts meanwhile.
func orAlone[T any](ctx context.Context, conf *config.Config,
	ask func(*control.Client) (T, error), alone func(*spool.Spool) (T, error)) (v T, running *control.Client, err error) {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	client := control.NewClient(conf.Data)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if v, err = ask(client); !errors.Is(err, control.ErrNotRunning) {
			return v, client, err
		}
		journal, err := spool.Open(filepath.Join(conf.Data, "spool.db"), spool.Options{LockWait: 100 * time.Millisecond})
		if err == nil {
			v, err = alone(journal)
			return v, nil, errors.Join(err, journal.Close())
		}
		if !errors.Is(err, spool.ErrInUse) {
			return v, nil, privileged(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return v, nil, err
		}
	}
}
