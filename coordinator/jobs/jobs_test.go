package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	tenant = "t"
	site   = "hq"
	agent  = "a1"
)

const document = `
system: ad
site: hq
connector: activedirectory
target:
  class: user
  match: {employeeID: employeeNumber}
  container: '"OU=Staff"'
  name: name.familyName
  attributes:
    employeeID: employeeNumber
    sAMAccountName: {value: firstUnique(lower(name.familyName)), apply: create}
    mail: name.familyName + "@corp.example"
`

// A bench is a queue on a real store with the system ad and people p0 to p9, keys k0 to k9.
type bench struct {
	*jobs.Queue
	t     testing.TB
	since store.Instant // the agent has connected
}

func newBench(t testing.TB) *bench {
	t.Helper()
	st := storetest.Open(t)
	systems, log := plan.NewSystems(), slog.New(slog.DiscardHandler)
	b := &bench{t: t, Queue: &jobs.Queue{Store: st, Systems: systems, Log: log, Intake: &intake.Intake{Store: st, Systems: systems, Log: log}}}
	b.write(func(tx *store.Tx) error {
		people := make([]store.Person, 10)
		for i := range people {
			people[i] = store.Person{Tenant: tenant, ID: fmt.Sprint("p", i), Key: fmt.Sprint("k", i), Attributes: "{}"}
		}
		if err := tx.PutPeople(people); err != nil {
			return err
		}
		b.since = tx.Now
		if err := tx.AddAgent(store.Agent{Tenant: tenant, ID: agent, Site: site, Connectors: "[]", Connected: tx.Now}); err != nil {
			return err
		}
		_, err := tx.ApplySystem(store.System{Tenant: tenant, Name: "ad", Site: site, Connector: "activedirectory", Document: document})
		return err
	})
	return b
}

func (b *bench) write(do func(*store.Tx) error) {
	b.t.Helper()
	if err := b.Store.Write(context.Background(), do); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(do func(*store.Tx) error) {
	b.t.Helper()
	if err := b.Store.Read(context.Background(), do); err != nil {
		b.t.Fatal(err)
	}
}

func creating(sam string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{
		Container: "OU=Staff", Name: sam, Attributes: []*connectorv1.Attribute{{Name: "sAMAccountName", Values: []string{sam}}, {Name: "mail", Values: []string{sam + "@corp.example"}}},
		Anchor: &connectorv1.Attribute{Name: "employeeID", Values: []string{"E-" + sam}},
	}}}
}

func modifying(id, title string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Id: id, Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{
		Changes: []*connectorv1.Change{{Name: "title", Want: []string{title}}}}}}
}

func deleting(id string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Id: id, Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}}
}

// add stores a job of an operation and returns its id.
func (b *bench) add(j store.Job, op *connectorv1.Operation) int64 {
	b.t.Helper()
	j.Tenant, j.Site, j.System = tenant, site, "ad"
	if j.State == "" {
		j.State = store.JobQueued
	}
	if op != nil {
		work, err := proto.Marshal(&linkv1.Job{Work: &linkv1.Job_Apply{Apply: op}})
		if err != nil {
			b.t.Fatal(err)
		}
		j.Work = work
	}
	rows := []store.Job{j}
	b.write(func(tx *store.Tx) error { return tx.AddJobs(rows) })
	return rows[0].ID
}

func (b *bench) claim(limit int) (ids []int64) {
	b.t.Helper()
	list, err := b.Claim(context.Background(), tenant, site, agent, b.since, map[string]int{"ad": limit})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, j := range list {
		ids = append(ids, int64(j.GetId()))
	}
	return ids
}

func (b *bench) finish(results ...*linkv1.Result) {
	b.t.Helper()
	b.write(func(tx *store.Tx) error {
		return b.Finish(tx, tenant, jobs.Results{Site: site, Agent: agent, Results: results})
	})
}

func (b *bench) job(id int64) (j store.Job) {
	b.t.Helper()
	b.read(func(tx *store.Tx) error {
		rows, err := tx.Jobs(tenant, []int64{id})
		if len(rows) == 1 {
			j = rows[0]
		}
		return err
	})
	return j
}

func (b *bench) account(id string) (a store.Account) {
	b.t.Helper()
	b.read(func(tx *store.Tx) error {
		rows, err := tx.Accounts(tenant, "ad", []string{id})
		if len(rows) == 1 {
			a = rows[0]
		}
		return err
	})
	return a
}

// dueIn returns in how long a person is due; -1 when they are not.
func (b *bench) dueIn(person string) (in time.Duration) {
	b.t.Helper()
	b.read(func(tx *store.Tx) error {
		d, err := tx.DueOf(tenant, person)
		if err != nil {
			in = -1
			return nil
		}
		in = max(0, d.At.Time().Sub(tx.Now.Time()))
		return nil
	})
	return in
}

func user(id, sam, title string) *connectorv1.Record {
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(&connectorv1.Object{Class: "user", Id: id, Address: "CN=" + sam + ",OU=Staff",
		Attributes: []*connectorv1.Attribute{{Name: "sAMAccountName", Values: []string{sam}}, {Name: "title", Values: []string{title}}}})
	if err != nil {
		panic(err)
	}
	return &connectorv1.Record{Id: id, Object: text}
}

func outcome(job int64, o connectorv1.Outcome, object *connectorv1.Record) *linkv1.Result {
	r := &linkv1.Result{Job: uint64(job), Outcome: o, Object: object, Began: timestamppb.Now(), Finished: timestamppb.Now()}
	if o != connectorv1.Outcome_OUTCOME_DONE {
		r.Fault = &connectorv1.Fault{Cause: "no", NextStep: "do something"}
	}
	return r
}

const (
	doneNow     = connectorv1.Outcome_OUTCOME_DONE
	notFound    = connectorv1.Outcome_OUTCOME_NOT_FOUND
	conflict    = connectorv1.Outcome_OUTCOME_CONFLICT
	invalid     = connectorv1.Outcome_OUTCOME_INVALID
	denied      = connectorv1.Outcome_OUTCOME_DENIED
	unavailable = connectorv1.Outcome_OUTCOME_UNAVAILABLE
	unknown     = connectorv1.Outcome_OUTCOME_UNKNOWN
)

// Jobs go out by priority and age, not before their time, to one agent only, and are sent again until they end.
func TestClaim_order(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.add(store.Job{Class: "modify", Person: "p1", Object: "g1", NotAfter: store.InstantOf(time.Now().Add(time.Hour))}, modifying("g1", "x"))
	urgent := b.add(store.Job{Class: "disable", Person: "p2", Object: "g2", Priority: 5}, modifying("g2", "x"))
	b.add(store.Job{Class: "modify", Person: "p3", Object: "g3", NotBefore: store.InstantOf(time.Now().Add(time.Hour))}, modifying("g3", "x"))
	b.add(store.Job{Class: "modify", Person: "p4", Object: "g4", State: store.JobHeld}, modifying("g4", "x"))
	second := b.add(store.Job{Class: "modify", Person: "p5", Object: "g5"}, modifying("g5", "x"))
	if diff := cmp.Diff([]int64{urgent, first}, b.claim(2)); diff != "" {
		t.Errorf("claimed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{second}, b.claim(9)); diff != "" {
		t.Errorf("claimed next (-want +got):\n%s", diff)
	}
	again, err := b.Resend(t.Context(), tenant, agent, uint64(first), 9)
	if err != nil || len(again) != 2 || again[0].GetId() != uint64(urgent) {
		t.Errorf("sent again = %v, %v; want what follows job %d", again, err, first)
	}
	m, err := b.Resend(t.Context(), tenant, agent, 0, 1)
	if err != nil || m[0].GetFence() != uint64(first) || m[0].GetSystem() != "ad" || m[0].GetObject() != "g1" || m[0].GetNotAfter() == nil || m[0].GetApply().GetModify() == nil {
		t.Errorf("job as sent = %v, %v; want all that its row says", m, err)
	}
	if err := b.Refuse(t.Context(), tenant, agent, b.since, []uint64{uint64(first)}); err != nil {
		t.Fatal(err)
	}
	if got := b.claim(9); got != nil {
		t.Errorf("claimed %v right after it was refused; want a pause", got)
	}
	if err := b.Store.Read(t.Context(), func(tx *store.Tx) error {
		queued, err := tx.QueuedSites(tenant)
		if len(queued) != 1 || queued[0].Site != site || time.Until(queued[0].From.Time()) < 5*time.Second || time.Until(queued[0].From.Time()) > 15*time.Second {
			t.Errorf("QueuedSites = %v; want one, from the end of the refused job's pause", queued)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// What a stream claims that the agent has left would be sent by nobody: its
// successor has sent everything once more already.
func TestClaim_superseded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.add(store.Job{Class: "modify", Person: "p1", Object: "g1"}, modifying("g1", "x"))
	before := b.since
	time.Sleep(2 * time.Millisecond) // instants are milliseconds
	b.write(func(tx *store.Tx) error {
		b.since = tx.Now
		_, err := tx.ConnectAgent(store.Agent{Tenant: tenant, ID: agent, Connectors: "[]"})
		return err
	})
	if list, err := b.Claim(t.Context(), tenant, site, agent, before, map[string]int{"ad": 9}); !errors.Is(err, jobs.ErrSuperseded) {
		t.Errorf("Claim for the stream before = %v, %v; want ErrSuperseded", list, err)
	}
	if diff := cmp.Diff([]int64{id}, b.claim(9)); diff != "" {
		t.Errorf("claimed for the last stream (-want +got):\n%s", diff)
	}
	if err := b.Refuse(t.Context(), tenant, agent, before, []uint64{uint64(id)}); !errors.Is(err, jobs.ErrSuperseded) {
		t.Errorf("Refuse by the stream before = %v; want ErrSuperseded", err)
	}
}

// A job that cannot be read ends as failed, and does not stop those beside it.
func TestClaim_unreadable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	broken := b.add(store.Job{Class: "modify", Object: "g1", Person: "p1", Work: []byte{0xff}}, nil)
	good := b.add(store.Job{Class: "modify", Object: "g2", Person: "p2"}, modifying("g2", "Nurse"))
	if ids := b.claim(10); len(ids) != 1 || ids[0] != good {
		t.Errorf("claimed = %v; want %d alone", ids, good)
	}
	if j := b.job(broken); j.State != store.JobFailed || j.Outcome != "INVALID" {
		t.Errorf("the one that cannot be read is %s %s; want failed INVALID", j.State, j.Outcome)
	}
}

// A create that is done makes the account its person's, queues what follows, and makes the person due at the end of the chain.
func TestFinish_chain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	make1 := b.add(store.Job{Class: "create", Person: "p1", Object: "p1"}, creating("jdoe"))
	then := b.add(store.Job{Class: "modify", Person: "p1", Object: "g1", State: store.JobWaiting, After: make1}, modifying("g1", "x"))
	b.write(func(tx *store.Tx) error {
		return tx.ReplaceWaiting(tenant, []string{"p2"}, []store.Waiting{{Tenant: tenant, System: "ad", Key: "k1", Person: "p2"}})
	})
	b.claim(9)
	b.finish(outcome(make1, doneNow, user("g1", "jdoe", "")))
	if a := b.account("g1"); a.Person != "p1" {
		t.Errorf("account belongs to %q; want p1", a.Person)
	}
	if j := b.job(make1); j.State != store.JobDone || j.Outcome != "DONE" || j.Ended == 0 {
		t.Errorf("job = %+v; want it done", j)
	}
	if j := b.job(then); j.State != store.JobQueued {
		t.Errorf("successor is %s; want it queued", j.State)
	}
	if in := b.dueIn("p1"); in >= 0 {
		t.Error("person is due in the middle of the chain; want at its end")
	}
	if in := b.dueIn("p2"); in != 0 {
		t.Errorf("who waited is due in %v; want now", in)
	}
	b.claim(9)
	b.finish(outcome(then, doneNow, user("g1", "jdoe", "x")))
	if in := b.dueIn("p1"); in != 0 {
		t.Errorf("person is due in %v at the end of the chain; want now", in)
	}
	b.read(func(tx *store.Tx) error {
		log, err := tx.HistoryOf(tenant, "p1", 0, 9)
		if len(log) != 2 || log[1].Kind != "written" || log[1].Account != "g1" || log[1].Job != make1 {
			t.Errorf("log = %+v; want an entry for each write", log)
		}
		return err
	})
}

// Each outcome leads where the package says.
func TestFinish_outcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		class   string
		op      *connectorv1.Operation
		result  func(id int64) *linkv1.Result
		due     time.Duration // at least; -1: not
		gone    bool
		problem string
	}{
		{"conflict with news", "modify", modifying("g1", "x"), func(id int64) *linkv1.Result { return outcome(id, conflict, user("g1", "jdoe", "other")) }, 0, false, ""},
		{"conflict without news", "modify", modifying("g1", "x"), func(id int64) *linkv1.Result { return outcome(id, conflict, user("g1", "jdoe", "old")) }, 50 * time.Second, false, ""},
		{"not found", "modify", modifying("g1", "x"), func(id int64) *linkv1.Result { return outcome(id, notFound, nil) }, 0, true, ""},
		{"container not found", "create", creating("new"), func(id int64) *linkv1.Result { return outcome(id, notFound, nil) }, 0, false, "invalid"},
		{"group not found", "membership", modifying("g1", "x"), func(id int64) *linkv1.Result { return outcome(id, notFound, nil) }, 0, false, "invalid"},
		{"invalid", "modify", modifying("g1", "x"), func(id int64) *linkv1.Result { return outcome(id, invalid, nil) }, 0, false, "invalid"},
		{"denied", "modify", modifying("g1", "x"), func(id int64) *linkv1.Result { return outcome(id, denied, nil) }, 0, false, "denied"},
		{"unavailable", "modify", modifying("g1", "x"), func(id int64) *linkv1.Result { return outcome(id, unavailable, nil) }, 50 * time.Second, false, ""},
		{"unknown", "modify", modifying("g1", "x"), func(id int64) *linkv1.Result { return outcome(id, unknown, nil) }, 4 * time.Second, false, ""},
		{"unknown create", "create", creating("new"), func(id int64) *linkv1.Result { return outcome(id, unknown, nil) }, -1, false, ""},
		{"deleted", "delete", deleting("g1"), func(id int64) *linkv1.Result { return outcome(id, doneNow, nil) }, 0, true, ""},
		{"not shown", "modify", modifying("g1", "x"), func(id int64) *linkv1.Result { return outcome(id, doneNow, nil) }, 9 * time.Minute, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.write(func(tx *store.Tx) error {
				if err := b.Intake.Take(tx, intake.Batch{Tenant: tenant, System: "ad", Records: []*connectorv1.Record{user("g1", "jdoe", "old")}, Owners: map[string]string{"g1": "p1"}}); err != nil {
					return err
				}
				return tx.RemoveDue(tenant, []string{"p1"})
			})
			id := b.add(store.Job{Class: c.class, Person: "p1", Object: "g1"}, c.op)
			follower := b.add(store.Job{Class: "modify", Person: "p1", Object: "g1", State: store.JobWaiting, After: id}, modifying("g1", "y"))
			last := b.add(store.Job{Class: "enable", Person: "p1", Object: "g1", State: store.JobHeld, After: follower}, modifying("g1", "z"))
			b.claim(9)
			r := c.result(id)
			b.finish(r)
			if r.GetOutcome() != doneNow {
				if j := b.job(id); j.State != store.JobFailed || !strings.Contains(j.Fault, "do something") {
					t.Errorf("job = %s with %q; want it failed with its fault", j.State, j.Fault)
				}
				if a, z := b.job(follower).State, b.job(last).State; a != store.JobDropped || z != store.JobDropped {
					t.Errorf("successors are %s and %s; want both dropped", a, z)
				}
			} else if s := b.job(follower).State; s != store.JobQueued {
				t.Errorf("successor is %s; want it queued", s)
			}
			in := b.dueIn("p1")
			if r.GetOutcome() == doneNow && c.class != "modify" { // gone: the account's end is news
				in = max(in, 0)
			}
			if c.due < 0 && in >= 0 || c.due >= 0 && in < c.due || c.due == 0 && in > 0 {
				t.Errorf("person is due in %v; want %v", in, c.due)
			}
			if a := b.account("g1"); (a.Gone != 0) != c.gone {
				t.Errorf("account is gone since %v; want gone %v", a.Gone, c.gone)
			}
			b.read(func(tx *store.Tx) error {
				list, err := tx.ProblemsOf(tenant, []string{"p1"})
				got := ""
				if len(list) > 0 {
					got = list[0].Kind
					if wait := list[0].Retry.Time().Sub(tx.Now.Time()); wait < 5*time.Hour || wait > 6*time.Hour {
						t.Errorf("tried again in %v; want 6 h", wait)
					}
				}
				if got != c.problem {
					t.Errorf("problem = %q; want %q", got, c.problem)
				}
				return err
			})
		})
	}
}

// A conflict over a change that a read has told of since the job was planned is
// planned again at once, and not a while later as one that says nothing new.
func TestFinish_conflictThatAReadHasTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	take := func(givenName string) {
		b.write(func(tx *store.Tx) error {
			return b.Intake.Take(tx, intake.Batch{Tenant: tenant, System: "ad", Records: []*connectorv1.Record{user("g1", "jdoe", givenName)}, Owners: map[string]string{"g1": "p1"}})
		})
	}
	take("old")
	id := b.add(store.Job{Class: "modify", Person: "p1", Object: "g1"}, modifying("g1", "x"))
	b.claim(9)
	time.Sleep(2 * time.Millisecond) // instants are milliseconds
	take("changed by hand")
	b.write(func(tx *store.Tx) error { return tx.RemoveDue(tenant, []string{"p1"}) }) // planned, but an agent has the job
	b.finish(outcome(id, conflict, user("g1", "jdoe", "changed by hand")))
	if in := b.dueIn("p1"); in < 0 || in > time.Second {
		t.Errorf("person is due in %v; want at once: the job was planned before the read", in)
	}
}

// A create whose fate is unknown is looked for by its anchor; the one object found is the person's.
func TestFinish_looksForLostCreate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.add(store.Job{Class: "create", Person: "p1", Object: "p1"}, creating("jdoe"))
	b.claim(9)
	b.finish(outcome(id, unknown, nil))
	sent, err := b.Claim(t.Context(), tenant, site, agent, b.since, map[string]int{"ad": 9})
	if err != nil || len(sent) != 1 {
		t.Fatalf("claimed %v, %v; want a search", sent, err)
	}
	find := sent[0].GetFind()
	if find.GetAttribute() != "employeeID" || !slices.Equal(find.GetValues(), []string{"E-jdoe"}) || find.GetClass() != "user" {
		t.Errorf("search = %v; want it by the anchor", find)
	}
	b.finish(&linkv1.Result{Job: sent[0].GetId(), Outcome: doneNow, Found: []*connectorv1.Record{user("g1", "jdoe", "")}})
	if a := b.account("g1"); a.Person != "p1" || b.dueIn("p1") != 0 {
		t.Errorf("account belongs to %q, person due in %v; want p1, now", a.Person, b.dueIn("p1"))
	}
}

// A name that is somebody else's is noted, so that the next candidate is taken;
// where there is no next one, or noting it has not helped, it is a problem.
func TestFinish_takenNames(t *testing.T) {
	t.Parallel()
	taken := func(b *bench, attribute, object string) string {
		id := b.add(store.Job{Class: "create", Person: "p1", Object: "p1"}, creating("JDoe"))
		b.claim(9)
		r := outcome(id, invalid, nil)
		r.Fault.Taken, r.Fault.Attribute, r.Fault.Object, r.Fault.NextStep = true, attribute, object, "Another value is tried."
		b.finish(r)
		kind := ""
		b.read(func(tx *store.Tx) error {
			list, err := tx.ProblemsOf(tenant, []string{"p1"})
			if len(list) > 0 {
				if kind = list[0].Kind; !strings.Contains(list[0].Fault, "give the rule of "+attribute+" another candidate") || strings.Contains(list[0].Fault, "is tried.") {
					t.Errorf("problem says %q; want what a person is to do", list[0].Fault)
				}
			}
			return err
		})
		return kind
	}
	name := func(b *bench, attribute, value string) (held bool) {
		b.read(func(tx *store.Tx) error {
			names, err := tx.Names(tenant, "ad", attribute, []string{value})
			held = len(names) == 1 && names[0].Holder == ""
			return err
		})
		return held
	}
	b := newBench(t)
	if kind := taken(b, "SAMACCOUNTNAME", ""); kind != "" || !name(b, "sAMAccountName", "jdoe") {
		t.Errorf("problem = %q, noted %v; want the name noted as nobody's", kind, name(b, "sAMAccountName", "jdoe"))
	}
	if kind := taken(b, "sAMAccountName", ""); kind != "taken" {
		t.Errorf("problem when it is taken again = %q; want taken: it must not go round for ever", kind)
	}
	b = newBench(t)
	if kind := taken(b, "mail", ""); kind != "taken" {
		t.Errorf("problem for an attribute with one candidate = %q; want taken", kind)
	}
	b = newBench(t)
	if kind := taken(b, "cn", "CN=JDoe,OU=Staff"); kind != "" || !name(b, "address", "cn=jdoe,ou=staff") {
		t.Errorf("problem = %q; want the address noted", kind)
	}
}

// A schema that does not fit the document is a problem of the system, until one that fits is read.
func TestFinish_schema(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	schema := func(names ...string) (kinds []string) {
		id := b.add(store.Job{Class: "schema"}, nil)
		b.claim(9)
		class := &connectorv1.Class{Name: "user"}
		for _, n := range names {
			class.Attributes = append(class.Attributes, &connectorv1.AttributeType{Name: n, Type: connectorv1.Type_TYPE_STRING})
		}
		b.finish(&linkv1.Result{Job: uint64(id), Outcome: doneNow, Schema: &connectorv1.SchemaResponse{Classes: []*connectorv1.Class{class}}})
		b.read(func(tx *store.Tx) error {
			list, err := tx.Problems(tenant, 9)
			for _, p := range list {
				kinds = append(kinds, p.Kind+" "+p.Fault)
			}
			return err
		})
		return kinds
	}
	got := schema("employeeID", "sAMAccountName", "mial")
	if len(got) != 1 || !strings.HasPrefix(got[0], "schema ") || !strings.Contains(got[0], "mail") || !strings.Contains(got[0], "mial") {
		t.Errorf("problems = %v; want one that names the attribute and the one that may be meant", got)
	}
	if got := schema("employeeID", "sAMAccountName", "mail"); got != nil {
		t.Errorf("problems after a schema that fits = %v; want none", got)
	}
}

// A job that nobody took in time is dropped with what follows it, and its person planned anew.
func TestExpire(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.add(store.Job{Class: "enable", Person: "p1", Object: "g1", NotAfter: 1}, modifying("g1", "x"))
	follower := b.add(store.Job{Class: "modify", Person: "p1", Object: "g1", State: store.JobWaiting, After: id}, modifying("g1", "y"))
	if err := b.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, z := b.job(id).State, b.job(follower).State; a != store.JobDropped || z != store.JobDropped || b.dueIn("p1") != 0 {
		t.Errorf("jobs are %s and %s, person due in %v; want both dropped, and now", a, z, b.dueIn("p1"))
	}
}

// However results are cut into batches, and whichever of them come again, the store ends the same.
func TestFinish_repeatedResults(t *testing.T) {
	t.Parallel()
	run := func(seed uint64, repeat bool) []string {
		b := newBench(t)
		var results []*linkv1.Result
		what := rand.New(rand.NewPCG(seed, 1))
		for i := range 40 {
			n := what.IntN(10)
			person, id := fmt.Sprint("p", n), fmt.Sprint("g", n)
			class, op := "modify", modifying(id, "x")
			switch what.IntN(4) {
			case 0:
				class, op = "create", creating(fmt.Sprint("u", n))
			case 1:
				class, op = "delete", deleting(id)
			}
			job := b.add(store.Job{Class: class, Person: person, Object: id}, op)
			o := []connectorv1.Outcome{doneNow, doneNow, doneNow, conflict, notFound, invalid, unavailable}[what.IntN(7)]
			var object *connectorv1.Record
			if o == doneNow && class != "delete" || o == conflict {
				object = user(id, fmt.Sprint("u", n), fmt.Sprint("t", i))
			}
			results = append(results, outcome(job, o, object))
		}
		b.claim(100)
		cut := rand.New(rand.NewPCG(seed, 2))
		for i := 0; i < len(results); {
			n := min(1+cut.IntN(6), len(results)-i)
			b.finish(results[i : i+n]...)
			i += n
			if repeat && cut.IntN(2) == 0 {
				i = max(0, i-cut.IntN(8)) // the agent repeats what was not confirmed
			}
		}
		return b.state()
	}
	for seed := range uint64(8) {
		if diff := cmp.Diff(run(seed, false), run(seed, true)); diff != "" {
			t.Fatalf("seed %d: store after repeated results differs (-once +often):\n%s", seed, diff)
		}
	}
}

// state is what the store knows, without instants.
func (b *bench) state() (lines []string) {
	b.t.Helper()
	b.read(func(tx *store.Tx) error {
		accounts, err := tx.AccountsAfter(tenant, "ad", "", 1000)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			lines = append(lines, fmt.Sprintf("account %s of %s gone %v: %x", a.ID, a.Person, a.Gone != 0, a.Object))
		}
		for id := range int64(50) {
			if j := b.job(id); j.ID != 0 {
				lines = append(lines, fmt.Sprintf("job %d %s %s %s", id, j.Class, j.State, j.Outcome))
			}
		}
		log, err := tx.HistoryAfter(tenant, 0, 1000)
		if err != nil {
			return err
		}
		for _, h := range log {
			lines = append(lines, fmt.Sprintf("log %s %s %d", h.Kind, h.Text, h.Job))
		}
		names, err := tx.AllNames(tenant, "ad")
		if err != nil {
			return err
		}
		for _, n := range names {
			lines = append(lines, fmt.Sprintf("name %s %s of %s", n.Attribute, n.Value, n.Holder))
		}
		for i := range 10 {
			p := fmt.Sprint("p", i)
			lines = append(lines, fmt.Sprintf("%s due %v", p, b.dueIn(p) >= 0))
			problems, err := tx.ProblemsOf(tenant, []string{p})
			if err != nil {
				return err
			}
			for _, pr := range problems {
				lines = append(lines, fmt.Sprintf("problem %s %s %d", p, pr.Kind, pr.Tries))
			}
		}
		return err
	})
	return lines
}

// BenchmarkQueue claims creates by 256 and finishes them by as many, each a
// transaction synced to disk, with accounts, names and history.
func BenchmarkQueue(b *testing.B) {
	x := newBench(b)
	rows := make([]store.Job, b.N)
	for i := range rows {
		work, err := proto.Marshal(&linkv1.Job{Work: &linkv1.Job_Apply{Apply: creating(fmt.Sprint("u", i))}})
		if err != nil {
			b.Fatal(err)
		}
		p := fmt.Sprint("q", i)
		rows[i] = store.Job{Tenant: tenant, Site: site, System: "ad", Class: "create", Person: p, Object: p, State: store.JobQueued, Work: work}
	}
	x.write(func(tx *store.Tx) error { return tx.AddJobs(rows) })
	b.ResetTimer()
	for {
		ids := x.claim(256)
		if len(ids) == 0 {
			break
		}
		results := make([]*linkv1.Result, len(ids))
		for i, id := range ids {
			results[i] = outcome(id, doneNow, user(fmt.Sprint("g", id), fmt.Sprint("u", id), "Nurse"))
		}
		x.finish(results...)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}
