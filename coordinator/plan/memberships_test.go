package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// explained gives what is said of somebody's account.
func explained(t testing.TB, w *rehearsal.World, key string) (account client.Account) {
	t.Helper()
	w.Write(func(tx *store.Tx) error {
		rows, err := tx.PeopleByKey(rehearsal.Tenant, []string{key})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d people %s, %v", len(rows), key, err)
		}
		p, err := history.Explain(tx, w.Intake.Systems.Get, rows[0])
		if len(p.Accounts) != 1 {
			t.Fatalf("%s has %d accounts; want one", key, len(p.Accounts))
		}
		account = p.Accounts[0]
		return err
	})
	return account
}

// groupsOf gives what is said of each group of an account.
func groupsOf(a client.Account) map[string]string {
	groups := map[string]string{}
	for _, m := range a.Groups {
		groups[m.Group] = m.State
	}
	return groups
}

// putInto has somebody put an object into a group at the system, or take it out.
func putInto(w *rehearsal.World, address, group string, into bool) {
	var o *connectorv1.Object
	id := ""
	for _, x := range w.Objects {
		if x.GetAddress() == address {
			o = x
		}
		if x.GetAddress() == group {
			id = x.GetId()
		}
	}
	for _, a := range o.GetAttributes() {
		if a.GetName() == "memberOf" {
			if a.Values = slices.DeleteFunc(slices.Clone(a.GetValues()), func(v string) bool { return v == id }); into {
				a.Values = append(a.Values, id)
			}
		}
	}
}

// What others changed in memberships at the system is shown per group, with who wants what and why, until it is as wanted again.
func TestMemberships_whatOthersChanged(t *testing.T) {
	t.Parallel()
	const ann, bob, sales, friends = "CN=Ann Doe,OU=Staff,DC=corp,DC=example", "CN=Bob Doe,OU=Staff,DC=corp,DC=example", "CN=Sales,OU=Groups,DC=corp,DC=example", "CN=Friends,DC=corp,DC=example"
	w := rehearsal.New(t)
	w.Apply(departments)
	w.Read("hr", member("E1", "Ann", "Sales", "100"), member("E2", "Bob", "Research", "200"), member("E3", "Cy", "Sales", "100"))
	w.Settle()
	w.Objects["friends"] = rehearsal.Object("group", "friends", friends, "cn", "Friends")
	w.Objects["guest"] = rehearsal.Object("user", "guest", "CN=Guest,DC=corp,DC=example", "cn", "Guest", "enabled", "true", "memberOf", "")
	readAll(w)
	w.Settle()
	for _, key := range []string{"e1", "e2"} {
		if groups := groupsOf(explained(t, w, key)); len(groups) != 1 {
			t.Fatalf("before anybody did anything %s has %v", key, groups)
		}
	}
	putInto(w, ann, sales, false)
	putInto(w, ann, friends, true)
	putInto(w, bob, sales, true)
	putInto(w, "CN=Guest,DC=corp,DC=example", sales, true)
	readAll(w)
	w.Plan()

	a := explained(t, w, "e1")
	if groups := groupsOf(a); groups["Sales"] != "missing" || groups["Friends"] != "others" || len(groups) != 2 {
		t.Errorf("Ann has %v; want her missing in Sales, and of Friends nothing said", groups)
	}
	for _, m := range a.Groups {
		if (m.Group == "Sales") != (m.Ours && m.Authoritative && m.Rule != nil && strings.Contains(m.Why, "somebody took it out")) {
			t.Errorf("of Ann in %s it says %+v", m.Group, m)
		}
	}
	a = explained(t, w, "e2")
	if groups := groupsOf(a); groups["Sales"] != "leaving" || groups["Research"] != "wanted" || len(groups) != 2 {
		t.Errorf("Bob has %v; want him leaving Sales", groups)
	}
	for _, m := range a.Groups {
		if !m.Authoritative || m.Ours != (m.Group == "Research") || (m.Rule != nil) != (m.Group == "Research") || m.From == "" {
			t.Errorf("of Bob in %s it says %+v", m.Group, m)
		}
	}
	s := explained(t, w, keyOf(t, w, "Sales"))
	if len(s.Strangers) != 1 || s.Strangers[0].ID != "guest" || !s.Strangers[0].Leaves {
		t.Errorf("strangers in Sales: %+v; want the guest, who is taken out", s.Strangers)
	}

	w.Settle()
	readAll(w)
	w.Settle()
	for key, want := range map[string]string{"e1": "Sales", "e2": "Research"} {
		if groups := groupsOf(explained(t, w, key)); groups[want] != "wanted" || groups["Sales"] == "leaving" {
			t.Errorf("afterwards %s has %v; want all as wanted", key, groups)
		}
	}
}

// keyOf gives the key of a group by its name.
func keyOf(t testing.TB, w *rehearsal.World, name string) (key string) {
	t.Helper()
	w.Write(func(tx *store.Tx) error {
		rows, err := tx.PeopleAfter(rehearsal.Tenant, "", 100)
		for _, p := range rows {
			if p.Kind == store.KindGroup && p.Display == name {
				key = p.Key
			}
		}
		return err
	})
	return key
}
