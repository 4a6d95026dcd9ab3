package chaos

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// A weather is what a wire does to the bytes that pass it.
type weather int

const (
	fair      weather = iota // they pass
	cutting                  // each connection ends after some thousands of them, in the middle of anything
	blackHole                // they are taken and nothing comes out; connections stay
	halfOpen                 // what is sent up arrives, what comes back does not: acknowledgements are lost
	slow                     // a few kilobytes a second
	refusing                 // no connection is made, those there are end
)

// weathers are the bad ones, by the names of the table.
var weathers = []struct {
	name string
	weather
}{
	{"cut", cutting}, {"black hole", blackHole}, {"half-open", halfOpen}, {"slow", slow}, {"reset", refusing},
}

// A wire is what stands between two parts: a TCP proxy with a weather.
type wire struct {
	listener net.Listener
	to       string

	mu      sync.Mutex
	weather weather
	open    map[net.Conn]bool
	rnd     *rand.Rand
}

// newWire listens beside the address that it leads to.
func newWire(to string, seed uint64) (*wire, error) {
	host, _, err := net.SplitHostPort(to)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	w := &wire{listener: listener, to: to, open: map[net.Conn]bool{}, rnd: rand.New(rand.NewPCG(seed, 0))}
	go w.serve()
	return w, nil
}

// leadsTo makes new connections lead elsewhere, unless to is empty, and returns
// where they led.
func (w *wire) leadsTo(to string) (before string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before = w.to
	if to != "" {
		w.to = to
	}
	return before
}

func (w *wire) address() string { return w.listener.Addr().String() }

// set changes the weather. Fair weather ends what a bad one has left hanging.
func (w *wire) set(to weather) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.weather = to
	if to == fair || to == refusing {
		for c := range w.open {
			if t, ok := c.(*net.TCPConn); ok && to == refusing {
				_ = t.SetLinger(0) // a reset, not an end
			}
			c.Close()
		}
	}
}

func (w *wire) now() weather {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.weather
}

func (w *wire) close() {
	w.listener.Close()
	w.set(refusing)
}

func (w *wire) serve() {
	for {
		in, err := w.listener.Accept()
		if err != nil {
			return
		}
		if w.now() == refusing {
			in.Close()
			continue
		}
		go w.carry(in)
	}
}

// carry joins a connection with one to the other end until either ends.
func (w *wire) carry(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", w.leadsTo(""))
	if err != nil {
		return
	}
	defer out.Close()
	w.mu.Lock()
	w.open[in], w.open[out] = true, true
	life := 3000 + w.rnd.IntN(40_000) // the handshake takes some 3 kB
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, in)
		delete(w.open, out)
	}()
	var both sync.WaitGroup
	both.Go(func() { w.pump(in, out, true, life) })
	both.Go(func() { w.pump(out, in, false, life) })
	both.Wait()
}

// pump moves bytes one way until the connection ends or the weather ends it.
func (w *wire) pump(from, to net.Conn, up bool, life int) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		now := w.now()
		switch {
		case now == cutting && n > life:
			_, _ = to.Write(buf[:max(life, 0)])
			return
		case now == blackHole, now == halfOpen && !up:
			if _, err := io.Copy(io.Discard, from); err != nil || w.now() != fair {
				return
			}
			continue
		case now == slow:
			time.Sleep(time.Duration(n) * time.Millisecond / 8) // 8 kB/s
		}
		if now == cutting {
			life -= n
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
