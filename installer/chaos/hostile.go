package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// guarded are the objects that nobody may touch, by what they are, with their
// native ids; and how they were at the start.
type guarded struct {
	ids   map[string]string
	state string
}

// look finds the objects and how they are.
func (g *guarded) look(d stage.Domain) error {
	g.ids = map[string]string{}
	var state []string
	for _, name := range []string{"Administrator", "Domain Admins", "krbtgt"} {
		found, err := d.Search("(sAMAccountName="+ldap.EscapeFilter(name)+")", "objectGUID", "title", "description", "userAccountControl", "member", "servicePrincipalName", "distinguishedName")
		if err != nil {
			return err
		}
		if len(found) != 1 { // the double has not all of them
			continue
		}
		raw := found[0].GetRawAttributeValue("objectGUID")
		id, err := guid(raw)
		if err != nil {
			return err
		}
		g.ids[name] = id
		for _, a := range []string{"title", "description", "userAccountControl", "member", "servicePrincipalName", "distinguishedName"} {
			state = append(state, fmt.Sprint(name, " ", a, " ", found[0].GetAttributeValues(a)))
		}
	}
	slices.Sort(state)
	g.state = strings.Join(state, "\n")
	if len(g.ids) < 2 {
		return fmt.Errorf("the domain has only %v of what nobody may touch", g.ids)
	}
	return nil
}

// guid is the text of an objectGUID, whose first half is in the order of Intel.
func guid(raw []byte) (string, error) {
	if len(raw) != 16 {
		return "", fmt.Errorf("objectGUID of %d bytes", len(raw))
	}
	b := slices.Clone(raw)
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	id, err := uuid.FromBytes(b)
	return id.String(), err
}

// A forgery is a job that a coordinator in the wrong hands would send.
type forgery struct {
	what string
	make func(g *guarded, rnd *rand.Rand) *linkv1.Job
}

func apply(object string, op *connectorv1.Operation) *linkv1.Job {
	op.Class, op.Id = "user", object
	return &linkv1.Job{System: stage.AD, Object: object, Work: &linkv1.Job_Apply{Apply: op}}
}

var forgeries = []forgery{
	{"change the administrator", func(g *guarded, _ *rand.Rand) *linkv1.Job {
		return apply(g.ids["Administrator"], &connectorv1.Operation{Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{
			Changes: []*connectorv1.Change{{Name: "title", Want: []string{"Owned"}}}}}})
	}},
	{"lock the administrator out", func(g *guarded, _ *rand.Rand) *linkv1.Job {
		return apply(g.ids["Administrator"], &connectorv1.Operation{Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{}}})
	}},
	{"delete the administrator", func(g *guarded, _ *rand.Rand) *linkv1.Job {
		return apply(g.ids["Administrator"], &connectorv1.Operation{Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}})
	}},
	{"delete Domain Admins, by a fence above all", func(g *guarded, _ *rand.Rand) *linkv1.Job {
		job := apply(g.ids["Domain Admins"], &connectorv1.Operation{Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}})
		job.GetApply().Class, job.Fence, job.Priority = "group", 1<<62, 255
		return job
	}},
	{"make the administrator a member of Domain Admins", func(g *guarded, _ *rand.Rand) *linkv1.Job {
		return apply(g.ids["Administrator"], &connectorv1.Operation{Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &connectorv1.ChangeMembership{
			Join: []string{g.ids["Domain Admins"]}}}})
	}},
	{"change a system that is not there", func(*guarded, *rand.Rand) *linkv1.Job {
		job := apply("nobody", &connectorv1.Operation{Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}})
		job.System = "nowhere"
		return job
	}},
	{"change what went stale", func(g *guarded, rnd *rand.Rand) *linkv1.Job {
		job := apply(fmt.Sprint("stale-", rnd.Uint32()), &connectorv1.Operation{Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}})
		job.NotAfter = timestamppb.New(time.Now().Add(-time.Hour))
		return job
	}},
}

// misorder is what a coordinator in the wrong hands does: jobs that nobody
// planned, what was sent before once more, and frames that are too large.
func (r *rig) misorder() error {
	switch r.rnd.IntN(6) {
	case 0:
		if !r.relay.replay() {
			return errNotNow
		}
		r.report.Faults["hostile coordinator: replays"]++
	case 1:
		large := &linkv1.Job{System: stage.AD, Work: &linkv1.Job_Apply{Apply: &connectorv1.Operation{Class: "user", Verb: &connectorv1.Operation_Create{
			Create: &connectorv1.Create{Name: strings.Repeat("x", 24<<20)}}}}}
		if !r.relay.order("a frame of 24 MiB", large) {
			return errNotNow
		}
		r.report.Faults["hostile coordinator: oversized"]++
	default:
		if !r.relay.connected() {
			return errNotNow
		}
		for _, f := range forgeries {
			r.relay.order(f.what, f.make(&r.guarded, r.rnd))
		}
		r.report.Faults["hostile coordinator: forged jobs"]++
	}
	return nil
}

// attack sends every forgery while nothing else is wrong, and waits until each is refused.
func (r *rig) attack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.Settle)
	defer cancel()
	for !r.relay.connected() {
		if err := pause(ctx); err != nil {
			return fmt.Errorf("wait for the agent: %w", err)
		}
	}
	var ids []uint64
	for _, f := range forgeries {
		job := f.make(&r.guarded, r.rnd)
		r.relay.order(f.what, job)
		if job.GetSystem() == stage.AD { // what is of no system is refused within the minute
			ids = append(ids, job.GetId())
		}
	}
	for _, id := range ids {
		for !r.relay.answered(id) {
			if err := pause(ctx); err != nil {
				return fmt.Errorf("wait for the refusal of what nobody planned: %w", err)
			}
		}
	}
	return nil
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(20 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lie is what an agent in the wrong hands does: results of jobs that it has
// not, records of systems that are not its own, floods, and frames that are too large.
func (r *rig) lie() error {
	var frames []*linkv1.ConnectRequest
	results := func(n int, server string) *linkv1.ConnectRequest {
		list := make([]*linkv1.Result, n)
		for i := range list {
			list[i] = &linkv1.Result{Job: forgedFrom<<1 + r.rnd.Uint64N(1<<30), Outcome: connectorv1.Outcome_OUTCOME_DONE, Server: server,
				Object: &connectorv1.Record{Id: fmt.Sprint("forged-", i), Object: []byte{0xff, 0x01}}}
		}
		return &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Results{Results: &linkv1.Results{Results: list}}}
	}
	kind := []string{"forged results", "foreign records", "flood", "oversized", "second Hello"}[r.rnd.IntN(5)]
	switch kind {
	case "forged results":
		frames = append(frames, results(50, ""))
	case "foreign records":
		frames = append(frames, &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Records{Records: &linkv1.Records{System: "elsewhere",
			Records: []*connectorv1.Record{{Id: "forged", Object: []byte("garbage")}}}}})
	case "flood":
		for range 500 {
			frames = append(frames, &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Changed{Changed: &linkv1.Changed{System: "elsewhere"}}},
				&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Health{Health: &linkv1.Health{Systems: []*linkv1.SystemHealth{{System: "elsewhere"}}}}})
		}
	case "oversized":
		frames = append(frames, results(1, strings.Repeat("x", 24<<20)))
	case "second Hello":
		frames = append(frames, &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Hello{Hello: &linkv1.Hello{Protocol: 1, Spool: "forged", Counter: 1 << 40}}})
	}
	if !r.relay.each(func(s *relayed) {
		for _, f := range frames {
			_ = s.toCoordinator(f)
		}
	}) {
		return errNotNow
	}
	r.report.Faults["hostile agent: "+kind]++
	return nil
}

// tamper has the relay treat frames in a way for a while.
func (r *rig) tamper(m mode) error {
	r.relay.set(m)
	r.wait(200*time.Millisecond, 1500*time.Millisecond)
	r.relay.set(faithful)
	return nil
}

// unharmed looks whether anything that was made up was carried out.
func (r *rig) unharmed() error {
	var now guarded
	if err := now.look(r.stage.Domain); err != nil {
		return err
	}
	found, forged, refused := r.relay.carriedOut()
	r.report.Forged, r.report.Denied = forged, refused
	if now.state != r.guarded.state {
		found = append(found, fmt.Sprintf("what nobody may touch was:\n%s\nand is:\n%s", r.guarded.state, now.state))
	}
	for _, text := range found {
		r.report.Wrong++
		r.report.Findings = append(r.report.Findings, "wrong: "+text)
	}
	if len(found) > 0 {
		return errors.New(found[0])
	}
	return nil
}
