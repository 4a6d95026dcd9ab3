package runner_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/agent/host"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// placed is a job of object n with a fence, to be begun in a while.
func placed(n int, fence uint64, in time.Duration) *linkv1.Job {
	job := modify("dir", n)
	job.Fence, job.NotBefore, job.Priority = fence, timestamppb.New(time.Now().Add(in)), 40
	return job
}

// What is placed for an instant ahead is begun then, although younger jobs of
// the object were done before it; and what is older and late is refused after it.
func TestRunner_placedAhead(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	leaver := placed(1, 10, 1500*time.Millisecond)
	today := modify("dir", 1)
	today.Fence = 20
	r.accept(leaver, today)
	r.runner.SetSystems([]*linkv1.System{system("dir", `"users": 9`)}, true)
	got := r.results(2)
	if got[0].GetJob() != today.Id || got[0].GetOutcome() != done {
		t.Errorf("first = %v; want today's change, done", got[0])
	}
	late := got[1].GetFinished().AsTime().Sub(leaver.NotBefore.AsTime())
	if got[1].GetJob() != leaver.Id || got[1].GetOutcome() != done || late < 0 || late > time.Second {
		t.Errorf("second = %v, %v after its instant; want the placed job, done within a second of it", got[1], late)
	}
	again := placed(1, 10, 0)
	again.Id = leaver.Id + 100
	r.accept(again)
	if got := r.results(3)[2]; got.GetOutcome() != conflict {
		t.Errorf("a placed job that has been run, sent again, = %v; want CONFLICT", got)
	}
}

// What was made before the instant and is still held then does not overtake it.
func TestRunner_placedBeforeWhatIsHeld(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	leaver := placed(1, 10, 0)
	enable := modify("dir", 1)
	enable.Fence = 15
	next := modify("dir", 2)
	next.Fence = 16
	r.accept(enable, next, leaver)
	r.runner.SetSystems([]*linkv1.System{system("dir", `"users": 9`)}, true)
	outcomes := map[uint64]*linkv1.Result{}
	for _, result := range r.results(3) {
		outcomes[result.GetJob()] = result
	}
	if got := outcomes[leaver.Id]; got.GetOutcome() != done {
		t.Errorf("placed job = %v; want it done", got)
	}
	if got := outcomes[enable.Id]; got.GetOutcome() != conflict {
		t.Errorf("older job of the same object = %v; want CONFLICT", got)
	}
	if got := outcomes[next.Id]; got.GetOutcome() != done {
		t.Errorf("job of another object = %v; want it done", got)
	}
}

// What is taken back does not run, whether it is held, or comes only after.
func TestRunner_rescind(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	held, late := placed(1, 10, time.Second), placed(2, 11, 0)
	r.accept(held)
	late.Id = held.Id + 50
	r.runner.SetSystems([]*linkv1.System{system("dir", `"users": 9`)}, true)
	var take []*linkv1.Rescission
	for _, job := range []*linkv1.Job{held, late} {
		take = append(take, &linkv1.Rescission{Job: job.Id, System: "dir", Object: job.Object, Fence: job.Fence})
	}
	if err := r.runner.Rescind(context.Background(), take); err != nil {
		t.Fatal(err)
	}
	for _, result := range r.results(2) {
		if result.GetOutcome() != conflict {
			t.Errorf("result = %v; want CONFLICT", result)
		}
	}
	if err := r.spool.Forget(context.Background(), []uint64{late.Id}, 0); err != nil {
		t.Fatal(err)
	}
	r.accept(late) // resent by one who did not know
	after := placed(1, 12, 0)
	r.accept(after)
	outcomes := map[uint64]*linkv1.Result{}
	for _, result := range r.results(3) {
		outcomes[result.GetJob()] = result
	}
	if got := outcomes[late.Id]; got.GetOutcome() != conflict {
		t.Errorf("job that came after it was taken back = %v; want CONFLICT", got)
	}
	if got := outcomes[after.Id]; got.GetOutcome() != done {
		t.Errorf("job placed in the place of one taken back = %v; want it done", got)
	}
}

// While the coordinator is away its systems are read as often as it would have
// them read, and what changed waits in the spool; once it is back they are not.
func TestRunner_readsWhileCutOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	s := system("dir", `"users": 9`)
	s.ReadEvery, s.Read = durationpb.New(300*time.Millisecond), &linkv1.Read{Classes: []string{"user"}, Attributes: []string{"login"}}
	r.runner.SetLinked(true)
	r.runner.SetSystems([]*linkv1.System{s}, true)
	time.Sleep(800 * time.Millisecond)
	if _, held := r.spool.Held(); held != 0 {
		t.Fatalf("%d bytes of records were read although the coordinator is there", held)
	}
	r.runner.SetLinked(false)
	deadline := time.Now().Add(10 * time.Second)
	for {
		items, err := r.spool.Unsent(0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(items) > 0 {
			records := items[0].Records()
			if records.GetSystem() != "dir" || records.GetJob() != 0 || len(records.GetRecords()) != 9 {
				t.Errorf("records = %v; want the nine users, of no job", records)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing was read while the coordinator was away")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
