package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

func (a *agent) tellUpdate(state, version string) {
	a.send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Update{Update: &linkv1.Update{State: state, Version: version, Ring: "canary", Cause: "why"}}})
}

// offered waits for an offer of a version, with leave or without.
func (a *agent) offered(version string, leave bool) {
	await(a, func(f *linkv1.ConnectResponse) (bool, bool) {
		r := f.GetRelease()
		return true, r != nil && r.GetVersion() == version && r.GetGo() == leave
	})
}

// Both agents of a site are offered what their ring is to have; one has leave,
// and the other one as soon as that is given back. A release that one took back
// is given no further leave, until the ring is moved again.
func TestConnect_updates(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write(func(tx *store.Tx) error {
		return errors.Join(tx.AddRelease(store.Release{Tenant: tenant, Version: "1.4.0", File: []byte("signed"), Who: "ann"}), tx.MoveRing(tenant, "canary", "1.4.0", "ann"))
	})
	one, two := b.enrol("a1"), b.enrol("a2")
	one.connect(b, 4)
	two.connect(b, 4)
	one.tellUpdate("current", "1.3.0")
	one.offered("1.4.0", false)
	two.tellUpdate("current", "1.3.0")
	two.offered("1.4.0", false)
	one.tellUpdate("ready", "1.4.0")
	one.offered("1.4.0", true)
	two.tellUpdate("ready", "1.4.0")
	holder := func() (who string) {
		b.write(func(tx *store.Tx) (err error) { who, err = tx.Leave(tenant, "hq"); return err })
		return who
	}
	eventually(t, "the other one's word is taken", func() bool {
		waits := ""
		b.write(func(tx *store.Tx) error {
			row, err := tx.Agent(tenant, "a2")
			waits = row.Update.State
			return err
		})
		return waits == "ready"
	})
	one.tellUpdate("trial", "1.4.0")
	if who := holder(); who != "a1" {
		t.Errorf("%q has leave while a1 is on trial; want a1", who)
	}
	one.tellUpdate("current", "1.4.0")
	two.offered("1.4.0", true)
	two.tellUpdate("trial", "1.4.0")
	two.tellUpdate("failed", "1.4.0")
	eventually(t, "leave is given back", func() bool { return holder() == "" })
	one.tellUpdate("ready", "1.4.0") // as if it had not got it yet
	eventually(t, "the word is taken", func() bool {
		state := ""
		b.write(func(tx *store.Tx) error {
			row, err := tx.Agent(tenant, "a1")
			state = row.Update.State
			return err
		})
		return state == "ready"
	})
	if who := holder(); who != "" {
		t.Errorf("%q has leave for what the other one took back", who)
	}
	b.write(func(tx *store.Tx) error { return tx.MoveRing(tenant, "canary", "1.4.0", "ann") })
	one.offered("1.4.0", true)
}

// An executable is given from any byte on, to whose stream is open, and to nobody else.
func TestFetch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, last := bytes.Repeat([]byte("0123456789abcdef"), release.PartBytes/16), []byte("the end")
	b.write(func(tx *store.Tx) error {
		return errors.Join(tx.PutReleasePart(tenant, "ab", 0, first), tx.PutReleasePart(tenant, "ab", 1, last))
	})
	a := b.enrol("a1")
	a.dial(b)
	fetch := func(offset int) (got []byte, err error) {
		t.Helper()
		stream, err := linkv1.NewLinkServiceClient(a.conn).Fetch(t.Context(), &linkv1.FetchRequest{Sha256: "ab", Offset: uint64(offset)})
		if err != nil {
			t.Fatal(err)
		}
		for {
			part, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return got, nil
			}
			if err != nil {
				return got, err
			}
			got = append(got, part.GetData()...)
		}
	}
	if got, err := fetch(0); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("without a stream: %d bytes, %v; want FailedPrecondition", len(got), err)
	}
	a.connect(b, 4)
	await(a, systemsOf)
	whole := append(bytes.Clone(first), last...)
	for _, offset := range []int{0, 7, len(first) - 1, len(first), len(whole) - 1, len(whole)} {
		if got, err := fetch(offset); err != nil || !bytes.Equal(got, whole[offset:]) {
			t.Errorf("from %d: %d bytes, %v; want %d", offset, len(got), err, len(whole)-offset)
		}
	}
}
