package gateway_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// hello is what an agent says of itself that tells copies apart.
type hello struct {
	counter           uint64
	attempt, instance string
	host              string
}

// says connects as h and returns why it was refused, nil if it was let in.
func (a *agent) says(b *bench, h hello) *identity.Refusal {
	a.t.Helper()
	a.dial(b)
	a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Hello{Hello: &linkv1.Hello{
		Protocol: 1, Version: "1.0.0", Host: h.host, Spool: "s1", Window: 10, Counter: h.counter, Attempt: h.attempt, Instance: h.instance,
	}}})
	select {
	case err := <-a.ended:
		r := identity.RefusalOf(err)
		if r == nil {
			a.t.Fatalf("stream ended with %v; want a refusal", err)
		}
		return r
	case f := <-a.frames:
		if f.GetWelcome() == nil {
			if f == nil {
				return identity.RefusalOf(<-a.ended)
			}
			a.t.Fatalf("first frame is %v; want Welcome", f)
		}
		return nil
	case <-time.After(20 * time.Second):
		a.t.Fatal("no answer to Hello")
		return nil
	}
}

func wantDoubt(t *testing.T, r *identity.Refusal, words ...string) {
	t.Helper()
	if r == nil || r.Reason != identity.Doubted {
		t.Fatalf("Hello = %v; want it doubted", r)
	}
	for _, w := range words {
		if !strings.Contains(r.Message, w) {
			t.Errorf("refusal %q does not say %q", r.Message, w)
		}
	}
}

// A process that connects again, a process started anew and an answer that was
// lost are an agent's ordinary life.
func TestHello_ordinaryLife(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.enrol("a1")
	for _, h := range []hello{
		{1, "x1", "p1", "dc1"}, // for the first time
		{1, "x1", "p1", "dc1"}, // the answer was lost
		{2, "x2", "p1", "dc1"}, // the old stream is not gone yet
		{3, "x3", "p1", "dc1"},
	} {
		if r := a.says(b, h); r != nil {
			t.Fatalf("Hello %+v = %v; want it let in", h, r)
		}
	}
	a.hangUp()
	if r := a.says(b, hello{4, "x4", "p2", "dc1"}); r != nil {
		t.Errorf("Hello of a process started anew = %v; want it let in", r)
	}
}

// A host restored from a snapshot does not know what it did since: it is told so.
func TestPain07_revertedSnapshot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.enrol("a1")
	for i, attempt := range []string{"x1", "x2", "x3"} {
		if r := a.says(b, hello{uint64(i + 1), attempt, "p1", "dc1"}); r != nil {
			t.Fatal(r)
		}
	}
	a.hangUp()
	for _, h := range []hello{{2, "y2", "p2", "dc1"}, {3, "y3", "p2", "dc1"}} {
		wantDoubt(t, a.says(b, h), "snapshot", "connected 3 times")
	}
	b.stop()
	b.start()
	wantDoubt(t, a.says(b, hello{3, "y3", "p2", "dc1"}), "snapshot")
	if r := a.says(b, hello{4, "x4", "p1", "dc1"}); r != nil {
		t.Errorf("Hello of the host itself = %v; want it let in", r)
	}
}

// A second host with the same identity is refused while the first is there,
// whatever its counter says, and the first goes on undisturbed.
func TestPain07_clonedHost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.enrol("a1")
	twin := &agent{t: t, id: a.id, cert: a.cert}
	if r := a.says(b, hello{5, "x5", "p1", "dc1"}); r != nil {
		t.Fatal(r)
	}
	wantDoubt(t, twin.says(b, hello{6, "y6", "p2", "dc2"}), "clone", "dc1", "dc2")
	wantDoubt(t, twin.says(b, hello{5, "y5", "p1", "dc2"}), "clone", "dc1", "dc2") // copied with its memory
	b.queue(1)
	a.take(1)
	if r := a.says(b, hello{6, "x6", "p1", "dc1"}); r != nil {
		t.Errorf("Hello of the first = %v; want it let in", r)
	}
}

// A host that lost its power leaves a stream that looks alive: the process that
// starts there again waits until it proves dead, and is no clone.
func TestHello_afterPowerCut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.enrol("a1")
	again := &agent{t: t, id: a.id, cert: a.cert}
	if r := a.says(b, hello{1, "x1", "p1", "dc1"}); r != nil {
		t.Fatal(r)
	}
	time.AfterFunc(cloneWait/3, a.hangUp) // as keep-alive does
	if r := again.says(b, hello{2, "x2", "p2", "dc1"}); r != nil {
		t.Errorf("Hello after a power cut = %v; want it let in", r)
	}
}

// A stream by a certificate from before an attestation is cut at once, and not let in again.
func TestConnect_superseded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.enrol("a1")
	if r := a.says(b, hello{1, "x1", "p1", "dc1"}); r != nil {
		t.Fatal(r)
	}
	b.write(func(tx *store.Tx) error {
		return tx.AttestAgent(store.Agent{Tenant: tenant, ID: "a1", Host: "dc2", Generation: 1})
	})
	for f := range a.frames { // until it ends
		_ = f
	}
	if r := identity.RefusalOf(<-a.ended); r == nil || r.Reason != identity.Doubted {
		t.Errorf("stream ended with %v; want it doubted", r)
	}
	wantDoubt(t, a.says(b, hello{2, "x2", "p1", "dc1"}), "attested anew on host dc2")
}

// A revocation holds after the coordinator was started anew.
func TestConnect_revokedStaysRevoked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.enrol("a1")
	if err := b.enrolment.Revoke(t.Context(), tenant, "a1"); err != nil {
		t.Fatal(err)
	}
	b.stop()
	b.start()
	if r := a.says(b, hello{1, "x1", "p1", "dc1"}); r == nil || r.Reason != identity.Revoked {
		t.Errorf("Hello of a revoked agent = %v; want REVOKED", r)
	}
}

// By a certificate whose time is over nothing but a renewal is to be had.
func TestConnect_needsCertificateInItsTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.enrolFor("a1", -time.Minute)
	if r := a.says(b, hello{1, "x1", "p1", "dc1"}); r == nil || r.Reason != identity.Expired {
		t.Errorf("Hello = %v; want EXPIRED", r)
	}
}

// More agents than can be let in are told when to come back, each of them, at
// different times, and all get in: here the store is held by another.
func TestConnect_sheds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const n = 700 // two transactions' worth are taken in
	agents := make([]*agent, n)
	for i := range agents {
		agents[i] = b.enrol("a" + strings.Repeat("x", i%20) + string(rune('A'+i/26%26)) + string(rune('a'+i%26)) + string(rune('a'+i/676)))
	}
	taken, let := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(let) })
	t.Cleanup(release) // before the bench stops, which waits for what is held
	var held sync.WaitGroup
	held.Go(func() { b.write(func(*store.Tx) error { close(taken); <-let; return nil }) })
	<-taken
	for _, a := range agents {
		a.dial(b)
		a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Hello{Hello: &linkv1.Hello{Protocol: 1, Spool: "s", Window: 1}}})
	}
	answered := make(chan int, n)
	answers := make([]*linkv1.ConnectResponse, n)
	for i, a := range agents { // who is too many is a matter of who comes first
		go func() { answers[i] = <-a.frames; answered <- i }()
	}
	waits := map[time.Duration]int{}
	shed := 0
	depart := func(i int) {
		if d := answers[i].GetDepart().GetComeBackAfter().AsDuration(); d < time.Second {
			t.Fatalf("agent %d got %v; want a Depart of a second or more", i, answers[i])
		} else {
			waits[d]++
		}
		if err := <-agents[i].ended; status.Code(err) != codes.ResourceExhausted {
			t.Errorf("agent %d: stream ended with %v; want ResourceExhausted", i, err)
		}
		shed++
	}
	for shed < n-2*256 { // one transaction's worth is with the store, as many wait for it
		select {
		case i := <-answered:
			depart(i)
		case <-time.After(time.Minute):
			t.Fatalf("%d were told to come back; want at least %d", shed, n-2*256)
		}
	}
	release()
	held.Wait()
	for range n - shed {
		if i := <-answered; answers[i].GetDepart() != nil { // it was slow to come
			depart(i)
		}
	}
	if len(waits) < shed/2 {
		t.Errorf("%d told to come back at %d different times; want more different ones", shed, len(waits))
	}
	eventually(t, "all others are let in", func() bool {
		here := 0
		if err := b.store.Read(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Agents(tenant)
			for _, r := range rows {
				if r.Connected != 0 {
					here++
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return here == n-shed
	})
}
