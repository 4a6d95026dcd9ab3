package gateway_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

func assignedOf(f *linkv1.ConnectResponse) (*linkv1.Assigned, bool) {
	return f.GetAssigned(), f.GetAssigned() != nil
}

func beatOf(f *linkv1.ConnectResponse) (*linkv1.Beat, bool) { return f.GetBeat(), f.GetBeat() != nil }

// answerBeat answers the next beat.
func (a *agent) answerBeat() {
	a.t.Helper()
	beat := await(a, beatOf)
	a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Beat{Beat: &linkv1.Beat{Number: beat.GetNumber()}}})
}

func (b *bench) leased(id string) (leased bool) {
	b.t.Helper()
	if err := b.store.Read(b.t.Context(), func(tx *store.Tx) (err error) {
		leased, err = tx.Leased(tenant, id)
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return leased
}

// What one of several agents had when it died goes to another, after its lease;
// when it is back it is told so, and its late result changes nothing.
func TestLease_anotherFinishes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(hrDocument)
	first, second := b.enrol("a1"), b.enrol("a2")
	first.connect(b, 10)
	if frame := await(first, systemsOf); frame.GetLease().AsDuration() != lease {
		t.Errorf("lease of one of two agents = %v; want %v", frame.GetLease().AsDuration(), lease)
	}
	first.answerBeat()
	eventually(t, "the agent knows of its lease", func() bool { return b.leased("a1") })
	ids := b.queue(2)
	first.take(2)
	second.connect(b, 10)
	await(second, assignedOf)
	first.hangUp()
	gone := time.Now()
	taken := second.take(2)
	if took := time.Since(gone); took < lease/3 {
		t.Errorf("the jobs went to another after %v; want that only when the lease was over", took)
	}
	if !slices.Equal(taken, ids) {
		t.Errorf("the other has jobs %v; want %v", taken, ids)
	}
	first.connect(b, 10)
	if mine := await(first, assignedOf); len(mine.GetJobs()) != 0 {
		t.Errorf("back, it is told that jobs %v are its own; want none", mine.GetJobs())
	}
	first.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Results{Results: &linkv1.Results{Results: []*linkv1.Result{
		{Job: ids[0], Outcome: connectorv1.Outcome_OUTCOME_DONE}}}}})
	for committed := await(first, committedOf); !slices.Contains(committed.GetJobs(), ids[0]); committed = await(first, committedOf) {
	}
	if states := b.states(ids); states[store.JobSent] != 2 {
		t.Errorf("after its late result jobs are %v; want both sent", states)
	}
}

// A host without power keeps its stream: that it answers no beat any more ends it.
func TestLease_noSignOfLife(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second := b.enrol("a1"), b.enrol("a2")
	first.connect(b, 10)
	first.answerBeat()
	ids := b.queue(1)
	first.take(1)
	second.connect(b, 10)
	if taken := second.take(1); !slices.Equal(taken, ids) {
		t.Errorf("the other has jobs %v; want %v", taken, ids)
	}
	if err := <-first.ended; status.Code(err) != codes.Unavailable {
		t.Errorf("stream ended with %v; want Unavailable", err)
	}
}

// An agent that is alone, or that has never answered, works on while it is away: nobody has its jobs.
func TestLease_notWithoutLeave(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.enrol("a1")
	first.connect(b, 10)
	if frame := await(first, systemsOf); frame.GetLease() != nil {
		t.Errorf("lease of the only agent = %v; want none", frame.GetLease())
	}
	ids := b.queue(1)
	first.take(1)
	first.hangUp()
	second := b.enrol("a2")
	second.connect(b, 10)
	await(second, assignedOf)
	time.Sleep(2 * lease)
	if states := b.states(ids); states[store.JobSent] != 1 {
		t.Errorf("job is %v; want it the first agent's still", states)
	}
	first.connect(b, 10)
	if mine := await(first, assignedOf); !slices.Equal(mine.GetJobs(), ids) {
		t.Errorf("back, it is told that jobs %v are its own; want %v", mine.GetJobs(), ids)
	}
}

// An agent that is alone has a lease once another was enrolled at its site.
func TestLease_aloneNoMore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.enrol("a1")
	first.connect(b, 10)
	await(first, assignedOf)
	b.enrol("a2")
	if frame := await(first, systemsOf); frame.GetLease() == nil {
		t.Error("an agent that is alone no more has no lease")
	}
}

// An agent that had a lease, and is alone at its site when it comes back, has none from then on.
func TestLease_aloneWhenItIsBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(hrDocument)
	first := b.enrol("a1")
	b.enrol("a2")
	first.connect(b, 10)
	first.answerBeat()
	eventually(t, "the agent knows of its lease", func() bool { return b.leased("a1") })
	first.hangUp()
	if err := b.enrolment.Revoke(t.Context(), tenant, "a2"); err != nil {
		t.Fatal(err)
	}
	b.stop() // what it knows of the site is some seconds old
	b.start()
	first.dial(b)
	first.connect(b, 10)
	if frame := await(first, systemsOf); frame.GetLease() != nil {
		t.Errorf("lease of an agent that is alone = %v; want none", frame.GetLease().AsDuration())
	}
	eventually(t, "the agent has no lease", func() bool { return !b.leased("a1") })
}
