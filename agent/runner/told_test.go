package runner_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/host"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// What a job has written and somebody puts back, to just what the last read saw,
// is sent by the next read: the coordinator knows the job's result, and the
// fingerprint does not. So is what was found, and what one of several agents
// may have written; and each is sent once.
func TestRunner_readPutBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	state := filepath.Join(r.dir, "state")
	r.runner.SetSystems([]*linkv1.System{system("dir", fmt.Sprintf(`"state": %q, "users": 20`, state))}, true)
	do := func(job *linkv1.Job) *linkv1.Result {
		t.Helper()
		r.accept(job)
		result := r.result(job)
		if result.GetOutcome() != done {
			t.Fatalf("job = %v", result)
		}
		return result
	}
	sends := func(what string, how *linkv1.Read, want uint64) {
		t.Helper()
		if got := do(read("dir", how)).GetRead(); got.GetChanged()+got.GetDeleted() != want {
			t.Errorf("%s: read = %v; want %d sent", what, got, want)
		}
	}
	byHand := func(line string) {
		t.Helper()
		f, err := os.OpenFile(state, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(f, line)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// putBack writes a name by a job, and has somebody undo that.
	putBack := func(i int) {
		t.Helper()
		do(apply("dir", &connectorv1.Operation{Class: "user", Id: fmt.Sprint("user-", i), ReturnAttributes: []string{"displayName"},
			Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{Changes: []*connectorv1.Change{
				{Name: "displayName", Expect: []string{fmt.Sprint("User ", i)}, Want: []string{"New"}}}}}}))
		byHand(fmt.Sprintf(`{"object":{"class":"user","id":"user-%[1]d","address":"staff/User %[1]d","attributes":{"login":["u%[1]d"],"displayName":["User %[1]d"],"enabled":["true"]}}}`, i))
	}
	sends("first", &linkv1.Read{}, 20)
	putBack(7)
	sends("delta after it was put back", &linkv1.Read{}, 1)
	sends("once more", &linkv1.Read{Full: true}, 0)
	putBack(8)
	sends("full after it was put back", &linkv1.Read{Full: true}, 1)
	sends("once more", &linkv1.Read{Full: true}, 0)

	made := do(create("dir", 1)).GetObject().GetId() // and removed before any read has seen it
	byHand(fmt.Sprintf(`{"gone":%q}`, made))
	sends("delta after it was made and removed", &linkv1.Read{}, 1)
	do(&linkv1.Job{System: "dir", Work: &linkv1.Job_Find{Find: &connectorv1.FindRequest{Class: "user", Attribute: "login", Values: []string{"u9"}, ReturnAttributes: []string{"displayName"}}}})
	sends("full after it was found", &linkv1.Read{Full: true}, 1)

	r.runner.SetLease(time.Hour)
	r.runner.Beat(time.Now())
	putBack(10)
	byHand(`{"object":{"class":"user","id":"user-11","address":"staff/User 11","attributes":{"login":["u11"],"displayName":["User 11"],"enabled":["true"]}}}`)
	sends("delta, what another agent may have written", &linkv1.Read{}, 2)
}

// Of a system that gives no changes one agent of several sends everything that is
// read, where it is written to: another may have written a value that was put
// back since, to just what this one read last. What is only read from is sent once.
func TestRunner_readPutBackWithoutChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	target := system("dir", `"plain": true, "users": 20`)
	target.Writes = []*connectorv1.Access{{Class: "user"}}
	r.runner.SetSystems([]*linkv1.System{target, system("hr", `"plain": true, "users": 20`)}, true)
	sends := func(what, system string, want uint64) {
		t.Helper()
		job := read(system, &linkv1.Read{})
		r.accept(job)
		result := r.result(job)
		if got := result.GetRead(); result.GetOutcome() != done || got.GetChanged()+got.GetDeleted() != want {
			t.Errorf("%s: read of %s = %v; want %d sent", what, system, result, want)
		}
	}
	for _, name := range []string{"dir", "hr"} {
		sends("first", name, 20)
		sends("alone", name, 0)
	}
	r.runner.SetLease(time.Hour)
	r.runner.Beat(time.Now())
	sends("one of several", "dir", 20)
	sends("one of several", "hr", 0)
}
