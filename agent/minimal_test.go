package agent_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/agent/host"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A tape holds every frame that an agent sent, and what it logged.
type tape struct {
	mu     sync.Mutex
	frames int
	sent   bytes.Buffer
	log    bytes.Buffer
}

func (t *tape) frame(f *linkv1.ConnectRequest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frames++
	fmt.Fprintln(&t.sent, f)
	if r := f.GetRecords(); r != nil { // objects travel marshalled
		for _, record := range r.GetRecords() {
			t.sent.Write(record.GetObject())
		}
	}
	for _, r := range f.GetResults().GetResults() {
		for _, record := range append(r.GetFound(), r.GetObject()) {
			t.sent.Write(record.GetObject())
		}
	}
}

// Write takes the agent's log.
func (t *tape) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.Write(p)
}

// holds says around what word stands in the text, "" if it does not.
func holds(text, word string) string {
	i := strings.Index(strings.ToLower(text), strings.ToLower(word))
	if i < 0 {
		return ""
	}
	return strings.ToValidUTF8(text[max(0, i-150):min(len(text), i+60)], "·")
}

// A coordinator in wrong hands asks for everything, by every kind of job and
// every way to spell an attribute. What no document maps never crosses the
// link, nor what the guardrail withholds though a document maps it: not in
// records, rejects, faults, before-values or finds, and not in the log.
func TestAgent_onlyWhatIsMappedLeaves(t *testing.T) {
	t.Parallel()
	ad, err := double.Start(double.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ad.Close() })
	tape := new(tape)
	c := newCoordinator(t, nil)
	c.tape = tape
	s := newSite(t, c)
	s.log = tape
	s.realConnectors(filepath.Dir(ad.CAFile))

	// What is there: secret in all are pay (not mapped) and bank or phone (mapped, and withheld).
	rows := "employee_id,first_name,pay,bank\nE1,Ada,SECRETPAY1,SECRETBANK1\nE2,Bob,SECRETPAY2,SECRETBANK2\n" +
		"E3,Cy,SECRETPAY3,SECRETBANK3,SECRETPAY3\nE2,Bob,SECRETPAY4,SECRETBANK4\n,No,SECRETPAY6,SECRETBANK6\n"
	file := filepath.Join(s.dir, "workers.csv")
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(s.dir, "broken.csv")
	if err := os.WriteFile(broken, []byte(rows+"\"E5,Di,SECRETPAY5\nE6,"), 0o600); err != nil {
		t.Fatal(err)
	}
	admin, err := ldap.DialURL(ad.LDAPS, ldap.DialWithTLSConfig(&tls.Config{RootCAs: ad.CA, ServerName: "127.0.0.1"}))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.Bind(ad.AdminDN, ad.AdminPassword); err != nil {
		t.Fatal(err)
	}
	staff := "CN=Users," + ad.BaseDN
	add := ldap.NewAddRequest("CN=Ada,"+staff, nil)
	for name, value := range map[string]string{"objectClass": "user", "sAMAccountName": "ada", "title": "Analyst", "employeeID": "E1",
		"info": "SECRETPAY7", "homePhone": "SECRETPHONE1", "userAccountControl": "514"} {
		add.Attribute(name, []string{value})
	}
	if err := admin.Add(add); err != nil {
		t.Fatal(err)
	}
	found, err := admin.Search(ldap.NewSearchRequest("CN=Ada,"+staff, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"objectGUID"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	ada := schema.FormatGUID(string(found.Entries[0].GetRawAttributeValue("objectGUID")))

	// Each way of spelling is a system of its own: a connector may refuse one and with it all that is asked with it.
	spellings := []string{"*", "+", "homePhone;range=0-*", "homePhone;lang-en", "0.9.2342.19200300.100.1.20", "OID.0.9.2342.19200300.100.1.20", " homePhone"}
	asked := []string{"title", "info", "INFO", "homePhone", "HOMEPHONE", "pay", "bank"}
	policy := "mode: enforce\nsystems:\n  ad:\n    withhold: [homePhone]\n  hr:\n    withhold: [bank]\n"
	settings, err := json.Marshal(map[string]any{"servers": []string{ad.LDAPS}, "ca": ad.CAFile, "bind": ad.AdminUPN})
	if err != nil {
		t.Fatal(err)
	}
	rowsOf := func(name, path string) *linkv1.System {
		return &linkv1.System{Name: name, Connector: "csv", Revision: 1, Attributes: []string{"employee_id", "first_name", "bank", "BANK"},
			Settings: fmt.Sprintf(`{"path": %q, "key": "employee_id"}`, path)}
	}
	users := func(name string, attributes ...string) *linkv1.System {
		return &linkv1.System{Name: name, Connector: "activedirectory", Revision: 1, Settings: string(settings),
			Attributes: append([]string{"sAMAccountName", "title", "employeeID"}, attributes...)}
	}
	c.systems = &linkv1.Systems{Systems: []*linkv1.System{rowsOf("hr", file), rowsOf("broken", broken), users("ad", "homePhone", "HOMEPHONE")}}
	policy += "  broken:\n    withhold: [bank]\n"
	for i, spelling := range spellings {
		name := fmt.Sprintf("ad%d", i)
		c.systems.Systems = append(c.systems.Systems, users(name, spelling))
		policy += "  " + name + ":\n    withhold: [homePhone]\n"
	}
	if err := os.WriteFile(filepath.Join(s.dir, "guardrail.yaml"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	defer func() { s.kill() }()
	c.waitGuardrail(t, "the policy is told", func(g *linkv1.Guardrail) bool { return g.GetMode() == "enforce" })
	for _, system := range c.systems.GetSystems() {
		if system.GetConnector() == "activedirectory" {
			s.secret(system.GetName(), "password", ad.AdminPassword)
		}
	}

	next := uint64(0)
	do := func(system string, job *linkv1.Job) {
		next++
		job.Id, job.System, job.NotAfter = next, system, timestamppb.New(time.Now().Add(15*time.Second))
		c.add(job)
	}
	apply := func(op *connectorv1.Operation) {
		op.Class, op.ReturnAttributes = "user", asked
		do("ad", &linkv1.Job{Object: op.GetId() + op.GetCreate().GetName(), Work: &linkv1.Job_Apply{Apply: op}})
	}
	change := func(name string, expect, want []string) {
		apply(&connectorv1.Operation{Id: ada, Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{Changes: []*connectorv1.Change{{Name: name, Expect: expect, Want: want}}}}})
	}
	for system, class := range map[string]string{"hr": "row", "ad": "user"} {
		do(system, &linkv1.Job{Work: &linkv1.Job_Read{Read: &linkv1.Read{Classes: []string{class}, Attributes: asked, Full: true, Resend: true}}})
		do(system, &linkv1.Job{Work: &linkv1.Job_Probe{Probe: &linkv1.Probe{}}})
		do(system, &linkv1.Job{Work: &linkv1.Job_Schema{Schema: &linkv1.ReadSchema{}}})
	}
	do("broken", &linkv1.Job{Work: &linkv1.Job_Read{Read: &linkv1.Read{Classes: []string{"row"}, Attributes: []string{"pay", "bank"}, Full: true, Resend: true}}})
	for i, spelling := range spellings {
		system := fmt.Sprintf("ad%d", i)
		do(system, &linkv1.Job{Work: &linkv1.Job_Read{Read: &linkv1.Read{Classes: []string{"user"}, Attributes: []string{spelling}, Full: true, Resend: true}}})
		do(system, &linkv1.Job{Work: &linkv1.Job_Find{Find: &connectorv1.FindRequest{Class: "user", Attribute: "employeeID", Values: []string{"E1"}, ReturnAttributes: []string{spelling}}}})
		do(system, &linkv1.Job{Work: &linkv1.Job_Find{Find: &connectorv1.FindRequest{Class: "user", Attribute: spelling, Values: []string{"guess"}, ReturnAttributes: []string{"title"}}}})
	}
	for attribute, value := range map[string]string{"title": "Analyst", "employeeID": "E1", "sAMAccountName": "nobody", "homePhone": "SECRETPHONE1"} {
		if attribute == "homePhone" {
			value = "other"
		}
		do("ad", &linkv1.Job{Work: &linkv1.Job_Find{Find: &connectorv1.FindRequest{Class: "user", Attribute: attribute, Values: []string{value}, ReturnAttributes: asked}}})
	}
	change("title", []string{"Analyst"}, []string{"Lead"})                 // done: the object is shown
	change("title", []string{"Wrong"}, []string{"Boss"})                   // a conflict: it is shown as it is
	change("homePhone", []string{"guess"}, []string{"mine"})               // a conflict about what is withheld
	change("info", nil, []string{"mine"})                                  // and about what is not mapped
	change("title", []string{"Lead"}, []string{strings.Repeat("x", 4000)}) // refused by the directory
	apply(&connectorv1.Operation{Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{Container: staff, Name: "Ada",
		Attributes: []*connectorv1.Attribute{{Name: "sAMAccountName", Values: []string{"ada"}}}, Anchor: &connectorv1.Attribute{Name: "sAMAccountName", Values: []string{"ada"}}}}})
	apply(&connectorv1.Operation{Id: ada, Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{}}})
	apply(&connectorv1.Operation{Id: ada, Verb: &connectorv1.Operation_Move{Move: &connectorv1.Move{ExpectAddress: "CN=Ada," + staff, Container: staff, Name: "Ada L"}}})
	for deadline := time.Now().Add(time.Minute); c.done() < int(next) && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}

	s.kill()
	tape.mu.Lock()
	defer tape.mu.Unlock()
	sent, log := tape.sent.String(), tape.log.String()
	for _, word := range []string{"Ada", "E2", "sAMAccountName", "Lead"} {
		if holds(sent, word) == "" {
			t.Errorf("%s, which is mapped, did not cross the link: the search finds nothing", word)
		}
	}
	for _, word := range []string{"SECRETPAY", "SECRETBANK", "SECRETPHONE"} {
		if around := holds(sent, word); around != "" {
			t.Errorf("%s crossed the link: …%s…", word, around)
		}
		if around := holds(log, word); around != "" {
			t.Errorf("%s stands in the agent's log: …%s…", word, around)
		}
	}
	for _, job := range c.jobs {
		if c.results[job.GetId()] == nil {
			t.Errorf("no result of job %v; the agent says\n%s", job, log[max(0, len(log)-3000):])
		}
	}
	outcomes := map[connectorv1.Outcome]int{}
	for _, r := range c.results {
		outcomes[r.GetOutcome()]++
	}
	t.Logf("%d frames, outcomes %v", tape.frames, outcomes)
	for _, want := range []connectorv1.Outcome{connectorv1.Outcome_OUTCOME_DONE, connectorv1.Outcome_OUTCOME_CONFLICT, connectorv1.Outcome_OUTCOME_DENIED} {
		if outcomes[want] == 0 {
			t.Errorf("no job ended as %v: not every way was tried", want)
		}
	}
}

// realConnectors has the site's agent serve the built-in connectors, from folder as well, and say everything.
func (s *site) realConnectors(folder string) {
	s.t.Helper()
	dir, err := built()
	if err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(dir, "drawbridge-connectors")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/drawbridge-id/drawbridge/plugins/cmd/drawbridge-connectors").CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	sum, err := host.Sum(path)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return strings.HasPrefix(line, "folders:") })
	conf := strings.Join(lines, "\n") + fmt.Sprintf("  - path: %s\n    sha256: %s\n    serves: [activedirectory, csv]\nfolders: [%s, %s]\nlog: {level: debug}\nguardrail: {file: %s}\n",
		path, sum, s.dir, folder, filepath.Join(s.dir, "guardrail.yaml"))
	if err := os.WriteFile(s.config, []byte(conf), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// secret gives the agent a secret once it has heard of the system.
func (s *site) secret(system, name, value string) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		cmd := exec.Command(binary(s.t, "drawbridge-agent"), "--config", s.config, "secret", "set", system, name)
		cmd.Stdin = strings.NewReader(value + "\n")
		out, err := cmd.CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("secret set: %v: %s", err, out)
		}
	}
}
