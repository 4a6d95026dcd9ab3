package plan_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// mutual has the people and groups of each of two domains in the other one.
func mutual() string {
	document := func(domain, precedence string) string {
		return strings.NewReplacer("DOMAIN", domain, "PRECEDENCE", precedence).Replace(`system: ad-DOMAIN
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1.DOMAIN.example"], base: "DC=DOMAIN,DC=example"}
source:
  class: user
  precedence: PRECEDENCE
  key: objectGUID
  same_as: {emails.work: mail}
  attributes:
    displayName: cn
    title: title
    emails.work: mail
    memberOf: values(memberOf)
    manager: manager
  group:
    key: objectGUID
    attributes: {displayName: cn, description: description, memberOf: values(memberOf)}
target:
  class: user
  both_ways: true
  container: '"OU=Mirrors,DC=DOMAIN,DC=example"'
  name: displayName
  attributes:
    sAMAccountName: {value: 'firstUnique(sam(displayName))', apply: create}
    title: title
    mail: emails.work
    manager: {person: manager}
  groups:
    - {directory: memberOf}
  group:
    container: '"OU=Mirrors,DC=DOMAIN,DC=example"'
    name: displayName
    attributes:
      sAMAccountName: {value: 'firstUnique(sam("g-" + displayName))', apply: create}
      description: description
    groups:
      - {directory: memberOf}
    remove: at once
  lifecycle: {leave: {delete: at end}}
  thresholds: {membership: none, modify: none, delete: none, disable: none, clear: none}
`)
	}
	return document("a", "50") + "---\n" + document("b", "60")
}

// A domains is two domains that are read again after all that is done in them.
type domains struct {
	*rehearsal.World
	t *testing.T
}

func bothWays(t *testing.T) domains {
	w := domains{rehearsal.New(t), t}
	w.Apply(mutual())
	return w
}

// put has somebody make or change an object in a domain by hand.
func (d domains) put(domain, class, name string, pairs ...string) string {
	id := domain + "-" + strings.ToLower(name)
	o := d.Objects[id]
	if o == nil {
		o = rehearsal.Object(class, id, "CN="+name+",DC="+domain+",DC=example", "cn", name, "objectGUID", id, "description", "", "manager", "", "title", "", "mail", "",
			"memberOf", "", "enabled", "true")
		d.Objects[id] = o
	}
	d.edit(id, pairs...)
	return id
}

// edit has somebody change an object by hand.
func (d domains) edit(id string, pairs ...string) {
	d.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		o := d.Objects[id]
		o.Attributes = slices.DeleteFunc(o.Attributes, func(a *connectorv1.Attribute) bool { return a.Name == pairs[i] })
		o.Attributes = append(o.Attributes, &connectorv1.Attribute{Name: pairs[i], Values: strings.Fields(pairs[i+1])})
		slices.SortFunc(o.Attributes, func(x, y *connectorv1.Attribute) int { return strings.Compare(x.Name, y.Name) })
	}
}

// at gives the id of the object at an address, "" where there is none.
func (d domains) at(address string) string {
	for id, o := range d.Objects {
		if o.GetAddress() == address {
			return id
		}
	}
	return ""
}

// cycles reads both domains again and again and has done what follows, and gives how much that was in each turn.
func (d domains) cycles(n int) (done []int) {
	d.t.Helper()
	for range n {
		for _, domain := range []string{"a", "b"} {
			var objects []*connectorv1.Object
			for _, id := range slices.Sorted(maps.Keys(d.Objects)) {
				if o := d.Objects[id]; strings.HasSuffix(o.GetAddress(), "DC="+domain+",DC=example") {
					o = proto.CloneOf(o)
					if !slices.ContainsFunc(o.Attributes, func(a *connectorv1.Attribute) bool { return a.Name == "objectGUID" }) {
						o.Attributes = append(o.Attributes, &connectorv1.Attribute{Name: "objectGUID", Values: []string{id}})
					}
					objects = append(objects, o)
				}
			}
			d.Read("ad-"+domain, objects...)
			d.EndRead("ad-" + domain)
		}
		done = append(done, d.Settle())
	}
	return done
}

// gone has somebody delete an object by hand.
func (d domains) gone(domain, id string) {
	d.t.Helper()
	delete(d.Objects, id)
	d.World.Write(func(tx *store.Tx) error { return d.Intake.Gone(tx, rehearsal.Tenant, "ad-"+domain, []string{id}) })
}

// people gives the keys of all people and groups of the directory who are in a source.
func (d domains) people() (keys []string) {
	d.World.Write(func(tx *store.Tx) error {
		rows, err := tx.PeopleAfter(rehearsal.Tenant, "", 1000)
		for _, p := range rows {
			keys = append(keys, p.Key)
			if a, err := directory.ParseAttributes(p.Attributes); err != nil || strings.Contains(fmt.Sprint(a.Get("memberOf")), "guid-") {
				d.t.Errorf("%s is said to be in a group that we made: %s, %v", p.Key, p.Attributes, err)
			}
		}
		return err
	})
	slices.Sort(keys)
	return keys
}

// silent fails unless two more cycles do nothing.
func (d domains) silent(what string) {
	d.t.Helper()
	if done := d.cycles(2); done[0]+done[1] != 0 {
		d.t.Errorf("%s: two more cycles did %v", what, done)
	}
}

// Two domains that are each source and target of the other come to hold the
// same, and then nothing happens any more: what was written is never taken for
// news, whatever is read when.
func TestBothWays_withoutEcho(t *testing.T) {
	t.Parallel()
	d := bothWays(t)
	ann := d.put("a", "user", "Ann", "title", "Chief", "memberOf", "a-staff")
	d.put("a", "group", "Staff", "memberOf", "a-all")
	d.put("a", "group", "All")
	d.put("b", "group", "Crew")
	bob := d.put("b", "user", "Bob", "memberOf", "b-crew")
	d.cycles(3)
	want := map[string][]string{
		"CN=Staff,DC=a,DC=example": {"Ann"}, "CN=All,DC=a,DC=example": {"Staff"}, "CN=Crew,OU=Mirrors,DC=a,DC=example": {"Bob"},
		"CN=Crew,DC=b,DC=example": {"Bob"}, "CN=Staff,OU=Mirrors,DC=b,DC=example": {"Ann"}, "CN=All,OU=Mirrors,DC=b,DC=example": {"Staff"},
	}
	check := func(what string) {
		t.Helper()
		if diff := cmp.Diff(want, in(d.World)); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", what, diff)
		}
		if diff := cmp.Diff([]string{"a-ann", "b-bob", "group:a-all", "group:a-staff", "group:b-crew"}, d.people()); diff != "" {
			t.Fatalf("%s: people and groups (-want +got):\n%s", what, diff)
		}
		d.silent(what)
	}
	check("the first cycles")

	// Across: Bob's account in A joins a group of A, Ann's account in B one of B, and Bob works for Ann.
	mirrorOfBob, mirrorOfAnn := d.at("CN=Bob,OU=Mirrors,DC=a,DC=example"), d.at("CN=Ann,OU=Mirrors,DC=b,DC=example")
	d.edit(mirrorOfBob, "memberOf", d.at("CN=Crew,OU=Mirrors,DC=a,DC=example")+" a-staff")
	d.edit(mirrorOfAnn, "memberOf", d.at("CN=Staff,OU=Mirrors,DC=b,DC=example")+" b-crew")
	d.edit(bob, "manager", mirrorOfAnn)
	want["CN=Staff,DC=a,DC=example"], want["CN=Staff,OU=Mirrors,DC=b,DC=example"] = []string{"Ann", "Bob"}, []string{"Ann", "Bob"}
	want["CN=Crew,DC=b,DC=example"], want["CN=Crew,OU=Mirrors,DC=a,DC=example"] = []string{"Ann", "Bob"}, []string{"Ann", "Bob"}
	d.cycles(3)
	check("members from the other side")
	if got := d.Value("CN=Bob,OU=Mirrors,DC=a,DC=example", "manager"); got != ann {
		t.Errorf("Bob's manager in A is %q; want %q", got, ann)
	}

	// A human's edit counts at home, and is drift elsewhere.
	d.edit(ann, "title", "Head")
	d.edit(mirrorOfBob, "title", "Wrong")
	d.cycles(2)
	if a, b := d.Value("CN=Ann,OU=Mirrors,DC=b,DC=example", "title"), d.Value("CN=Bob,OU=Mirrors,DC=a,DC=example", "title"); a != "Head" || b != "" {
		t.Errorf("titles of Ann in B and Bob in A are %q and %q; want Head and none", a, b)
	}
	check("edits on both sides")

	// Taken out at the group's home, by whatever side.
	d.edit(mirrorOfBob, "memberOf", d.at("CN=Crew,OU=Mirrors,DC=a,DC=example"))
	want["CN=Staff,DC=a,DC=example"], want["CN=Staff,OU=Mirrors,DC=b,DC=example"] = []string{"Ann"}, []string{"Ann"}
	d.cycles(3)
	check("one leaves")
	d.edit(mirrorOfAnn, "memberOf", d.at("CN=Staff,OU=Mirrors,DC=b,DC=example"))
	want["CN=Crew,DC=b,DC=example"], want["CN=Crew,OU=Mirrors,DC=a,DC=example"] = []string{"Bob"}, []string{"Bob"}
	d.cycles(3)
	check("the other leaves")

	d.gone("b", bob)
	d.cycles(2)
	if id := d.at("CN=Bob,OU=Mirrors,DC=a,DC=example"); id != "" {
		t.Errorf("Bob is gone in B, and his account in A stays")
	}
	d.gone("a", "a-staff")
	d.edit(ann, "memberOf", "")
	d.cycles(2)
	if got := slices.Sorted(maps.Keys(in(d.World))); len(got) != 4 {
		t.Errorf("groups after Staff went in A: %v", got)
	}
	d.silent("who is gone")
}

// A read that shows an account before the result of the job that made it does
// not take it for somebody new; and where the job made none, somebody else's
// object at that place is a record after all.
func TestBothWays_readBeforeTheResult(t *testing.T) {
	t.Parallel()
	for _, ours := range []bool{true, false} {
		t.Run(fmt.Sprint(ours), func(t *testing.T) {
			t.Parallel()
			d := bothWays(t)
			d.put("a", "user", "Ann")
			d.cycles(0)
			d.Read("ad-a", proto.CloneOf(d.Objects["a-ann"]))
			d.Plan()
			claimed := d.Claim(10)
			if len(claimed) != 1 {
				t.Fatalf("%d jobs; want the create", len(claimed))
			}
			early := rehearsal.Object("user", "guid-0001", "CN=Ann,OU=Mirrors,DC=b,DC=example", "cn", "Ann", "objectGUID", "guid-0001", "memberOf", "", "enabled", "true",
				"manager", "", "title", "", "mail", "", "sAMAccountName", "Ann")
			d.Read("ad-b", proto.CloneOf(early))
			d.EndRead("ad-b")
			if got := d.people(); len(got) != 1 {
				t.Fatalf("people after the early read: %v; want Ann alone", got)
			}
			if ours {
				d.Finish(d.Results(claimed...)...)
				d.cycles(2)
				if got := d.people(); len(got) != 1 {
					t.Errorf("people after the result: %v; want Ann alone", got)
				}
				d.silent("made")
				return
			}
			d.Refuse = func(op *connectorv1.Operation) (connectorv1.Outcome, *connectorv1.Fault) {
				if op.GetCreate().GetName() == "Ann" {
					return connectorv1.Outcome_OUTCOME_INVALID, &connectorv1.Fault{Cause: "An object is there.", Taken: true, Object: early.GetAddress()}
				}
				return 0, nil
			}
			d.Finish(d.Results(claimed...)...)
			d.Objects["guid-0001"] = early
			d.EndRead("ad-b")
			d.cycles(3)
			if diff := cmp.Diff([]string{"a-ann", "guid-0001"}, d.people()); diff != "" {
				t.Errorf("people after the refusal (-want +got):\n%s", diff)
			}
			if d.at("CN=Ann2,OU=Mirrors,DC=b,DC=example") == "" {
				t.Errorf("no second Ann in B: %v", d.Addresses())
			}
		})
	}
}

// Who is in both domains is one person, at home where the source comes first:
// there they are changed, and here that is written. Two namesakes are two.
func TestBothWays_whoIsInBoth(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"a", "b"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			d := bothWays(t)
			d.put(first, "user", "Ann", "title", "At-"+first, "mail", "ann@example.org")
			d.cycles(0)
			d.Read("ad-"+first, proto.CloneOf(d.Objects[first+"-ann"]))
			other := map[string]string{"a": "b", "b": "a"}[first]
			d.put(other, "user", "Ann", "title", "At-"+other, "mail", "ann@example.org")
			d.cycles(2)
			if a, b := d.Value("CN=Ann,DC=a,DC=example", "title"), d.Value("CN=Ann,OU=Mirrors,DC=b,DC=example", "title"); a != "At-a" || b != "At-a" {
				t.Errorf("titles are %q in A and %q in B; want that of A in both: %v", a, b, d.Addresses())
			}
			if len(d.Objects) != 2 {
				t.Errorf("objects: %v; want the two that were there", d.Addresses())
			}
			d.edit("b-ann", "title", "Mine")
			d.edit("a-ann", "title", "Yours")
			d.cycles(2)
			if b := d.Value("CN=Ann,OU=Mirrors,DC=b,DC=example", "title"); b != "Yours" {
				t.Errorf("title in B is %q; want that of A", b)
			}
			d.silent("in both")
			d.gone("a", "a-ann")
			d.Settle()
			if d.Objects["b-ann"] != nil {
				t.Error("Ann is gone in A, her home, and stays in B")
			}
		})
	}
}

// Documents that went one way go both ways from now on: what was made in the
// target before stays somebody's account, and is nobody new.
func TestBothWays_afterOneWay(t *testing.T) {
	t.Parallel()
	d := domains{rehearsal.New(t), t}
	both := strings.SplitAfter(mutual(), "---\n")
	cut := func(text, from, to string) string {
		i := strings.Index(text, from)
		if j := strings.Index(text, to); to != "" {
			return text[:i] + text[j:]
		}
		return text[:i]
	}
	d.Apply(cut(both[1], "target:", "") + "---\n" +
		strings.Replace(cut(strings.TrimSuffix(both[0], "---\n"), "source:", "target:"), "  both_ways: true\n", "", 1))
	d.put("b", "user", "Ann", "memberOf", "b-staff")
	d.put("b", "group", "Staff")
	d.cycles(2)
	keys, objects := []string{"b-ann", "group:b-staff"}, len(d.Objects)
	if objects != 4 {
		t.Fatalf("one way: %v", d.Addresses())
	}
	d.Edit(mutual())
	d.put("a", "user", "Bob")
	d.cycles(1)
	d.World.Write(func(tx *store.Tx) error { // both are read by the new documents
		rows, err := tx.Systems(rehearsal.Tenant)
		for _, row := range rows {
			err = errors.Join(err, tx.SetReadAs(rehearsal.Tenant, row.Name, row.Revision))
		}
		return err
	})
	d.Touch()
	d.cycles(2)
	if diff := cmp.Diff(append([]string{"a-bob"}, keys...), d.people()); diff != "" || len(d.Objects) != objects+2 {
		t.Errorf("both ways: %v\npeople (-want +got):\n%s", d.Addresses(), diff)
	}
	d.silent("both ways")

	d.World.Write(func(tx *store.Tx) error {
		for key, states := range map[string]map[string]string{"b-ann": {"ad-b": history.AtHome, "ad-a": "present"}, "a-bob": {"ad-b": "present", "ad-a": history.AtHome}} {
			rows, err := tx.PeopleByKey(rehearsal.Tenant, []string{key})
			if err != nil {
				return err
			}
			p, err := history.Explain(tx, d.Intake.Systems.Get, rows[0])
			if err != nil {
				return err
			}
			for _, a := range p.Accounts {
				if a.State != states[a.System] {
					t.Errorf("%s in %s is %s; want %s", key, a.System, a.State, states[a.System])
				}
			}
			if len(p.Accounts) != 2 || p.Life != "active" {
				t.Errorf("%s is %s with %d accounts; want active with 2", key, p.Life, len(p.Accounts))
			}
		}
		return nil
	})
}
