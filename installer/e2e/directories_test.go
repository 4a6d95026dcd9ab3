package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
)

// A forest is one of two domains, as somebody sees it who works there.
type forest struct {
	*stage.Stage
	t     *testing.T
	other string // name of the other
}

// company is what the domain's own people work in; what comes from the other is
// in an OU of its own below it.
func (f forest) company() string { return "OU=Company," + f.Domain.Base }

// at gives the DN of an object; place is its name and where it is below the company.
func (f forest) at(place string) string {
	if place == "" {
		return f.company()
	}
	return place + "," + f.company()
}

// do changes the domain by hand.
func (f forest) do(change func(*ldap.Conn) error) {
	f.t.Helper()
	conn, err := f.Domain.Dial()
	if err == nil {
		defer conn.Close()
		err = change(conn)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f forest) add(place, class string, attributes ...string) {
	f.t.Helper()
	add := ldap.NewAddRequest(f.at(place), nil)
	add.Attribute("objectClass", []string{"top", class})
	for i := 0; i < len(attributes); i += 2 {
		add.Attribute(attributes[i], []string{attributes[i+1]})
	}
	f.do(func(c *ldap.Conn) error { return c.Add(add) })
}

// user makes an enabled account.
func (f forest) user(place, given, family string) {
	f.t.Helper()
	add := ldap.NewAddRequest(f.at(place), nil)
	add.Attribute("objectClass", []string{"top", "person", "organizationalPerson", "user"})
	for name, value := range map[string]string{"sAMAccountName": strings.ToLower(given), "givenName": given, "sn": family,
		"userAccountControl": "512", "unicodePwd": stage.Quoted("Qx9-Vintage-4711")} {
		add.Attribute(name, []string{value})
	}
	f.do(func(c *ldap.Conn) error { return c.Add(add) })
}

func (f forest) set(place, attribute string, values ...string) {
	f.t.Helper()
	modify := ldap.NewModifyRequest(f.at(place), nil)
	modify.Replace(attribute, values)
	f.do(func(c *ldap.Conn) error { return c.Modify(modify) })
}

// members puts objects, given by their places, in a group, and takes all others out.
func (f forest) members(group string, places ...string) {
	f.t.Helper()
	for i := range places {
		places[i] = f.at(places[i])
	}
	f.set(group, "member", places...)
}

func (f forest) rename(place, rdn, parent string) {
	f.t.Helper()
	f.do(func(c *ldap.Conn) error {
		return c.ModifyDN(ldap.NewModifyDNRequest(f.at(place), rdn, true, f.at(parent)))
	})
}

func (f forest) remove(place string) {
	f.t.Helper()
	f.do(func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest(f.at(place), nil)) })
}

// holds gives all users and groups below the company by place, those from the
// other domain as their home has them: what two equal domains both hold.
func (f forest) holds() (own, mirrored map[string]string) {
	f.t.Helper()
	found, err := f.Domain.Search("(|(&(objectClass=user)(!(objectClass=computer)))(objectClass=group))", "*", "memberOf")
	if err != nil {
		f.t.Fatal(err)
	}
	mirrors := "OU=From " + f.other + ","
	place := func(name string) string { // at its home; foreign ones begin with the domain
		p := strings.TrimSuffix(name, ","+f.company())
		if rest, found := strings.CutSuffix(p+",", mirrors); found {
			return f.other + ":" + strings.TrimSuffix(rest, ",")
		}
		return map[string]string{"A": "B", "B": "A"}[f.other] + ":" + p
	}
	own, mirrored = map[string]string{}, map[string]string{}
	for _, e := range found {
		if !strings.HasSuffix(e.DN, ","+f.company()) {
			continue
		}
		var in []string
		for _, g := range e.GetAttributeValues("memberOf") {
			in = append(in, place(g))
		}
		slices.Sort(in)
		what := fmt.Sprintf("title %q, in %q", e.GetAttributeValue("title"), in)
		for _, reference := range []string{"manager", "managedBy"} {
			if to := e.GetAttributeValue(reference); to != "" {
				what += ", " + reference + " " + place(to)
			}
		}
		if slices.Contains(e.GetAttributeValues("objectClass"), "user") {
			what += fmt.Sprintf(", enabled %v", stage.Enabled(e))
		}
		if p := place(e.DN); strings.HasPrefix(p, f.other+":") {
			mirrored[p] = what
		} else {
			own[p] = what
		}
	}
	return own, mirrored
}

// twoDomains sets a stage with two domains that go both ways: the double as A, and
// the double or samba as B.
func twoDomains(t *testing.T, second string) (a, b forest) {
	t.Helper()
	s := set(t, "double")
	other, err := stage.StartDomain(t.Context(), stage.Options{Bin: bin, Dir: filepath.Join(s.Dir, "second"), Domain: second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	a, b = forest{s, t, "B"}, forest{other, t, "A"}
	for _, f := range []forest{a, b} {
		f.add("", "organizationalUnit")
		f.add("OU=Sales", "organizationalUnit")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "coordinator", "mapping", "testdata", "both-ways.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	documents := string(text)
	for name, f := range map[string]forest{"a": a, "b": b} {
		ca, err := os.ReadFile(f.Domain.CA)
		if err != nil {
			t.Fatal(err)
		}
		documents = strings.NewReplacer(fmt.Sprintf("[%q]", "ldaps://dc1."+name+".example"), fmt.Sprintf("[%q]\n  ca: %q", f.Domain.LDAPS, ca),
			"svc-drawbridge@"+name+".example", fmt.Sprintf("%q", f.Domain.Bind), "DC="+name+",DC=example", f.Domain.Base).Replace(documents)
	}
	return a, b.configured(documents, a)
}

// configured applies the documents of both domains. Where the two have the same
// base, the examples cannot tell them apart, and are left out.
func (f forest) configured(documents string, a forest) forest {
	f.t.Helper()
	var kept []string
	for document := range strings.SplitSeq(documents, "---\n") {
		document, _, _ = strings.Cut(document, "examples:")
		kept = append(kept, strings.Replace(document, "read: {watch: true, every: 1m}", "read: {every: 24h}", 1))
	}
	if err := a.Apply(f.t.Context(), "both.yaml", strings.Join(kept, "---\n")); err != nil {
		f.t.Fatal(err)
	}
	for system, password := range map[string]string{"ad-a": a.Domain.Password, "ad-b": f.Domain.Password} {
		if err := a.SetSecret(f.t.Context(), system, "password", password); err != nil {
			f.t.Fatal(err)
		}
	}
	return f
}

// writes gives the ids of all jobs that write, the newest first.
func writes(t *testing.T, s *stage.Stage) (ids []int64) {
	t.Helper()
	jobs, err := s.Jobs(t.Context(), url.Values{"limit": {"1000"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if !slices.Contains([]string{"read", "schema", "probe", "find"}, j.Class) {
			ids = append(ids, j.ID)
		}
	}
	return ids
}

// Two domains, one of them a real one, each have the people, groups and
// memberships of the other, told by DirSync; what changes, moves, is renamed or
// deleted at home follows, from both sides at once; and then nothing happens any
// more, however often both are read.
func TestDirectories_bothWays(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	for _, second := range []string{"double", "samba"} {
		t.Run(second, func(t *testing.T) {
			if second == "samba" {
				needSamba(t)
			}
			bothWays(t, second)
		})
	}
}

func bothWays(t *testing.T, second string) {
	a, b := twoDomains(t, second)
	a.user("CN=Ann,OU=Sales", "Ann", "Ames")
	a.user("CN=Bert", "Bert", "Bell")
	a.set("CN=Bert", "manager", a.at("CN=Ann,OU=Sales"))
	a.add("CN=Staff,OU=Sales", "group", "sAMAccountName", "Staff", "managedBy", a.at("CN=Bert"))
	a.add("CN=All", "group", "sAMAccountName", "All")
	a.members("CN=Staff,OU=Sales", "CN=Ann,OU=Sales", "CN=Bert")
	a.members("CN=All", "CN=Staff,OU=Sales")
	b.user("CN=Carl,OU=Sales", "Carl", "Cole")
	b.add("CN=Crew", "group", "sAMAccountName", "Crew")
	b.members("CN=Crew", "CN=Carl,OU=Sales")

	steps := []struct {
		what string
		do   func()
	}{
		{"the first cycles", func() {}},
		{"changes on both sides", func() {
			a.set("CN=Bert", "title", "Buyer")
			b.set("CN=Carl,OU=Sales", "title", "Cook")
			b.set("CN=Carl,OU=Sales", "manager", b.at("CN=Ann,OU=Sales,OU=From A"))
			a.members("CN=Staff,OU=Sales", "CN=Ann,OU=Sales", "CN=Bert", "CN=Carl,OU=Sales,OU=From B")
			b.members("CN=Crew", "CN=Carl,OU=Sales", "CN=Bert,OU=From A")
		}},
		{"moved, renamed, disabled", func() {
			a.rename("CN=Bert", "CN=Bert Bell", "OU=Sales")
			a.rename("CN=All", "CN=Everybody", "")
			b.set("CN=Carl,OU=Sales", "userAccountControl", "514")
		}},
		{"who is new, and who leaves a group", func() {
			a.user("CN=Dora", "Dora", "Dahl")
			a.members("CN=Staff,OU=Sales", "CN=Ann,OU=Sales", "CN=Dora")
			b.set("CN=Carl,OU=Sales", "userAccountControl", "512")
			b.members("CN=Crew", "CN=Carl,OU=Sales")
		}},
		{"deleted", func() {
			a.remove("CN=Dora")
			b.remove("CN=Crew")
		}},
		{"an organizational unit renamed, and one moved", func() {
			a.rename("OU=Sales", "OU=Trade", "")
			b.add("OU=Units", "organizationalUnit")
			b.rename("OU=Sales", "OU=Sales", "OU=Units")
		}},
	}
	for _, step := range steps {
		step.do()
		equal(t, step.what, a, b)
	}
	if _, in := a.holds(); len(in) != 1 {
		t.Errorf("A holds %v of B; want Carl alone", in)
	}
	if _, in := b.holds(); len(in) != 4 {
		t.Errorf("B holds %v of A; want two people and two groups", in)
	}
}

// equal reads both domains until each holds what the other has at home, and
// fails unless two more turns then do nothing.
func equal(t *testing.T, what string, a, b forest) {
	t.Helper()
	var diff string
	for range 4 { // a step leads to the next: an account, its groups, those in the other domain
		cycle(t, a.Stage)
		ownA, inA := a.holds()
		ownB, inB := b.holds()
		disabled := func(m map[string]string) map[string]string { // a leaver is not there at all
			maps.DeleteFunc(m, func(_, v string) bool { return strings.HasSuffix(v, "enabled false") })
			return m
		}
		if diff = gocmp.Diff(disabled(ownA), inB) + gocmp.Diff(disabled(ownB), inA); diff == "" {
			break
		}
	}
	if diff != "" {
		t.Fatalf("%s: at home and in the other domain (-want +got):\n%s", what, diff)
	}
	before := writes(t, a.Stage)
	for range 2 {
		cycle(t, a.Stage)
	}
	if after := writes(t, a.Stage); !slices.Equal(before, after) {
		t.Errorf("%s: two more cycles did %d jobs", what, len(after)-len(before))
	}
}

// cycle has both domains, or these systems, read and waits for all that follows.
func cycle(t *testing.T, s *stage.Stage, systems ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	since := time.Now().Add(-time.Millisecond)
	if len(systems) == 0 {
		systems = []string{"ad-a", "ad-b"}
	}
	for _, system := range systems {
		if out, err := s.CLI(ctx, "run", system); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	eventually(t, 2*time.Minute, func() string { // both reads have come to their ends
		var cycles []client.Cycle
		if err := s.API.Items(ctx, "/v1/cycles", nil, &cycles); err != nil {
			return err.Error()
		}
		for _, system := range systems {
			i := slices.IndexFunc(cycles, func(c client.Cycle) bool { return c.System == system })
			if i < 0 || cycles[i].Ended.IsZero() || cycles[i].Began.Before(since) || cycles[i].State != "applied" {
				return fmt.Sprintf("no read of %s since: %+v", system, cmp.Or(i, 0))
			}
		}
		return ""
	})
	if err := s.Settle(ctx, since); err != nil {
		t.Fatal(err)
	}
}
