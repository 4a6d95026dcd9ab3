package history

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// manyJobs is how many of a person's latest jobs are looked through for what
// wrote a value.
const manyJobs = 2000

// Explain explains a person and every value of their accounts as things are in
// tx. compile gives the compiled document of a system's row.
func Explain(tx *store.Tx, compile func(store.System) (*mapping.System, error), row store.Person) (client.Person, error) {
	e := &explanation{tx: tx, row: row, now: tx.Now}
	if err := e.load(compile); err != nil {
		return client.Person{}, err
	}
	out := client.Person{ID: row.ID, Key: row.Shown(), Display: row.Display, Life: e.person.LifeAt(tx.Now.Time()).String(), Made: row.Made.Time(),
		Changed: row.Changed.Time(), Due: e.due, Alarms: []client.Alarm{}, Attributes: []client.Attribute{}, Accounts: []client.Account{}}
	for _, a := range e.alarms {
		out.Alarms = append(out.Alarms, client.Alarm{At: a.At.Time(), Why: a.Why})
	}
	for path, value := range e.person.Attributes.All() {
		out.Attributes = append(out.Attributes, client.Attribute{Path: path, Values: texts(value), Origin: e.origins[path], Others: e.others[path]})
	}
	for _, system := range e.systems {
		if system.Target == nil {
			continue
		}
		if a, wanted := e.account(system); wanted {
			if err := e.holders(&a, system); err != nil {
				return client.Person{}, err
			}
			out.Accounts = append(out.Accounts, a)
		}
	}
	return out, nil
}

// An explanation is what is known of one person.
type explanation struct {
	tx     *store.Tx
	now    store.Instant
	row    store.Person
	person directory.Person
	due    string

	systems  []*mapping.System
	accounts []store.Account
	jobs     []store.Job // the newest first
	servers  map[int64]string
	hosts    map[string]string // of agents
	problems []store.Problem
	alarms   []store.Alarm
	waits    []store.Waiting
	lets     []store.Deviation
	origins  map[string]*client.Origin // by path
	others   map[string][]client.Other // by path: what was not taken
}

func (e *explanation) load(compile func(store.System) (*mapping.System, error)) (err error) {
	tx, tenant, id := e.tx, e.row.Tenant, e.row.ID
	e.person = directory.Person{ID: id, Key: e.row.Key, Changed: e.row.Changed.Time()}
	if e.person.Attributes, err = directory.ParseAttributes(e.row.Attributes); err != nil {
		return fmt.Errorf("person %s: %w", e.row.Key, err)
	}
	if due, err := tx.DueOf(tenant, id); err == nil {
		e.due = due.Why
	}
	if e.accounts, err = tx.AccountsOf(tenant, []string{id}); err != nil {
		return err
	}
	if e.jobs, err = tx.JobsOfPerson(tenant, id, manyJobs); err != nil {
		return err
	}
	if e.servers, err = tx.WrittenServers(tenant, id); err != nil {
		return err
	}
	if e.problems, err = tx.ProblemsOf(tenant, []string{id}); err != nil {
		return err
	}
	if e.alarms, err = tx.AlarmsOf(tenant, []string{id}); err != nil {
		return err
	}
	if e.waits, err = tx.WaitsOf(tenant, id); err != nil {
		return err
	}
	if e.lets, err = tx.DeviationsOf(tenant, []string{id}); err != nil {
		return err
	}
	var ids []string
	for _, j := range e.jobs {
		if j.Agent != "" && !slices.Contains(ids, j.Agent) {
			ids = append(ids, j.Agent)
		}
	}
	agents, err := tx.AgentsByID(tenant, ids)
	if err != nil {
		return err
	}
	e.hosts = make(map[string]string, len(agents))
	for _, a := range agents {
		e.hosts[a.ID] = a.Host
	}
	rows, err := tx.Systems(tenant)
	if err != nil {
		return err
	}
	e.origins, e.others = map[string]*client.Origin{}, map[string][]client.Other{}
	for _, row := range rows {
		system, err := compile(row)
		if err != nil {
			continue // shown with the system
		}
		if e.row.Kind == store.KindGroup {
			if system = system.Groups(); system == nil {
				continue
			}
		}
		e.systems = append(e.systems, system)
		e.trace(system)
	}
	if e.row.Kind == store.KindGroup {
		alive, err := tx.MadeGroups(tenant, []string{e.row.Key})
		e.person.HasSource = e.person.HasSource || len(alive) > 0
		return err
	}
	return nil
}

// trace finds where in a source the person's attributes come from.
func (e *explanation) trace(system *mapping.System) {
	if system.Source == nil {
		return
	}
	for _, a := range e.accounts {
		if a.System != system.Name || a.Gone != 0 {
			continue
		}
		src := system.RecordOf(a.Class, a.Mirror != store.MirrorNone)
		if src == nil {
			continue
		}
		e.person.HasSource = e.person.HasSource || !src.Joins
		reasons, err := src.Explain(a.Object)
		if err != nil {
			continue // the record was set aside; what is known is from before
		}
		for _, r := range reasons {
			value, known := e.person.Attributes.Get(r.Attribute)
			if !known {
				continue
			}
			origin := &client.Origin{System: system.Name, Record: a.ID, Place: a.Address, Inputs: terms(r.From), Rule: ruleOf(system, r)}
			same := slices.Equal(texts(value), r.After) || len(r.After)+len(texts(value)) == 0
			if r.Attribute == mapping.MemberOf { // the groups of all records count together
				same = same || slices.ContainsFunc(r.After, func(g string) bool { return slices.Contains(texts(value), g) })
			}
			switch {
			case !same && r.Attribute == mapping.MemberOf:
			case !same:
				e.others[r.Attribute] = append(e.others[r.Attribute], client.Other{Values: append([]string{}, r.After...), Origin: origin})
			case e.origins[r.Attribute] == nil:
				e.origins[r.Attribute] = origin
			}
		}
	}
}

func terms(inputs []mapping.Input) []client.Term {
	out := make([]client.Term, len(inputs))
	for i, in := range inputs {
		out[i] = client.Term(in)
	}
	return out
}

func ruleOf(system *mapping.System, r mapping.Reason) *client.Rule {
	if r.Rule == "" {
		return nil
	}
	return &client.Rule{Document: system.Name, Line: r.Line, Text: r.Rule}
}

// AtHome is the state of an account that is the person's own record, in a system
// that people go into and come from: it is left alone.
const AtHome = "home"

// account explains the person's account in a target. It is not wanted where
// there is none, and nothing is known of one.
func (e *explanation) account(system *mapping.System) (client.Account, bool) {
	out := client.Account{System: system.Name, State: "wanted", Values: []client.Value{}, Waits: []string{}, Open: []client.Job{}, Drift: []client.Drift{}}
	var object mapping.Object
	for _, a := range e.accounts {
		if a.System != system.Name || a.Class != system.Target.Class || out.ID != "" && (a.Gone != 0 || a.ID > out.ID) || out.State == AtHome {
			continue
		}
		out.Class, out.ID, out.Address, out.Changed, out.State = a.Class, a.ID, a.Address, a.Changed.Time(), "present"
		switch {
		case a.Gone != 0:
			out.State = "gone"
		case a.Missing != 0:
			out.State = "missing"
		case system.Target.BothWays && a.Mirror == store.MirrorNone:
			out.State = AtHome
		}
		object, _ = mapping.ReadObject(a.Object) // one that cannot be read holds nothing
	}
	for _, w := range e.waits {
		if w.System == system.Name {
			out.Waits = append(out.Waits, w.Key)
		}
	}
	var mine []jobReasons
	for _, j := range e.jobs {
		if j.System != system.Name {
			continue
		}
		jr := jobReasons{job: j}
		if json.Unmarshal([]byte(j.Reasons), &jr.reasons) != nil {
			jr.reasons = nil
		}
		mine = append(mine, jr)
		if open(j) {
			shown := JobOf(j)
			shown.Person, shown.Display = e.row.Shown(), e.row.Display
			out.Open = append(out.Open, shown)
		}
	}
	slices.Reverse(out.Open)
	for _, d := range e.lets {
		if d.System == system.Name {
			out.Drift = append(out.Drift, DriftOf(d, e.row))
		}
	}
	for _, p := range e.problems {
		if p.System == system.Name {
			o := ObstacleOf(p, e.row)
			out.Problem = &o
		}
	}
	if out.ID == "" && len(mine) == 0 && out.Problem == nil && len(e.alarms) == 0 {
		return out, false
	}
	v := &valuer{explanation: e, system: system, object: object, jobs: mine, account: &out}
	if out.State == AtHome { // nothing is wanted of it but groups from elsewhere
		view := system.Target.View(e.person, e.now.Time())
		defer view.Close()
		v.groups(view)
		v.explainGroups()
		return out, true
	}
	v.values()
	v.explainGroups()
	return out, true
}

// holders tells whose accounts the values of references name.
func (e *explanation) holders(a *client.Account, system *mapping.System) error {
	var ids []string
	for _, r := range system.Target.Rules {
		for _, v := range a.Values {
			if r.Person && v.Attribute == r.Attribute {
				ids = append(append(ids, v.Values...), v.Want...)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	accounts, err := e.tx.Accounts(e.row.Tenant, system.Name, ids)
	if err != nil {
		return err
	}
	of, people := map[string]string{}, []string{} // people by account
	for _, account := range accounts {
		of[account.ID] = account.Person
		people = append(people, account.Person)
	}
	rows, err := e.tx.People(e.row.Tenant, people)
	if err != nil {
		return err
	}
	for i := range a.Values {
		v := &a.Values[i]
		for _, id := range slices.Concat(v.Values, v.Want) {
			for _, p := range rows {
				if p.ID == of[id] {
					v.People = append(v.People, client.Holder{Value: id, Key: p.Shown(), Display: p.Display})
				}
			}
		}
	}
	return nil
}

type jobReasons struct {
	job     store.Job
	reasons []mapping.Reason
}

func (j jobReasons) of(attribute string) *mapping.Reason {
	for i := range j.reasons {
		if strings.EqualFold(j.reasons[i].Attribute, attribute) {
			return &j.reasons[i]
		}
	}
	return nil
}

func open(j store.Job) bool {
	return j.State == store.JobHeld || j.State == store.JobQueued || j.State == store.JobWaiting || j.State == store.JobSent
}

// texts gives the texts of an attribute's value.
func texts(value any) []string {
	if value == nil {
		return []string{}
	}
	return mapping.Texts(value)
}

// A valuer explains the values of one account.
type valuer struct {
	*explanation
	system  *mapping.System
	object  mapping.Object
	jobs    []jobReasons // the newest first
	account *client.Account
}

// Names of what is explained besides attributes.
const (
	address = "address"
	enabled = "enabled"
	inside  = "groups"
)

func (v *valuer) values() {
	t := v.system.Target
	view := t.View(v.person, v.now.Time())
	defer view.Close()
	for _, r := range t.Rules {
		if values, _ := v.object.Get(r.Attribute); r.Unique() && len(values) > 0 {
			view.SetAccount(r.Attribute, values[0])
		}
	}
	place := t.Container
	if place == nil {
		place = t.Name
	}
	v.special(view, place, address, one(v.account.Address))
	if state, told := accountEnabled(v.object); told {
		v.account.Enabled = map[bool]string{true: "yes", false: "no"}[state]
		v.special(view, nil, enabled, []string{v.account.Enabled})
	}
	for _, r := range t.Rules {
		held, _ := v.object.Get(r.Attribute)
		v.add(view, r, r.Attribute, slices.Clone(held))
		v.others(r, held)
	}
	v.groups(view)
}

// special explains what is not an attribute; it is left out where nothing is known of it.
func (v *valuer) special(view mapping.View, r *mapping.Rule, name string, held []string) {
	before := len(v.account.Values)
	v.add(view, r, name, held)
	last := v.account.Values[before]
	if len(held) == 0 && last.Want == nil {
		v.account.Values = v.account.Values[:before]
	}
}

func (v *valuer) add(view mapping.View, r *mapping.Rule, name string, held []string) {
	out := client.Value{Attribute: name, Values: held, Inputs: []client.Input{}}
	if out.Values == nil {
		out.Values = []string{}
	}
	if r != nil {
		out.Rule = &client.Rule{Document: v.system.Name, Line: r.Line(), Text: r.Text()}
		v.inputs(&out, view.Inputs(r))
	}
	for _, j := range v.jobs {
		reason := j.of(name)
		if reason == nil && name == address && v.system.Target.Name != nil { // the reasons speak of its parts
			reason = cmp.Or(j.of("container"), j.of(v.system.Target.Name.Attribute))
		}
		if reason == nil && name == enabled && lets(j.job) {
			reason = &mapping.Reason{Rule: "lifecycle: enable " + v.system.Target.Lifecycle.Enable.String(), From: v.dates()}
		}
		if reason == nil {
			continue
		}
		if r == nil && out.Rule == nil {
			out.Rule = ruleOf(v.system, *reason)
			v.inputs(&out, reason.From)
		}
		if open(j.job) {
			out.Want = append([]string{}, reason.After...)
			out.Pending = pending(j.job)
			continue
		}
		if j.job.State == store.JobDone {
			out.Written = &client.Written{At: j.job.Ended.Time(), Job: j.job.ID, Agent: cmp.Or(v.hosts[j.job.Agent], j.job.Agent), Server: v.servers[j.job.ID]}
			break
		}
	}
	switch {
	case out.Pending != "":
	case v.account.ID == "":
		out.Pending = v.why()
	case r != nil && r.Person && len(out.Values) == 0 && len(v.account.Waits) > 0:
		out.Pending = "waits for the account of " + strings.Join(v.account.Waits, ", ")
	}
	v.account.Values = append(v.account.Values, out)
}

// lets tells whether a job decides, without a reason of its own, whether the account may be used.
func lets(j store.Job) bool {
	return j.Class == "create" || j.Class == "enable" || j.Class == "disable"
}

// dates gives what the lifecycle looks at.
func (v *valuer) dates() []mapping.Input {
	var inputs []mapping.Input
	for _, path := range []string{"startDate", "endDate", "active"} {
		if value, known := v.person.Attributes.Get(path); known && value != nil {
			inputs = append(inputs, mapping.Input{Name: path, Value: mapping.Text(value)})
		}
	}
	return inputs
}

func (v *valuer) inputs(out *client.Value, inputs []mapping.Input) {
	for _, in := range inputs {
		out.Inputs = append(out.Inputs, client.Input{Term: client.Term(in), Origin: v.origins[in.Name]})
	}
}

// pending says why an open job's change is not there yet.
func pending(j store.Job) string {
	switch j.State {
	case store.JobHeld:
		why := ""
		if f := TroubleOf(j.Fault); f != nil {
			why = ": " + f.Cause
		}
		return fmt.Sprintf("job %d is held%s", j.ID, why)
	case store.JobWaiting:
		return fmt.Sprintf("job %d comes after job %d", j.ID, j.After)
	case store.JobSent:
		return fmt.Sprintf("job %d is at the agent since %s", j.ID, j.Sent)
	}
	return fmt.Sprintf("job %d waits for an agent of site %s", j.ID, j.Site)
}

// why says why there is no account yet.
func (v *valuer) why() string {
	switch {
	case v.account.Problem != nil:
		return v.account.Problem.Fault.Cause
	case v.due != "":
		return "the person is about to be looked at: " + v.due
	case len(v.alarms) > 0:
		return fmt.Sprintf("%s: %s", v.alarms[0].At, v.alarms[0].Why)
	}
	return "no account is wanted now"
}

func one(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// accountEnabled tells whether an account may be used, and whether its object says so.
func accountEnabled(o mapping.Object) (state, told bool) {
	if values, _ := o.Get("enabled"); len(values) == 1 {
		return values[0] == "true", true
	}
	if values, _ := o.Get("userAccountControl"); len(values) == 1 {
		var bits int64
		if _, err := fmt.Sscan(values[0], &bits); err == nil {
			return bits&2 == 0, true
		}
	}
	return false, false
}
