package plan_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

var discard = slog.New(slog.NewTextHandler(io.Discard, nil))

// BenchmarkStep_hire measures what planning a new person costs, with everything
// that is read and stored for them.
func BenchmarkStep_hire(b *testing.B) {
	const people = 5000
	for range b.N {
		b.StopTimer()
		w := world(b)
		rows := rehearsal.Workers(people)
		for i := 0; i < people; i += 500 {
			w.Read("hr", rows[i:i+500]...)
		}
		b.StartTimer()
		w.Plan()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/people, "µs/person")
}

// BenchmarkStep_unchanged measures what planning somebody costs for whom nothing is to be done.
func BenchmarkStep_unchanged(b *testing.B) {
	const people = 5000
	w := world(b)
	rows := rehearsal.Workers(people)
	for i := 0; i < people; i += 500 {
		w.Read("hr", rows[i:i+500]...)
	}
	w.Settle()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		w.Write(markAll)
		b.StartTimer()
		for {
			n, err := w.Planner.Step(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/people, "µs/person")
}

func markAll(tx *store.Tx) error { return tx.MarkAllDue(rehearsal.Tenant, "benchmark", 0) }
