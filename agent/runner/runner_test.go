package runner_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/agent/guard"
	"github.com/drawbridge-id/drawbridge/agent/host"
	"github.com/drawbridge-id/drawbridge/agent/runner"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	"github.com/drawbridge-id/drawbridge/agent/vault"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

const (
	done     = connectorv1.Outcome_OUTCOME_DONE
	conflict = connectorv1.Outcome_OUTCOME_CONFLICT
	invalid  = connectorv1.Outcome_OUTCOME_INVALID
	unknown  = connectorv1.Outcome_OUTCOME_UNKNOWN
)

var fake = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fake")
	if err != nil {
		return "", err
	}
	exe := filepath.Join(dir, "drawbridge-fake")
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", exe, "github.com/drawbridge-id/drawbridge/plugins/fake/cmd/drawbridge-fake").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return exe, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if exe, err := fake(); err == nil {
		os.RemoveAll(filepath.Dir(exe))
	}
	os.Exit(code)
}

// A rig is a runner with real spool, vault and connector processes.
type rig struct {
	t      *testing.T
	dir    string
	spool  *spool.Spool
	vault  *vault.Vault
	runner *runner.Runner
	next   uint64
	ended  chan struct{} // closed when the runner has

	mu      sync.Mutex
	health  []*linkv1.SystemHealth
	changes int
}

func (r *rig) Health(h *linkv1.SystemHealth) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.health = append(r.health, h)
}
func (r *rig) Changed(*linkv1.Changed) { r.mu.Lock(); defer r.mu.Unlock(); r.changes++ }
func (r *rig) Drop(string)             {}

func newRig(t *testing.T, opt host.Options) *rig {
	t.Helper()
	exe, err := fake()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := host.Sum(exe)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t}
	if r.dir, err = os.MkdirTemp("", "r"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(r.dir) })
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	h, err := host.New(filepath.Join(r.dir, "run"), []host.Executable{{Path: exe, SHA256: sum, Serves: []string{"fake"}}}, opt, log)
	if err != nil {
		t.Fatal(err)
	}
	if r.spool, err = spool.Open(filepath.Join(r.dir, "spool.db"), spool.Options{}); err != nil {
		t.Fatal(err)
	}
	if r.vault, err = vault.Open(r.dir); err != nil {
		t.Fatal(err)
	}
	g, err := guard.Open(guard.Options{Policy: filepath.Join(r.dir, "guardrail.yaml"), Data: r.dir, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	r.runner = &runner.Runner{Spool: r.spool, Host: h, Vault: r.vault, Folders: []string{r.dir}, Guard: g,
		Snapshots: filepath.Join(r.dir, "snapshots"), Report: r, Log: log}
	ctx, cancel := context.WithCancel(context.Background())
	r.ended = make(chan struct{})
	go func() { defer close(r.ended); r.runner.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-r.ended; r.spool.Close() })
	return r
}

// system is a fake directory with these settings, as JSON members.
func system(name, settings string) *linkv1.System {
	return &linkv1.System{Name: name, Connector: "fake", Revision: 1, Settings: "{" + settings + "}",
		Attributes: []string{"login", "DisplayName", "enabled"}}
}

func (r *rig) accept(jobs ...*linkv1.Job) {
	r.t.Helper()
	for _, job := range jobs {
		if job.Id == 0 {
			r.next++
			job.Id = r.next
		}
	}
	if _, err := r.spool.Accept(r.t.Context(), jobs); err != nil {
		r.t.Fatal(err)
	}
}

// results waits until n results are in the spool and returns them as stored.
func (r *rig) results(n int) []*linkv1.Result {
	r.t.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		items, err := r.spool.Unsent(0, 64<<20)
		if err != nil {
			r.t.Fatal(err)
		}
		var results []*linkv1.Result
		for _, item := range items {
			if item.Result() != nil {
				results = append(results, item.Result())
			}
		}
		if len(results) >= n {
			return results
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d results; want %d", len(results), n)
		}
	}
}

// result waits for that of one job.
func (r *rig) result(job *linkv1.Job) *linkv1.Result {
	r.t.Helper()
	for n := 1; ; n++ {
		for _, result := range r.results(n) {
			if result.GetJob() == job.GetId() {
				return result
			}
		}
	}
}

func apply(system string, op *connectorv1.Operation) *linkv1.Job {
	return &linkv1.Job{System: system, Object: op.GetId(), Work: &linkv1.Job_Apply{Apply: op}}
}

func create(system string, i int) *linkv1.Job {
	login := "n" + strconv.Itoa(i)
	job := apply(system, &connectorv1.Operation{Class: "user", ReturnAttributes: []string{"login", "mail"}, Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{
		Container: "staff", Name: "New " + login,
		Attributes: []*connectorv1.Attribute{{Name: "login", Values: []string{login}}, {Name: "mail", Values: []string{login + "@example.com"}}},
		Anchor:     &connectorv1.Attribute{Name: "login", Values: []string{login}},
	}}})
	job.Object = login
	return job
}

func modify(system string, i int) *linkv1.Job {
	return apply(system, &connectorv1.Operation{Class: "user", Id: "user-" + strconv.Itoa(i), Verb: &connectorv1.Operation_Modify{
		Modify: &connectorv1.Modify{Changes: []*connectorv1.Change{{Name: "title", Want: []string{"x"}}}}}})
}

func read(system string, r *linkv1.Read) *linkv1.Job {
	r.Classes, r.Attributes = []string{"user"}, []string{"login", "displayName", "mail"}
	return &linkv1.Job{System: system, Work: &linkv1.Job_Read{Read: r}}
}

func probe(system string) *linkv1.Job {
	return &linkv1.Job{System: system, Work: &linkv1.Job_Probe{Probe: &linkv1.Probe{}}}
}

// Whatever a connector does to its process, every job ends once and the
// directory holds exactly what was wanted.
func TestRunner_survivesConnector(t *testing.T) {
	t.Parallel()
	scripts := map[string]string{
		"well":         `[]`,
		"crash":        `[{"on":"create","call":10,"do":"crash"},{"on":"create","call":30,"do":"crash_after"}]`,
		"hang":         `[{"on":"create","call":20,"do":"hang"},{"on":"create","call":60,"do":"hang_after"}]`,
		"lost answers": `[{"on":"create","call":5,"times":5,"do":"lose"}]`,
		"panic":        `[{"on":"create","call":5,"times":2,"do":"panic"}]`,
		"away":         `[{"on":"create","call":5,"times":6,"do":"unavailable","for":"10ms"}]`,
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 100
			r := newRig(t, host.Options{CallWait: time.Second})
			state := filepath.Join(r.dir, "state")
			r.runner.SetSystems([]*linkv1.System{system("dir", fmt.Sprintf(`"state": %q, "script": %s`, state, script))}, true)
			for i := range n {
				r.accept(create("dir", i))
			}
			seen := make(map[uint64]int)
			for _, result := range r.results(n) {
				seen[result.GetJob()]++
				if result.GetOutcome() != done {
					t.Errorf("job %d: %v", result.GetJob(), result)
				}
			}
			if len(seen) != n {
				t.Errorf("%d jobs ended; want %d", len(seen), n)
			}
			if got := logins(t, state); len(got) != n {
				t.Errorf("%d users; want %d", len(got), n)
			}
		})
	}
}

// logins are those of the users in a state file; each must be there once.
func logins(t *testing.T, state string) []string {
	t.Helper()
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		var e struct {
			Object *struct {
				ID         string
				Attributes map[string][]string
			}
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Object == nil {
			continue
		}
		ids[e.Object.ID] = strings.Join(e.Object.Attributes["login"], ",")
	}
	var all []string
	for _, login := range ids {
		if slices.Contains(all, login) {
			t.Errorf("login %s is there twice", login)
		}
		all = append(all, login)
	}
	return all
}

// An operation that kills every connector is found out: it ends UNKNOWN after
// three times, and those that were under way with it are done.
func TestRunner_findsTheKiller(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	r.runner.SetSystems([]*linkv1.System{system("dir", fmt.Sprintf(
		`"state": %q, "users": 4, "latency": "200ms", "script": [{"on":"delete","times":0,"do":"crash"}]`, filepath.Join(r.dir, "state")))}, true)
	killer := apply("dir", &connectorv1.Operation{Class: "user", Id: "user-4", Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}})
	r.accept(modify("dir", 1), modify("dir", 2), modify("dir", 3), killer)
	for _, result := range r.results(4) {
		want := done
		if result.GetJob() == killer.GetId() {
			want = unknown
		}
		if result.GetOutcome() != want {
			t.Errorf("job %d = %v; want %v", result.GetJob(), result, want)
		}
	}
}

// Priority goes first, times and fences are kept, and an object has one job at a time.
func TestRunner_order(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	now := time.Now()
	stale := modify("dir", 1)
	stale.NotAfter = timestamppb.New(now.Add(-time.Second))
	early := modify("dir", 2)
	early.NotBefore = timestamppb.New(now.Add(1500 * time.Millisecond))
	urgent := modify("dir", 3)
	urgent.Priority = 9
	fenced := modify("dir", 4)
	fenced.Fence = 7
	var rest []*linkv1.Job
	for range 20 { // all of one object: one after the other, in order
		rest = append(rest, modify("dir", 5))
	}
	r.accept(append([]*linkv1.Job{stale, early, fenced}, append(rest, urgent)...)...)
	r.runner.SetSystems([]*linkv1.System{system("dir", `"users": 9, "latency": "5ms"`)}, true)
	results := r.results(24)
	outcomes := make(map[uint64]*linkv1.Result)
	var order []uint64
	for _, result := range results {
		outcomes[result.GetJob()] = result
		order = append(order, result.GetJob())
	}
	if got := outcomes[stale.Id]; got.GetOutcome() != conflict || !strings.Contains(got.GetFault().GetCause(), "stale") {
		t.Errorf("stale job = %v; want CONFLICT that says stale", got)
	}
	if got := outcomes[early.Id]; got.GetOutcome() != done || got.GetBegan().AsTime().Before(early.NotBefore.AsTime()) {
		t.Errorf("early job = %v; want it begun not before %v", got, early.NotBefore.AsTime())
	}
	if slices.Index(order, urgent.Id) > 6 {
		t.Errorf("urgent job came %dth", slices.Index(order, urgent.Id))
	}
	for i, job := range rest[1:] {
		if outcomes[job.Id].GetBegan().AsTime().Before(outcomes[rest[i].Id].GetFinished().AsTime().Add(-time.Millisecond)) {
			t.Errorf("job %d of the same object was begun before job %d had ended", i+1, i)
		}
	}
	older := modify("dir", 4)
	older.Fence = 6
	r.accept(older)
	if got := r.result(older); got.GetOutcome() != conflict || !strings.Contains(got.GetFault().GetCause(), "fence 6") {
		t.Errorf("older job = %v; want CONFLICT that names the fence", got)
	}
	again := proto.CloneOf(fenced)
	again.Id += 1000 // what was done and confirmed, sent by somebody once more
	r.accept(again)
	if got := r.result(again); got.GetOutcome() != conflict {
		t.Errorf("the job that was done, once more, = %v; want CONFLICT", got)
	}
}

// A system that hangs or refuses does not delay another.
func TestRunner_lanesAreApart(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	r.runner.SetSystems([]*linkv1.System{
		system("hangs", `"users": 9, "script": [{"on":"any","times":0,"do":"hang"}]`),
		system("away", `"users": 9, "script": [{"on":"write","times":0,"do":"unavailable","for":"1ms"}]`),
		system("well", `"users": 50`),
	}, true)
	for i := 1; i <= 9; i++ {
		r.accept(modify("hangs", i), modify("away", i))
	}
	began := time.Now()
	for i := 1; i <= 50; i++ {
		r.accept(modify("well", i))
	}
	r.results(50)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the well system took %v", took)
	}
	last := modify("away", 1)
	last.NotAfter = timestamppb.New(time.Now().Add(2 * time.Second))
	r.accept(last)
	got := r.result(last)
	if got.GetOutcome() != conflict || !strings.Contains(got.GetFault().GetCause(), "stale") {
		t.Errorf("job of the absent system = %v; want CONFLICT that says stale", got)
	}
	var reported bool
	for _, h := range r.runner.States() {
		if h.GetSystem() == "away" {
			reported = !h.GetReady() && h.GetFault().GetCause() != "" && h.GetWaiting() >= 9 // the count follows the result a moment later
		}
	}
	if !reported {
		t.Errorf("states = %v; want that of away to tell why", r.runner.States())
	}
}

// Only what changed goes up, only what is mapped, and what vanished is named.
func TestRunner_read(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	state := filepath.Join(r.dir, "state")
	r.runner.SetSystems([]*linkv1.System{system("dir", fmt.Sprintf(`"state": %q, "users": 2000`, state))}, true)
	sent := uint64(0)
	run := func(how *linkv1.Read) (*linkv1.ReadSummary, []*connectorv1.Record) {
		t.Helper()
		job := read("dir", how)
		r.accept(job)
		result := r.result(job)
		if result.GetOutcome() != done {
			t.Fatalf("read = %v", result)
		}
		items, err := r.spool.Unsent(sent, 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		var records []*connectorv1.Record
		for _, item := range items {
			sent = item.Seq
			records = append(records, item.Records().GetRecords()...)
		}
		return result.GetRead(), records
	}
	check := func(what string, how *linkv1.Read, want *linkv1.ReadSummary, n int) []*connectorv1.Record {
		t.Helper()
		got, records := run(how)
		if !proto.Equal(got, want) || len(records) != n {
			t.Errorf("%s: %v with %d records; want %v with %d", what, got, len(records), want, n)
		}
		return records
	}
	for _, record := range check("first", &linkv1.Read{}, &linkv1.ReadSummary{Seen: 2000, Changed: 2000, Full: true}, 2000) {
		object := new(connectorv1.Object)
		if err := proto.Unmarshal(record.GetObject(), object); err != nil {
			t.Fatal(err)
		}
		for _, a := range object.GetAttributes() {
			if a.GetName() != "login" && a.GetName() != "displayName" {
				t.Fatalf("attribute %q left the site", a.GetName())
			}
		}
	}
	check("full, nothing changed", &linkv1.Read{Full: true}, &linkv1.ReadSummary{Seen: 2000, Full: true, Known: 2000}, 0)
	check("delta, nothing changed", &linkv1.Read{}, &linkv1.ReadSummary{}, 0)
	f, err := os.OpenFile(state, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, `{"gone":"user-7"}`)
	fmt.Fprintln(f, `{"object":{"class":"user","id":"user-8","address":"staff/User 8","attributes":{"login":["u8"],"displayName":["Eight"]}}}`)
	check("delta", &linkv1.Read{}, &linkv1.ReadSummary{Seen: 1, Changed: 1, Deleted: 1}, 2)
	const apart = 390 // users, so that several responses hold one that changed
	for i := 10; i < 2000; i += apart {
		fmt.Fprintf(f, `{"object":{"class":"user","id":"user-%[1]d","address":"staff/User %[1]d","attributes":{"login":["u%[1]d"],"displayName":["New"]}}}`+"\n", i)
	}
	f.Close()
	for _, record := range check("few changed", &linkv1.Read{Full: true}, &linkv1.ReadSummary{Seen: 1999, Changed: 6, Full: true, Known: 1999}, 6) {
		object := new(connectorv1.Object)
		if err := proto.Unmarshal(record.GetObject(), object); err != nil || object.GetId() != record.GetId() || !strings.Contains(object.String(), `"New"`) {
			t.Errorf("record of %s holds %v, %v; want the new name", record.GetId(), object, err)
		}
	}
	check("resend", &linkv1.Read{Resend: true}, &linkv1.ReadSummary{Seen: 1999, Changed: 1999, Full: true, Known: 1999}, 1999)
}

// A secret is for the server it was given for, and a path for the folders allowed.
func TestRunner_settings(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	anchors := vault.Anchors{"server": `"ours.example"`}
	if err := r.vault.Set("dir", "password", anchors, sealed.New("right")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		settings string
		outcome  connectorv1.Outcome
		says     string
	}{
		{`"server": "ours.example", "expect": "right"`, done, ""},
		{`"server": "theirs.example", "expect": "right"`, invalid, "secret set dir password"},
		{`"server": "ours.example", "state": "/etc/drawbridge-test"`, invalid, "in none of the folders"},
		{`"server": "ours.example", "sate": "x"`, invalid, `"sate" is no setting`},
	}
	for i, tt := range tests {
		s := system("dir", tt.settings)
		s.Revision = uint64(i + 1)
		r.runner.SetSystems([]*linkv1.System{s}, true)
		job := probe("dir")
		r.accept(job)
		got := r.result(job)
		if text := got.GetFault().GetCause() + got.GetFault().GetNextStep(); got.GetOutcome() != tt.outcome || !strings.Contains(text, tt.says) {
			t.Errorf("probe with %s = %v; want %v that says %q", tt.settings, got, tt.outcome, tt.says)
		}
	}
	orphan := modify("other", 1)
	r.accept(orphan)
	r.runner.SetSystems(nil, true)
	if got := r.result(orphan); got.GetOutcome() != conflict {
		t.Errorf("job of a system that is not configured = %v; want CONFLICT", got)
	}
}

// A change in a watched system is told.
func TestRunner_watch(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	state := filepath.Join(r.dir, "state")
	s := system("dir", fmt.Sprintf(`"state": %q, "users": 1`, state))
	s.Watch = true
	r.runner.SetSystems([]*linkv1.System{s}, true)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r.mu.Lock()
		n := r.changes
		r.mu.Unlock()
		if n > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no change was told")
		}
		if f, err := os.OpenFile(state, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			fmt.Fprintln(f, `{"object":{"class":"user","id":"user-1","address":"staff/User 1","attributes":{}}}`)
			f.Close()
		}
	}
}

// An agent whose journal fails must end, so that whoever runs it starts it
// again: one that waits for ever for the job whose result could not be stored
// is away for good.
func TestRunner_endsWithItsJournal(t *testing.T) {
	t.Parallel()
	r := newRig(t, host.Options{})
	r.runner.SetSystems([]*linkv1.System{system("app", `"users": 5, "latency": "300ms"`)}, true)
	r.accept(modify("app", 1))
	r.results(1) // it is connected
	r.accept(modify("app", 2))
	time.Sleep(100 * time.Millisecond)
	if err := r.spool.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.ended:
	case <-time.After(30 * time.Second):
		buf := make([]byte, 1<<20)
		t.Fatalf("the runner goes on without a journal:\n%s", buf[:runtime.Stack(buf, true)])
	}
}
