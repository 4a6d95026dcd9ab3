// Package wire speaks LDAP (RFC 4511) over one connection: any number of
// requests at a time from any number of goroutines, written together and
// answered in any order.
//
//	caller ─ encode ─► buffer ─ one write for all that wait ─► TLS ─► server
//	caller ◄─ Result ─ reader goroutine ◄─ flat BER, one allocation an entry
//
// It stands where go-ldap would, for two reasons. A full read through go-ldap
// takes four times as long, for its packets are trees. And a write whose
// connection breaks must be known to have been sent or not, for that decides
// whether it may be repeated: see [LostError].
//
// It does not choose servers, keep connections or say what a result means:
// that is in package dc and in package activedirectory.
package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/ber"
)

const startTLS = "1.3.6.1.4.1.1466.20037"

// ErrClosed is what broke a connection that [Conn.Close] ended.
var ErrClosed = errors.New("closed by this end")

// A Conn is one connection. It is safe for concurrent use.
type Conn struct {
	nc      net.Conn
	silence time.Duration

	mu      sync.Mutex
	out     []byte // encoded, not yet written
	spare   []byte
	writing bool
	nextID  int64
	calls   map[int64]*call
	err     error // why it is over
	done    chan struct{}
	pending atomic.Int32
}

// A call waits for its answer.
type call struct {
	mu     sync.Mutex // held while entry or info runs
	entry  func(*Entry) error
	info   func(oid string, value []byte) error
	err    error    // of entry; nothing is given to it after that
	others []string // references to other servers
	result *Result
	lost   error
	done   chan struct{}
}

// StartTLS asks for encryption of a connection on which nothing was said yet.
// A deadline is the caller's to set.
func StartTLS(nc net.Conn) error {
	if _, err := nc.Write(appendMessage(nil, 1, Extended{OID: startTLS}, nil)); err != nil {
		return err
	}
	message, err := readMessage(bufio.NewReaderSize(oneByOne{nc}, 16), nil)
	if err != nil {
		return err
	}
	_, tag, body, controls, err := split(message)
	if err != nil {
		return err
	}
	result, err := parseResult(tag, body, controls)
	if err != nil {
		return err
	}
	return result.Err()
}

// oneByOne keeps a buffered reader from taking bytes that belong to TLS.
type oneByOne struct{ nc net.Conn }

func (o oneByOne) Read(p []byte) (int, error) { return o.nc.Read(p[:1]) }

// New takes over nc. A server that owes an answer and says nothing for silence
// is taken as gone.
func New(nc net.Conn, silence time.Duration) *Conn {
	c := &Conn{nc: nc, silence: silence, nextID: 1, calls: map[int64]*call{}, done: make(chan struct{})}
	go c.read()
	return c
}

// TLS returns the state of the encryption, nil where there is none.
func (c *Conn) TLS() *tls.ConnectionState {
	if t, ok := c.nc.(*tls.Conn); ok {
		state := t.ConnectionState()
		return &state
	}
	return nil
}

// Pending is the number of requests without an answer.
func (c *Conn) Pending() int { return int(c.pending.Load()) }

// Done is closed when the connection is over.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close says good-bye and ends the connection and everything under way.
func (c *Conn) Close() {
	c.mu.Lock()
	c.nextID++
	farewell := appendMessage(nil, c.nextID, unbind{}, nil)
	idle := !c.writing && c.err == nil
	c.mu.Unlock()
	if idle {
		_ = c.nc.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.nc.Write(farewell) // a courtesy
	}
	c.fail(ErrClosed)
	<-c.done
}

// Do sends r and waits for its result, whose code it does not judge. The error
// is a [*LostError], or the cause of ctx: then the request may have been sent.
func (c *Conn) Do(ctx context.Context, r Request, controls ...Control) (*Result, error) {
	return c.call(ctx, r, controls, nil, nil)
}

// Search sends r and gives each entry to entry, which runs in the goroutine
// that reads the connection: while it blocks, nothing else is read. Its error
// ends the search and is returned. References to other servers are not
// followed, but named in the result.
func (c *Conn) Search(ctx context.Context, r Search, entry func(*Entry) error, controls ...Control) (*Result, error) {
	return c.call(ctx, r, controls, entry, nil)
}

// SearchInfo is [Conn.Search] that gives intermediate responses (RFC 4511,
// 4.13) to info, in their order among the entries and under the same rules;
// value is valid until info returns.
func (c *Conn) SearchInfo(ctx context.Context, r Search, entry func(*Entry) error, info func(oid string, value []byte) error, controls ...Control) (*Result, error) {
	return c.call(ctx, r, controls, entry, info)
}

// BindSimple authenticates by password.
func (c *Conn) BindSimple(ctx context.Context, name, password string) (*Result, error) {
	return c.call(ctx, bindSimple{name, password}, nil, nil, nil)
}

// BindSASL takes one step of an authentication; more tells that another follows.
func (c *Conn) BindSASL(ctx context.Context, mechanism string, token []byte) (answer []byte, more bool, err error) {
	result, err := c.call(ctx, bindSASL{mechanism, token}, nil, nil, nil)
	if err != nil {
		return nil, false, err
	}
	if result.Code == saslBindInProgress {
		return result.credentials, true, nil
	}
	return result.credentials, false, result.Err()
}

func (c *Conn) call(ctx context.Context, r Request, controls []Control, entry func(*Entry) error, info func(string, []byte) error) (*Result, error) {
	w := &call{entry: entry, info: info, done: make(chan struct{})}
	id, err := c.send(w, r, controls)
	if err != nil {
		return nil, err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		c.forget(id, w)
		return nil, fmt.Errorf("request given up: %w", context.Cause(ctx))
	}
	switch {
	case w.err != nil:
		return nil, w.err
	case w.lost != nil:
		return nil, &LostError{Sent: true, Err: w.lost}
	}
	return w.result, nil
}

// send encodes the request behind those that wait to be written. Whoever finds
// nobody writing writes for all, until nothing is left.
func (c *Conn) send(w *call, r Request, controls []Control) (int64, error) {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return 0, &LostError{Err: c.err}
	}
	id := c.enqueue(r, controls)
	if w != nil {
		c.calls[id] = w
		if c.pending.Add(1) == 1 {
			_ = c.nc.SetReadDeadline(time.Now().Add(c.silence))
		}
	}
	if c.writing {
		c.mu.Unlock()
		return id, nil
	}
	c.writing = true
	for len(c.out) > 0 && c.err == nil {
		full := c.out
		c.out = c.spare[:0]
		c.mu.Unlock()
		_ = c.nc.SetWriteDeadline(time.Now().Add(c.silence))
		_, err := c.nc.Write(full)
		if err != nil {
			c.fail(err)
		}
		c.mu.Lock()
		c.spare = full
	}
	c.writing = false
	c.mu.Unlock()
	return id, nil
}

func (c *Conn) enqueue(r Request, controls []Control) int64 {
	if c.nextID++; c.nextID >= 1<<31 {
		c.nextID = 2
	}
	c.out = appendMessage(c.out, c.nextID, r, controls)
	return c.nextID
}

// forget gives a call up. After it, entry is not called any more.
func (c *Conn) forget(id int64, w *call) {
	c.mu.Lock()
	_, open := c.calls[id]
	if open {
		delete(c.calls, id)
		c.pending.Add(-1)
	}
	c.mu.Unlock()
	w.mu.Lock()
	if w.err == nil {
		w.err = context.Canceled
	}
	w.mu.Unlock()
	if open {
		_, _ = c.send(nil, abandon{id}, nil)
	}
}

// read hands out answers until the connection ends.
func (c *Conn) read() {
	err := c.readAll()
	c.fail(err)
	c.mu.Lock()
	calls := c.calls
	c.calls = nil
	err = c.err
	c.mu.Unlock()
	for _, w := range calls {
		w.lost = err
		close(w.done)
	}
	close(c.done)
}

func (c *Conn) readAll() error {
	var (
		r       = bufio.NewReaderSize(c.nc, 64<<10)
		buf     []byte
		entry   Entry
		values  []string
		renewed time.Time
	)
	for {
		// Here, and not after the message: the time that an entry's receiver
		// takes is not the server's.
		if now := time.Now(); now.Sub(renewed) > c.silence/8 && c.Pending() > 0 {
			renewed = now
			_ = c.nc.SetReadDeadline(now.Add(c.silence))
		}
		message, err := readMessage(r, buf)
		if err != nil {
			return err
		}
		buf = message
		id, tag, body, controls, err := split(message)
		if err != nil {
			return err
		}
		if id == 0 { // a notice of disconnection
			if result, err := parseResult(tag, body, controls); err == nil && result.Code != Success {
				return fmt.Errorf("the server ends the connection: %w", result.Err())
			}
			return errors.New("the server ends the connection")
		}
		c.mu.Lock()
		w := c.calls[id]
		c.mu.Unlock()
		if w == nil { // given up
			continue
		}
		switch tag {
		case tagReference:
			if len(w.others) < 100 {
				w.others = append(w.others, parseURLs(body)...)
			}
		case tagEntry:
			if values, err = entry.parse(body, values); err != nil {
				return err
			}
			entry.controls = controls
			w.give(&entry)
		case tagIntermediate:
			w.tell(body)
		default:
			if w.result, err = parseResult(tag, body, controls); err != nil {
				return err
			}
			w.result.References = w.others
			c.finish(id, w)
		}
	}
}

func (w *call) give(e *Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.entry != nil {
		w.err = w.entry(e)
	}
}

func (w *call) tell(body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.info != nil {
		w.err = w.info(parseIntermediate(body))
	}
}

func (c *Conn) finish(id int64, w *call) {
	c.mu.Lock()
	_, open := c.calls[id]
	delete(c.calls, id)
	if open && c.pending.Add(-1) == 0 {
		_ = c.nc.SetReadDeadline(time.Time{})
	}
	c.mu.Unlock()
	if open {
		close(w.done)
	}
}

// fail ends the connection; the first reason counts.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		_ = c.nc.Close()
	}
}

// PagedControl is the control of RFC 2696 for a request.
const PagedControl = "1.2.840.113556.1.4.319"

// Paged returns the control that asks for a page.
func Paged(size int, cookie []byte) Control {
	b, at := ber.Open(nil, ber.Sequence)
	b = ber.Int(b, ber.Integer, int64(size))
	return Control{OID: PagedControl, Critical: true, Value: ber.Shut(ber.Text(b, ber.OctetString, cookie), at)}
}

// PagedCookie returns the cookie of an answer, empty after the last page.
func PagedCookie(r *Result) []byte {
	value, _ := r.Control(PagedControl)
	_, body, _ := ber.Next(value)
	_, _, body = ber.Next(body)
	_, cookie, _ := ber.Next(body)
	return cookie
}
