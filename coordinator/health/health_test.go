package health_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/health"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

func status(t *testing.T, c *health.Checker, path string) (int, map[string]any) {
	t.Helper()
	mux := http.NewServeMux()
	c.Handle(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s: %v in %s", path, err, w.Body)
	}
	return w.Code, body
}

// What is healthy is what was tried: a check that fails, or that nobody
// answers, is told although the process is up, and a read spares the check.
func TestChecker(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	checker := func() *health.Checker { return &health.Checker{Store: w.Store, Every: time.Millisecond, Log: log} } // a new one has no answer to give again
	verdicts := func() map[string]client.Verdict {
		t.Helper()
		all := map[string]client.Verdict{}
		w.Write(func(tx *store.Tx) error {
			list, err := checker().Verdicts(tx, rehearsal.Tenant)
			for _, v := range list {
				all[v.System] = v
			}
			return err
		})
		return all
	}
	w.Apply(rehearsal.Documents)
	if code, body := status(t, checker(), "/healthz"); code != http.StatusOK || verdicts()["corp-ad"].State != "new" {
		t.Errorf("before any check: %d %v, %+v", code, body, verdicts())
	}
	time.Sleep(5 * time.Millisecond) // a check is due a millisecond after the document
	if err := checker().Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.Work(10); n != 2 {
		t.Errorf("%d checks; want one of each system", n)
	}
	if code, body := status(t, checker(), "/healthz"); code != http.StatusOK || body["checked"] != 2.0 {
		t.Errorf("after good checks: %d %v", code, body)
	}
	var probe int64
	w.Write(func(tx *store.Tx) error {
		jobs := []store.Job{{Tenant: rehearsal.Tenant, Site: rehearsal.Site, System: "corp-ad", Class: "probe", State: store.JobQueued, Work: []byte{}}}
		err := tx.AddJobs(jobs)
		probe = jobs[0].ID
		return err
	})
	w.Finish(&linkv1.Result{Job: uint64(probe), Outcome: connectorv1.Outcome_OUTCOME_UNAVAILABLE, Fault: &connectorv1.Fault{Cause: "no route", NextStep: "Look."}})
	if code, body := status(t, checker(), "/healthz"); code != http.StatusServiceUnavailable || body["failing"] != 1.0 {
		t.Errorf("after a bad check: %d %v", code, body)
	}
	if v := verdicts()["corp-ad"]; v.State != "failing" || v.Fault == nil || v.Fault.Cause != "no route" || v.Good.IsZero() {
		t.Errorf("verdict %+v", v)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if code, _ := status(t, checker(), path); code != http.StatusOK {
			t.Errorf("%s = %d although the process serves", path, code)
		}
	}
	past := store.InstantOf(time.Now().Add(-time.Hour))
	w.Write(func(tx *store.Tx) error {
		row, err := tx.System(rehearsal.Tenant, "hr")
		if err != nil {
			return err
		}
		row.Applied = past
		if v := checker().Verdict(tx.Now, row, store.Checked{At: past, Good: past}); v.State != "failing" || v.Fault == nil {
			t.Errorf("a check that nobody has answered for an hour: %+v", v)
		}
		return nil
	})
	stopping := checker()
	stopping.Stop()
	if code, _ := status(t, stopping, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz = %d of a process that stops", code)
	}
}
