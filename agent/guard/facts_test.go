package guard_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/agent/guard"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A directory answers Inspect from memory, and counts.
type directory struct {
	objects map[string]*connectorv1.Standing
	within  []*connectorv1.Standing
	asked   [][]string // ids of each call
	groups  int        // calls that asked for groups
}

func (d *directory) inspect(_ context.Context, r *connectorv1.InspectRequest) (*connectorv1.InspectResponse, error) {
	d.asked = append(d.asked, r.GetIds())
	response := &connectorv1.InspectResponse{Outcome: connectorv1.Outcome_OUTCOME_DONE}
	for _, id := range r.GetIds() {
		if o := d.objects[id]; o != nil {
			response.Objects = append(response.Objects, o)
		}
	}
	if r.GetGroups() != nil {
		d.groups++
		response.Groups = d.within
	}
	return response, nil
}

// One look at the directory serves many that wait; what it showed serves one
// write each, and only for a moment; and so does what it said of groups.
func TestGuard_looksAheadForAMoment(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	admins := &connectorv1.Standing{Id: "admins", Address: "CN=Domain Admins,DC=x", Sid: "S-1-5-21-1-2-3-512", Classes: []string{"group"}}
	dir := &directory{objects: map[string]*connectorv1.Standing{}, within: []*connectorv1.Standing{admins}}
	var jobs []*linkv1.Job
	for i := range 150 {
		id := fmt.Sprintf("%08d-0000-0000-0000-000000000000", i)
		dir.objects[id] = &connectorv1.Standing{Id: id, Address: fmt.Sprintf("CN=%d,DC=x", i), Sid: fmt.Sprint("S-1-5-21-1-2-3-", 2000+i), Classes: []string{"user"}, Groups: []string{"staff"}}
		job := d.job(modify(id, "title", "x"))
		job.System = "ad"
		jobs = append(jobs, job)
	}
	check := func(i, ahead int) guard.Decision {
		return d.Check(t.Context(), guard.Question{System: &linkv1.System{Name: "ad", Connector: "activedirectory"}, Job: jobs[i],
			Ahead: jobs[i:min(len(jobs), i+ahead)], Inspect: dir.inspect}).Decision
	}
	for i := range 100 {
		if got := check(i, 100); got != guard.Allow {
			t.Fatalf("job %d = %v; want it to pass", i, got)
		}
	}
	if len(dir.asked) != 1 || len(dir.asked[0]) != 100 || dir.groups != 1 {
		t.Errorf("%d calls, %d for groups; want one for 100 jobs", len(dir.asked), dir.groups)
	}
	if check(5, 1); len(dir.asked) != 2 || !slices.Equal(dir.asked[1], []string{jobs[5].GetApply().GetId()}) {
		t.Errorf("a second write to an object: calls %v; want it to be read again", dir.asked[1:])
	}

	check(100, 50)
	last := jobs[149].GetApply().GetId()
	promoted := proto.CloneOf(dir.objects[last]) // after it was read ahead
	promoted.Groups = []string{"admins"}
	dir.objects[last] = promoted
	d.now = d.now.Add(1100 * time.Millisecond)
	if got := check(149, 1); got != guard.Deny {
		t.Errorf("who became an administrator after the look ahead = %v; want a denial", got)
	}
	dir.within = append(dir.within, &connectorv1.Standing{Id: "staff", Address: "CN=Staff,DC=x", Sid: "S-1-5-21-1-2-3-1500", Classes: []string{"group"}})
	d.now = d.now.Add(2 * time.Second)
	if got := check(7, 1); got != guard.Deny {
		t.Errorf("member of a group that was put into Domain Admins = %v; want a denial", got)
	}
}
