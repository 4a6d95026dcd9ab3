package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/gateway"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/schedule"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const tenant = "default"

// cloneWait is how long a dead stream may take to prove dead.
const cloneWait = 600 * time.Millisecond

// lease is how long after a beat one of several agents may begin jobs.
const lease = 900 * time.Millisecond

const hrDocument = `
system: hr
site: hq
connector: csv
settings: {path: /srv/hr.csv}
source:
  class: row
  key: employee_id
  attributes:
    name.familyName: last_name
`

// A bench is a gateway on a real store behind a real TLS listener. It can be
// stopped and started again on the same store.
type bench struct {
	t         testing.TB
	dir       string
	database  string
	store     *store.Store
	enrolment *enroll.Service
	gateway   *gateway.Gateway
	address   string
	log       record
	stop      func()
}

// A record keeps what is logged.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), database: storetest.Name(t)}
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

func (b *bench) start() {
	b.t.Helper()
	log := slog.New(slog.NewTextHandler(&b.log, nil))
	st, err := store.Open(context.Background(), b.database)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := st.Write(context.Background(), func(tx *store.Tx) error { return tx.PutTenant(tenant) }); err != nil {
		b.t.Fatal(err)
	}
	authority, err := enroll.OpenAuthority(filepath.Join(b.dir, "authority.pem"))
	if err != nil {
		b.t.Fatal(err)
	}
	systems := plan.NewSystems()
	in := &intake.Intake{Store: st, Systems: systems, Log: log}
	b.store, b.enrolment = st, &enroll.Service{Store: st, Authority: authority, Log: log}
	b.gateway = gateway.New(gateway.Parts{
		Store: st, Intake: in, Systems: systems, Version: "1.2.3", Log: log,
		Queue:   &jobs.Queue{Store: st, Intake: in, Systems: systems, Log: log},
		Changes: schedule.New(st, new(store.Signal), log), CloneWait: cloneWait, Crowd: 256, Lease: lease,
	})
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	b.address = lis.Addr().String()
	srv := grpc.NewServer(append(gateway.ServerOptions(),
		grpc.Creds(credentials.NewTLS(identity.ServerTLS(enroll.NewServer(authority, nil).Current, authority.Pool()))))...)
	linkv1.RegisterLinkServiceServer(srv, b.gateway)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { _ = srv.Serve(lis) }()
	go func() {
		_ = b.gateway.Run(ctx)
		close(ended)
	}()
	b.stop = func() {
		srv.Stop()
		cancel()
		<-ended
		if err := st.Close(); err != nil {
			b.t.Error(err)
		}
	}
}

func (b *bench) write(do func(*store.Tx) error) {
	b.t.Helper()
	if err := b.store.Write(context.Background(), do); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) apply(document string) {
	b.t.Helper()
	b.write(func(tx *store.Tx) error {
		_, err := tx.ApplySystem(store.System{Tenant: tenant, Name: "hr", Site: "hq", Connector: "csv", Document: document})
		return err
	})
}

// queue stores n jobs that modify objects of the system hr and returns their ids.
func (b *bench) queue(n int) []uint64 { return b.queueOf("hr", n) }

func (b *bench) queueOf(system string, n int) []uint64 {
	b.t.Helper()
	rows := make([]store.Job, n)
	for i := range rows {
		work, err := proto.Marshal(&linkv1.Job{Work: &linkv1.Job_Apply{Apply: &connectorv1.Operation{Class: "row", Id: fmt.Sprint("o", i),
			Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{Enabled: true}}}}})
		if err != nil {
			b.t.Fatal(err)
		}
		rows[i] = store.Job{Tenant: tenant, Site: "hq", System: system, Object: fmt.Sprint("o", i), Class: "enable", State: store.JobQueued, Work: work}
	}
	b.write(func(tx *store.Tx) error { return tx.AddJobs(rows) })
	ids := make([]uint64, n)
	for i := range rows {
		ids[i] = uint64(rows[i].ID)
	}
	return ids
}

func (b *bench) states(ids []uint64) map[string]int {
	b.t.Helper()
	count := map[string]int{}
	rows := make([]int64, len(ids))
	for i, id := range ids {
		rows[i] = int64(id)
	}
	if err := b.store.Read(context.Background(), func(tx *store.Tx) error {
		list, err := tx.Jobs(tenant, rows)
		for _, j := range list {
			count[j.State]++
		}
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return count
}

// An agent is a scripted one: it does what the test says, and also sends what an agent of a later release might.
type agent struct {
	t      testing.TB
	id     identity.Agent
	cert   *tls.Certificate
	conn   *grpc.ClientConn
	stream grpc.BidiStreamingClient[linkv1.ConnectRequest, linkv1.ConnectResponse]
	frames chan *linkv1.ConnectResponse
	ended  chan error
	spool  string
}

// enrol makes an agent that is let in.
func (b *bench) enrol(id string) *agent { return b.enrolFor(id, time.Hour) }

// enrolFor makes one whose certificate has this life.
func (b *bench) enrolFor(id string, life time.Duration) *agent {
	b.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	a := &agent{t: b.t, spool: "s1", id: identity.Agent{Tenant: tenant, Site: "hq", ID: id}}
	leaf, err := b.enrolment.Authority.SignAgent(key.Public(), a.id, 0, life)
	if err != nil {
		b.t.Fatal(err)
	}
	a.cert = &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	b.write(func(tx *store.Tx) error {
		return tx.AddAgent(store.Agent{Tenant: tenant, ID: id, Site: "hq", Host: "h", Connectors: "[]"})
	})
	return a
}

// dial opens a stream.
func (a *agent) dial(b *bench) {
	a.t.Helper()
	conn, err := grpc.NewClient(b.address, grpc.WithTransportCredentials(credentials.NewTLS(
		identity.ClientTLS(func() (*tls.Certificate, error) { return a.cert, nil }, mustAuthority(a.t, b)))))
	if err != nil {
		a.t.Fatal(err)
	}
	a.conn = conn
	a.t.Cleanup(func() { _ = conn.Close() })
	if a.stream, err = linkv1.NewLinkServiceClient(conn).Connect(context.Background()); err != nil {
		a.t.Fatal(err)
	}
	a.frames, a.ended = make(chan *linkv1.ConnectResponse, 1024), make(chan error, 1)
	go func(stream grpc.BidiStreamingClient[linkv1.ConnectRequest, linkv1.ConnectResponse], frames chan *linkv1.ConnectResponse, ended chan error) {
		for {
			f, err := stream.Recv()
			if err != nil {
				ended <- err
				close(frames)
				return
			}
			frames <- f
		}
	}(a.stream, a.frames, a.ended)
}

// connect opens a stream and says Hello.
func (a *agent) connect(b *bench, window uint32) {
	a.t.Helper()
	a.dial(b)
	a.grease()
	a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Hello{Hello: &linkv1.Hello{
		Protocol: 7, Version: "9.0.0", Host: "dc1", Platform: "linux/amd64", Spool: a.spool, Clock: timestamppb.Now(), Window: window,
		Connectors: []*connectorv1.DescribeResponse{{Name: "csv", Version: "1.0.0"}},
	}}})
	a.grease()
}

func mustAuthority(t testing.TB, b *bench) *x509.Certificate {
	t.Helper()
	return b.enrolment.Authority.Certificate()
}

// grease sends a frame of a kind that the gateway does not know.
func (a *agent) grease() {
	f := &linkv1.ConnectRequest{}
	f.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 999, protowire.BytesType), "from the future"))
	a.send(f)
}

func (a *agent) send(f *linkv1.ConnectRequest) {
	a.t.Helper()
	if err := a.stream.Send(f); err != nil && !errors.Is(err, io.EOF) { // at the end of the stream Recv tells why
		a.t.Fatal(err)
	}
}

// await returns what pick finds in the next frame in which it finds something; others are let pass.
func await[T any](a *agent, pick func(*linkv1.ConnectResponse) (T, bool)) T {
	a.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case f, ok := <-a.frames:
			if !ok {
				a.t.Fatalf("stream ended: %v", <-a.ended)
			}
			if v, ok := pick(f); ok {
				return v
			}
		case <-timeout:
			a.t.Fatal("no such frame came")
		}
	}
}

func jobsOf(f *linkv1.ConnectResponse) ([]*linkv1.Job, bool) {
	return f.GetJobs().GetJobs(), f.GetJobs() != nil
}

func systemsOf(f *linkv1.ConnectResponse) (*linkv1.Systems, bool) {
	return f.GetSystems(), f.GetSystems() != nil
}

func committedOf(f *linkv1.ConnectResponse) (*linkv1.Committed, bool) {
	return f.GetCommitted(), f.GetCommitted() != nil
}

// take returns the ids of the next n jobs.
func (a *agent) take(n int) (ids []uint64) {
	a.t.Helper()
	for len(ids) < n {
		for _, j := range await(a, jobsOf) {
			ids = append(ids, j.GetId())
		}
	}
	return ids
}

func (a *agent) results(ids []uint64) {
	a.t.Helper()
	results := make([]*linkv1.Result, len(ids))
	for i, id := range ids {
		results[i] = &linkv1.Result{Job: id, Outcome: connectorv1.Outcome_OUTCOME_DONE, Began: timestamppb.Now(), Finished: timestamppb.Now()}
	}
	a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Results{Results: &linkv1.Results{Results: results}}})
}

func (a *agent) records(batch, job uint64, keys ...string) {
	a.t.Helper()
	r := &linkv1.Records{Batch: batch, Job: job, System: "hr"}
	for _, k := range keys {
		text, err := proto.Marshal(&connectorv1.Object{Class: "row", Id: k, Attributes: []*connectorv1.Attribute{
			{Name: "employee_id", Values: []string{k}}, {Name: "last_name", Values: []string{"N" + k}}}})
		if err != nil {
			a.t.Fatal(err)
		}
		r.Records = append(r.Records, &connectorv1.Record{Id: k, Object: text})
	}
	a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Records{Records: r}})
}

// hangUp breaks the connection, as a cable does.
func (a *agent) hangUp() { _ = a.conn.Close() }

// The dialogue of the contract: Welcome, Systems, jobs within the window, results, Committed, and more jobs.
func TestConnect_dialogue(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(hrDocument)
	ids := b.queue(20)
	a := b.enrol("a1")
	a.connect(b, 8)
	first := await(a, func(f *linkv1.ConnectResponse) (*linkv1.ConnectResponse, bool) { return f, true })
	if w := first.GetWelcome(); w.GetProtocol() != 1 || w.GetVersion() != "1.2.3" || time.Since(w.GetClock().AsTime()).Abs() > time.Minute {
		t.Errorf("first frame = %v; want Welcome with version 1 of the contract and the clock", first)
	}
	systems := await(a, systemsOf)
	if len(systems.GetSystems()) != 1 {
		t.Fatalf("systems = %v; want hr", systems)
	}
	if s := systems.GetSystems()[0]; s.GetName() != "hr" || s.GetConnector() != "csv" || s.GetSettings() != `{"path":"/srv/hr.csv"}` ||
		!slices.Equal(s.GetAttributes(), []string{"employee_id", "last_name"}) || s.GetRevision() != 1 {
		t.Errorf("system = %v; want all of its document that the agent needs", s)
	}
	got := a.take(8)
	if !slices.Equal(got, ids[:8]) {
		t.Errorf("jobs = %v; want the window's 8: %v", got, ids[:8])
	}
	select {
	case f := <-a.frames:
		t.Errorf("got %v though the window is full", f)
	case <-time.After(50 * time.Millisecond):
	}
	a.results(got)
	if c := await(a, committedOf); !slices.Equal(c.GetJobs(), got) {
		t.Errorf("committed = %v; want %v", c, got)
	}
	if next := a.take(8); !slices.Equal(next, ids[8:16]) {
		t.Errorf("jobs after the first were done = %v; want %v", next, ids[8:16])
	}
	if s := b.states(ids); s[store.JobDone] != 8 || s[store.JobSent] != 8 || s[store.JobQueued] != 4 {
		t.Errorf("jobs are %v; want 8 done, 8 sent, 4 queued", s)
	}

	b.apply(strings.Replace(hrDocument, "hr.csv", "other.csv", 1))
	if s := await(a, systemsOf).GetSystems()[0]; s.GetRevision() != 2 || !strings.Contains(s.GetSettings(), "other.csv") {
		t.Errorf("system after another document = %v; want its new settings at once", s)
	}
}

// What is queued while an agent is there goes out at once, not at the next look.
func TestConnect_noPolling(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.enrol("a1")
	a.connect(b, 100)
	await(a, systemsOf)
	began := time.Now()
	b.queue(1)
	a.take(1)
	b.apply(hrDocument)
	await(a, systemsOf)
	if took := time.Since(began); took > 8*time.Second { // by itself it would look after 10
		t.Errorf("a job and a system took %v to reach the agent; want them at once", took)
	}
}

// After a reconnect, and after the coordinator was started again, what was sent and not ended comes again, in its order.
func TestConnect_sendsAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ids := b.queue(600)
	a := b.enrol("a1")
	a.connect(b, 1000)
	a.take(600)
	a.results(ids[:100])
	await(a, committedOf)
	a.hangUp()
	a.connect(b, 1000)
	if again := a.take(500); !slices.Equal(again, ids[100:]) {
		t.Errorf("after a reconnect %d jobs came, the first %d; want those without a result", len(again), again[0])
	}
	b.stop()
	b.start()
	a.connect(b, 1000)
	if again := a.take(500); !slices.Equal(again, ids[100:]) {
		t.Errorf("after a restart %d jobs came, the first %d; want those without a result", len(again), again[0])
	}
	a.results(ids[90:]) // some of them again
	for done := 0; done < 510; {
		done += len(await(a, committedOf).GetJobs())
	}
	if s := b.states(ids); s[store.JobDone] != 600 {
		t.Errorf("jobs are %v; want all done", s)
	}
}

// Batches are confirmed when they are in the store; one that comes again is confirmed and changes nothing.
func TestConnect_records(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(hrDocument)
	a := b.enrol("a1")
	a.connect(b, 10)
	a.records(1, 1, "e1", "e2")
	a.records(2, 1, "e3")
	for last := uint64(0); last < 2; {
		last = await(a, committedOf).GetBatch()
	}
	a.hangUp()
	a.connect(b, 10)
	a.records(1, 1, "e9") // what this batch was is known
	a.records(2, 1, "e9")
	a.records(3, 1, "e4")
	for last := uint64(0); last < 3; {
		last = await(a, committedOf).GetBatch()
	}
	if err := b.store.Read(t.Context(), func(tx *store.Tx) error {
		people, err := tx.PeopleByKey(tenant, []string{"e1", "e2", "e3", "e4", "e9"})
		if len(people) != 4 {
			t.Errorf("%d people; want e1 to e4, each once", len(people))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// The agent forgets what it is told is committed: it is told so once it is in
// the store, and no moment before.
func TestConnect_confirmsWhatIsStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(hrDocument)
	a := b.enrol("a1")
	a.connect(b, 10)
	ids := b.queue(1)
	a.take(1)
	b.write(func(*store.Tx) error { // nothing else is stored meanwhile
		a.records(1, 1, "e1")
		a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Results{Results: &linkv1.Results{Results: []*linkv1.Result{
			{Job: ids[0], Outcome: connectorv1.Outcome_OUTCOME_DONE}}}}})
		for quiet := time.After(300 * time.Millisecond); ; {
			select {
			case f := <-a.frames:
				if f.GetCommitted() != nil {
					t.Errorf("confirmed %v while it cannot have been stored", f.GetCommitted())
				}
			case <-quiet:
				return nil
			}
		}
	})
	for confirmed := 0; confirmed < 2; {
		c := await(a, committedOf)
		confirmed += len(c.GetJobs()) + int(c.GetBatch())
	}
}

// What an agent sent of a spool that it has lost since says nothing of the
// batches of the one that it has now, whose numbers begin anew.
func TestConnect_recordsOfLostSpool(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(hrDocument)
	a := b.enrol("a1")
	a.connect(b, 10)
	await(a, systemsOf)
	old := *a
	a.spool = "s2"
	// While the store is busy the agent comes back and what it sent before arrives,
	// mostly in this order.
	b.write(func(*store.Tx) error {
		a.connect(b, 10)
		time.Sleep(50 * time.Millisecond)
		old.records(7, 1, "e7")
		time.Sleep(50 * time.Millisecond)
		return nil
	})
	await(a, systemsOf)
	a.records(1, 1, "e1")
	for last := uint64(0); last < 1; {
		last = await(a, committedOf).GetBatch()
	}
	if err := b.store.Read(t.Context(), func(tx *store.Tx) error {
		people, err := tx.PeopleByKey(tenant, []string{"e1"})
		if len(people) != 1 {
			t.Error("the first batch of the new spool was taken for one of the old")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Jobs that an agent refuses are queued again and leave its window.
func TestConnect_refused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ids := b.queue(4)
	a := b.enrol("a1")
	a.connect(b, 2)
	got := a.take(2)
	a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Accepted{Accepted: &linkv1.Accepted{Refused: got, Fault: &connectorv1.Fault{Cause: "disk full"}}}})
	if next := a.take(2); !slices.Equal(next, ids[2:]) {
		t.Errorf("jobs after a refusal = %v; want the next ones, %v", next, ids[2:])
	}
	if s := b.states(got); s[store.JobQueued] != 2 {
		t.Errorf("refused jobs are %v; want them queued", s)
	}
}

// A revoked agent is cut at once, told why, not let in again, and its jobs go to another of its site.
func TestConnect_revoked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.queue(3)
	a, other := b.enrol("a1"), b.enrol("a2")
	a.connect(b, 10)
	a.take(3)
	other.connect(b, 10)
	if err := b.enrolment.Revoke(t.Context(), tenant, "a1"); err != nil {
		t.Fatal(err)
	}
	wantRevoked := func() {
		t.Helper()
		select {
		case err := <-a.ended:
			if r := identity.RefusalOf(err); r == nil || r.Reason != identity.Revoked {
				t.Errorf("stream ended with %v; want a refusal that says revoked", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("the stream of a revoked agent is still open after 5 s")
		}
	}
	wantRevoked()
	other.take(3)
	a.connect(b, 10)
	wantRevoked()
}

// An agent's coming and going, and its systems' health, are in the store.
func TestConnect_presence(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(hrDocument)
	a := b.enrol("a1")
	row := func() (r store.Agent) {
		if err := b.store.Read(t.Context(), func(tx *store.Tx) (err error) {
			r, err = tx.Agent(tenant, "a1")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	a.connect(b, 10)
	await(a, systemsOf)
	if r := row(); r.Connected == 0 || r.Host != "dc1" || r.Version != "9.0.0" || r.Spool != "s1" || !strings.Contains(r.Connectors, `"csv"`) {
		t.Errorf("agent = %+v; want it connected, and what its Hello said", r)
	}
	a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Health{Health: &linkv1.Health{Systems: []*linkv1.SystemHealth{{System: "hr", Ready: true, Waiting: 3}}}}})
	eventually(t, "the agent's word about its system is in the store", func() bool {
		var s store.System
		if err := b.store.Read(t.Context(), func(tx *store.Tx) (err error) {
			s, err = tx.System(tenant, "hr")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(s.Health, "ready")
	})
	a.hangUp()
	eventually(t, "the agent that is gone counts as away", func() bool { return row().Connected == 0 })
	if row().Seen == 0 {
		t.Error("it is not noted when the agent was last seen")
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute it is not so that %s", what)
		}
	}
}

// What changed while nobody watched is found: a watched system is read when its agent is back.
func TestConnect_readsWatchedSystems(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(hrDocument + "read: {watch: true}\n")
	next := func() (at store.Instant) {
		if err := b.store.Read(t.Context(), func(tx *store.Tx) error {
			s, err := tx.System(tenant, "hr")
			at = s.NextRead
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return at
	}
	b.write(func(tx *store.Tx) error { return tx.SetNextRead(tenant, "hr", tx.Now.Add(time.Hour)) })
	a := b.enrol("a1")
	a.connect(b, 10)
	eventually(t, "the system is to be read soon", func() bool { return time.Until(next().Time()) < time.Minute })
}

// Of two streams of one agent the later stays, and the agent counts as here.
func TestConnect_twice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.enrol("a1")
	a.connect(b, 10)
	await(a, systemsOf)
	old := a.ended
	a.connect(b, 10)
	await(a, systemsOf)
	select {
	case err := <-old:
		if status.Code(err) != codes.Aborted {
			t.Errorf("older stream ended with %v; want Aborted", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("both streams are open")
	}
	b.queue(1)
	a.take(1)
}

// A stopping coordinator asks its agents to come back.
func TestDepart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.enrol("a1")
	a.connect(b, 10)
	await(a, systemsOf)
	b.gateway.Depart()
	d := await(a, func(f *linkv1.ConnectResponse) (*linkv1.Depart, bool) { return f.GetDepart(), f.GetDepart() != nil })
	if d.GetReason() == "" || d.GetComeBackAfter().AsDuration() <= 0 {
		t.Errorf("Depart = %v; want a reason and a pause", d)
	}
}

// Without a certificate of the authority no stream is served.
func TestConnect_needsCertificate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	conn, err := grpc.NewClient(b.address, grpc.WithTransportCredentials(credentials.NewTLS(identity.EnrollTLS(identity.Fingerprint(mustAuthority(t, b))))))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := linkv1.NewLinkServiceClient(conn).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("stream without a certificate ended with %v; want Unauthenticated", err)
	}
}

// BenchmarkConnect sends jobs through a stream over mutual TLS and takes their
// results, everything committed on both ways: 8,000 jobs/s with both ends on
// two busy cores, so that the gateway leaves the double's 5,000 writes/s room.
func BenchmarkConnect(b *testing.B) {
	x := newBench(b)
	a := x.enrol("a1")
	x.queue(b.N)
	b.ResetTimer()
	a.connect(x, 1024)
	go func() {
		for taken := 0; taken < b.N; {
			ids := a.take(1)
			taken += len(ids)
			a.results(ids)
		}
	}()
	deadline := time.Now().Add(5 * time.Minute)
	for done := 0; done < b.N; time.Sleep(5 * time.Millisecond) {
		_ = x.store.Read(context.Background(), func(tx *store.Tx) (err error) {
			done, err = tx.CountJobs(tenant, store.JobDone)
			return err
		})
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d jobs done", done, b.N)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}
