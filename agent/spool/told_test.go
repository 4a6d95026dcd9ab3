package spool_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// modify is a job that writes an object.
func modify(id uint64, object string) *linkv1.Job {
	return &linkv1.Job{Id: id, System: ad, Object: object, Work: &linkv1.Job_Apply{Apply: &connectorv1.Operation{Id: object, Class: "user"}}}
}

// Each read of a system takes in, once, what results have told of since its last
// one, across restarts; a job that ends while a read is under way is the next
// one's. What a membership changes is the groups, too. Nothing is left of a
// system that is none any more.
func TestTold(t *testing.T) {
	t.Parallel()
	s, path := newSpool(t, spool.Options{})
	all := []string{"a", "b", "g1", "g2", "found"}
	told := func(read string, ids ...string) spool.Told {
		t.Helper()
		got, err := s.Told(t.Context(), ad, read)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range all {
			want := false
			for _, w := range ids {
				want = want || w == id
			}
			if got.Has(id) != want {
				t.Errorf("%s is told of %s: %v; want %v", read, id, got.Has(id), want)
			}
		}
		return got
	}
	takeIn := func(read string, told spool.Told) {
		t.Helper()
		if err := s.TakeIn(t.Context(), ad, read, told); err != nil {
			t.Fatal(err)
		}
	}
	for _, read := range []string{"user", "group"} { // the first of each
		takeIn(read, told(read, all...))
		told(read)
	}
	joins := modify(1, "a")
	joins.GetApply().Verb = &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{Join: []string{"g1"}, Leave: []string{"g2"}}}
	accept(t, s, joins, modify(2, "b"), &linkv1.Job{Id: 3, System: ad})
	finishAs(t, s, joins, &linkv1.Result{Job: 1})
	finishAs(t, s, &linkv1.Job{Id: 3, System: ad}, &linkv1.Result{Job: 3, Found: []*connectorv1.Record{{Id: "found"}}})
	users := told("user", "a", "g1", "g2", "found")
	finishAs(t, s, modify(2, "b"), &linkv1.Result{Job: 2}) // while that read goes on
	takeIn("user", users)
	told("user", "b")
	groups := told("group", all...)
	takeIn("user", told("user", "b"))
	closeSpool(t, s)

	s = openSpool(t, path, spool.Options{})
	told("user")
	told("group", all...)
	takeIn("group", groups)
	told("group")
	accept(t, s, modify(4, "a"))
	finishAs(t, s, modify(4, "a"), &linkv1.Result{Job: 4})
	if err := s.SetSystems(t.Context(), &linkv1.Systems{Systems: []*linkv1.System{{Name: "another"}}}); err != nil {
		t.Fatal(err)
	}
	takeIn("user", users) // by a read that was under way
	told("user", all...)
}

func finishAs(t *testing.T, s *spool.Spool, job *linkv1.Job, result *linkv1.Result) {
	t.Helper()
	if err := s.Finish(context.Background(), job, result); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkFinish takes and finishes jobs, 64 in flight: such as tell of an
// object, and such as tell of none. Both in turn, in slices; at the end a read
// takes in what was told.
func BenchmarkFinish(b *testing.B) {
	const flight, slice = 64, 250 * time.Millisecond
	s, _ := newSpool(b, spool.Options{MaxJobs: 1 << 30})
	var ids atomic.Uint64
	var tells, tellsNot rate
	run := func(r *rate, tell bool) {
		r.measure(flight, slice, func() error {
			job := kibibyte(ids.Add(1))
			if job.GetApply().Id = ""; tell {
				job.GetApply().Id = job.GetObject()
			}
			_, err := s.Accept(context.Background(), []*linkv1.Job{job})
			return errors.Join(err, s.Finish(context.Background(), job, &linkv1.Result{Job: job.GetId()}))
		})
	}
	if _, err := s.Told(context.Background(), ad, "user"); err != nil { // or nothing is kept for it
		b.Fatal(err)
	}
	for b.Loop() {
		run(&tells, true)
		run(&tellsNot, false)
	}
	began := time.Now()
	told, err := s.Told(context.Background(), ad, "user")
	if err := errors.Join(tells.err, tellsNot.err, err, s.TakeIn(context.Background(), ad, "user", told)); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(tells.perSecond(), "told/s")
	b.ReportMetric(tellsNot.perSecond(), "untold/s")
	b.ReportMetric(tells.perSecond()/tellsNot.perSecond(), "ratio")
	b.ReportMetric(float64(time.Since(began).Microseconds())/float64(tells.calls.Load()), "µs-taken-in")
}
