package health

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const (
	// storeWait is how long the store may take to answer.
	storeWait = 5 * time.Second
	// answerLife is how long an answer is given again: anybody may ask.
	answerLife = 2 * time.Second
)

// answers are what is given to everybody.
type answers struct {
	mu    sync.Mutex
	of    map[string]reply
	stops bool
}

type reply struct {
	status int
	body   any
	until  time.Time
}

type summary struct {
	Status  string    `json:"status"`           // ok, failing
	Checked int       `json:"checked"`          // systems
	Failing int       `json:"failing"`          // of these
	Oldest  time.Time `json:"oldest,omitzero"`  // when the check was that is the longest ago
	Detail  string    `json:"detail,omitempty"` // what is wrong, where it is the coordinator
	Next    string    `json:"next_step,omitempty"`
}

// Handle registers /livez, /readyz and /healthz.
func (c *Checker) Handle(mux *http.ServeMux) {
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { give(w, http.StatusOK, summary{Status: "ok"}) })
	mux.HandleFunc("GET /readyz", c.serve(c.ready))
	mux.HandleFunc("GET /healthz", c.serve(c.healthy))
}

// Stop has /readyz say that the process is about to stop.
func (c *Checker) Stop() {
	c.answers.mu.Lock()
	defer c.answers.mu.Unlock()
	c.answers.stops, c.answers.of = true, nil
}

// serve gives what find finds out, to all who ask within a moment the same.
func (c *Checker) serve(find func(context.Context) (int, summary)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.answers.mu.Lock()
		defer c.answers.mu.Unlock()
		old, known := c.answers.of[r.URL.Path]
		if !known || time.Now().After(old.until) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeWait)
			defer cancel()
			status, body := find(ctx)
			old = reply{status, body, time.Now().Add(answerLife)}
			if c.answers.of == nil {
				c.answers.of = map[string]reply{}
			}
			c.answers.of[r.URL.Path] = old
		}
		give(w, old.status, old.body)
	}
}

func give(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever hung up gets nothing
}

func (c *Checker) ready(ctx context.Context) (int, summary) {
	if c.answers.stops {
		return http.StatusServiceUnavailable, summary{Status: "failing", Detail: "the coordinator stops"}
	}
	if err := c.Store.Read(ctx, func(tx *store.Tx) error { _, err := tx.Tenants(); return err }); err != nil {
		c.Log.ErrorContext(ctx, "Store cannot be read", "err", err)
		return http.StatusServiceUnavailable, summary{Status: "failing", Detail: "the store cannot be read", Next: "see the coordinator's log"}
	}
	return http.StatusOK, summary{Status: "ok"}
}

func (c *Checker) healthy(ctx context.Context) (int, summary) {
	out := summary{Status: "ok"}
	err := c.Store.Read(ctx, func(tx *store.Tx) error {
		tenants, err := tx.Tenants()
		for _, t := range tenants {
			if err != nil {
				return err
			}
			list, err := c.Verdicts(tx, t.ID)
			if err != nil {
				return err
			}
			for _, v := range list {
				if v.State == "new" {
					continue
				}
				out.Checked++
				if v.State == "failing" {
					out.Failing++
				}
				if !v.At.IsZero() && (out.Oldest.IsZero() || v.At.Before(out.Oldest)) {
					out.Oldest = v.At
				}
			}
		}
		return err
	})
	if err != nil {
		c.Log.ErrorContext(ctx, "Store cannot be read", "err", err)
		return http.StatusServiceUnavailable, summary{Status: "failing", Detail: "the store cannot be read", Next: "see the coordinator's log"}
	}
	if out.Failing > 0 {
		out.Status, out.Next = "failing", "see /v1/health, drawbridge health or the dashboard for which"
		return http.StatusServiceUnavailable, out
	}
	return http.StatusOK, out
}
