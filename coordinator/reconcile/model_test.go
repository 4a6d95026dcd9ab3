package reconcile_test

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// system parses one of the sample documents.
func system(t testing.TB, name string) *mapping.System {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "mapping", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	s, err := mapping.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// parse parses a document of the test's own.
func parse(t testing.TB, text string) *mapping.System {
	t.Helper()
	s, err := mapping.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A domain is a model of a target: accounts that obey operations, the ledger of
// names, and groups whose native id is "group " and their name.
type domain struct {
	names    map[string]string // attribute and value to person
	accounts map[string]*model // by key of person
	missing  map[string]bool   // groups that there are not
	person   string            // who is planned
	circles  map[string][]string
	owned    map[string]bool
	others   []reconcile.Stranger
	made     int
}

// A model is an account in the domain.
type model struct {
	id, address string
	attributes  map[string][]string
	enabled     bool
	groups      []string
	granted     []string
}

func newDomain() *domain {
	return &domain{names: map[string]string{}, accounts: map[string]*model{}, missing: map[string]bool{}}
}

func (d *domain) Pick(attribute string, candidates iter.Seq[string]) (string, bool) {
	for c := range candidates {
		k := strings.ToLower(attribute + "\x00" + c)
		if owner, taken := d.names[k]; !taken || owner == d.person {
			d.names[k] = d.person
			return c, true
		}
	}
	return "", false
}

func (d *domain) Account(key string) string {
	if a := d.accounts[key]; a != nil {
		return a.id
	}
	return ""
}

func (d *domain) DirectoryGroup(key string) string { return d.Account(key) }
func (d *domain) Owned(id string) bool             { return d.owned[id] }
func (d *domain) Circle(from, to string) []string  { return d.circles[from+" "+to] }

func (d *domain) Group(name string) string {
	if d.missing[name] {
		return ""
	}
	return "group " + name
}

// account gives the model as the store has it.
func (a *model) account() *reconcile.Account {
	if a == nil {
		return nil
	}
	o := &connectorv1.Object{Class: "user", Id: a.id, Address: a.address}
	all := maps.Clone(a.attributes)
	all["enabled"] = []string{strconv.FormatBool(a.enabled)}
	all["memberOf"] = a.groups
	for _, name := range slices.Sorted(maps.Keys(all)) {
		o.Attributes = append(o.Attributes, &connectorv1.Attribute{Name: name, Values: all[name]})
	}
	b, err := proto.Marshal(o)
	if err != nil {
		panic(err)
	}
	return &reconcile.Account{ID: a.id, Address: a.address, Object: b, Granted: slices.Clone(a.granted)}
}

// apply carries out an operation as a connector would, compare and swap included.
func (d *domain) apply(t testing.TB, person string, op reconcile.Op) {
	t.Helper()
	o := op.Operation
	if c := o.GetCreate(); c != nil {
		if d.accounts[person] != nil {
			t.Fatalf("%s was created twice", person)
		}
		if c.Enabled && c.Password == nil {
			t.Fatalf("%s was created enabled without a password", person)
		}
		d.made++
		a := &model{id: fmt.Sprintf("guid-%d", d.made), address: "CN=" + mapping.EscapeDN(c.Name) + "," + c.Container,
			attributes: map[string][]string{}, enabled: c.Enabled}
		for _, at := range c.Attributes {
			a.attributes[at.Name] = at.Values
		}
		if !slices.Equal(a.attributes[c.Anchor.GetName()], c.Anchor.GetValues()) {
			t.Fatalf("%s has another anchor than its account: %v", person, c.Anchor)
		}
		d.accounts[person] = a
		return
	}
	a := d.accounts[person]
	if i := slices.IndexFunc(d.others, func(s reconcile.Stranger) bool { return s.ID == o.Id }); i >= 0 {
		d.others = slices.Delete(d.others, i, i+1)
		return
	}
	if a == nil || a.id != o.Id {
		t.Fatalf("%s: %s of %q, which is not there", person, op.Class, o.Id)
	}
	switch v := o.Verb.(type) {
	case *connectorv1.Operation_Modify:
		for _, c := range v.Modify.Changes {
			if !slices.Equal(a.attributes[c.Name], c.Expect) {
				t.Fatalf("%s: %s is %q, but %q was expected", person, c.Name, a.attributes[c.Name], c.Expect)
			}
			a.attributes[c.Name] = c.Want
		}
	case *connectorv1.Operation_Move:
		if a.address != v.Move.ExpectAddress {
			t.Fatalf("%s is at %s, but %s was expected", person, a.address, v.Move.ExpectAddress)
		}
		a.address = "CN=" + mapping.EscapeDN(v.Move.Name) + "," + v.Move.Container
	case *connectorv1.Operation_SetEnabled:
		a.enabled = v.SetEnabled.Enabled
	case *connectorv1.Operation_ChangeMembership:
		a.groups = append(a.groups, v.ChangeMembership.Join...)
		a.granted = append(a.granted, v.ChangeMembership.Join...)
		gone := func(id string) bool { return slices.Contains(v.ChangeMembership.Leave, id) }
		a.groups, a.granted = slices.DeleteFunc(a.groups, gone), slices.DeleteFunc(a.granted, gone)
	case *connectorv1.Operation_Delete:
		delete(d.accounts, person)
	}
}

// plan plans for a person.
func (d *domain) plan(target *mapping.Target, p directory.Person, now time.Time, candidates ...reconcile.Account) reconcile.Output {
	d.person = p.Key
	return reconcile.Plan(reconcile.Input{Now: now, Person: p, Target: target, Account: d.accounts[p.Key].account(), Candidates: candidates, Names: d, Refs: d, Groups: d, Strangers: d.others})
}

// settle plans and applies until there is nothing to do, and gives what was done.
func (d *domain) settle(t testing.TB, target *mapping.Target, p directory.Person, now time.Time) (all []reconcile.Output) {
	t.Helper()
	settled := false
	for range 5 {
		out := d.plan(target, p, now)
		if len(out.Ops) == 0 {
			return append(all, out)
		}
		if settled {
			t.Fatalf("%s: nothing should have followed the create, but there is: %s", p.Key, show(out))
		}
		all = append(all, out)
		for _, op := range out.Ops {
			d.apply(t, p.Key, op)
		}
		if settled = out.Settles; settled && !d.left(t, target, p.Key, out.Ops[0]) {
			t.Fatalf("%s: the account is not as the create wanted it: %s", p.Key, show(out))
		}
	}
	t.Fatalf("%s: still not settled after five plans: %s", p.Key, show(all[len(all)-1]))
	return nil
}

// left tells whether a person's account is as a create wanted it.
func (d *domain) left(t testing.TB, target *mapping.Target, person string, op reconcile.Op) bool {
	t.Helper()
	object, err := mapping.ReadObject(d.accounts[person].account().Object)
	if err != nil {
		t.Fatal(err)
	}
	return reconcile.Left(target, op.Operation.GetCreate(), &object)
}

// show writes an outcome as text.
func show(out reconcile.Output) string {
	var b strings.Builder
	if out.Join != "" {
		fmt.Fprintf(&b, "  join %s\n", out.Join)
	}
	for _, op := range out.Ops {
		fmt.Fprintf(&b, "  %s", op.Class)
		if op.Takes {
			b.WriteString(" (takes something away)")
		}
		switch v := op.Operation.Verb.(type) {
		case *connectorv1.Operation_Create:
			fmt.Fprintf(&b, " %q in %s enabled=%v anchor %s", v.Create.Name, v.Create.Container, v.Create.Enabled, v.Create.Anchor.GetName())
		case *connectorv1.Operation_Move:
			fmt.Fprintf(&b, " to %q in %s", v.Move.Name, v.Move.Container)
		case *connectorv1.Operation_ChangeMembership:
			if op.Operation.Class == "service" {
				fmt.Fprintf(&b, " of %s %s", op.Operation.Class, op.Operation.Id)
			}
			fmt.Fprintf(&b, " join %q leave %q", v.ChangeMembership.Join, v.ChangeMembership.Leave)
		}
		b.WriteString("\n")
		for _, r := range op.Reasons {
			fmt.Fprintf(&b, "    %s: %q -> %q by %s", r.Attribute, r.Before, r.After, r.Rule)
			if r.Line > 0 {
				fmt.Fprintf(&b, " [line %d]", r.Line)
			}
			for _, in := range r.From {
				fmt.Fprintf(&b, " %s=%q", in.Name, in.Value)
			}
			if r.Note != "" {
				fmt.Fprintf(&b, " (%s)", r.Note)
			}
			b.WriteString("\n")
		}
	}
	for _, m := range out.Made {
		fmt.Fprintf(&b, "  is in %s, shown as %q\n", m.Key, m.Display)
	}
	for _, a := range out.Alarms {
		fmt.Fprintf(&b, "  alarm %s %s\n", a.At.Format(time.RFC3339), a.Why)
	}
	for _, w := range out.Waits {
		fmt.Fprintf(&b, "  waits for %s\n", w)
	}
	if out.Problem != nil {
		fmt.Fprintf(&b, "  problem %s: %s %s\n", out.Problem.Kind, out.Problem.Fault.GetCause(), out.Problem.Fault.GetNextStep())
	}
	if b.Len() == 0 {
		return "  nothing\n"
	}
	return b.String()
}
