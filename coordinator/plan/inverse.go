package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// An inverse makes up what accounts were before changes of ours.
type inverse struct {
	tx      *store.Tx
	tenant  string
	of      map[string]*before // by system and native id
	targets []target
	same    map[int64]bool // jobs that found their work done already
	notes   []string
}

// A before is what an account is, and what it was.
type before struct {
	account store.Account
	object  mapping.Object
	values  map[string]*was // by folded attribute
	address string
	enabled string          // "" while nothing was changed
	groups  map[string]bool // native id: whether it was in it
	created int64           // the job that made it
	jobs    []int64
	person  string
}

// A was is what an attribute holds, and what it held.
type was struct {
	name        string
	now, before []string
}

func accountKey(system, id string) string { return system + "\x00" + strings.ToLower(id) }

// load reads the accounts of jobs, and which of these changed nothing.
func (v *inverse) load(jobs []store.Job) error {
	people := peopleOf(jobs)
	for some := range slices.Chunk(people, slice) {
		accounts, err := v.tx.AccountsOf(v.tenant, some)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			object, err := mapping.ReadObject(a.Object)
			if err != nil {
				continue
			}
			v.of[accountKey(a.System, a.ID)] = &before{account: a, object: object, address: a.Address, values: map[string]*was{}, groups: map[string]bool{}, person: a.Person}
		}
	}
	var err error
	v.same, err = v.tx.UnchangedJobs(v.tenant, people)
	return err
}

func (v *inverse) note(j store.Job, text string, args ...any) {
	v.notes = append(v.notes, fmt.Sprintf("job %d, %s in %s: ", j.ID, j.Class, j.System)+fmt.Sprintf(text, args...))
}

// take takes a job back, in thought.
func (v *inverse) take(j store.Job) {
	op := operation(j.Work)
	if op == nil || v.same[j.ID] {
		return
	}
	switch op.GetVerb().(type) {
	case *connectorv1.Operation_Delete:
		v.note(j, "a deleted account cannot be brought back from here: restore it in the system (its recycle bin), and it is found again")
		return
	case *connectorv1.Operation_SetPassword:
		v.note(j, "nobody has the password from before: have another made with drawbridge password new")
		return
	case *connectorv1.Operation_Create:
		v.create(j, op)
		return
	}
	b := v.of[accountKey(j.System, op.GetId())]
	switch {
	case b == nil || b.account.Gone != 0:
		v.note(j, "the account is gone")
		return
	case b.person != j.Person:
		v.note(j, "the account is somebody else's now")
		return
	}
	b.jobs = append(b.jobs, j.ID)
	switch verb := op.GetVerb().(type) {
	case *connectorv1.Operation_Modify:
		for _, c := range verb.Modify.GetChanges() {
			v.modify(j, b, c)
		}
	case *connectorv1.Operation_Move:
		v.move(j, b, verb.Move)
	case *connectorv1.Operation_SetEnabled:
		b.enabled = strconv.FormatBool(!verb.SetEnabled.GetEnabled())
	case *connectorv1.Operation_ChangeMembership:
		for _, g := range verb.ChangeMembership.GetJoin() {
			b.groups[g] = false
		}
		for _, g := range verb.ChangeMembership.GetLeave() {
			b.groups[g] = true
		}
	}
}

// create finds the account that a job made: the person's one of the class that has its anchor.
func (v *inverse) create(j store.Job, op *connectorv1.Operation) {
	for _, b := range v.of {
		if b.account.System != j.System || b.person != j.Person || b.account.Class != op.GetClass() || b.account.Gone != 0 {
			continue
		}
		b.created, b.jobs = j.ID, append(b.jobs, j.ID)
		return
	}
	v.note(j, "the account is gone")
}

func (v *inverse) modify(j store.Job, b *before, c *connectorv1.Change) {
	key := strings.ToLower(c.GetName())
	w := b.values[key]
	if w == nil {
		now, _ := b.object.Get(c.GetName())
		w = &was{c.GetName(), slices.Clone(now), slices.Clone(now)}
	}
	if v.additive(b, c.GetName()) { // what others wrote since stays
		w.before = append(without(w.before, without(c.GetWant(), c.GetExpect())), without(without(c.GetExpect(), c.GetWant()), w.before)...)
		b.values[key] = w
		return
	}
	if !sameValues(w.before, c.GetWant()) {
		v.note(j, "%s is not as this change left it any more: it is left alone", c.GetName())
		return
	}
	w.before = c.GetExpect()
	b.values[key] = w
}

// additive tells whether the rule of an attribute takes away only what we added.
func (v *inverse) additive(b *before, attribute string) bool {
	i := slices.IndexFunc(v.targets, func(t target) bool { return t.row.Name == b.account.System && t.system.Target.Class == b.account.Class })
	if i < 0 {
		return false
	}
	r := v.targets[i].system.Target.RuleOf(attribute)
	return r != nil && r.Keep == mapping.KeepAdditive
}

// without gives values but some.
func without(values, some []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(s string) bool { return directory.Among(some, s) })
}

func (v *inverse) move(j store.Job, b *before, m *connectorv1.Move) {
	_, name, container, ok := mapping.SplitDN(b.address)
	if !ok || directory.Fold(name) != directory.Fold(m.GetName()) || !reconcile.SameDN(container, m.GetContainer()) {
		v.note(j, "the account is not where this change put it any more: it stays")
		return
	}
	b.address = m.GetExpectAddress()
}

// sameValues compares as directories do: without regard to case, values in any order.
func sameValues(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		if !directory.Among(b, x) {
			return false
		}
	}
	return true
}

// jobs makes held jobs of what accounts are other than they were.
func (v *inverse) jobs(targets []target, cause string) ([]store.Job, error) {
	var jobs []store.Job
	for _, key := range slices.Sorted(maps.Keys(v.of)) {
		b := v.of[key]
		if len(b.jobs) == 0 {
			continue
		}
		i := slices.IndexFunc(targets, func(t target) bool { return t.row.Name == b.account.System })
		if i < 0 {
			v.notes = append(v.notes, b.account.System+" is not there as a target, or was not read under its present document")
			continue
		}
		for _, op := range b.operations(cause) {
			job, err := v.job(targets[i], b, op, cause)
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, job)
		}
	}
	return jobs, nil
}

// operations give the account back what it was; the lock before everything, the way in after it.
func (b *before) operations(cause string) []reconcile.Op {
	var ops []reconcile.Op
	add := func(class string, o *connectorv1.Operation, reasons ...mapping.Reason) {
		o.Class, o.Id = b.account.Class, b.account.ID
		for i := range reasons {
			reasons[i].Rule = cause
		}
		ops = append(ops, reconcile.Op{Class: class, Operation: o, Takes: true, Reasons: reasons})
	}
	if b.created != 0 {
		add("delete", &connectorv1.Operation{Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}},
			mapping.Reason{Attribute: "account", Before: []string{b.account.Address}})
		return ops
	}
	state := func(want string) {
		if now, told := b.object.Get("enabled"); b.enabled == want && !(told && slices.Equal(now, []string{want})) {
			class := map[string]string{"true": "enable", "false": "disable"}[want]
			add(class, &connectorv1.Operation{Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{Enabled: want == "true"}}},
				mapping.Reason{Attribute: "enabled", Before: now, After: []string{want}})
		}
	}
	state("false")
	if b.address != b.account.Address {
		if _, name, container, ok := mapping.SplitDN(b.address); ok {
			add("move", &connectorv1.Operation{Verb: &connectorv1.Operation_Move{Move: &connectorv1.Move{ExpectAddress: b.account.Address, Container: container, Name: name}}},
				mapping.Reason{Attribute: "address", Before: []string{b.account.Address}, After: []string{b.address}})
		}
	}
	b.modify(add)
	b.membership(add)
	state("true")
	return ops
}

func (b *before) modify(add func(string, *connectorv1.Operation, ...mapping.Reason)) {
	var changes []*connectorv1.Change
	var reasons []mapping.Reason
	for _, key := range slices.Sorted(maps.Keys(b.values)) {
		w := b.values[key]
		if sameValues(w.now, w.before) {
			continue
		}
		changes = append(changes, &connectorv1.Change{Name: w.name, Expect: w.now, Want: w.before})
		reasons = append(reasons, mapping.Reason{Attribute: w.name, Before: w.now, After: w.before})
	}
	if len(changes) > 0 {
		add("modify", &connectorv1.Operation{Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{Changes: changes}}}, reasons...)
	}
}

func (b *before) membership(add func(string, *connectorv1.Operation, ...mapping.Reason)) {
	var change connectorv1.ChangeMembership
	for _, g := range slices.Sorted(maps.Keys(b.groups)) {
		if b.groups[g] {
			change.Join = append(change.Join, g)
		} else {
			change.Leave = append(change.Leave, g)
		}
	}
	if len(b.groups) > 0 {
		add("membership", &connectorv1.Operation{Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: &change}},
			mapping.Reason{Attribute: "groups", Before: change.Leave, After: change.Join})
	}
}

func (v *inverse) job(t target, b *before, op reconcile.Op, cause string) (store.Job, error) {
	op.NotAfter = v.tx.Now.Time().Add(stale(op.Class))
	j, err := manual(t, b.person, op)
	j.Outcome, j.Fault = store.JobUndo, faultText(&connectorv1.Fault{Cause: cause + ": waits for approval", NextStep: "drawbridge plan list"})
	return j, err
}

// manual makes a job by hand for the account of a person in a target; it is held.
func manual(t target, person string, op reconcile.Op) (store.Job, error) {
	id := op.Operation.GetId()
	op.Operation.ReturnAttributes = t.attributes
	work, err := proto.Marshal(&linkv1.Job{System: t.row.Name, Object: id, NotAfter: timestamppb.New(op.NotAfter), Work: &linkv1.Job_Apply{Apply: op.Operation}})
	return store.Job{Tenant: t.row.Tenant, Site: t.row.Site, System: t.row.Name, Object: id, Person: person, Class: op.Class, State: store.JobHeld,
		NotAfter: store.InstantOf(op.NotAfter), Work: work, Reasons: string(mapping.AppendReasons(nil, op.Reasons))}, err
}
