// Package health says whether Drawbridge works, not whether a process is up:
// whether the last check of each system went the whole way, from the store
// over the link and an agent to the system, and back into the store.
//
//	every few minutes ─► job probe ─► agent ─► connector ─► system
//	                          result in the store ─► checked: good, or what is wrong
//
// A read that ends well is such a check, too, and spares the probe. A check
// that nobody answers in time is a failed one: then the agent is away.
//
//	/livez    the process answers                             restart it if not
//	/readyz   it can read its store and is not stopping       send it no requests if not
//	/healthz  the last check of every system worked           look, somebody has to act
//
// These three are for everybody and name nothing; /v1/health says which system.
package health

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/schedule"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// DefaultEvery is how often each system is checked.
const DefaultEvery = 5 * time.Minute

// A Checker checks systems. Store and Log must be set; it is safe for concurrent use.
type Checker struct {
	Store *store.Store
	Every time.Duration // 0 means DefaultEvery
	Log   *slog.Logger

	answers answers
}

func (c *Checker) every() time.Duration {
	if c.Every <= 0 {
		return DefaultEvery
	}
	return c.Every
}

// patience is how long after a check is due its answer is waited for.
func (c *Checker) patience() time.Duration { return c.every() + time.Minute }

// Run has every system checked until ctx ends, and returns its cause.
func (c *Checker) Run(ctx context.Context) error {
	tick := time.NewTicker(max(time.Second, c.every()/10))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		if err := c.Step(ctx); err != nil && ctx.Err() == nil {
			c.Log.ErrorContext(ctx, "Systems not checked", "err", err)
		}
	}
}

// Step begins the checks that are due.
func (c *Checker) Step(ctx context.Context) error {
	var due []store.System
	err := c.Store.Read(ctx, func(tx *store.Tx) error {
		tenants, err := tx.Tenants()
		for _, t := range tenants {
			if err != nil {
				return err
			}
			var more []store.System
			more, err = c.due(tx, t.ID)
			due = append(due, more...)
		}
		return err
	})
	for _, row := range due {
		if err != nil {
			return err
		}
		err = c.Store.WriteTenant(ctx, row.Tenant, func(tx *store.Tx) error {
			_, err := schedule.Probe(tx, row)
			return err
		})
	}
	return err
}

// due gives a tenant's systems whose next check has come.
func (c *Checker) due(tx *store.Tx, tenant string) (list []store.System, err error) {
	rows, err := tx.Systems(tenant)
	if err != nil {
		return nil, err
	}
	last, err := lastOf(tx, tenant)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.Connector == mapping.PushConnector || tx.Now < max(last[row.Name].At, row.Applied).Add(c.every()) {
			continue
		}
		for _, class := range []string{"probe", "read"} { // one is under way
			open, err := tx.OpenRead(tenant, row.Name, class)
			if err != nil {
				return nil, err
			}
			if open != 0 {
				row.Name = ""
				break
			}
		}
		if row.Name != "" {
			list = append(list, row)
		}
	}
	return list, nil
}

func lastOf(tx *store.Tx, tenant string) (map[string]store.Checked, error) {
	rows, err := tx.AllChecked(tenant)
	last := make(map[string]store.Checked, len(rows))
	for _, r := range rows {
		last[r.System] = r
	}
	return last, err
}

// Verdicts says of each of a tenant's systems whether it works.
func (c *Checker) Verdicts(tx *store.Tx, tenant string) ([]client.Verdict, error) {
	rows, err := tx.Systems(tenant)
	if err != nil {
		return nil, err
	}
	last, err := lastOf(tx, tenant)
	list := make([]client.Verdict, 0, len(rows))
	for _, row := range rows {
		if row.Connector != mapping.PushConnector { // nothing is asked for there
			list = append(list, c.Verdict(tx.Now, row, last[row.Name]))
		}
	}
	return list, err
}

// Verdict says whether a system works, as its last check tells; the zero Checked is none.
func (c *Checker) Verdict(now store.Instant, row store.System, last store.Checked) client.Verdict {
	v := client.Verdict{System: row.Name, Site: row.Site, State: "good", At: last.At.Time(), Good: last.Good.Time(), What: last.What, Took: float64(last.Took) / 1000, Job: last.Job}
	switch {
	case now > max(last.At, row.Applied).Add(c.every()+c.patience()):
		v.State = "failing"
		v.Fault = &client.Trouble{Cause: fmt.Sprintf("nobody has answered a check since %s", max(last.At, row.Applied)),
			NextStep: "look whether an agent of site " + row.Site + " is connected, and what its log says"}
	case last.Fault != "":
		v.State, v.Fault = "failing", history.TroubleOf(last.Fault)
	case last.At == 0:
		v.State = "new"
	}
	return v
}
