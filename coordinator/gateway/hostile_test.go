package gateway_test

import (
	"crypto"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// enrolAt makes one of another site.
func (b *bench) enrolAt(site, id string) *agent {
	b.t.Helper()
	a := b.enrol(id)
	a.id.Site = site
	leaf, err := b.enrolment.Authority.SignAgent(a.cert.PrivateKey.(crypto.Signer).Public(), a.id, 0, time.Hour)
	if err != nil {
		b.t.Fatal(err)
	}
	a.cert.Certificate = [][]byte{leaf.Raw}
	return a
}

// An agent with a good certificate that says what is not its to say changes
// nothing of others, and the log says who tried what.
func TestConnect_hostileAgent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(hrDocument)
	ids := b.queue(4)
	honest, rogue := b.enrol("a1"), b.enrolAt("branch", "a2")
	honest.connect(b, 2)
	sent := honest.take(2)
	rogue.connect(b, 100)

	rogue.results(ids)                                // sent to another, and still queued for another site
	rogue.results([]uint64{1 << 40, 1 << 63, 0, 777}) // nobody's
	rogue.records(1, sent[0], "mallory")
	for last := uint64(0); last < 1; {
		last = await(rogue, committedOf).GetBatch() // it may forget what it has made up
	}
	rogue.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Accepted{Accepted: &linkv1.Accepted{Refused: ids}}})
	rogue.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Changed{Changed: &linkv1.Changed{System: "hr"}}})
	rogue.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Health{Health: &linkv1.Health{Systems: []*linkv1.SystemHealth{{System: "hr"}}}}})
	rogue.records(2, 1, "mallory")
	for last := uint64(0); last < 2; {
		last = await(rogue, committedOf).GetBatch()
	}
	if s := b.states(ids); s[store.JobSent] != 2 || s[store.JobQueued] != 2 {
		t.Errorf("jobs are %v; want two sent and two queued, as before", s)
	}
	if err := b.store.Read(t.Context(), func(tx *store.Tx) error {
		people, err := tx.PeopleByKey(tenant, []string{"mallory"})
		if err != nil || len(people) > 0 {
			t.Errorf("people of another site's agent: %d, %v; want none", len(people), err)
		}
		row, err := tx.System(tenant, "hr")
		if row.NextRead != 0 || strings.Contains(row.Health, "hr") {
			t.Errorf("the system is to be read at %v and its health is %q; want both as before", row.NextRead, row.Health)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Results refused", "agent=a2", "Refused what the agent sent"} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, b.log.String())
		}
	}
	honest.results(sent) // whose they are
	honest.take(2)
	eventually(t, "the honest agent's results are taken", func() bool { return b.states(sent)[store.JobDone] == 2 })
}

// What cannot be read is set aside with its cause, and the stream goes on.
func TestConnect_garbage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(hrDocument)
	a := b.enrol("a1")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(b.log.String())
		}
	})
	a.connect(b, 10)
	a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Records{Records: &linkv1.Records{Batch: 1, Job: 1, System: "hr", Records: []*connectorv1.Record{
		{Id: "g1", Object: []byte("\xff\xff\xff garbage")}, {Id: "", Object: nil}, nil, {Id: strings.Repeat("x", 100_000), Deleted: true},
	}}}})
	a.records(2, 1, "e1")
	for last := uint64(0); last < 2; {
		last = await(a, committedOf).GetBatch()
	}
	b.write(func(tx *store.Tx) error {
		people, err := tx.PeopleByKey(tenant, []string{"e1"})
		if len(people) != 1 {
			t.Errorf("%d people after garbage; want e1", len(people))
		}
		return err
	})
}

// An agent that floods and never listens is cut before it fills the memory,
// though what it is being told cannot be sent.
func TestConnect_floods(t *testing.T) {
	if raced {
		t.Skip("hundreds of thousands of results take minutes under the race detector")
	}
	t.Parallel()
	b := newBench(t)
	stream := b.enrol("a1").deaf(b)
	flood := &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Results{Results: &linkv1.Results{Results: results(20_000)}}}
	go func() {
		for stream.Send(flood) == nil {
		}
	}()
	eventually(t, "the stream is cut", func() bool { return strings.Contains(b.log.String(), "does not take what it is told") })
}

// deaf opens a stream of an agent that does not listen.
func (a *agent) deaf(b *bench) linkv1.LinkService_ConnectClient {
	a.t.Helper()
	conn, err := grpc.NewClient(b.address, grpc.WithTransportCredentials(credentials.NewTLS(
		identity.ClientTLS(func() (*tls.Certificate, error) { return a.cert, nil }, mustAuthority(a.t, b)))))
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = conn.Close() })
	stream, err := linkv1.NewLinkServiceClient(conn).Connect(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	if err := stream.Send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Hello{Hello: &linkv1.Hello{
		Protocol: 1, Version: "1.0.0", Host: "dc1", Spool: "s1", Clock: timestamppb.Now(), Window: 1 << 31}}}); err != nil {
		a.t.Fatal(err)
	}
	return stream
}

func results(n int) (list []*linkv1.Result) {
	for i := range n {
		list = append(list, &linkv1.Result{Job: uint64(1_000_000 + i)})
	}
	return list
}
