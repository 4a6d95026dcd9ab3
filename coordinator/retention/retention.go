// Package retention removes what was kept for as long as it shall be: jobs that
// have ended, their answers, the provisioning log, deliveries of notices, cycles,
// decided plans and, only where somebody says so, lines of the audit.
//
// People, accounts, systems and whatever else says how things are now have no
// age and are not touched; nor is what is old and still needed (store.Retire says
// which). A [Keeper] looks once an hour; it removes a few hundred rows in a
// transaction and pauses, so that nobody waits for it: a store that was never
// cleared is cleared within hours, not at once.
//
//	each tenant ─► each kind ─► rows in order of age, a slice at a time ─► removed, counted
//
// What may go wrong: two coordinators on one store look at the same time, and remove
// the same rows; the second removes none. It is stopped in the middle: the next begins anew.
package retention

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const (
	slice = 500                    // rows looked at in a transaction
	pause = 100 * time.Millisecond // between transactions
	every = time.Hour
	first = time.Minute // after the start, when the coordinator has more to do
	day   = 24 * time.Hour
)

// A Span is for how long something is kept. The zero value keeps it for ever.
type Span time.Duration

// ParseSpan takes days (400d), what Go calls a duration (36h), or "ever".
func ParseSpan(text string) (Span, error) {
	if text == "ever" || text == "0" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil && n > 0 {
			return Span(time.Duration(n) * day), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return Span(d), nil
	}
	return 0, fmt.Errorf("%q is no span: write 400d, 36h or ever", text)
}

// String gives a span as ParseSpan takes it.
func (s Span) String() string {
	switch d := time.Duration(s); {
	case d == 0:
		return "ever"
	case d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	default:
		return d.String()
	}
}

// UnmarshalText takes a span as ParseSpan does.
func (s *Span) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSpan(string(text))
	return err
}

// Rules say for how long each kind is kept.
type Rules struct {
	Jobs       Span `yaml:"jobs"`       // that have ended, with cycles and decided plans
	Answers    Span `yaml:"answers"`    // to jobs, as they came
	History    Span `yaml:"history"`    // the provisioning log
	Deliveries Span `yaml:"deliveries"` // of webhooks and mail
	Audit      Span `yaml:"audit"`
}

// Defaults keep a year of what was done and somewhat more, and the audit for ever.
func Defaults() Rules {
	return Rules{Jobs: Span(400 * day), Answers: Span(90 * day), History: Span(400 * day), Deliveries: Span(30 * day)}
}

// Kinds gives every kind with its span, in the order in which they are shown.
func (r Rules) Kinds() []Kind {
	return []Kind{{store.RetireJobs, r.Jobs}, {store.RetireAnswers, r.Answers}, {store.RetireHistory, r.History}, {store.RetireCycles, r.Jobs},
		{store.RetirePlans, r.Jobs}, {store.RetireDeliveries, r.Deliveries}, {store.RetireAudit, r.Audit}}
}

// A Kind of rows and for how long they are kept.
type Kind struct {
	Name string
	Kept Span
}

// Set takes spans by name, such as jobs=400d,audit=ever; others stay.
func (r *Rules) Set(text string) error {
	spans := map[string]*Span{"jobs": &r.Jobs, "answers": &r.Answers, "history": &r.History, "deliveries": &r.Deliveries, "audit": &r.Audit}
	for _, part := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		span, ok := spans[name]
		if !ok {
			return fmt.Errorf("keep: there is no %q: write jobs, answers, history, deliveries or audit, each with =400d or =ever", name)
		}
		if err := span.UnmarshalText([]byte(value)); err != nil {
			return fmt.Errorf("keep: %s: %w", name, err)
		}
	}
	return nil
}

// Validate returns all that is wrong.
func (r Rules) Validate() (errs []error) {
	for _, k := range r.Kinds() {
		if k.Kept != 0 && time.Duration(k.Kept) < time.Hour {
			errs = append(errs, fmt.Errorf("keep: %s: %s is shorter than an hour, in which nobody could look at it", k.Name, k.Kept))
		}
	}
	if r.Jobs != 0 && (r.Answers == 0 || r.Answers > r.Jobs) {
		errs = append(errs, fmt.Errorf("keep: answers: %s is longer than that of jobs, %s, with which they go", r.Answers, r.Jobs))
	}
	return errs
}

// A Keeper removes what its rules no longer keep.
type Keeper struct {
	Store *store.Store
	Rules Rules
	Log   *slog.Logger
}

// Run looks every hour until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	for wait := first; ; wait = every {
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		if _, err := k.Step(ctx); err != nil && ctx.Err() == nil {
			k.Log.ErrorContext(ctx, "What is over was not removed; it is tried again in an hour", "err", err)
		}
	}
}

// Step removes everything that is over now, and returns how many rows that were.
func (k *Keeper) Step(ctx context.Context) (int, error) {
	var tenants []store.Tenant
	if err := k.Store.Read(ctx, func(tx *store.Tx) (err error) {
		tenants, err = tx.Tenants()
		return err
	}); err != nil {
		return 0, err
	}
	all := 0
	for _, t := range tenants {
		for _, kind := range k.Rules.Kinds() {
			if kind.Kept == 0 {
				continue
			}
			n, err := k.retire(ctx, t.ID, kind)
			if all += n; err != nil {
				return all, fmt.Errorf("%s of %s: %w", kind.Name, t.ID, err)
			}
			if n > 0 {
				k.Log.InfoContext(ctx, "Removed what is over", "tenant", t.ID, "kind", kind.Name, "kept", kind.Kept.String(), "rows", n)
			}
		}
	}
	return all, nil
}

func (k *Keeper) retire(ctx context.Context, tenant string, kind Kind) (all int, err error) {
	for at := int64(0); ; {
		n := 0
		err = k.Store.WriteTenant(ctx, tenant, func(tx *store.Tx) (err error) {
			n, at, err = tx.Retire(tenant, kind.Name, tx.Now.Add(-time.Duration(kind.Kept)), at, slice)
			if err == nil && (n > 0 || at == 0) {
				err = tx.CountRetired(tenant, kind.Name, n)
			}
			return err
		})
		all += n
		if err != nil || at == 0 {
			return all, err
		}
		if err = sleep(ctx, pause); err != nil {
			return all, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
