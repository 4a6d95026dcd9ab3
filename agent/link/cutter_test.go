package link_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// A cutter is a TCP proxy that cuts each connection after a random number of
// bytes, in the middle of whatever it carries, until it is healed.
type cutter struct {
	address string
	whole   atomic.Bool
	frozen  atomic.Bool
	cuts    atomic.Int64
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{address: listener.Addr().String()}
	var all sync.WaitGroup
	t.Cleanup(func() { listener.Close(); all.Wait() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			t.Cleanup(func() { in.Close(); out.Close() })
			left := new(atomic.Int64)
			left.Store(2000 + rand.Int64N(30_000)) // the handshake takes some 3 kB
			all.Go(func() { c.pump(in, out, left) })
			all.Go(func() { c.pump(out, in, left) })
		}
	}()
	return c
}

func (c *cutter) pump(from, to net.Conn, left *atomic.Int64) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if c.frozen.Load() {
			_, _ = io.Copy(io.Discard, from) // the peer's network takes it and nothing comes back
			return
		}
		if rest := left.Add(-int64(n)); rest < 0 && !c.whole.Load() {
			_, _ = to.Write(buf[:max(0, int64(n)+rest)])
			c.cuts.Add(1)
			return
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (c *cutter) count() int64 { return c.cuts.Load() }
func (c *cutter) heal()        { c.whole.Store(true) }
func (c *cutter) freeze()      { c.frozen.Store(true) }
