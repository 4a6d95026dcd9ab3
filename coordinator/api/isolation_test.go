package api_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

// A furnished tenant has one of everything that a path or a body may name.
type furnished struct {
	*rehearsal.World
	t       *testing.T
	address string
	own     string            // token of its administrator
	names   map[string]string // by parameter, with the path before it where that tells more
	bodies  map[string]string // by path
}

func furnish(t *testing.T) *furnished {
	t.Helper()
	w := populated(t)
	f := &furnished{World: w, t: t, address: w.Serve(), own: w.Token(rehearsal.Tenant, "tester")}
	// Half of everybody leaves: held. One password waits, somebody is signed in, an agent may join.
	w.Write(func(tx *store.Tx) error {
		people, err := tx.PeopleAfter(rehearsal.Tenant, "", 1)
		if err != nil {
			return err
		}
		named, err := tx.PeopleByKey(rehearsal.Tenant, []string{"e1001"})
		if err != nil {
			return err
		}
		return errors.Join(
			tx.AddImages([]store.Image{{Tenant: rehearsal.Tenant, Cycle: 1_000_000, Person: named[0].ID, At: tx.Now, Sourced: true, Attributes: named[0].Attributes, Accounts: "[]"}}),
			tx.AddJobs([]store.Job{{Tenant: rehearsal.Tenant, Site: rehearsal.Site, System: "corp-ad", Person: people[0].ID, Object: people[0].ID,
				Class: "disable", State: store.JobHeld, Work: []byte{}, Reasons: "{}"}}),
			tx.PutCycle(store.Cycle{Tenant: rehearsal.Tenant, ID: 1_000_000, System: "hr", Cause: "schedule", Began: tx.Now, State: store.CycleHeld}),
			tx.AddPasswords([]store.Password{{Tenant: rehearsal.Tenant, Job: 1, System: "corp-ad", Person: people[0].ID, Account: "x", Recipients: "[]", Box: []byte{1}, Made: tx.Now}}),
			tx.PutRecipient(store.Recipient{Tenant: rehearsal.Tenant, Name: "desk", Label: "Desk", Public: "age1x", Made: tx.Now}),
			tx.AddJoinToken(store.JoinToken{Tenant: rehearsal.Tenant, ID: "secretjoin", Secret: []byte{1}, Site: "hq", Made: tx.Now, Expires: tx.Now.Add(time.Hour)}),
			tx.AddSession(store.Session{Tenant: rehearsal.Tenant, ID: "5e551011", Secret: []byte{1}, Subject: "corp#lovelace", Name: "lovelace", Roles: "viewer", Means: "link", Made: tx.Now, Seen: tx.Now, Expires: tx.Now.Add(time.Hour)}),
			tx.PutPlan(store.Plan{Tenant: rehearsal.Tenant, ID: 2_000_000, Cause: "person lovelace", State: store.PlanSealed, Hash: "ab12", Made: tx.Now}),
			tx.PutDeviations([]store.Deviation{{Tenant: rehearsal.Tenant, Person: people[0].ID, System: "corp-ad", Attribute: "title", Account: "x", Kind: store.DeviationLeft, Refused: "[]", Found: `["lovelace"]`, At: tx.Now}}),
			tx.PutWebhook(&store.Webhook{Tenant: rehearsal.Tenant, ID: "whk_1", Name: "lovelace", URL: "https://dc-host/", Secret: "whsec_", Kinds: "[]"}),
			tx.PutMailTo(store.MailTo{Tenant: rehearsal.Tenant, Address: "lovelace@corp.example", Kinds: "[]"}),
			tx.AddRelease(store.Release{Tenant: rehearsal.Tenant, Version: "1.0.0", File: aRelease(t), Added: tx.Now, Who: "lovelace"}),
			tx.PutReleasePart(rehearsal.Tenant, executable, 0, []byte("x")),
			tx.MoveRing(rehearsal.Tenant, "corp-ad", "1.0.0", "lovelace"),
			tx.AddNotices([]store.Notice{{Tenant: rehearsal.Tenant, ID: "msg_1", Receiver: "whk_1", Kind: "test", Body: []byte("lovelace")}}),
			tx.PutMerge(&store.Merge{Tenant: rehearsal.Tenant, Kind: store.Split, Who: "lovelace", Person: people[0].ID, Other: "x", Body: []byte("{}")}),
			tx.AddAudit(store.Audited{Tenant: rehearsal.Tenant, Who: "lovelace", Action: "sign-in", Outcome: "done"}),
		)
	})
	held, token := "", ""
	w.Write(func(tx *store.Tx) error {
		jobs, err := tx.HeldJobs(rehearsal.Tenant, store.HeldFilter{}, 1)
		if err != nil {
			return err
		}
		held = strconv.FormatInt(jobs[0].ID, 10)
		_, row, err := access.NewToken(tx, store.APIToken{Tenant: rehearsal.Tenant, Name: "lovelace", Roles: "viewer"})
		token = row.ID
		return err
	})
	f.names = map[string]string{"{name}": "corp-ad", "{key}": "e1001", "{revision}": "1", "agents/{id}": rehearsal.Agent, "cycles/{id}": "1000000", "merges/{id}": "1",
		"jobs/{id}": held, "passwords/{id}": "1", "api-tokens/{id}": token, "sessions/{id}": "5e551011", "recipients/{name}": "desk",
		"webhooks/{id}": "whk_1", "{delivery}": "msg_1", "{ref}": "2000000", "{version}": "1.0.0", "{sha256}": executable, "{part}": "0", "{address}": "lovelace@corp.example"}
	f.bodies = map[string]string{
		"/v1/held/approve": `{"jobs":[` + held + `]}`, "/v1/held/reject": `{"jobs":[` + held + `]}`, "/v1/problems/retry": `{"person":"e1001"}`,
		"/v1/plans/{ref}/approve": `{}`, "/v1/plans/{ref}/reject": `{}`, "/v1/undo": `{"job":` + held + `}`, "/v1/systems/{name}/mode": `{"mode":"preview"}`,
		"/v1/drift/adopt": `{"person":"e1001","system":"corp-ad"}`, "/v1/drift/revert": `{"person":"e1001","system":"corp-ad"}`,
		"/v1/systems/{name}/run": `{"person":"e1001"}`, "/v1/systems/{name}/rollback": `{"revision":1}`, "/v1/join-tokens": `{"site":"hq"}`,
		"/v1/api-tokens": `{"name":"x"}`, "/v1/sessions/revoke": `{"subject":"corp#lovelace"}`, "/v1/webhooks": `{"name":"x","url":"https://x.example"}`, "/v1/webhooks/{id}": `{"name":"x","url":"https://x.example"}`,
		"/v1/agents/{id}/ring": `{"ring":"canary"}`, "/v1/rings/{name}": `{"version":"1.0.0"}`, "/v1/releases/{version}/executables/{sha256}/{part}": "x", "/v1/mail-receivers": `{"address":"x@x.example"}`, "/v1/sign-in-links": `{"name":"x"}`,
		"/v1/people/{key}/pickup":   `{"name":"` + strings.Repeat("ab", 32) + `","key":"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}`,
		"/v1/people/{key}/password": `{}`,
		"/v1/people/{key}/merge":    `{"into":"e1002"}`, "/v1/people/{key}/split": `{"records":[{"system":"hr","id":"E1001"}]}`, "/v1/merges/{id}/undo": `{}`, "/v1/cycles/{id}/replay": `{}`,
	}
	return f
}

// concrete fills the parameters of a path with names of what is really there.
func (f *furnished) concrete(path string) string {
	f.t.Helper()
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if !strings.HasPrefix(part, "{") {
			continue
		}
		name, ok := f.names[strings.Split(path, "/")[i-1]+"/"+part]
		if !ok {
			name, ok = f.names[part]
		}
		if !ok {
			f.t.Fatalf("%s: this test has no real object for %s: add one to furnish", path, part)
		}
		parts[i] = name
	}
	return strings.Join(parts, "/")
}

// executable is the SHA-256 of the only one of [aRelease].
const executable = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // of "x"

// aRelease is the signed file of a release 1.0.0.
func aRelease(t *testing.T) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := release.Sign(release.Manifest{Version: "1.0.0", Spool: release.Layout{Reads: 1, Writes: 1}, Data: 1,
		Files: []release.File{{Part: release.Agent, Platform: "linux/amd64", Size: 1, SHA256: executable}}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// everything gives what the furnished tenant has.
func (f *furnished) everything() (all []any) {
	f.t.Helper()
	f.Write(func(tx *store.Tx) error {
		people, err1 := tx.PeopleAfter(rehearsal.Tenant, "", 100)
		systems, err2 := tx.Systems(rehearsal.Tenant)
		agents, err3 := tx.Agents(rehearsal.Tenant)
		jobs, err4 := tx.ListJobs(rehearsal.Tenant, store.JobFilter{}, 100)
		log, err5 := tx.ListHistory(rehearsal.Tenant, store.LogFilter{}, 1000)
		tokens, err6 := tx.APITokens(rehearsal.Tenant)
		sessions, err7 := tx.Sessions(rehearsal.Tenant)
		audit, err8 := tx.ListAudit(rehearsal.Tenant, store.AuditFilter{}, 1000)
		recipients, err9 := tx.Recipients(rehearsal.Tenant)
		passwords, err10 := tx.Passwords(rehearsal.Tenant, "", 100)
		joins, err11 := tx.JoinTokens(rehearsal.Tenant)
		cycle, err12 := tx.Cycle(rehearsal.Tenant, 1_000_000)
		due, err13 := tx.DueOf(rehearsal.Tenant, people[0].ID)
		if errors.Is(err13, store.ErrNone) {
			err13 = nil
		}
		for i := range tokens {
			tokens[i].Used = 0
		}
		hooks, err14 := tx.Webhooks(rehearsal.Tenant)
		mails, err15 := tx.MailTos(rehearsal.Tenant)
		notices, err16 := tx.Notices(rehearsal.Tenant, "whk_1", 0, 10)
		plans, err17 := tx.Plans(rehearsal.Tenant, "", 100)
		drift, err18 := tx.Deviations(rehearsal.Tenant, "", "", 100)
		modes, err19 := tx.SystemModes(rehearsal.Tenant)
		previews, err20 := tx.Previews(rehearsal.Tenant, []string{people[0].ID})
		releases, err21 := tx.Releases(rehearsal.Tenant)
		rings, err22 := tx.Rings(rehearsal.Tenant)
		part, err23 := tx.ReleasePart(rehearsal.Tenant, executable, 0)
		all = []any{releases, rings, part, plans, drift, modes, previews, hooks, mails, notices, people, systems, agents, jobs, log, tokens, sessions, audit, recipients, passwords, joins, cycle, due}
		return errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11, err12, err13, err14, err15, err16, err17, err18, err19, err20, err21, err22, err23)
	})
	return all
}

// ask sends a request and gives its status and the beginning of its answer, at once where that goes on for long.
func (f *furnished) ask(method, path, token string) (int, string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, f.address+f.concrete(path), strings.NewReader(f.bodies[path]))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	text := make([]byte, 1<<20)
	n := 0
	for n < len(text) {
		more, err := resp.Body.Read(text[n:])
		if n += more; err != nil || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
			break
		}
	}
	return resp.StatusCode, string(text[:n])
}

// streams tells which routes send nothing until something happens; TestFollowLog_ofAnotherTenant tries that.
func streams(path string) bool { return strings.HasSuffix(path, "/events") }

// Another tenant's administrator, who knows the names of everything that is here, finds and changes nothing of it.
func TestRoutes_keepTenantsApart(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	stranger := f.Token("other", "stranger")
	for _, r := range f.API().Routes() { // the names are real
		if r[0] != "GET" || !strings.Contains(r[1], "{") || streams(r[1]) || r[1] == "/v1/systems/{name}/test" { // none was made
			continue
		}
		if status, text := f.ask(r[0], r[1], f.own); status != http.StatusOK {
			t.Errorf("%s %s = %d %s for its own; want 200", r[0], r[1], status, text)
		}
	}
	before := f.everything()
	routes := f.API().Routes()
	slices.SortFunc(routes, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) }) // GET first: their own audit tells what they ask for after it
	for _, r := range routes {
		if streams(r[1]) || r[1] == "/v1/me/sign-out" { // which ends the token; it is tried by the command line's scripts
			continue
		}
		status, text := f.ask(r[0], r[1], stranger)
		for _, secret := range []string{"Lovelace", "lovelace", "dc-host", "ldaps://", "OU=Research", "secretjoin", "5e551011", "age1x"} {
			if strings.Contains(text, secret) && !strings.Contains(f.concrete(r[1])+f.bodies[r[1]], secret) { // what was asked for may be named
				t.Errorf("%s %s told a stranger %q", r[0], r[1], secret)
			}
		}
		if strings.Contains(r[1], "{") && status != http.StatusNotFound {
			t.Errorf("%s %s = %d %s for a stranger; want 404", r[0], r[1], status, text)
		}
	}
	if diff := cmp.Diff(before, f.everything()); diff != "" {
		t.Errorf("a stranger changed something (-before +after):\n%s", diff)
	}
}

// Who follows the log of another tenant hears of nothing but their own.
func TestFollowLog_ofAnotherTenant(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	stranger := f.Token("other", "stranger")
	f.Write(func(tx *store.Tx) error {
		return tx.AddHistory([]store.History{{Tenant: "other", Kind: "audit", Text: "their own"}})
	})
	if status, text := f.ask("GET", "/v1/log/events", stranger); status != http.StatusOK || !strings.Contains(text, "their own") || strings.Contains(text, "ovelace") {
		t.Errorf("the first event = %d %s; want that of their own tenant", status, text)
	}
}
