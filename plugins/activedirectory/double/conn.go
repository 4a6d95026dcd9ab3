package double

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ber"
)

// maxMessage is Active Directory's MaxReceiveBuffer.
const maxMessage = 10 << 20

// Operations of RFC 4511, by the tag of their request.
const (
	bindRequest     = 0x60
	unbindRequest   = 0x42
	searchRequest   = 0x63
	modifyRequest   = 0x66
	addRequest      = 0x68
	deleteRequest   = 0x4a
	renameRequest   = 0x6c
	compareRequest  = 0x6e
	abandonRequest  = 0x50
	extendedRequest = 0x77
)

const (
	oidStartTLS = "1.3.6.1.4.1.1466.20037"
	oidWhoAmI   = "1.3.6.1.4.1.4203.1.11.3"
)

// A session is one connection with who is bound on it. One goroutine owns it:
// requests are done in the order they come, and their answers leave together
// when no further request waits.
type session struct {
	server *Server
	dir    *directory
	conn   net.Conn
	in     *bufio.Reader
	out    []byte // answers not yet sent
	sealed bool
	who    identity
	pagers map[string]*pager
}

var errUnbound = errors.New("unbound")

func (s *Server) serve(c net.Conn, sealed bool) {
	ses := &session{server: s, dir: s.dir, conn: c, in: bufio.NewReaderSize(c, 64<<10), sealed: sealed, pagers: map[string]*pager{}}
	var buf []byte
	for {
		var err error
		if buf, err = ses.read(buf); err != nil {
			return
		}
		if err := ses.message(string(buf)); err != nil {
			_ = ses.flush() // the peer may be gone
			return
		}
		if len(ses.out) > 256<<10 || !ses.waiting() {
			if ses.flush() != nil {
				return
			}
		}
	}
}

// read returns the body of the next LDAPMessage, in buf if it fits.
func (s *session) read(buf []byte) ([]byte, error) {
	head, err := s.in.Peek(2)
	if err != nil {
		return nil, err
	}
	tag, hl, n, err := ber.Header(head)
	if err == nil && hl == 0 {
		if head, err = s.in.Peek(2 + int(head[1]&0x7f)); err != nil {
			return nil, err
		}
		tag, hl, n, err = ber.Header(head)
	}
	if err != nil || tag != ber.Sequence || n > maxMessage {
		return nil, fmt.Errorf("not an LDAP message: tag %#x, length %d: %w", tag, n, err)
	}
	if _, err := s.in.Discard(hl); err != nil {
		return nil, err
	}
	if cap(buf) < n {
		buf = make([]byte, n+n/2)
	}
	buf = buf[:n]
	_, err = io.ReadFull(s.in, buf)
	return buf, err
}

// waiting reports whether a whole further request is already here.
func (s *session) waiting() bool {
	n := s.in.Buffered()
	if n < 2 {
		return false
	}
	head, err := s.in.Peek(min(n, 6))
	if err != nil {
		return false
	}
	_, hl, body, err := ber.Header(head)
	return err == nil && hl > 0 && n >= hl+body
}

func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.conn.Write(s.out)
	if cap(s.out) > 1<<20 {
		s.out = nil
	}
	s.out = s.out[:0]
	return err
}

// message does one request. An error ends the connection.
func (s *session) message(m string) error {
	idBody, rest, err := ber.Expect(m, ber.Integer)
	if err != nil {
		return err
	}
	id := ber.Int(idBody)
	op, body, rest, err := ber.Read(rest)
	if err != nil {
		return err
	}
	switch op {
	case unbindRequest:
		return errUnbound
	case abandonRequest:
		return nil // what could be abandoned is already done
	}
	hit := s.server.faults.next(op, body)
	if hit.Delay > 0 {
		if err := s.flush(); err != nil {
			return err
		}
		time.Sleep(hit.Delay) // the fault asked for is that the server is slow
	}
	switch hit.Do {
	case DropBefore:
		return errUnbound
	case AnswerBusy:
		s.answer(id, responseTag(op), svcErr(busy, 0x200e, "5001 (BUSY)"), nil)
		return nil
	case AnswerUnavailable:
		s.answer(id, responseTag(op), svcErr(unavailable, 0x200f, "5002 (UNAVAILABLE)"), nil)
		return nil
	}
	before := len(s.out)
	err = s.do(id, op, body, rest)
	s.server.done.Add(1)
	if hit.Do == DropAfter {
		s.out = s.out[:before]
		return errUnbound
	}
	return err
}

func (s *session) do(id int64, op byte, body, rest string) error {
	c, r := parseControls(rest)
	var responseControls []byte
	switch {
	case r.code != success:
	case op == bindRequest:
		r = s.bind(body)
	case op == extendedRequest:
		return s.extended(id, body)
	case op == searchRequest:
		r, responseControls = s.search(id, body, c)
	case !s.who.bound:
		r = notBound()
	case op == modifyRequest:
		r = s.modify(body, &c)
	case op == addRequest:
		r = s.add(body)
	case op == deleteRequest:
		r = s.remove(body, &c)
	case op == renameRequest:
		r = s.rename(body)
	case op == compareRequest:
		r = s.compare(body)
	default:
		return fmt.Errorf("operation %#x", op)
	}
	s.answer(id, responseTag(op), r, responseControls)
	return nil
}

// responseTag is the request's plus one, but for three of the operations.
func responseTag(op byte) byte {
	switch op {
	case searchRequest:
		return 0x65
	case deleteRequest:
		return 0x6b
	case extendedRequest:
		return 0x78
	}
	return op + 1
}

// answer writes a response of the LDAPResult kind.
func (s *session) answer(id int64, tag byte, r result, controls []byte) {
	b, msg := ber.Begin(s.out, ber.Sequence)
	b = ber.AppendInt(b, ber.Integer, id)
	b, op := ber.Begin(b, tag)
	b = ber.AppendInt(b, ber.Enumerated, int64(r.code))
	b = ber.Append(b, ber.Octets, r.matched)
	b = ber.Append(b, ber.Octets, r.message)
	b = ber.End(b, op)
	b = append(b, controls...)
	s.out = ber.End(b, msg)
}

// extended does StartTLS and who-am-I.
func (s *session) extended(id int64, body string) error {
	oid, _, err := ber.Expect(body, 0x80)
	if err != nil {
		return err
	}
	switch {
	case oid == oidStartTLS && !s.sealed:
		s.answerExtended(id, result{}, oid)
		if err := s.flush(); err != nil {
			return err
		}
		t := tls.Server(s.conn, s.server.tls)
		if err := t.Handshake(); err != nil {
			return err
		}
		s.conn, s.sealed = t, true
		s.in.Reset(t)
		return nil
	case oid == oidStartTLS:
		s.answerExtended(id, ldapErr(operationsError, 0, "TLS or SSL already in effect"), oid)
		return nil
	case oid == oidWhoAmI:
		authz := ""
		if s.who.object != nil {
			authz = "u:" + s.dir.netBIOS + `\` + s.who.object.one(s.dir.at.sAMAccountName)
		}
		b, msg := ber.Begin(s.out, ber.Sequence)
		b = ber.AppendInt(b, ber.Integer, id)
		b, op := ber.Begin(b, 0x78)
		b = ber.AppendInt(b, ber.Enumerated, success)
		b = ber.Append(b, ber.Octets, "")
		b = ber.Append(b, ber.Octets, "")
		b = ber.Append(b, 0x8b, authz)
		b = ber.End(b, op)
		s.out = ber.End(b, msg)
		return nil
	}
	s.answerExtended(id, ldapErr(protocolError, 0x57, "Unknown extended request OID"), oid)
	return nil
}

func (s *session) answerExtended(id int64, r result, oid string) {
	b, msg := ber.Begin(s.out, ber.Sequence)
	b = ber.AppendInt(b, ber.Integer, id)
	b, op := ber.Begin(b, 0x78)
	b = ber.AppendInt(b, ber.Enumerated, int64(r.code))
	b = ber.Append(b, ber.Octets, "")
	b = ber.Append(b, ber.Octets, r.message)
	b = ber.Append(b, 0x8a, oid)
	b = ber.End(b, op)
	s.out = ber.End(b, msg)
}

// compare does a CompareRequest.
func (s *session) compare(body string) result {
	name, rest, err := ber.Expect(body, ber.Octets)
	if err != nil {
		return malformed(err)
	}
	ava, _, err := ber.Expect(rest, ber.Sequence)
	if err != nil {
		return malformed(err)
	}
	attr, rest, err := ber.Expect(ava, ber.Octets)
	if err != nil {
		return malformed(err)
	}
	value, _, err := ber.Expect(rest, ber.Octets)
	if err != nil {
		return malformed(err)
	}
	d := s.dir
	d.mu.RLock()
	defer d.mu.RUnlock()
	o, best, ok := d.lookup(name)
	switch {
	case !ok:
		return badDN()
	case o == nil:
		return noObject(best)
	}
	f := d.compare(opEqual, attr, value)
	if d.matches(&f, o) {
		return result{code: compareTrue}
	}
	return result{code: compareFalse}
}

func malformed(err error) result {
	return ldapErr(protocolError, 0x57, "Error decoding ldap message: "+err.Error())
}

func notBound() result {
	return ldapErr(operationsError, 0x4dc, "In order to perform this operation a successful bind must be completed on the connection.")
}

func madePassword() string { return "Aa1!" + rand.Text() }
