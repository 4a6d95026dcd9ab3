package rehearsal_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Random histories of the whole engine: hires, changes, renames, moves, leavers,
// rehires; merges by an admin, their undo, splits; a second source that tells
// of the same people, before they are there too; an agent that cannot tell what
// it has done, or has lost what it was asked for; a target that is away; answers
// that are lost; a coordinator that begins anew; people who change, move, rename,
// enable, delete and make accounts and groups by hand. However they went, two
// directories end as the rows say: every person who works has one account in each
// that is for them, named and placed and referring as the rules want; whoever
// left has it disabled, among the leavers and in no group; in the group of each
// department is just who works there; nothing has two owners, and no name two
// holders.
//
// The model knows rows and who is whom, and nothing of how any of it was reached:
//
//	go test ./coordinator/rehearsal -run Histories -rapid.checks=2000
func TestHistories_endAsTheRowsSay(t *testing.T) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given { // each needs a store of its own
		if err := errors.Join(flag.Set("rapid.checks", "12"), flag.Set("rapid.seed", "20")); err != nil { // the same ones, so that who breaks nothing meets none
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		h := newHistory(t, rt)
		rt.Repeat(map[string]func(*rapid.T){
			"hire":    h.hire,
			"change":  h.change,
			"leave":   h.leave,
			"return":  h.comeBack,
			"work":    h.work,
			"plan":    func(*rapid.T) { h.Plan() },
			"outage":  h.outage,
			"answer":  func(*rapid.T) { h.answer() },
			"by hand": h.byHand,
			"look":    func(*rapid.T) { h.look() },
			"merge":   h.merge,
			"unmerge": h.unmerge,
			"split":   h.split,
			"phone":   h.phone,
			"lose":    h.loseJobs,
			"doubt":   h.doubt,
			"away":    h.away,
			"group":   h.groupByHand,
			"make":    h.makeByHand,
			"restart": func(*rapid.T) { h.Restart() },
			"later":   func(*rapid.T) { h.Later() },
			"tidy":    func(*rapid.T) { h.tidy() },
			"":        h.alwaysSo,
		})
		h.end()
	})
}

const historyDocuments = `
system: hr
site: hq
connector: csv
gate: {drop: none, empty: none, distinct: none, reuse: pass}
source:
  class: row
  key: employee_id
  attributes:
    employeeNumber: employee_id
    name.givenName: first_name
    name.familyName: last_name
    department: department
    title: title
    manager: manager_id
    startDate: date(hire_date)
    active: status == "A"
---
system: phones
site: hq
connector: sql
gate: {drop: none, empty: none, distinct: none, reuse: pass}
source:
  class: row
  key: employee_id
  people: join
  attributes:
    phoneNumbers.work: phone
---
system: corp-ad
site: hq
connector: activedirectory
gate: {drop: none}
target:
  class: user
  match: {employeeID: employeeNumber}
  container: '"OU=" + dn(department) + ",DC=corp,DC=example"'
  name: name.givenName + " " + name.familyName
  attributes:
    sAMAccountName: {value: 'firstUnique(lower(left(name.givenName, 1) + name.familyName))', apply: create}
    employeeID: employeeNumber
    givenName: name.givenName
    sn: name.familyName
    department: department
    title: title
    manager: {person: manager}
    telephoneNumber: phoneNumbers.work
  groups:
    - {value: department, make: true}
  group:
    container: '"OU=Groups,DC=corp,DC=example"'
    name: displayName
    attributes:
      sAMAccountName: {value: 'firstUnique(displayName)', apply: create}
    authoritative: 'true'
    remove: at once
  lifecycle:
    leave: {disable: true, groups: strip, move: '"OU=Leavers,DC=corp,DC=example"'}
  thresholds: {disable: none, delete: none, move: none, modify: none, clear: none, membership: none}
---
system: app
site: hq
connector: ldap
gate: {drop: none}
target:
  class: User
  container: '"OU=App"'
  scope: department == "Sales"
  match: {externalId: employeeNumber}
  name: employeeNumber
  attributes:
    userName: {value: 'firstUnique(lower(name.givenName + "." + name.familyName))', apply: create}
    externalId: employeeNumber
    displayName: name.givenName + " " + name.familyName
  thresholds: {disable: none, delete: none, move: none, modify: none, clear: none}
`

// A row is what HR says of a worker.
type row struct {
	key, given, family, department, title, manager string
	works, there                                   bool
}

// A history is a world with the model of what it should come to.
type history struct {
	*rehearsal.World
	t      *testing.T
	rt     *rapid.T
	rows   map[string]*row   // by key
	is     map[string]string // key to the key of the person whose it is, where these were merged
	merged []merged          // that can be undone, the last last
	late   []*linkv1.Result  // done, and not told yet
	phones map[string]string // what the second source says, by key
	gone   map[string]bool   // classes of targets that are away
	doubts int               // answers that are lost next
	unseen map[string]bool   // names of groups that were deleted by hand: until that is read they are taken, and who is made meanwhile gets and keeps a number
}

type merged struct {
	id   int64
	keys []string
	into string
}

func newHistory(t *testing.T, rt *rapid.T) *history {
	st, err := store.Open(context.Background(), storetest.Name(t))
	if err != nil {
		t.Fatal(err)
	}
	rt.Cleanup(func() { // not at the end of the test alone: a thousand have more files than a process may open
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &history{World: rehearsal.NewOn(t, st), t: t, rt: rt, rows: map[string]*row{}, is: map[string]string{}, phones: map[string]string{}, gone: map[string]bool{}, unseen: map[string]bool{}}
	h.Apply(historyDocuments)
	h.Strict = true
	h.Refuse = func(op *connectorv1.Operation) (connectorv1.Outcome, *connectorv1.Fault) {
		if h.gone[op.GetClass()] {
			return connectorv1.Outcome_OUTCOME_UNAVAILABLE, &connectorv1.Fault{Cause: "it does not answer", NextStep: "It is tried again."}
		}
		return connectorv1.Outcome_OUTCOME_UNSPECIFIED, nil
	}
	h.Lost = func(*connectorv1.Operation) bool {
		h.doubts--
		return h.doubts >= 0
	}
	return h
}

// Few names and units: they clash.
var (
	givens   = rapid.SampledFrom([]string{"Ada", "Bob"})
	families = rapid.SampledFrom([]string{"Noel", "King", "Byron"})
	units    = rapid.SampledFrom([]string{"Research", "Sales"})
	titles   = rapid.SampledFrom([]string{"", "Engineer", "Chief"})
)

func (h *history) says(rows ...*row) {
	objects := make([]*connectorv1.Object, len(rows))
	for i, r := range rows {
		status := "A"
		if !r.works {
			status = "T"
		}
		objects[i] = rehearsal.Worker(r.key, r.given, r.family, "department", r.department, "title", r.title, "manager_id", r.manager, "status", status)
	}
	if c := h.ReadWhole("hr", objects...); c.State != store.CycleApplied {
		h.rt.Fatalf("the read is %s: %s", c.State, c.Reason)
	}
}

func (h *history) hire(rt *rapid.T) {
	if len(h.rows) >= 8 {
		rt.Skip("enough")
	}
	r := &row{key: fmt.Sprintf("E%03d", len(h.rows)+1), given: givens.Draw(rt, "given"), family: families.Draw(rt, "family"),
		department: units.Draw(rt, "department"), title: titles.Draw(rt, "title"), works: true, there: true}
	h.rows[r.key] = r
	h.says(r)
}

// some draws a row for which is tells yes.
func (h *history) some(rt *rapid.T, is func(*row) bool) *row {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(h.rows)) {
		if is(h.rows[key]) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		rt.Skip("nobody")
	}
	return h.rows[rapid.SampledFrom(keys).Draw(rt, "who")]
}

func there(r *row) bool { return r.there }

func (h *history) change(rt *rapid.T) {
	r := h.some(rt, there)
	switch rapid.SampledFrom([]string{"title", "department", "family", "manager"}).Draw(rt, "what") {
	case "title":
		r.title = titles.Draw(rt, "title")
	case "department":
		r.department = units.Draw(rt, "department")
	case "family":
		r.family = families.Draw(rt, "family")
	default: // also one who comes later, or never
		r.manager = rapid.SampledFrom([]string{"", "E001", "E002", "E003", "E009"}).Draw(rt, "manager")
	}
	h.says(r)
}

// leave ends a worker's employment, or has the row vanish.
func (h *history) leave(rt *rapid.T) {
	r := h.some(rt, func(r *row) bool { return r.there && r.works })
	if r.works = false; rapid.Bool().Draw(rt, "says so") {
		h.says(r)
		return
	}
	r.there = false
	h.tell("hr", &connectorv1.Record{Id: r.key, Deleted: true})
}

func (h *history) comeBack(rt *rapid.T) {
	r := h.some(rt, func(r *row) bool { return !r.works })
	r.works, r.there = true, true
	h.says(r)
}

// tell has a whole read find records of a system.
func (h *history) tell(system string, records ...*connectorv1.Record) {
	h.t.Helper()
	job := []store.Job{{Tenant: rehearsal.Tenant, Site: rehearsal.Site, System: system, Class: "read", State: store.JobSent}}
	h.Write(func(tx *store.Tx) error {
		if err := tx.AddJobs(job); err != nil {
			return err
		}
		if err := tx.PutCycle(store.Cycle{Tenant: rehearsal.Tenant, ID: job[0].ID, System: system, Began: tx.Now, State: store.CycleReading}); err != nil {
			return err
		}
		if err := h.Intake.Take(tx, intake.Batch{Tenant: rehearsal.Tenant, System: system, Cycle: job[0].ID, Records: records}); err != nil {
			return err
		}
		return h.Intake.EndRead(tx, job[0], &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_DONE, Read: &linkv1.ReadSummary{Changed: uint64(len(records))}})
	})
}

func (h *history) work(rt *rapid.T) {
	h.Plan()
	h.Work(rapid.IntRange(1, 10).Draw(rt, "jobs"))
}

// outage: the agent takes jobs and does them, and cannot tell.
func (h *history) outage(rt *rapid.T) {
	h.Plan()
	n := rapid.IntRange(1, 5).Draw(rt, "jobs")
	claimed := h.Claim(n)
	h.late = append(h.late, h.Results(claimed...)...)
}

// answer: the agent tells, twice, as it does when it is not sure that it was heard.
func (h *history) answer() {
	h.Finish(h.late...)
	h.Finish(h.late...)
	h.late = nil
}

// byHand: somebody changes, moves, renames, enables or deletes an account.
func (h *history) byHand(rt *rapid.T) {
	id := h.object(rt, "user", "User")
	o := h.Objects[id]
	switch rapid.SampledFrom([]string{"title", "move", "rename", "enable", "delete"}).Draw(rt, "what") {
	case "title":
		put(o, "title", "By hand")
		put(o, "displayName", "By Hand")
	case "move":
		h.put(rt, o, valueOf(o, "cn"), "OU=Elsewhere,DC=corp,DC=example")
	case "rename":
		_, container, _ := strings.Cut(o.GetAddress(), ",")
		h.put(rt, o, "By Hand", container)
	case "enable":
		put(o, "enabled", "true")
	default:
		delete(h.Objects, id)
	}
}

// look has the directory read whole: everything that is there, and what is not any more.
func (h *history) look() {
	h.answer() // what the agent has done and not told is on its way before what it reads now
	h.lookAt("corp-ad", "user", "group")
	h.lookAt("app", "User")
}

func (h *history) lookAt(system string, classes ...string) {
	if h.gone[classes[0]] {
		return
	}
	var records []*connectorv1.Record
	h.Write(func(tx *store.Tx) error {
		known, err := tx.AccountsAfter(rehearsal.Tenant, system, "", 1000)
		for _, a := range known {
			if a.Gone == 0 && h.Objects[a.ID] == nil {
				records = append(records, &connectorv1.Record{Id: a.ID, Deleted: true})
			}
		}
		return err
	})
	for _, id := range slices.Sorted(maps.Keys(h.Objects)) {
		if !slices.Contains(classes, h.Objects[id].GetClass()) {
			continue
		}
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(h.Objects[id])
		if err != nil {
			h.rt.Fatal(err)
		}
		records = append(records, &connectorv1.Record{Id: id, Object: text})
	}
	h.tell(system, records...)
}

func (h *history) person(key string) (p store.Person, found bool) {
	h.Write(func(tx *store.Tx) error {
		known, err := tx.KnownBy(rehearsal.Tenant, "", []string{strings.ToLower(key)})
		var ids []string
		for _, k := range known {
			ids = append(ids, k.Person)
		}
		rows, err2 := tx.People(rehearsal.Tenant, ids)
		if len(rows) == 0 {
			rows, err2 = tx.PeopleByKey(rehearsal.Tenant, []string{strings.ToLower(key)})
		}
		if found = len(rows) == 1; found {
			p = rows[0]
		}
		return errors.Join(err, err2)
	})
	return p, found
}

// whose gives the key of the person that a row is of.
func (h *history) whose(key string) string {
	for h.is[key] != "" {
		key = h.is[key]
	}
	return key
}

func (h *history) merge(rt *rapid.T) {
	a, b := h.whose(h.some(rt, there).key), h.whose(h.some(rt, there).key)
	if a == b {
		rt.Skip("the same")
	}
	from, _ := h.person(a)
	into, _ := h.person(b)
	var m store.Merge
	err := h.Store.Write(context.Background(), func(tx *store.Tx) (err error) {
		m, err = h.Intake.Merge(tx, from, into, "ann")
		return err
	})
	if errors.Is(err, intake.ErrRegroup) {
		rt.Skip("an agent is about one of them")
	}
	if err != nil {
		rt.Fatal(err)
	}
	h.is[a] = b
	h.merged = append(h.merged, merged{m.ID, []string{a}, b})
}

func (h *history) unmerge(rt *rapid.T) {
	if len(h.merged) == 0 {
		rt.Skip("nobody was merged")
	}
	last := h.merged[len(h.merged)-1]
	err := h.Store.Write(context.Background(), func(tx *store.Tx) error {
		_, err := h.Intake.UndoMerge(tx, rehearsal.Tenant, last.id, "ann")
		return err
	})
	if errors.Is(err, intake.ErrRegroup) {
		rt.Skip("an agent is about them")
	}
	if err != nil {
		rt.Fatal(err)
	}
	h.merged = h.merged[:len(h.merged)-1]
	delete(h.is, last.keys[0])
}

// alwaysSo is what holds at any moment: no two accounts have a place, or a name that must be unique.
func (h *history) alwaysSo(rt *rapid.T) {
	places, names := map[string]string{}, map[string]string{}
	for id, o := range h.Objects {
		kind := o.GetClass() + " "
		place, name := kind+strings.ToLower(o.GetAddress()), kind+valueOf(o, "sAMAccountName")+valueOf(o, "userName")
		if other := places[place]; other != "" {
			rt.Fatalf("%s and %s are both at %s", id, other, o.GetAddress())
		}
		if other := names[name]; other != "" {
			rt.Fatalf("%s and %s are both called %s", id, other, name)
		}
		places[place], names[name] = id, id
	}
}

// end brings everything to rest and compares.
func (h *history) end() {
	h.gone, h.doubts = map[string]bool{}, 0
	for range 4 { // what is looked at may follow from what was done before
		h.look()
		h.Later()
		h.settle()
	}
	h.alwaysSo(h.rt)
	h.Write(func(tx *store.Tx) error { // shown where it fails
		list, err := tx.Problems(rehearsal.Tenant, 100)
		for _, p := range list {
			h.rt.Logf("in the way in %s: %s: %s", p.System, p.Kind, p.Fault)
		}
		return err
	})
	people := map[string][]*row{}
	for _, key := range slices.Sorted(maps.Keys(h.rows)) {
		people[h.whose(key)] = append(people[h.whose(key)], h.rows[key])
	}
	for _, key := range slices.Sorted(maps.Keys(people)) {
		h.compare(key, people[key])
	}
	h.compareGroups(people)
	h.compareNames()
}

// lead gives the row that speaks for a person: one who works before one who does not, then by id; nil where none is there.
func lead(rows []*row) *row {
	var best *row
	for _, r := range rows {
		if r.there && (best == nil || r.works && !best.works) {
			best = r
		}
	}
	return best
}

func (h *history) compare(key string, rows []*row) {
	p, found := h.person(key)
	if !found {
		h.rt.Fatalf("there is no person %s", key)
	}
	account := h.accountOf(p, "corp-ad")
	r := lead(rows)
	h.compareApp(key, r, h.accountOf(p, "app"))
	if r == nil || !r.works {
		if account != nil && (valueOf(account, "enabled") != "false" || !strings.HasSuffix(account.GetAddress(), ",OU=Leavers,DC=corp,DC=example")) {
			h.rt.Fatalf("%s has left, and the account is enabled=%s at %s", key, valueOf(account, "enabled"), account.GetAddress())
		}
		return
	}
	if account == nil {
		h.rt.Fatalf("%s works, and has no account", key)
	}
	want := map[string]string{"enabled": "true", "employeeID": r.key, "givenName": r.given, "sn": r.family, "department": r.department, "title": r.title}
	if boss, ok := h.person(r.manager); r.manager == "" {
		want["manager"] = ""
	} else if theirs := h.accountOf(boss, "corp-ad"); ok && theirs != nil {
		want["manager"] = theirs.GetId()
	}
	for name, value := range want {
		if got := valueOf(account, name); got != value {
			h.rt.Fatalf("%s of %s (%s) is %q; want %q", name, key, account.GetId(), got, value)
		}
	}
	h.comparePhone(key, rows, valueOf(account, "telephoneNumber"))
	cn := valueOf(account, "cn")
	if !strings.HasSuffix(account.GetAddress(), ",OU="+r.department+",DC=corp,DC=example") || !strings.HasPrefix(cn, r.given+" "+r.family) {
		h.rt.Fatalf("%s is at %s; want %s %s in %s", key, account.GetAddress(), r.given, r.family, r.department)
	}
}

// accountOf gives the account of a person as a target has it, nil where there is none; more than one is a fault.
func (h *history) accountOf(p store.Person, system string) *connectorv1.Object {
	var list []*connectorv1.Object
	h.Write(func(tx *store.Tx) error {
		accounts, err := tx.AccountsOf(rehearsal.Tenant, []string{p.ID})
		for _, a := range accounts {
			if a.System == system && a.Gone == 0 {
				if h.Objects[a.ID] == nil {
					h.rt.Fatalf("%s has the account %s, which is no more", p.Shown(), a.ID)
				}
				list = append(list, h.Objects[a.ID])
			}
		}
		return err
	})
	if len(list) > 1 {
		h.rt.Fatalf("%s has %d accounts", p.Shown(), len(list))
	}
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

func valueOf(o *connectorv1.Object, name string) string {
	for _, a := range o.GetAttributes() {
		if a.GetName() == name && len(a.GetValues()) > 0 {
			return a.GetValues()[0]
		}
	}
	return ""
}
