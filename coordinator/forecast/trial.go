package forecast

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// ErrNoRecord says that columns were given for a record that the person does not have. Test with [errors.Is].
var ErrNoRecord = errors.New("the person has no such record")

// A Question is what is asked of one person.
type Question struct {
	Row store.Person
	// Record holds columns to be read as other values than the record in System has.
	Record map[string][]string
	System string    // "" where the person has one record only
	At     time.Time // zero: now
	// Then, where set, has the person looked at as they were, at that instant, by the documents of then.
	Then *store.Image
}

// Person tells what the documents make of one person, rule by rule. It returns
// [ErrNoRecord] where the question is about a record that is not there.
func (f *Forecaster) Person(q Question) (client.Trial, error) {
	if q.At.IsZero() {
		q.At = f.tx.Now.Time()
	}
	t := &trial{Forecaster: f, Question: q, out: client.Trial{Person: q.Row.Shown(), At: q.At.UTC(),
		Records: []client.TriedRecord{}, Values: []client.TriedValue{}, Accounts: []client.TriedAccount{}}}
	if err := t.person(); err != nil {
		return client.Trial{}, err
	}
	if err := t.targets(); err != nil {
		return client.Trial{}, err
	}
	return t.out, nil
}

// Back tells what was made of one person in a cycle: by the documents that were
// in force, of what they and their accounts were then.
func Back(tx *store.Tx, image store.Image, row store.Person, compile func(store.System) (*mapping.System, error)) (client.Trial, error) {
	f, err := looking(tx, image.Tenant, image.At, compile, nil)
	if err != nil {
		return client.Trial{}, err
	}
	f.next = f.present
	return f.Person(Question{Row: row, At: image.At.Time(), Then: &image})
}

// A trial looks at one person.
type trial struct {
	*Forecaster
	Question
	is   directory.Person
	past *plan.Past // of Then
	out  client.Trial
}

// person makes the person of their records as the documents read them.
func (t *trial) person() (err error) {
	if t.Then != nil {
		if t.is, t.past, err = plan.PastOf(*t.Then, t.Row.Key); err != nil {
			return err
		}
		t.out.Display, t.out.Life = t.is.Display(), t.is.LifeAt(t.At).String()
		for path, value := range t.is.Attributes.All() {
			texts := mapping.Texts(value)
			t.out.Values = append(t.out.Values, client.TriedValue{Attribute: path, Now: texts, Values: texts, State: state(texts, true, nil)})
		}
		for _, a := range t.past.Records {
			if src := recordOf(t.next[a.System], a, false); src != nil {
				if err := t.record(a, src); err != nil {
					return err
				}
			}
		}
		return nil
	}
	was, err := directory.ParseAttributes(t.Row.Attributes)
	if err != nil {
		return err
	}
	t.is = directory.Person{ID: t.Row.ID, Key: t.Row.Key, Attributes: was, Changed: t.Row.Changed.Time()}
	accounts, err := t.tx.AccountsOf(t.tenant, []string{t.Row.ID})
	if err != nil {
		return err
	}
	slices.SortFunc(accounts, func(a, b store.Account) int { return cmp.Or(cmp.Compare(a.System, b.System), cmp.Compare(a.ID, b.ID)) })
	accounts = slices.DeleteFunc(accounts, func(a store.Account) bool { return a.Gone != 0 || recordOf(t.next[a.System], a, t.mirror(a)) == nil })
	if err := t.overwrite(accounts); err != nil {
		return err
	}
	var voices []intake.Voice
	whole := true
	for _, a := range accounts {
		src := recordOf(t.next[a.System], a, t.mirror(a))
		t.is.HasSource = t.is.HasSource || !src.Joins
		if err := t.record(a, src); err != nil {
			return err
		}
		r, err := t.read(a, src)
		if whole = whole && err == nil; err == nil {
			voices = append(voices, intake.Voice{System: a.System, ID: a.ID, Key: r.Key, Source: src, Attributes: r.Attributes})
		}
	}
	if attributes, key, made := intake.Together(voices, t.At); made && whole {
		t.is.Attributes, t.is.Key = attributes, directory.Fold(key)
	}
	t.out.Display, t.out.Life = t.is.Display(), t.is.LifeAt(t.At).String()
	for path, value := range t.is.Attributes.All() {
		before, known := was.Get(path)
		v := client.TriedValue{Attribute: path, Now: mapping.Texts(before), Values: mapping.Texts(value), State: state(mapping.Texts(value), true, nil)}
		v.Changes = !known || !slices.Equal(v.Now, v.Values)
		t.out.Values = append(t.out.Values, v)
	}
	for path, before := range was.All() {
		if _, still := t.is.Attributes.Get(path); !still {
			t.out.Values = append(t.out.Values, client.TriedValue{Attribute: path, Now: mapping.Texts(before), State: "absent", Changes: true, Note: "no rule gives it any more"})
		}
	}
	return nil
}

// overwrite puts the columns of the question in place of those of the record.
func (t *trial) overwrite(accounts []store.Account) error {
	if len(t.Record) == 0 {
		return nil
	}
	var of *store.Account
	for i := range accounts {
		if t.System == "" || accounts[i].System == t.System {
			if of != nil {
				return fmt.Errorf("%w: they have several, name the source by system", ErrNoRecord)
			}
			of = &accounts[i]
		}
	}
	if of == nil {
		return fmt.Errorf("%w in %s", ErrNoRecord, cmp.Or(t.System, "any source"))
	}
	var o connectorv1.Object
	if err := proto.Unmarshal(of.Object, &o); err != nil {
		return err
	}
	for column, values := range t.Record {
		i := slices.IndexFunc(o.Attributes, func(a *connectorv1.Attribute) bool { return strings.EqualFold(a.GetName(), column) })
		if i < 0 {
			i, o.Attributes = len(o.Attributes), append(o.Attributes, &connectorv1.Attribute{Name: column})
		}
		o.Attributes[i].Values = nonEmpty(values)
	}
	var err error
	of.Object, err = proto.MarshalOptions{Deterministic: true}.Marshal(&o)
	return err
}

// record tells what a source's rules make of a record.
func (t *trial) record(a store.Account, src *mapping.Source) error {
	tried, err := src.Try(a.Object)
	if err != nil {
		return err
	}
	object, err := mapping.ReadObject(a.Object)
	if err != nil {
		return err
	}
	r := client.TriedRecord{System: a.System, Record: a.ID, Place: a.Address, Columns: []client.Term{}, Values: []client.TriedValue{}}
	for _, c := range object.Attributes {
		r.Columns = append(r.Columns, client.Term{Name: c.Name, Value: strings.Join(c.Values(), "; ")})
	}
	for _, v := range tried {
		r.Values = append(r.Values, value(t.next[a.System].File(), v, nil))
	}
	t.out.Records = append(t.out.Records, r)
	return nil
}

// targets tells what the targets' rules make of the person's accounts.
func (t *trial) targets() error {
	subject := plan.Subject{ID: t.Row.ID, Kind: t.Row.Kind, As: []*directory.Person{&t.is}, Known: true, Past: t.past}
	f := t.foresee(list(t.next))
	f.At = t.At
	seen, err := f.People([]plan.Subject{subject})
	if err != nil {
		return err
	}
	for _, s := range list(t.next) {
		is, ok := seen[0][0][s.Name]
		if !ok {
			continue
		}
		if t.Row.Kind == store.KindGroup {
			s = s.Groups()
		}
		if s.Target.WriteBack && is.Account == nil {
			continue // they have no record there to be written to
		}
		a, err := t.account(s, is)
		if err != nil {
			return err
		}
		t.out.Accounts = append(t.out.Accounts, a)
	}
	return nil
}

func (t *trial) account(s *mapping.System, is plan.Seen) (client.TriedAccount, error) {
	out := client.TriedAccount{System: s.Name, Values: []client.TriedValue{}, Steps: []client.TriedStep{}, Waits: is.Waits}
	var object mapping.Object
	if is.Account != nil {
		out.Address = is.Account.Address
		if err := object.Read(is.Account.Object); err != nil {
			return out, err
		}
	}
	if !t.known(s.Name) {
		out.Notes = append(out.Notes, "it was never read: whether there is an account is not known")
	}
	if is.Problem != nil {
		out.Problem = history.Trouble(is.Problem.Fault)
	}
	for _, a := range is.Alarms {
		out.Alarms = append(out.Alarms, client.Alarm{At: a.At.UTC(), Why: a.Why})
	}
	written := map[string]mapping.Reason{}
	for _, op := range is.Ops {
		out.Steps = append(out.Steps, client.TriedStep{Class: op.Class, Text: history.Operation(op.Operation)})
		for _, r := range op.Reasons {
			written[r.Attribute] = r
		}
	}
	view := s.Target.View(t.is, t.At)
	defer view.Close()
	if is.Account != nil {
		_, _, container, _ := mapping.SplitDN(is.Account.Address)
		view.SetAccount(mapping.Container, container)
		view.SetGroups(func(name string) bool { return is.InGroup != nil && is.InGroup(name) })
	}
	for _, r := range s.Target.Rules { // rules may read what unique ones have chosen
		if r.Unique() {
			now, _ := object.Get(r.Attribute)
			chosen := now
			if w, ok := written[r.Attribute]; ok {
				chosen = w.After
			}
			if len(chosen) > 0 {
				view.SetAccount(r.Attribute, chosen[0])
			}
		}
	}
	try := func(name string, r *mapping.Rule, now []string) {
		v := value(s.File(), view.Try(r), r.Shown(now))
		v.Attribute = name
		if w, ok := written[name]; ok {
			v.Changes, v.Note = true, w.Note
			if r.Unique() || r.Person {
				v.Values = w.After
			}
		}
		out.Values = append(out.Values, v)
	}
	if s.Target.Scope != nil {
		v := value(s.File(), view.Try(s.Target.Scope), nil)
		out.Scope = &v
	}
	for name, r := range map[string]*mapping.Rule{"container": s.Target.Container, "match " + s.Target.Match: s.Target.MatchRule} {
		if r != nil {
			try(name, r, nil)
		}
	}
	slices.SortFunc(out.Values, func(a, b client.TriedValue) int { return strings.Compare(a.Attribute, b.Attribute) })
	if n := s.Target.Name; n != nil {
		now, _ := object.Get(n.Attribute)
		try(n.Attribute, n, now)
	}
	for _, r := range s.Target.Rules {
		now, _ := object.Get(r.Attribute)
		try(r.Attribute, r, slices.Clone(now))
	}
	for _, r := range s.Target.Groups {
		try("groups", r, nil)
	}
	return out, nil
}

// value gives the outcome of a rule as the API shows it.
func value(file string, t mapping.Tried, now []string) client.TriedValue {
	v := client.TriedValue{Attribute: t.Attribute, Now: now, Values: t.Values, State: state(t.Values, t.Known, t.Err),
		Rule: &client.Rule{Document: file, Line: t.Line, Text: t.Rule}}
	for _, in := range t.From {
		v.Inputs = append(v.Inputs, client.Term{Name: in.Name, Value: in.Value})
	}
	if t.Err != nil {
		v.Fault = t.Err.Error()
	}
	return v
}

func state(values []string, known bool, err error) string {
	switch {
	case err != nil:
		return "fault"
	case len(values) > 0:
		return "value"
	case known:
		return "empty"
	}
	return "absent"
}
