package guard_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/agent/guard"
	"github.com/drawbridge-id/drawbridge/agent/host"
	"github.com/drawbridge-id/drawbridge/agent/runner"
	"github.com/drawbridge-id/drawbridge/agent/settings"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	"github.com/drawbridge-id/drawbridge/agent/vault"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/samba"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// TestMain makes this binary the connector, too: the host starts it with that name.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "activedirectory" {
		sdk.Serve(activedirectory.Connector())
		return
	}
	os.Exit(m.Run())
}

// A site is an agent's inside, from the spool to a real directory, that was
// handed to somebody else: jobs are put straight into the spool.
type site struct {
	t       testing.TB
	dir     string
	base    string
	admin   *ldap.Conn
	spool   *spool.Spool
	guard   *guard.Guard
	runner  *runner.Runner
	system  *linkv1.System
	stop    func()
	next    uint64
	log     *slog.Logger
	host    *host.Host
	vault   *vault.Vault
	folder  string
	atATime map[string]int
	open    bool // let everything pass, to measure what the guardrail costs
}

type domain struct {
	ldaps, caFile, base, upn, dn, password string
	ca                                     *x509.CertPool
}

func startDouble(t testing.TB, flavor double.Flavor) domain {
	t.Helper()
	s, err := double.Start(double.Options{Flavor: flavor})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return domain{s.LDAPS, s.CAFile, s.BaseDN, s.AdminUPN, s.AdminDN, s.AdminPassword, s.CA}
}

func startSamba(t testing.TB) domain {
	t.Helper()
	d := samba.StartTest(t, samba.Options{})
	return domain{d.LDAPS, d.CAFile, d.BaseDN, d.AdminUPN, d.AdminDN, d.AdminPassword, d.CA}
}

// newSite furnishes a domain, and starts a runner with the policy.
func newSite(t testing.TB, d domain, policy string) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "g") // sockets need short paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &site{t: t, dir: dir, base: d.base, log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	u, err := url.Parse(d.ldaps)
	if err != nil {
		t.Fatal(err)
	}
	if s.admin, err = ldap.DialURL(d.ldaps, ldap.DialWithTLSConfig(&tls.Config{RootCAs: d.ca, ServerName: u.Hostname()})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.admin.Close() })
	if err := s.admin.Bind(d.dn, d.password); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := host.Sum(exe)
	if err != nil {
		t.Fatal(err)
	}
	if s.host, err = host.New(filepath.Join(dir, "run"), []host.Executable{{Path: exe, SHA256: sum, Serves: []string{"activedirectory"}}}, host.Options{}, s.log); err != nil {
		t.Fatal(err)
	}
	if s.vault, err = vault.Open(dir); err != nil {
		t.Fatal(err)
	}
	given, err := json.Marshal(map[string]any{"servers": []string{d.ldaps}, "ca": d.caFile, "bind": d.upn})
	if err != nil {
		t.Fatal(err)
	}
	s.system = &linkv1.System{Name: "ad", Connector: "activedirectory", Revision: 1, Settings: string(given),
		Attributes: []string{"cn", "title", "salary", "description", "enabled", "distinguishedName"}}
	s.policy(policy)
	description, err := s.host.Describe(t.Context(), "activedirectory")
	if err != nil {
		t.Fatal(err)
	}
	known, err := settings.ParseSchema(description.GetSettingsSchema())
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := known.Anchors(s.system.GetSettings())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.vault.Set("ad", "password", anchors, sealed.New(d.password)); err != nil {
		t.Fatal(err)
	}
	s.folder = filepath.Dir(d.caFile)
	s.furnish()
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// start opens spool and guard and runs the lanes; stop ends them.
func (s *site) start() {
	s.t.Helper()
	var err error
	if s.spool, err = spool.Open(filepath.Join(s.dir, "spool.db"), spool.Options{}); err != nil {
		s.t.Fatal(err)
	}
	if s.guard, err = guard.Open(guard.Options{Policy: filepath.Join(s.dir, "guardrail.yaml"), Data: s.dir, Log: s.log}); err != nil {
		s.t.Fatal(err)
	}
	s.runner = &runner.Runner{Spool: s.spool, Host: s.host, Vault: s.vault, Folders: []string{s.folder}, Guard: s.guard, Concurrency: s.atATime,
		Snapshots: filepath.Join(s.dir, "snapshots"), Report: s, Log: s.log}
	if s.open {
		s.runner.Guard = opened{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.runner.Run(ctx) }()
	s.runner.SetSystems([]*linkv1.System{s.system}, true)
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		if err := errors.Join(s.guard.Close(), s.spool.Close()); err != nil {
			s.t.Error(err)
		}
	})
}

// opened is no guardrail at all.
type opened struct{}

func (opened) Check(context.Context, guard.Question) guard.Verdict {
	return guard.Verdict{Decision: guard.Allow}
}
func (opened) MayLeave(s *linkv1.System) []string { return s.GetAttributes() }
func (opened) Forget(string, uint64)              {}

// Health, Changed and Drop make a site what a runner reports to.
func (s *site) Health(*linkv1.SystemHealth) {}
func (s *site) Changed(*linkv1.Changed)     {}
func (s *site) Drop(string)                 {}

// furnish makes people, and ways to be an administrator without looking like one.
func (s *site) furnish() {
	s.t.Helper()
	for _, ou := range []string{"Staff", "Elsewhere", "Roles"} {
		s.add("OU="+ou+","+s.base, "organizationalUnit", nil)
	}
	for _, name := range []string{"alice", "direct", "nested", "deep", "primary", "marked"} {
		s.add(s.staff(name), "user", map[string]string{"sAMAccountName": name, "userAccountControl": "514"})
	}
	s.add("CN=outsider,OU=Elsewhere,"+s.base, "user", map[string]string{"sAMAccountName": "outsider", "userAccountControl": "514"})
	s.add(s.staff("pc1"), "computer", map[string]string{"sAMAccountName": "PC1$", "userAccountControl": "4098"})
	const global = "-2147483646"
	for name, member := range map[string]string{"Inner": s.staff("nested"), "Innermost": s.staff("deep"), "Plain": "", "Secret": ""} {
		attributes := map[string]string{"sAMAccountName": name, "groupType": global}
		if member != "" {
			attributes["member"] = member
		}
		s.add("CN="+name+",OU=Roles,"+s.base, "group", attributes)
	}
	s.join("CN=Inner,OU=Roles,"+s.base, "CN=Innermost,OU=Roles,"+s.base)
	admins := "CN=Domain Admins,CN=Users," + s.base
	s.join(admins, s.staff("direct"))
	s.join(admins, "CN=Inner,OU=Roles,"+s.base)
	s.join(admins, s.staff("primary"))
	s.set(s.staff("primary"), "primaryGroupID", "512")
	s.set(s.staff("marked"), "adminCount", "1")
}

func (s *site) set(dn, name, value string) {
	s.t.Helper()
	change := ldap.NewModifyRequest(dn, nil)
	change.Replace(name, []string{value})
	if err := s.admin.Modify(change); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) staff(name string) string { return "CN=" + name + ",OU=Staff," + s.base }

func (s *site) add(dn, class string, attributes map[string]string) {
	s.t.Helper()
	request := ldap.NewAddRequest(dn, nil)
	request.Attribute("objectClass", []string{class})
	for name, value := range attributes {
		request.Attribute(name, []string{value})
	}
	if err := s.admin.Add(request); err != nil {
		s.t.Fatalf("add %s: %v", dn, err)
	}
}

func (s *site) join(group, member string) {
	s.t.Helper()
	change := ldap.NewModifyRequest(group, nil)
	change.Add("member", []string{member})
	if err := s.admin.Modify(change); err != nil {
		s.t.Fatal(err)
	}
}

// id is the native id of an object.
func (s *site) id(dn string) string {
	s.t.Helper()
	return schema.FormatGUID(string(s.entry(dn).GetRawAttributeValue("objectGUID")))
}

func (s *site) entry(dn string) *ldap.Entry {
	s.t.Helper()
	found, err := s.admin.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)",
		[]string{"*"}, nil))
	if err != nil || len(found.Entries) != 1 {
		s.t.Fatalf("read %s: %v", dn, err)
	}
	return found.Entries[0]
}

// run puts operations into the spool and returns their results in the same order.
func (s *site) run(ops ...*connectorv1.Operation) []*linkv1.Result {
	s.t.Helper()
	var ids []uint64
	for _, job := range s.jobs(ops...) {
		ids = append(ids, job.GetId())
	}
	byID := make(map[uint64]*linkv1.Result)
	for deadline := time.Now().Add(60 * time.Second); len(byID) < len(ids); time.Sleep(5 * time.Millisecond) {
		for id, r := range s.results() {
			if slices.Contains(ids, id) {
				byID[id] = r
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d results; want %d", len(byID), len(ids))
		}
	}
	results := make([]*linkv1.Result, len(ids))
	for i, id := range ids {
		results[i] = byID[id]
	}
	return results
}

// jobs puts operations into the spool.
func (s *site) jobs(ops ...*connectorv1.Operation) []*linkv1.Job {
	s.t.Helper()
	var jobs []*linkv1.Job
	for _, op := range ops {
		s.next++
		jobs = append(jobs, &linkv1.Job{Id: s.next, System: "ad", Work: &linkv1.Job_Apply{Apply: op}})
	}
	for part := range slices.Chunk(jobs, 500) {
		if _, err := s.spool.Accept(s.t.Context(), part); err != nil {
			s.t.Fatal(err)
		}
	}
	return jobs
}

func (s *site) results() map[uint64]*linkv1.Result {
	s.t.Helper()
	items, err := s.spool.Unsent(0, 64<<20)
	if err != nil {
		s.t.Fatal(err)
	}
	results := make(map[uint64]*linkv1.Result)
	for _, item := range items {
		if r := item.Result(); r != nil {
			results[r.GetJob()] = r
		}
	}
	return results
}

func modify(id, name string, want ...string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Id: id, Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{
		Changes: []*connectorv1.Change{{Name: name, Want: want}}}}}
}

func replace(id, name, old, want string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Id: id, Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{
		Changes: []*connectorv1.Change{{Name: name, Expect: []string{old}, Want: []string{want}}}}}}
}

func move(id, from, name, to string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Id: id, Verb: &connectorv1.Operation_Move{Move: &connectorv1.Move{
		ExpectAddress: from, Container: to, Name: name}}}
}

func membership(id string, join, leave []string) *connectorv1.Operation {
	return &connectorv1.Operation{Class: "user", Id: id, Verb: &connectorv1.Operation_ChangeMembership{
		ChangeMembership: &connectorv1.ChangeMembership{Join: join, Leave: leave}}}
}

func create(class, container, name string, attributes ...*connectorv1.Attribute) *connectorv1.Operation {
	attributes = append(attributes, attribute("sAMAccountName", name))
	return &connectorv1.Operation{Class: class, Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{
		Container: container, Name: name, Attributes: attributes, Anchor: attribute("sAMAccountName", name)}}}
}

func attribute(name string, values ...string) *connectorv1.Attribute {
	return &connectorv1.Attribute{Name: name, Values: values}
}

const staffPolicy = `
mode: enforce
systems:
  ad:
    connector: activedirectory
    classes: [user]
    bases: ["OU=Staff,BASE"]
    groups: ["below OU=Roles,BASE"]
    withhold: [salary]
`

// Somebody who holds the coordinator, and with it may put any job into the
// agent's spool, comes to nothing: every rule is tried, on doubles of both
// kinds and on a real domain controller.
func TestGuard_coordinatorInWrongHands(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) domain{
		"windows-double": func(t testing.TB) domain { return startDouble(t, double.Windows) },
		"samba-double":   func(t testing.TB) domain { return startDouble(t, double.Samba) },
		"samba":          startSamba,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, start(t), staffPolicy)
			attack(t, s)
		})
	}
}

func attack(t *testing.T, s *site) {
	alice, aliceDN := s.id(s.staff("alice")), s.staff("alice")
	admins, plain := s.id("CN=Domain Admins,CN=Users,"+s.base), s.id("CN=Plain,OU=Roles,"+s.base)
	inner := s.id("CN=Inner,OU=Roles," + s.base)
	krbtgt := s.id("CN=krbtgt,CN=Users," + s.base)
	people := "OU=Staff," + s.base
	for _, tt := range []struct {
		name string
		op   *connectorv1.Operation
		rule string // that speaks, as the fault names it
		says string
	}{
		{"administrator", modify(s.id("CN=Administrator,CN=Users,"+s.base), "title", "x"), "never-touch", "Administrator"},
		{"member of Domain Admins", modify(s.id(s.staff("direct")), "title", "x"), "never-touch", "Domain Admins"},
		{"member through a group", modify(s.id(s.staff("nested")), "title", "x"), "never-touch", "CN=Inner"},
		{"member through two groups", modify(s.id(s.staff("deep")), "title", "x"), "never-touch", "CN=Innermost"},
		{"member by primary group", modify(s.id(s.staff("primary")), "title", "x"), "never-touch", "Domain Admins"},
		{"marked as an administrator", modify(s.id(s.staff("marked")), "title", "x"), "never-touch", "adminCount"},
		{"computer", modify(s.id(s.staff("pc1")), "title", "x"), "never-touch", "computer"},
		{"krbtgt", &connectorv1.Operation{Class: "user", Id: krbtgt, Verb: &connectorv1.Operation_SetPassword{
			SetPassword: &connectorv1.SetPassword{Rule: &connectorv1.PasswordRule{Length: 20}}}}, "never-touch", "krbtgt"},
		{"delete of an administrator", &connectorv1.Operation{Class: "user", Id: s.id(s.staff("direct")), Verb: &connectorv1.Operation_Delete{}}, "never-touch", "Domain Admins"},
		{"disable of an administrator", &connectorv1.Operation{Class: "user", Id: s.id(s.staff("nested")),
			Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{}}}, "never-touch", "CN=Inner"},
		{"out of the bases", move(alice, aliceDN, "alice", "OU=Elsewhere,"+s.base), "systems.ad.bases", "moved to OU=Elsewhere"},
		{"out of the bases by an escaped comma", move(alice, aliceDN, "alice", `OU=x\,OU=Staff,`+s.base), "systems.ad.bases", "moved to"},
		{"out of the bases by a GUID", move(alice, aliceDN, "alice", "<GUID="+s.id("OU=Elsewhere,"+s.base)+">"), "systems.ad.bases", "moved to"},
		{"object outside the bases", modify(s.id("CN=outsider,OU=Elsewhere,"+s.base), "title", "x"), "systems.ad.bases", "outsider"},
		{"object called otherwise", modify("{"+strings.ToUpper(s.id(s.staff("direct")))+"}", "title", "x"), "", ""},
		{"part of the directory that is not the domain", modify(s.id("CN=Sites,CN=Configuration,"+s.base), "description", "x"), "", ""},
		{"group called a user", modify(plain, "description", "x"), "classes", "is no user"},
		{"class that is not listed", create("group", people, "g1"), "systems.ad.classes", `class "group"`},
		{"create outside", create("user", "CN=Users,"+s.base, "u1"), "systems.ad.bases", "created in"},
		{"trusted for delegation", replace(alice, "userAccountControl", "514", "524802"), "account-bits", "TRUSTED_FOR_DELEGATION"},
		{"password not required", create("user", people, "u2", attribute("userAccountControl", "544")), "account-bits", "PASSWD_NOTREQD"},
		{"no pre-authentication", replace(alice, "userAccountControl", "514", "4194818"), "account-bits", "DONT_REQ_PREAUTH"},
		{"bits beyond 32", replace(alice, "userAccountControl", "514", "4294967842"), "account-bits", "32 bits"},
		{"service principal", modify(alice, "servicePrincipalName", "http/x"), "attributes", "servicePrincipalName"},
		{"SID history at birth", create("user", people, "u3", attribute("sIDHistory", "S-1-5-21-1-2-3-512")), "attributes", "sIDHistory"},
		{"delegation to another", modify(alice, "msDS-AllowedToDelegateTo", "cifs/dc1"), "attributes", "msDS-AllowedToDelegateTo"},
		{"attribute by its OID", modify(alice, "1.2.840.113556.1.4.771", "http/x"), "names", "1.2.840"},
		{"attribute with an option", modify(alice, "servicePrincipalName;x", "http/x"), "names", "servicePrincipalName;x"},
		{"script", modify(alice, "scriptPath", "evil.cmd"), "attributes", "scriptPath"},
		{"Domain Admins granted", membership(alice, []string{admins}, nil), "never-touch", "Domain Admins"},
		{"Domain Admins granted through a group", membership(alice, []string{inner}, nil), "never-touch", "CN=Inner"},
		{"hidden behind a group that may be granted", membership(alice, []string{plain, inner}, nil), "never-touch", "CN=Inner"},
		{"administrator thrown out", membership(s.id(s.staff("direct")), nil, []string{admins}), "never-touch", "Domain Admins"},
		{"group that may not be granted", membership(alice, []string{s.id("CN=Guests,CN=Builtin," + s.base)}, nil), "", ""},
	} {
		r := s.run(tt.op)[0]
		want := connectorv1.Outcome_OUTCOME_DENIED
		if tt.name == "object called otherwise" || strings.HasPrefix(tt.name, "part of the directory") {
			want = connectorv1.Outcome_OUTCOME_NOT_FOUND
		}
		if r.GetOutcome() != want || !strings.Contains(r.GetFault().GetRaw(), tt.rule) || !strings.Contains(r.GetFault().GetCause(), tt.says) {
			t.Errorf("%s: %v, rule %q, cause %q; want %v by %q that says %q", tt.name, r.GetOutcome(), r.GetFault().GetRaw(), r.GetFault().GetCause(), want, tt.rule, tt.says)
		}
		if strings.HasPrefix(tt.rule, "systems.") && !strings.Contains(r.GetFault().GetRaw(), "guardrail.yaml:") {
			t.Errorf("%s: rule %q; want it with its line", tt.name, r.GetFault().GetRaw())
		}
	}
	for _, dn := range []string{s.staff("direct"), s.staff("nested"), s.staff("deep"), s.staff("primary"), s.staff("pc1"), "CN=outsider,OU=Elsewhere," + s.base} {
		if got := s.entry(dn).GetAttributeValue("title"); got != "" {
			t.Errorf("title of %s = %q; want none", dn, got)
		}
	}
	if got := s.entry(aliceDN).GetAttributeValue("userAccountControl"); got != "514" {
		t.Errorf("userAccountControl of alice = %s; want 514", got)
	}

	// What an honest coordinator wants goes through, as before.
	for i, r := range s.run(modify(alice, "title", "Engineer"), membership(alice, []string{plain}, nil), create("user", people, "bob"),
		move(alice, aliceDN, "alice b", people)) {
		if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
			t.Errorf("honest operation %d = %v", i, r)
		}
	}

	// The system is read at write time: who becomes an administrator now is one.
	bob := s.id(s.staff("bob"))
	if r := s.run(modify(bob, "title", "1"))[0]; r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
		t.Errorf("bob = %v; want DONE", r)
	}
	s.join("CN=Domain Admins,CN=Users,"+s.base, s.staff("bob"))
	if r := s.run(replace(bob, "title", "1", "2"))[0]; r.GetOutcome() != connectorv1.Outcome_OUTCOME_DENIED {
		t.Errorf("bob, a Domain Admin since a moment ago = %v; want DENIED", r)
	}

	// What the domain's admin adds to the list is protected the same way, with
	// everybody in it, from the moment the file says so.
	sid := schema.FormatSID(s.entry("CN=Plain,OU=Roles," + s.base).GetAttributeValue("objectSid"))
	s.policy(staffPolicy + "    never_touch: [" + sid + "]\n")
	time.Sleep(2500 * time.Millisecond) // the file is looked at every two seconds
	r := s.run(modify(alice, "description", "x"))[0]
	if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DENIED || !strings.Contains(r.GetFault().GetCause(), "CN=Plain") {
		t.Errorf("member of a group under never_touch = %v; want DENIED", r)
	}
}

// Without a file, the built-in rules stand.
func TestGuard_withoutAFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, startDouble(t, double.Windows), "")
	for i, r := range s.run(modify(s.id(s.staff("nested")), "title", "x"), modify(s.id(s.staff("alice")), "servicePrincipalName", "http/x"),
		modify(s.id("CN=outsider,OU=Elsewhere,"+s.base), "title", "x")) {
		want := connectorv1.Outcome_OUTCOME_DENIED
		if i == 2 {
			want = connectorv1.Outcome_OUTCOME_DONE
		}
		if r.GetOutcome() != want {
			t.Errorf("operation %d = %v; want %v", i, r, want)
		}
	}
}

// Where the directory does not show what must be known, nothing is written;
// where it is away, the job waits for it.
func TestGuard_unreadableFacts(t *testing.T) {
	t.Parallel()
	s := newSite(t, startDouble(t, double.Windows), staffPolicy)
	job := &linkv1.Job{Id: 1, System: "ad", Work: &linkv1.Job_Apply{Apply: modify(s.id(s.staff("alice")), "title", "x")}}
	for name, answer := range map[string]*connectorv1.InspectResponse{
		"nothing is shown":   {Outcome: connectorv1.Outcome_OUTCOME_DONE, Objects: []*connectorv1.Standing{{Id: job.GetApply().GetId(), Address: s.staff("alice"), Classes: []string{"user"}}}},
		"a right is missing": {Outcome: connectorv1.Outcome_OUTCOME_DENIED, Fault: &connectorv1.Fault{Cause: "objectSid cannot be read"}},
		"it is not told":     {},
	} {
		v := s.guard.Check(t.Context(), guard.Question{System: s.system, Job: job,
			Inspect: func(context.Context, *connectorv1.InspectRequest) (*connectorv1.InspectResponse, error) {
				return answer, nil
			}})
		if v.Decision != guard.Deny || v.Outcome != connectorv1.Outcome_OUTCOME_DENIED {
			t.Errorf("%s: %+v; want it denied", name, v)
		}
	}
	v := s.guard.Check(t.Context(), guard.Question{System: s.system, Job: job})
	if v.Decision != guard.Deny {
		t.Errorf("a connector that cannot inspect: %+v; want it denied", v)
	}
	away := &connectorv1.InspectResponse{Outcome: connectorv1.Outcome_OUTCOME_UNAVAILABLE, Fault: &connectorv1.Fault{Cause: "no controller answers"}}
	v = s.guard.Check(t.Context(), guard.Question{System: s.system, Job: job,
		Inspect: func(context.Context, *connectorv1.InspectRequest) (*connectorv1.InspectResponse, error) {
			return away, nil
		}})
	if v.Decision != guard.Later {
		t.Errorf("a directory that is away: %+v; want the job to wait for it", v)
	}
}

// BenchmarkWrites measures changes to many people of a directory, with the
// guardrail as it is and with one that allows everything without looking.
func BenchmarkWrites(b *testing.B) {
	for name, start := range map[string]func(testing.TB) domain{
		"double": func(t testing.TB) domain { return startDouble(t, double.Windows) },
		"samba":  startSamba,
	} {
		d := start(b)
		s := newSite(b, d, staffPolicy)
		const people = 500
		ids := make([]string, people)
		for i := range ids {
			who := fmt.Sprintf("p%d", i)
			s.add(s.staff(who), "user", map[string]string{"sAMAccountName": who, "userAccountControl": "514"})
			ids[i] = s.id(s.staff(who))
		}
		round := 0
		for _, guarded := range []bool{true, false, true, false} {
			s.stop()
			s.open, s.atATime = !guarded, map[string]int{"ad": 1} // what Samba likes best, and where a look-up before each write would cost most
			s.start()
			b.Run(fmt.Sprintf("%s/guarded=%v", name, guarded), func(b *testing.B) {
				s.t = b
				for b.Loop() {
					round++
					ops := make([]*connectorv1.Operation, people)
					for i, id := range ids {
						ops[i] = replace(id, "title", fmt.Sprint("t", round-1), fmt.Sprint("t", round))
						if round == 1 {
							ops[i] = modify(id, "title", "t1")
						}
					}
					began := time.Now()
					for i, r := range s.run(ops...) {
						if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
							b.Fatalf("write %d = %v", i, r)
						}
					}
					b.ReportMetric(people/time.Since(began).Seconds(), "writes/s")
				}
			})
		}
		s.t = b
	}
}

// policy writes guardrail.yaml; BASE stands for the domain. Empty: no file.
func (s *site) policy(text string) {
	s.t.Helper()
	if text == "" {
		return
	}
	text = strings.ReplaceAll(text, "BASE", s.base)
	if err := os.WriteFile(filepath.Join(s.dir, "guardrail.yaml"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}
