package plan

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A batch is the people of one tenant that a step plans, and what comes of them.
type batch struct {
	tx      *store.Tx
	planner *Planner
	tenant  string

	people    []*person
	byID      map[string]*person
	targets   []target
	sources   sources
	records   map[string]*mapping.System // the documents that bring records, by system
	made      made                       // groups that rules make
	regrouped []string                   // ids of those that got their first member, lost their last, or are shown otherwise
	counted   []func()                   // to be called once committed: what thresholds count
	dropped   map[int64]bool             // jobs that are no longer wanted
	plans     []*plan
	unsettled []int64 // jobs after which their people are planned again
	joined    []store.Account
	problems  []store.Problem
	cured     map[string][]string // people by system
	history   []store.History
	alarms    []store.Alarm
	waits     []store.Waiting
	modes     map[string]string          // by system, where somebody said how it is written to
	previews  map[string]store.Preview   // by person
	open      map[string]*store.Plan     // plans that are not sealed, by cause; nil until asked for
	reserved  map[nameKey]string         // unique values given to people by the batch, in whatever target
	items     []store.PlanItem           // new jobs of plans
	over      []string                   // people who are planned as ever again
	left      []store.Outside            // who has left a scope
	back      []store.Outside            // who is in it again, or gone
	turns     func(store.Account) bool   // accounts that are taken for mirrors; nil: none
	ended     []store.Deviation          // deviations that are no more
	until     map[string][]store.Instant // by system: until when what was placed ahead may be begun; as far as it was asked for
}

// A target is a system that accounts are made in, of people or of groups.
type target struct {
	row        store.System
	system     *mapping.System // of groups: as they see it
	whole      *mapping.System
	attributes []string
}

// targetsOf gives the targets that a document has.
func targetsOf(row store.System, system *mapping.System) []target {
	var list []target
	if system.Target != nil {
		list = append(list, target{row, system, system, system.Attributes()})
	}
	if system.GroupTarget != nil {
		list = append(list, target{row, system.Groups(), system, system.Attributes()})
	}
	return list
}

// of tells whether the target is for people, or groups, as somebody is.
func (t target) of(p *person) bool {
	return t.system.Target.OfGroups == (p.row.Kind == store.KindGroup)
}

// sources are the classes of records that make people and groups, by system.
type sources map[string][]string

func (s sources) add(system *mapping.System) {
	if system.Source != nil && !system.Source.Joins { // else nobody is employed because of it
		s[system.Name] = append(s[system.Name], system.Source.Class)
	}
	if system.GroupSource != nil {
		s[system.Name] = append(s[system.Name], system.GroupSource.Class)
	}
}

// has tells whether an account is such a record.
func (s sources) has(a store.Account) bool {
	return a.Mirror == store.MirrorNone && slices.Contains(s[a.System], a.Class)
}

// A person is everything known of one person of the batch.
type person struct {
	row      store.Person
	due      store.Due
	person   directory.Person
	accounts []store.Account
	jobs     []store.Job // open ones, and the done ones that matter
	problems []store.Problem
	refused  []store.Job
	skipped  bool                 // in some system: alarms and waits stay as they are
	wants    bool                 // something is to be done, or waits for a decision
	lets     []store.Deviation    // where accounts are let be as they are
	sources  sources              // the batch's
	in       []store.Member       // groups that they are in by rules
	joins    map[string]bool      // systems in which the batch found their account
	past     *Past                // of whom it was; nil: of now
	added    addedValues          // what we added to their accounts
	outside  map[string]time.Time // by system: since when they are out of scope, where accounts are deleted for that
}

func (b *batch) run(due []store.Due) error {
	if err := b.loadSystems(); err != nil {
		return err
	}
	again := false
	for _, t := range b.targets {
		again = b.planner.window.widen(t.window()) || again
	}
	if again {
		if err := b.planner.window.load(b.tx); err != nil {
			return err
		}
	}
	if len(b.targets) > 0 { // else whoever reads the first one makes everybody due
		if err := b.load(due); err != nil {
			return err
		}
	}
	for _, t := range b.targets {
		if err := b.plan(t); err != nil {
			return err
		}
	}
	if err := b.hold(); err != nil {
		return err
	}
	return b.save(due)
}

// load reads the people and what belongs to them, a query for each table.
func (b *batch) load(due []store.Due) error {
	ids := make([]string, len(due))
	rowOf := make(map[string]store.Due, len(due))
	for i, d := range due {
		ids[i], rowOf[d.Person] = d.Person, d
	}
	rows, err := b.tx.People(b.tenant, ids)
	if err == nil {
		rows, err = b.turned(rows)
	}
	if err != nil {
		return err
	}
	b.byID = make(map[string]*person, len(rows))
	for _, row := range rows {
		p := &person{row: row, due: rowOf[row.ID], sources: b.sources}
		if p.person.Attributes, err = directory.ParseAttributes(row.Attributes); err != nil {
			return err
		}
		p.person.ID, p.person.Key, p.person.Changed = row.ID, row.Key, row.Changed.Time()
		b.byID[row.ID] = p
	}
	for _, d := range due { // a row whose person is no more is only removed
		if p := b.byID[d.Person]; p != nil {
			b.people = append(b.people, p)
		}
	}
	// Those who became due at the same instant are taken in the order of keys.
	slices.SortStableFunc(b.people, func(x, y *person) int {
		if x.due.At != y.due.At {
			return int(x.due.At - y.due.At)
		}
		return strings.Compare(x.row.Key, y.row.Key)
	})
	return b.loadBelongings(ids)
}

// turned gives the people, those anew of whom another employment counts than when they were last made of their records.
func (b *batch) turned(rows []store.Person) ([]store.Person, error) {
	var ids []string
	now := b.tx.Now.Time()
	for _, row := range rows {
		if !strings.Contains(row.Attributes, `"`+directory.Employments+`":`) {
			continue
		}
		a, err := directory.ParseAttributes(row.Attributes)
		if err != nil {
			return nil, err
		}
		passed := false
		for _, at := range a.Turns() {
			if at.After(now) {
				b.alarms = append(b.alarms, store.Alarm{Tenant: b.tenant, Person: row.ID, At: ceil(at), Why: "another employment begins or ends"})
				break
			}
			passed = passed || at.After(row.Changed.Time())
		}
		if passed {
			ids = append(ids, row.ID)
		}
	}
	if len(ids) == 0 {
		return rows, nil
	}
	if err := b.planner.intake.Anew(b.tx, b.tenant, ids); err != nil {
		return nil, err
	}
	anew, err := b.tx.People(b.tenant, ids)
	for _, row := range anew {
		rows[slices.IndexFunc(rows, func(r store.Person) bool { return r.ID == row.ID })] = row
	}
	return rows, err
}

func (b *batch) loadSystems() error {
	rows, err := b.tx.Systems(b.tenant)
	if err != nil {
		return err
	}
	b.sources, b.records = sources{}, map[string]*mapping.System{}
	for _, row := range rows {
		system, err := b.planner.systems.Get(row)
		if err != nil {
			b.planner.log.Error("Stored document cannot be used", "tenant", b.tenant, "system", row.Name, "err", err)
			continue
		}
		b.sources.add(system)
		if system.Source != nil || system.GroupSource != nil {
			b.records[row.Name] = system
		}
		// What is there must be known as the document wants it before anything is
		// made: else an account that exists would be made again.
		if row.ReadAs == row.Revision {
			b.targets = append(b.targets, targetsOf(row, system)...)
		}
	}
	return nil
}

func (b *batch) loadBelongings(ids []string) error {
	systems := slices.Collect(maps.Keys(b.records)) // what they say is for the images
	for _, t := range b.targets {
		systems = append(systems, t.row.Name)
	}
	accounts, err := b.tx.PlanAccounts(b.tenant, ids, systems)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if p := b.byID[a.Person]; p != nil {
			if b.turns != nil && b.turns(a) {
				a.Mirror = store.MirrorOurs
			}
			p.accounts = append(p.accounts, a)
			p.person.HasSource = p.person.HasSource || b.sources.has(a)
		}
	}
	if err := b.loadAdded(); err != nil {
		return err
	}
	if err := b.loadOutside(ids); err != nil {
		return err
	}
	if err := b.loadMade(ids); err != nil {
		return err
	}
	jobs, err := b.tx.PlanJobs(b.tenant, ids)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if p := b.byID[j.Person]; p != nil {
			p.jobs = append(p.jobs, j)
		}
	}
	lets, err := b.tx.DeviationsOf(b.tenant, ids)
	if err != nil {
		return err
	}
	for _, d := range lets {
		if p := b.byID[d.Person]; p != nil {
			p.lets = append(p.lets, d)
		}
	}
	if err := b.loadPreviews(ids); err != nil {
		return err
	}
	return b.loadProblems(ids)
}

// loadProblems also loads what was refused to those who have problems: it is
// not wanted again before its time.
func (b *batch) loadProblems(ids []string) error {
	problems, err := b.tx.ProblemsOf(b.tenant, ids)
	if err != nil || len(problems) == 0 {
		return err
	}
	var stopped []string
	for _, pr := range problems {
		if p := b.byID[pr.Person]; p != nil {
			p.problems = append(p.problems, pr)
			stopped = append(stopped, pr.Person)
		}
	}
	refused, err := b.tx.RefusedJobs(b.tenant, stopped)
	if err != nil {
		return err
	}
	for _, j := range refused {
		if p := b.byID[j.Person]; p != nil {
			p.refused = append(p.refused, j)
		}
	}
	return nil
}

// save stores what came of the batch.
func (b *batch) save(due []store.Due) error {
	tx, tenant := b.tx, b.tenant
	if err := tx.PutAccounts(b.joined); err != nil {
		return err
	}
	var names []store.Name
	var jobs []store.Job
	for _, pl := range b.plans {
		names = append(names, pl.names...)
		jobs = append(jobs, pl.jobs...)
	}
	images, err := b.images()
	if err != nil {
		return err
	}
	if err := tx.AddImages(images); err != nil {
		return err
	}
	if err := tx.PutNames(names); err != nil {
		return err
	}
	if err := tx.AddJobs(jobs); err != nil {
		return err
	}
	if err := tx.CountPlanned(tenant, jobs); err != nil {
		return err
	}
	if err := b.saveMade(); err != nil {
		return err
	}
	if err := tx.UnsettleJobs(b.unsettled); err != nil {
		return err
	}
	if err := b.savePreviews(); err != nil {
		return err
	}
	if err := tx.RemoveDeviations(b.ended); err != nil {
		return err
	}
	if err := b.saveOutside(); err != nil {
		return err
	}
	if err := tx.PutProblems(b.problems); err != nil {
		return err
	}
	for system, people := range b.cured {
		if err := tx.RemoveProblems(tenant, system, people); err != nil {
			return err
		}
	}
	if err := tx.AddHistory(b.history); err != nil {
		return err
	}
	if err := b.saveTimes(); err != nil {
		return err
	}
	ids := make([]string, len(due))
	for i, d := range due {
		ids[i] = d.Person
	}
	if err := tx.RemoveDue(tenant, ids); err != nil {
		return err
	}
	if err := b.wake(); err != nil {
		return err
	}
	return b.planner.intake.Anew(tx, tenant, b.telling())
}

// wake has those planned again for whom the batch itself has changed something,
// also where they were part of it: their turn may have come before.
func (b *batch) wake() error {
	for _, a := range b.joined {
		if err := intake.Joined(b.tx, b.tenant, a.System, []string{a.Person}); err != nil {
			return err
		}
	}
	return b.tx.MarkDue(b.tenant, b.tx.Now, "its members by rule changed", b.regrouped)
}

// telling gives the people who got an account in the batch that tells of them.
func (b *batch) telling() []string {
	var ids []string
	for _, a := range b.joined {
		i := slices.IndexFunc(b.targets, func(t target) bool { return t.row.Name == a.System })
		if s := b.targets[i].system.Source; s != nil && s.OfAccounts {
			ids = append(ids, a.Person)
		}
	}
	return ids
}

// saveTimes stores alarms and waits of those who were planned in every system.
func (b *batch) saveTimes() error {
	var ids []string
	for _, p := range b.people {
		if !p.skipped {
			ids = append(ids, p.row.ID)
		}
	}
	whole := func(id string) bool { return !b.byID[id].skipped }
	if err := b.tx.ReplaceAlarms(b.tenant, ids, mergedAlarms(b.alarms, whole)); err != nil {
		return err
	}
	var waits []store.Waiting
	for _, w := range b.waits {
		if whole(w.Person) {
			waits = append(waits, w)
		}
	}
	return b.tx.ReplaceWaiting(b.tenant, ids, waits)
}

// mergedAlarms makes one of several alarms of a person at the same instant.
func mergedAlarms(alarms []store.Alarm, whole func(string) bool) []store.Alarm {
	type key struct {
		person string
		at     store.Instant
	}
	place := map[key]int{}
	var merged []store.Alarm
	for _, a := range alarms {
		if !whole(a.Person) {
			continue
		}
		k := key{a.Person, a.At}
		if i, ok := place[k]; ok {
			if !strings.Contains(merged[i].Why, a.Why) {
				merged[i].Why += "; " + a.Why
			}
			continue
		}
		place[k] = len(merged)
		merged = append(merged, a)
	}
	return merged
}

// home tells whether an account of somebody in the target is their record there, of
// a system that goes both ways.
func (t target) home(a store.Account) bool {
	return t.system.Target.BothWays && a.Mirror == store.MirrorNone
}

// account gives the person's account in a target, or nil; where they have their home there, that.
func (p *person) account(t target) *store.Account {
	var found *store.Account
	for i := range p.accounts {
		a := &p.accounts[i]
		if a.System != t.row.Name || a.Class != t.system.Target.Class {
			continue
		}
		if found == nil || t.home(*found) == t.home(*a) && a.ID < found.ID || !t.home(*found) && t.home(*a) {
			found = a
		}
	}
	return found
}

func accountOf(a store.Account) reconcile.Account {
	return reconcile.Account{ID: a.ID, Address: a.Address, Object: a.Object}
}
