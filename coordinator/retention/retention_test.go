package retention_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/retention"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
)

// Each kind goes when its own time is over, in however many slices; what has no end stays, and what was removed is counted.
func TestKeeper(t *testing.T) {
	t.Parallel()
	const lines = 1100 // more than two slices
	s := storetest.Open(t)
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		old := tx.Now.Add(-48 * time.Hour)
		log := make([]store.History, lines+1)
		for i := range log {
			log[i] = store.History{Tenant: "t", At: old, Kind: "written", Text: "x"}
		}
		log[lines].At = tx.Now
		for _, do := range []func() error{
			func() error { return tx.PutTenant("t") },
			func() error { return tx.AddHistory(log) },
			func() error { return tx.AddAudit(store.Audited{Tenant: "t", At: 1, Who: "me", Action: "x"}) },
			func() error {
				return tx.AddNotices([]store.Notice{{Tenant: "t", ID: "e", Receiver: "w", Kind: "test", Body: []byte("{}")}})
			},
		} {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rules := retention.Defaults()
	rules.History = retention.Span(24 * time.Hour)
	k := &retention.Keeper{Store: s, Rules: rules, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for range 2 { // the second finds nothing more
		if _, err := k.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	err = s.Read(t.Context(), func(tx *store.Tx) error {
		log, err1 := tx.ListHistory("t", store.LogFilter{}, 10)
		audit, err2 := tx.ListAudit("t", store.AuditFilter{}, 10)
		sent, err3 := tx.Notices("t", "w", 0, 10)
		removed, err4 := tx.Retired("t")
		if len(log) != 1 || len(audit) != 1 || len(sent) != 1 {
			t.Errorf("%d lines of the log, %d of the audit, %d deliveries are left (%v %v %v); want one of each", len(log), len(audit), len(sent), err1, err2, err3)
		}
		got := map[string]int64{}
		for _, r := range removed {
			if got[r.Name] = r.N; r.At == 0 {
				t.Errorf("of %s it is not known when it was looked", r.Name)
			}
		}
		want := map[string]int64{"history": lines, "jobs": 0, "answers": 0, "cycles": 0, "plans": 0, "deliveries": 0}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("removed (-want +got):\n%s", diff)
		}
		return err4
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want time.Duration
		said string
	}{{"400d", 9600 * time.Hour, "400d"}, {"36h", 36 * time.Hour, "36h0m0s"}, {"48h", 48 * time.Hour, "2d"}, {"ever", 0, "ever"}, {"0", 0, "ever"}} {
		if got, err := retention.ParseSpan(test.text); err != nil || time.Duration(got) != test.want || got.String() != test.said {
			t.Errorf("ParseSpan(%q) = %v, %v; want %s", test.text, got, err, test.said)
		}
	}
	for _, text := range []string{"", "400", "-3d", "0d", "-4h", "d", "1y"} {
		if got, err := retention.ParseSpan(text); err == nil {
			t.Errorf("ParseSpan(%q) = %v; want a fault", text, got)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	for text, faults := range map[string]int{"jobs=30d": 1, "jobs=30d,answers=30d": 0, "jobs=ever, answers=ever": 0, "answers=ever": 1, "audit=10m": 1} {
		r := retention.Defaults()
		if err := r.Set(text); err != nil || len(r.Validate()) != faults {
			t.Errorf("%s: %v, faults %v; want %d", text, err, r.Validate(), faults)
		}
	}
	r := retention.Defaults()
	if err := r.Set("people=30d"); err == nil {
		t.Error("a span of people was taken")
	}
}
