package rehearsal_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// What else happens in a history, and what it should come to.

// phone: the second source tells something of a worker, also of one who is hired later, or forgets one.
func (h *history) phone(rt *rapid.T) {
	key := fmt.Sprintf("E%03d", rapid.IntRange(1, 8).Draw(rt, "whose"))
	number := rapid.SampledFrom([]string{"", "+1", "+2", "forget"}).Draw(rt, "number")
	if number != "forget" {
		h.phones[key] = number
		if c := h.ReadWhole("phones", rehearsal.Object("row", key, "phones", "employee_id", key, "phone", number)); c.State != store.CycleApplied {
			rt.Fatalf("the read is %s: %s", c.State, c.Reason)
		}
		return
	}
	if _, said := h.phones[key]; !said {
		rt.Skip("it has said nothing")
	}
	delete(h.phones, key)
	h.tell("phones", &connectorv1.Record{Id: key, Deleted: true})
}

// loseJobs: the agent takes jobs, does some of them, and loses its journal, so that it is sent them again.
func (h *history) loseJobs(rt *rapid.T) {
	h.answer() // what is in the journal and was not told would be lost with it
	h.Plan()
	claimed := h.Claim(rapid.IntRange(1, 5).Draw(rt, "jobs"))
	h.Results(claimed[:rapid.IntRange(0, len(claimed)).Draw(rt, "done")]...)
	h.late = h.Results(h.Resend()...)
}

// doubt: of the next operations nobody knows whether they were carried out.
func (h *history) doubt(rt *rapid.T) { h.doubts = rapid.IntRange(1, 3).Draw(rt, "answers") }

// away: a target does not answer, or does again.
func (h *history) away(rt *rapid.T) {
	for _, class := range rapid.SampledFrom([][]string{{"user", "group"}, {"User"}}).Draw(rt, "target") {
		h.gone[class] = !h.gone[class]
	}
}

// split: an admin makes a person of one of the records of a person.
func (h *history) split(rt *rapid.T) {
	r := h.some(rt, func(r *row) bool { return r.there && h.is[r.key] != "" })
	whose := h.whose(r.key)
	p, found := h.person(r.key)
	if !found {
		rt.Fatalf("there is no person %s", r.key)
	}
	refs := []intake.Ref{{System: "hr", ID: r.key}}
	err := h.Store.Write(context.Background(), func(tx *store.Tx) error {
		_, err := h.Intake.Split(tx, p, refs, "ann")
		return err
	})
	if errors.Is(err, intake.ErrRegroup) {
		rt.Skip(err.Error())
	}
	if err != nil {
		rt.Fatal(err)
	}
	for key := range h.rows { // who was merged into the one that goes stays with the others
		if key != r.key && h.is[key] != "" && h.whose(key) == whose {
			h.is[key] = whose
		}
	}
	delete(h.is, r.key)
	h.merged = nil
}

// settle plans and carries out until nothing is left to do.
func (h *history) settle() {
	last := ""
	for range 50 {
		h.Plan()
		claimed := h.Claim(1000)
		if len(claimed) == 0 {
			return
		}
		last = fmt.Sprint(claimed)
		results := h.Results(claimed...)
		last += fmt.Sprint(results)
		h.Finish(results...)
	}
	h.rt.Fatalf("there is always something left to do: %s", last)
}

// object draws an object of some classes.
func (h *history) object(rt *rapid.T, classes ...string) string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(h.Objects)) {
		if slices.Contains(classes, h.Objects[id].GetClass()) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		rt.Skip("there is none")
	}
	return rapid.SampledFrom(ids).Draw(rt, "object")
}

func put(o *connectorv1.Object, name string, values ...string) {
	for _, a := range o.GetAttributes() {
		if a.GetName() == name {
			a.Values = values
		}
	}
}

// put puts an object somewhere, under a name, by hand.
func (h *history) put(rt *rapid.T, o *connectorv1.Object, name, container string) {
	to := "CN=" + name + "," + container
	for _, other := range h.Objects {
		if other.GetClass() == o.GetClass() && strings.EqualFold(other.GetAddress(), to) {
			rt.Skip("somebody is there")
		}
	}
	o.Address = to
	put(o, "cn", name)
}

// groupByHand: somebody puts an account into a group, or takes one out, or deletes a group.
func (h *history) groupByHand(rt *rapid.T) {
	group := h.object(rt, "group")
	if rapid.IntRange(0, 5).Draw(rt, "delete") == 0 {
		h.unseen[strings.TrimRight(valueOf(h.Objects[group], "cn"), "0123456789")] = true
		delete(h.Objects, group)
		for _, o := range h.Objects {
			put(o, "memberOf", slices.DeleteFunc(slices.Clone(valuesOf(o, "memberOf")), func(id string) bool { return id == group })...)
		}
		return
	}
	o := h.Objects[h.object(rt, "user")]
	in := slices.Clone(valuesOf(o, "memberOf"))
	if i := slices.Index(in, group); i >= 0 {
		put(o, "memberOf", slices.Delete(in, i, i+1)...)
	} else {
		put(o, "memberOf", append(in, group)...)
	}
}

// makeByHand: somebody makes an account: one that has a name that others will
// want, or one for a worker who has none yet.
func (h *history) makeByHand(rt *rapid.T) {
	id := fmt.Sprintf("by-hand-%02d", len(h.Objects)+100*len(h.rows))
	given, family := givens.Draw(rt, "given"), families.Draw(rt, "family")
	key := rapid.SampledFrom([]string{"", "", "E001", "E002", "E003", "E004"}).Draw(rt, "whose")
	o := rehearsal.Object("user", id, "CN="+given+" "+family+",OU=Research,DC=corp,DC=example", "cn", given+" "+family, "employeeID", key,
		"sAMAccountName", strings.ToLower(given[:1]+family), "givenName", given, "sn", family, "department", "", "title", "", "manager", "",
		"telephoneNumber", "", "enabled", "true", "memberOf", "")
	for _, other := range h.Objects {
		if other.GetId() == id || other.GetClass() == "user" && (strings.EqualFold(other.GetAddress(), o.GetAddress()) ||
			valueOf(other, "sAMAccountName") == valueOf(o, "sAMAccountName") || key != "" && valueOf(other, "employeeID") == key) {
			rt.Skip("there is one")
		}
	}
	if p, found := h.person(key); key != "" && found && (h.has(p) || h.is[key] != "") {
		rt.Skip("they have one")
	}
	h.Objects[id] = o
}

// has tells whether somebody has an account as far as is known.
func (h *history) has(p store.Person) (has bool) {
	h.Write(func(tx *store.Tx) error {
		accounts, err := tx.AccountsOf(rehearsal.Tenant, []string{p.ID})
		has = slices.ContainsFunc(accounts, func(a store.Account) bool { return a.System == "corp-ad" && a.Gone == 0 })
		return err
	})
	return has
}

func (h *history) compareApp(key string, r *row, account *connectorv1.Object) {
	if r == nil || !r.works || r.department != "Sales" {
		if account != nil && valueOf(account, "enabled") != "false" {
			h.rt.Fatalf("the app is not for %s, whose account there is enabled", key)
		}
		return
	}
	if account == nil {
		h.rt.Fatalf("%s is in Sales, and has no account in the app", key)
	}
	for name, value := range map[string]string{"enabled": "true", "externalId": r.key, "displayName": r.given + " " + r.family} {
		if got := valueOf(account, name); got != value {
			h.rt.Fatalf("%s of %s in the app (%s) is %q; want %q", name, key, account.GetId(), got, value)
		}
	}
}

// comparePhone looks at the number. Where no record says anything any more, what was written stays.
func (h *history) comparePhone(key string, rows []*row, got string) {
	var said []string
	for _, r := range rows {
		if number, says := h.phones[r.key]; says {
			said = append(said, number)
		}
	}
	if len(said) > 0 && !slices.Contains(said, got) {
		h.rt.Fatalf("telephoneNumber of %s is %q; want one of %q", key, got, said)
	}
}

// tidy: names that are spoken for in vain are freed.
func (h *history) tidy() {
	if _, err := h.Intake.FreeNames(context.Background()); err != nil {
		h.rt.Fatal(err)
	}
}

// compareNames looks at what is spoken for: what an object has, and nothing else. A name that nobody has and
// nobody can get would be lost for good.
func (h *history) compareNames() {
	h.tidy()
	var names []store.Name
	h.Write(func(tx *store.Tx) error {
		for _, system := range []string{"corp-ad", "app"} {
			some, err := tx.AllNames(rehearsal.Tenant, system)
			if err != nil {
				return err
			}
			names = append(names, some...)
		}
		return nil
	})
	had := map[string]bool{}
	for _, o := range h.Objects {
		system := map[string]string{"User": "app"}[o.GetClass()]
		had[cmp.Or(system, "corp-ad")+" address "+directory.Fold(o.GetAddress())] = true
		for _, a := range rehearsal.Names {
			had[cmp.Or(system, "corp-ad")+" "+a+" "+directory.Fold(valueOf(o, a))] = true
		}
	}
	for _, n := range names {
		if !had[n.System+" "+n.Attribute+" "+n.Value] {
			h.rt.Fatalf("%s %s is spoken for in %s by %s, and nothing has it", n.Attribute, n.Value, n.System, n.Holder)
		}
	}
}

// compareGroups looks at who is in the group of each department: just who works there.
func (h *history) compareGroups(people map[string][]*row) {
	want, got := map[string][]string{}, map[string][]string{}
	for key, rows := range people {
		if r := lead(rows); r != nil && r.works {
			p, _ := h.person(key)
			want[r.department] = append(want[r.department], h.accountOf(p, "corp-ad").GetId())
		}
	}
	for id, o := range h.Objects {
		if o.GetClass() == "group" {
			name := valueOf(o, "cn")
			if plain := strings.TrimRight(name, "0123456789"); h.unseen[plain] {
				name = plain
			}
			if _, twice := got[name]; twice {
				h.rt.Fatalf("there are two groups %s", name)
			}
			got[name] = []string{}
			for _, member := range h.Objects {
				if slices.Contains(valuesOf(member, "memberOf"), id) {
					got[name] = append(got[name], member.GetId())
				}
			}
		}
	}
	for _, groups := range []map[string][]string{want, got} {
		for _, members := range groups {
			slices.Sort(members)
		}
	}
	if fmt.Sprint(want) != fmt.Sprint(got) {
		h.rt.Fatalf("in the groups are %v; want %v", got, want)
	}
}

func valuesOf(o *connectorv1.Object, name string) []string {
	for _, a := range o.GetAttributes() {
		if a.GetName() == name {
			return a.GetValues()
		}
	}
	return nil
}
