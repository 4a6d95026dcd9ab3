package intake_test

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

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const tenant = "t"

const hrDocument = `
system: hr
site: hq
connector: csv
source:
  class: row
  key: employee_id
  attributes:
    name.givenName: first_name
    name.familyName: last_name
    title: title
    startDate: date(hired, "2006-01-02")
`

const adDocument = `
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
    title: title
`

// A bench is an intake on a real store with the systems hr and ad.
type bench struct {
	*intake.Intake
	t testing.TB
}

func newBench(t testing.TB, documents ...string) *bench {
	t.Helper()
	st := storetest.Open(t)
	b := &bench{t: t, Intake: &intake.Intake{Store: st, Systems: plan.NewSystems(), Log: slog.New(slog.DiscardHandler)}}
	if documents == nil {
		documents = []string{hrDocument, adDocument}
	}
	for _, d := range documents {
		b.applyDocument(d)
	}
	b.write(func(tx *store.Tx) error { // ids of reads begin behind the cycles that tests make up
		first, err := tx.ReserveJobs(1000)
		if err != nil {
			return err
		}
		return tx.AddJobs([]store.Job{{ID: first + 999, Tenant: tenant, State: store.JobDone}})
	})
	return b
}

func (b *bench) applyDocument(document string) {
	b.t.Helper()
	name := strings.Fields(document)[1]
	b.write(func(tx *store.Tx) error {
		_, err := tx.ApplySystem(store.System{Tenant: tenant, Name: name, Site: "hq", Connector: "c", Document: document})
		return err
	})
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

// object marshals an object; pairs are names and values.
func object(class, id, address string, pairs ...string) *connectorv1.Record {
	o := &connectorv1.Object{Class: class, Id: id, Address: address}
	for i := 0; i < len(pairs); i += 2 {
		o.Attributes = append(o.Attributes, &connectorv1.Attribute{Name: pairs[i], Values: []string{pairs[i+1]}})
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(o)
	if err != nil {
		panic(err)
	}
	return &connectorv1.Record{Id: id, Object: text}
}

func worker(n int, title string) *connectorv1.Record {
	id := fmt.Sprintf("E%05d", n)
	return object("row", id, "workers.csv", "employee_id", id, "first_name", "Ana", "last_name", "Worker"+id, "title", title, "hired", "2020-01-01")
}

func user(id, employee, sam, title string) *connectorv1.Record {
	return object("user", id, "CN="+sam+",OU=Staff", "employeeID", employee, "sAMAccountName", sam, "title", title)
}

func gone(id string) *connectorv1.Record { return &connectorv1.Record{Id: id, Deleted: true} }

func (b *bench) take(system string, cycle int64, records ...*connectorv1.Record) {
	b.t.Helper()
	b.write(func(tx *store.Tx) error {
		return b.Take(tx, intake.Batch{Tenant: tenant, System: system, Cycle: cycle, Records: records})
	})
}

// begin stores a read job with its cycle.
func (b *bench) begin(system string) store.Job {
	b.t.Helper()
	jobs := []store.Job{{Tenant: tenant, Site: "hq", System: system, Class: "read", State: store.JobSent}}
	b.write(func(tx *store.Tx) error {
		if err := tx.AddJobs(jobs); err != nil {
			return err
		}
		return tx.PutCycle(store.Cycle{Tenant: tenant, ID: jobs[0].ID, System: system, Began: tx.Now, State: store.CycleReading})
	})
	return jobs[0]
}

// end ends a read and returns its cycle.
func (b *bench) end(job store.Job, result *linkv1.Result) (c store.Cycle) {
	b.t.Helper()
	b.write(func(tx *store.Tx) error {
		if err := b.EndRead(tx, job, result); err != nil {
			return err
		}
		var err error
		c, err = tx.Cycle(tenant, job.ID)
		return err
	})
	return c
}

func done(full bool, seen, changed, deleted, known uint64) *linkv1.Result {
	return &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_DONE,
		Read: &linkv1.ReadSummary{Full: full, Seen: seen, Changed: changed, Deleted: deleted, Known: known}}
}

func (b *bench) person(key string) (p store.Person) {
	b.t.Helper()
	b.read(func(tx *store.Tx) error {
		rows, err := tx.PeopleByKey(tenant, []string{key})
		if err == nil && len(rows) != 1 {
			err = fmt.Errorf("%d people have the key %s; want 1", len(rows), key)
		}
		if err == nil {
			p = rows[0]
		}
		return err
	})
	return p
}

func (b *bench) account(system, id string) (a store.Account) {
	b.t.Helper()
	b.read(func(tx *store.Tx) error {
		rows, err := tx.Accounts(tenant, system, []string{id})
		if err == nil && len(rows) == 1 {
			a = rows[0]
		}
		return err
	})
	return a
}

// takeDue returns the keys of the people who are due, and makes nobody due.
func (b *bench) takeDue() (keys []string) {
	b.t.Helper()
	b.write(func(tx *store.Tx) error {
		due, err := tx.DuePeople(1_000_000)
		if err != nil {
			return err
		}
		ids := make([]string, len(due))
		for i, d := range due {
			ids[i] = d.Person
		}
		people, err := tx.People(tenant, ids)
		if err != nil {
			return err
		}
		for _, p := range people {
			keys = append(keys, p.Key)
		}
		slices.Sort(keys)
		return tx.RemoveDue(tenant, ids)
	})
	return keys
}

func (b *bench) wantDue(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.takeDue()); diff != "" {
		b.t.Errorf("people due (-want +got):\n%s", diff)
	}
}

// A source's record makes a person once; what did not change makes nobody due.
func TestTake_sourceMakesPeople(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.take("hr", 1, worker(1, "Nurse"), worker(2, "Cook"))
	b.wantDue("e00001", "e00002")
	first := b.person("e00001")
	if first.Display != "Ana WorkerE00001" || !strings.Contains(first.Attributes, "Nurse") {
		t.Errorf("person = %+v; want name and title of the record", first)
	}
	b.take("hr", 2, worker(1, "Nurse"), worker(2, "Chef"))
	b.wantDue("e00002")
	if now := b.person("e00001"); now != first {
		t.Errorf("person whose record did not change = %+v; was %+v", now, first)
	}
	b.read(func(tx *store.Tx) error {
		log, err := tx.HistoryOf(tenant, b.person("e00002").ID, 0, 9)
		if len(log) != 2 || log[0].Text != "title changed in hr" || strings.Contains(string(log[0].Body), "Chef") {
			t.Errorf("log of the changed person = %+v; want the name of what changed, and no value", log)
		}
		return err
	})
}

// A record that the mapping cannot take is set aside until it changes; the rest goes on, and the person keeps what they had.
func TestTake_recordThatDoesNotFit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	bad := func(n int) *connectorv1.Record {
		id := fmt.Sprintf("E%05d", n)
		return object("row", id, fmt.Sprintf("workers.csv line %d", n+1), "employee_id", id, "hired", "31.2.2020")
	}
	b.take("hr", 1, worker(1, "Nurse"))
	before := b.person("e00001")
	b.take("hr", 2, bad(1), bad(2), worker(3, "Cook"))
	b.takeDue()
	if now := b.person("e00001"); now.Attributes != before.Attributes {
		t.Errorf("attributes = %s; want those before the bad record: %s", now.Attributes, before.Attributes)
	}
	rejects := func() (places []string) {
		b.read(func(tx *store.Tx) error {
			rows, err := tx.Rejects(tenant, "hr", 9)
			for _, r := range rows {
				places = append(places, r.Place)
				if !strings.Contains(r.Reason, "startDate") || !strings.Contains(r.Reason, "31.2.2020") {
					t.Errorf("reject says %q; want the attribute and the value that does not fit", r.Reason)
				}
			}
			return err
		})
		return places
	}
	if diff := cmp.Diff([]string{"workers.csv line 2", "workers.csv line 3"}, rejects()); diff != "" {
		t.Errorf("rejects (-want +got):\n%s", diff)
	}
	b.end(b.begin("hr"), done(true, 3, 0, 0, 3)) // a later full read does not make it forgotten
	b.take("hr", 4, worker(1, "Nurse"))
	if diff := cmp.Diff([]string{"workers.csv line 3"}, rejects()); diff != "" {
		t.Errorf("rejects after the record was mended (-want +got):\n%s", diff)
	}
}

// Of two records of one person the later employment speaks; when it goes, the other does.
func TestTake_twoRecordsOfOnePerson(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	row := func(id, title, hired string) *connectorv1.Record {
		return object("row", id, "", "employee_id", "E7", "first_name", "Ana", "last_name", "B", "title", title, "hired", hired)
	}
	title := func() string {
		for _, w := range []string{"Nurse", "Chief"} {
			if strings.Contains(b.person("e7").Attributes, w) {
				return w
			}
		}
		return ""
	}
	b.take("hr", 1, row("1", "Nurse", "2019-01-01"))
	b.take("hr", 2, row("2", "Chief", "2022-01-01"))
	if got := title(); got != "Chief" {
		t.Errorf("title with two records = %q; want that of the later start", got)
	}
	b.take("hr", 3, row("1", "Nurse", "2019-02-01"))
	if got := title(); got != "Chief" {
		t.Errorf("title after the earlier record changed = %q; want that of the later start", got)
	}
	b.takeDue()
	job := b.begin("hr")
	b.take("hr", job.ID, gone("2"))
	b.end(job, done(false, 0, 0, 1, 0))
	if got := title(); got != "Nurse" {
		t.Errorf("title after the later record went = %q; want that of the one left", got)
	}
	b.wantDue("e7")
}

// A target's object belongs to whoever it did, takes its names, and frees those it gave up.
func TestTake_targetNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.take("hr", 1, worker(1, "Nurse"))
	b.takeDue()
	b.take("ad", 2, user("g1", "E00001", "worker1", "Nurse"), object("group", "g9", "CN=Staff,OU=Staff"))
	b.wantDue("e00001") // there may be an account for them to be joined to
	held := func() (values []string) {
		b.read(func(tx *store.Tx) error {
			rows, err := tx.AllNames(tenant, "ad")
			for _, n := range rows {
				values = append(values, n.Attribute+"="+n.Value)
			}
			return err
		})
		slices.Sort(values)
		return values
	}
	if diff := cmp.Diff([]string{"address=cn=staff,ou=staff", "address=cn=worker1,ou=staff", "sAMAccountName=worker1"}, held()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if a := b.account("ad", "g1"); a.Match != "e00001" || a.Address != "CN=worker1,OU=Staff" {
		t.Errorf("account = match %q at %q; want it folded, and the address as it is", a.Match, a.Address)
	}
	b.take("ad", 3, user("g1", "E00001", "worker1b", "Nurse"))
	if diff := cmp.Diff([]string{"address=cn=staff,ou=staff", "address=cn=worker1b,ou=staff", "sAMAccountName=worker1b"}, held()); diff != "" {
		t.Errorf("names after a rename (-want +got):\n%s", diff)
	}
}

// Who waits for a person's account is due when a write has made it.
func TestTake_ownersWakeWhoWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.take("hr", 1, worker(1, "Nurse"), worker(2, "Boss"))
	b.takeDue()
	report, boss := b.person("e00001"), b.person("e00002")
	b.write(func(tx *store.Tx) error {
		if err := tx.ReplaceWaiting(tenant, []string{report.ID}, []store.Waiting{{Tenant: tenant, System: "ad", Key: boss.Key, Person: report.ID}}); err != nil {
			return err
		}
		return b.Take(tx, intake.Batch{Tenant: tenant, System: "ad", Records: []*connectorv1.Record{user("g2", "E00002", "boss", "Boss")},
			Owners: map[string]string{"g2": boss.ID}})
	})
	if a := b.account("ad", "g2"); a.Person != boss.ID {
		t.Errorf("account belongs to %q; want %q", a.Person, boss.ID)
	}
	b.wantDue("e00001") // the owner is due when whoever wrote says so
	b.take("ad", 3, user("g2", "E00002", "boss", "Chief"))
	b.wantDue("e00002") // nobody waits any more; the change is against what the source says
}

// A feed that lost 40 % is held, and nobody loses anything; a person may believe it, or not.
func TestEndRead_gate(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*bench, store.Cycle) {
		b := newBench(t)
		var all, lost []*connectorv1.Record
		for n := range 20 {
			all = append(all, worker(n, "Nurse"))
			if n < 8 {
				lost = append(lost, gone(worker(n, "").GetId()))
			}
		}
		b.take("hr", 1, all...)
		b.takeDue()
		job := b.begin("hr")
		b.take("hr", job.ID, lost...)
		c := b.end(job, done(true, 12, 0, 8, 20))
		if c.State != store.CycleHeld || !strings.Contains(c.Reason, "8 of 20") || !strings.Contains(c.Reason, "drawbridge cycle approve") {
			t.Errorf("cycle is %s: %q; want it held, with how many and what to do", c.State, c.Reason)
		}
		b.wantDue()
		if a := b.account("hr", "E00000"); a.Gone != 0 || a.Missing == 0 {
			t.Errorf("account gone %v, missing %d; want missing only", a.Gone, a.Missing)
		}
		return b, c
	}
	t.Run("believed", func(t *testing.T) {
		t.Parallel()
		b, c := start(t)
		if err := b.Believe(t.Context(), tenant, c.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		if due := b.takeDue(); len(due) != 8 || b.account("hr", "E00000").Gone == 0 {
			t.Errorf("%d people are due; want the 8 that are gone", len(due))
		}
		if err := b.Believe(t.Context(), tenant, c.ID, "ann"); !errors.Is(err, intake.ErrNotHeld) {
			t.Errorf("Believe again = %v; want ErrNotHeld", err)
		}
	})
	t.Run("discarded", func(t *testing.T) {
		t.Parallel()
		b, c := start(t)
		if err := b.Discard(t.Context(), tenant, c.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		b.wantDue()
		if a := b.account("hr", "E00000"); a.Gone != 0 || a.Missing != 0 {
			t.Errorf("account gone %v, missing %d; want neither", a.Gone, a.Missing)
		}
	})
	t.Run("came back", func(t *testing.T) {
		t.Parallel()
		b, c := start(t)
		job := b.begin("hr")
		for n := range 8 {
			b.take("hr", job.ID, worker(n, "Nurse"))
		}
		if got := b.end(job, done(true, 20, 8, 0, 12)); got.State != store.CycleApplied {
			t.Errorf("cycle after the rows came back is %s: %s", got.State, got.Reason)
		}
		b.wantDue()
		b.read(func(tx *store.Tx) error {
			held, err := tx.Cycle(tenant, c.ID)
			if held.State == store.CycleHeld {
				_, n := tx.CountMissing(tenant, "hr")
				t.Errorf("the earlier cycle is still held, %v missing", n)
			}
			return err
		})
	})
	t.Run("nothing new", func(t *testing.T) {
		t.Parallel()
		b, c := start(t)
		if got := b.end(b.begin("hr"), done(true, 12, 0, 0, 12)); got.State != store.CycleApplied {
			t.Errorf("cycle that found nothing new is %s; want it applied, the earlier one still held", got.State)
		}
		b.wantDue()
		if err := b.Believe(t.Context(), tenant, c.ID, "ann"); err != nil {
			t.Errorf("Believe of the earlier cycle = %v; want it decided there", err)
		}
	})
	t.Run("more is lost", func(t *testing.T) {
		t.Parallel()
		b, c := start(t)
		job := b.begin("hr")
		b.take("hr", job.ID, gone("E00019"))
		if got := b.end(job, done(true, 11, 0, 1, 12)); got.State != store.CycleHeld || !strings.Contains(got.Reason, "9 of 20") {
			t.Errorf("cycle that lost one more is %s: %s; want it held with all 9", got.State, got.Reason)
		}
		if err := b.Believe(t.Context(), tenant, c.ID, "ann"); !errors.Is(err, intake.ErrNotHeld) {
			t.Errorf("Believe of the earlier cycle = %v; want ErrNotHeld: the later one decides", err)
		}
	})
}

// Few that are gone are believed, and their people due; a read that broke off takes nothing as gone.
func TestEndRead_believesOrFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range 10 {
		b.take("hr", 1, worker(n, "Nurse"))
	}
	b.takeDue()
	job := b.begin("hr")
	b.take("hr", job.ID, gone("E00003"))
	c := b.end(job, &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_UNAVAILABLE, Fault: &connectorv1.Fault{Cause: "the file is away", NextStep: "mount it"}})
	if c.State != store.CycleFailed || c.Reason != "the file is away: mount it" {
		t.Errorf("cycle = %s %q; want it failed with cause and next step", c.State, c.Reason)
	}
	b.wantDue()
	before := b.person("e00003")
	job = b.begin("hr")
	b.take("hr", job.ID, gone("E00003"))
	if c := b.end(job, done(true, 9, 0, 1, 10)); c.State != store.CycleApplied {
		t.Errorf("cycle that lost one = %s; want it applied", c.State)
	}
	b.wantDue("e00003")
	if now := b.person("e00003"); now.Changed <= before.Changed && now.Changed == 0 || now.Attributes != before.Attributes {
		t.Errorf("person without a record = %+v; want what they had", now)
	}
	b.take("hr", 9, worker(3, "Nurse")) // and comes back
	b.wantDue("e00003")
}

// A failed read is tried again soon, then with growing pauses, never later than the schedule has it.
func TestEndRead_failedIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	in := func(scheduled time.Duration) (pause time.Duration) {
		job := b.begin("hr")
		b.write(func(tx *store.Tx) error { return tx.SetNextRead(tenant, "hr", tx.Now.Add(scheduled)) })
		b.end(job, &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_UNAVAILABLE})
		b.read(func(tx *store.Tx) error {
			row, err := tx.System(tenant, "hr")
			pause = row.NextRead.Time().Sub(tx.Now.Time())
			return err
		})
		return pause.Round(time.Second)
	}
	var got []time.Duration
	for _, scheduled := range []time.Duration{time.Hour, time.Hour, time.Hour, 10 * time.Second} {
		got = append(got, in(scheduled))
	}
	if diff := cmp.Diff([]time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 10 * time.Second}, got); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
}

// An agent with a new spool cannot say what is gone: what it did not send is. What it could not read is not.
func TestEndRead_everythingWasSent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range 30 {
		b.take("hr", 1, worker(n, "Nurse"))
	}
	b.takeDue()
	job := b.begin("hr")
	for n := 2; n < 30; n++ {
		b.take("hr", job.ID, worker(n, "Nurse"))
	}
	b.write(func(tx *store.Tx) error {
		return b.Take(tx, intake.Batch{Tenant: tenant, System: "hr", Cycle: job.ID,
			Rejects: []*connectorv1.Reject{{Place: "line 3", Reason: "bad", Id: "E00001"}}})
	})
	b.end(job, done(true, 28, 28, 0, 0))
	b.wantDue("e00000")
}

// A target is known to be read under its document only by a read that began after it was applied; then whom it touches is due.
func TestEndRead_readAs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.take("hr", 1, worker(1, "Nurse"))
	b.takeDue()
	readAs := func() (n int64) {
		b.read(func(tx *store.Tx) error {
			row, err := tx.System(tenant, "ad")
			n = row.ReadAs
			return err
		})
		return n
	}
	job := b.begin("ad")
	b.write(func(tx *store.Tx) error {
		return tx.PutCycle(store.Cycle{Tenant: tenant, ID: job.ID + 1000, System: "ad", Began: 1, State: store.CycleReading})
	})
	early := job
	early.ID += 1000
	b.end(early, done(true, 0, 0, 0, 0))
	if n := readAs(); n != 0 {
		t.Errorf("read that began before the document was applied counts for revision %d; want none", n)
	}
	b.end(job, done(true, 0, 0, 0, 0))
	if n := readAs(); n != 1 {
		t.Errorf("read that began after it counts for revision %d; want 1", n)
	}
	b.wantDue()
	if err := errors.Join(b.Evaluate(t.Context()), b.Touch(t.Context())); err != nil {
		t.Fatal(err)
	}
	b.wantDue("e00001")
}

// Another document changes what is made of the records that are there, also after a restart in between.
func TestEvaluate_anotherDocument(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range 1100 {
		b.take("hr", 1, worker(n, "Nurse"))
	}
	b.takeDue()
	if err := b.Evaluate(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantDue()
	b.applyDocument(strings.Replace(hrDocument, "title: title", "title: upper(title)", 1))
	if err := b.Evaluate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if due := b.takeDue(); len(due) != 1100 || !strings.Contains(b.person("e01099").Attributes, "NURSE") {
		t.Errorf("%d people are due, the last with %s; want all 1100 in upper case", len(due), b.person("e01099").Attributes)
	}
	if err := b.Evaluate(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantDue()
}

// A name that no rule speaks for any more must not be in somebody's way when one does again.
func TestEvaluate_freesNamesOfRulesThatWent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.take("ad", 1, user("g1", "E00001", "worker1", "Nurse"))
	b.applyDocument(strings.Replace(adDocument, "    sAMAccountName: {value: firstUnique(lower(name.familyName)), apply: create}\n", "", 1))
	if err := b.Evaluate(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.read(func(tx *store.Tx) error {
		names, err := tx.AllNames(tenant, "ad")
		if len(names) != 1 || names[0].Attribute != "address" || names[0].Holder != "g1" {
			t.Errorf("names = %v; want the address of g1 alone", names)
		}
		return err
	})
}

// However batches are cut, and whichever of them come again before the next one is confirmed, the store ends the same.
func TestTake_repeatedBatches(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var feed [][]*connectorv1.Record
		for range 30 {
			var batch []*connectorv1.Record
			for range 1 + rnd.IntN(12) {
				n := rnd.IntN(25)
				if r := worker(n, fmt.Sprint("T", rnd.IntN(4))); rnd.IntN(8) == 0 {
					batch = append(batch, gone(r.GetId()))
				} else {
					batch = append(batch, r)
				}
			}
			feed = append(feed, batch)
		}
		once, often := newBench(t), newBench(t)
		for _, batch := range feed {
			once.take("hr", 1, batch...)
		}
		for i := 0; i < len(feed); i++ { // the agent may repeat everything from any unconfirmed batch on
			often.take("hr", 1, feed[i]...)
			if rnd.IntN(3) == 0 {
				i = max(-1, i-1-rnd.IntN(3))
			}
		}
		if diff := cmp.Diff(once.state(), often.state()); diff != "" {
			t.Fatalf("seed %d: store after repeated batches differs (-once +often):\n%s", seed, diff)
		}
	}
}

// state is what the store knows, without ids and instants.
func (b *bench) state() (lines []string) {
	b.t.Helper()
	b.read(func(tx *store.Tx) error {
		people, err := tx.PeopleAfter(tenant, "", 10_000)
		if err != nil {
			return err
		}
		keys := map[string]string{}
		for _, p := range people {
			keys[p.ID] = p.Key
			lines = append(lines, "person "+p.Key+" "+p.Attributes)
		}
		accounts, err := tx.AccountsAfter(tenant, "hr", "", 10_000)
		for _, a := range accounts {
			lines = append(lines, fmt.Sprintf("account %s of %s missing %d: %x", a.ID, keys[a.Person], a.Missing, a.Object))
		}
		return err
	})
	slices.Sort(lines)
	return lines
}

// BenchmarkTake takes new records of a source in batches of 500, each a
// transaction synced to disk: 22,000 rows/s on two busy cores, so that 100,000
// workers cost 4.5 s of the minute that a first cycle may take.
func BenchmarkTake(b *testing.B) {
	x := newBench(b)
	records := make([]*connectorv1.Record, b.N)
	for i := range records {
		records[i] = worker(i, "Nurse")
	}
	b.ResetTimer()
	for i := 0; i < len(records); i += 500 {
		x.take("hr", 1, records[i:min(i+500, len(records))]...)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkTake_unchanged takes records that are in the store already: 94,000
// rows/s. An agent sends them only when its memory of them is gone.
func BenchmarkTake_unchanged(b *testing.B) {
	x := newBench(b)
	const n = 5000
	records := make([]*connectorv1.Record, n)
	for i := range records {
		records[i] = worker(i, "Nurse")
	}
	x.take("hr", 1, records...)
	b.ResetTimer()
	for i := 0; i < b.N; i += 500 {
		from := i % n
		x.take("hr", 2, records[from:from+500]...)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// Before there is a system to write to nobody is due; the first that is applied makes everybody due.
func TestTake_beforeThereIsATarget(t *testing.T) {
	t.Parallel()
	b := newBench(t, hrDocument)
	b.take("hr", 1, worker(1, "Nurse"), worker(2, "Chef"))
	if due := b.takeDue(); len(due) != 0 {
		t.Errorf("%d people are due; there is nothing to plan for them", len(due))
	}
	b.applyDocument(adDocument)
	b.write(func(tx *store.Tx) error { return tx.SetReadAs(tenant, "ad", 1) })
	if err := errors.Join(b.Evaluate(t.Context()), b.Touch(t.Context())); err != nil {
		t.Fatal(err)
	}
	if due := b.takeDue(); len(due) != 2 {
		t.Errorf("%d people are due after the first document with a target; want both", len(due))
	}
	b.take("hr", 2, worker(1, "Head nurse"))
	if due := b.takeDue(); len(due) != 1 {
		t.Errorf("%d people are due after a change; want 1", len(due))
	}
}
