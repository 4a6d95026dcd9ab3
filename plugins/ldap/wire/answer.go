package wire

import (
	"bufio"
	"fmt"
	"io"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/ber"
)

// Result codes that callers branch on, RFC 4511, appendix A.
const (
	Success                     = 0
	OperationsError             = 1
	TimeLimitExceeded           = 3
	SizeLimitExceeded           = 4
	AuthMethodNotSupported      = 7
	StrongerAuthRequired        = 8
	Referral                    = 10
	AdminLimitExceeded          = 11
	UnavailableExtension        = 12
	ConfidentialityRequired     = 13
	saslBindInProgress          = 14
	NoSuchAttribute             = 16
	UndefinedAttributeType      = 17
	ConstraintViolation         = 19
	AttributeOrValueExists      = 20
	InvalidAttributeSyntax      = 21
	NoSuchObject                = 32
	InvalidDNSyntax             = 34
	InappropriateAuthentication = 48
	InvalidCredentials          = 49
	InsufficientAccessRights    = 50
	Busy                        = 51
	Unavailable                 = 52
	UnwillingToPerform          = 53
	NamingViolation             = 64
	ObjectClassViolation        = 65
	NotAllowedOnNonLeaf         = 66
	EntryAlreadyExists          = 68
	ObjectClassModsProhibited   = 69
	AffectsMultipleDSAs         = 71
	Other                       = 80
	AssertionFailed             = 122 // RFC 4528
)

// maxMessage bounds what a server can make us hold: 64 MiB.
const maxMessage = 64 << 20

// A Result is what a server answered.
type Result struct {
	Code      int
	MatchedDN string
	Message   string // diagnostic
	Referrals []string
	Controls  []Control

	// References are what a search found to lie on other servers, at most a
	// hundred. They are not followed.
	References []string

	credentials []byte // of a SASL bind
}

// Err returns the result as an error, nil if it is success.
func (r *Result) Err() error {
	if r.Code == Success {
		return nil
	}
	return &ResultError{Result: *r}
}

// Control returns the value of a control of the answer.
func (r *Result) Control(oid string) ([]byte, bool) {
	for _, c := range r.Controls {
		if c.OID == oid {
			return c.Value, true
		}
	}
	return nil, false
}

// A ResultError is a result other than success.
type ResultError struct{ Result }

func (e *ResultError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("LDAP result %d", e.Code)
	}
	return fmt.Sprintf("LDAP result %d: %s", e.Code, e.Message)
}

// A LostError says that the connection broke. Sent tells whether the request
// may have reached the server.
type LostError struct {
	Sent bool
	Err  error
}

func (e *LostError) Error() string {
	if e.Sent {
		return "connection lost before the answer came: " + e.Err.Error()
	}
	return "connection lost: " + e.Err.Error()
}

// Unwrap returns what broke the connection.
func (e *LostError) Unwrap() error { return e.Err }

// An Entry is one found entry. Its strings are the caller's to keep; its
// slices are used again for the next entry.
type Entry struct {
	DN         string
	Attributes []Attribute

	controls []byte
}

// Control returns the value of a control that came with the entry, valid as
// long as the entry's slices.
func (e *Entry) Control(oid string) ([]byte, bool) {
	for rest := e.controls; len(rest) > 0; {
		var one, part []byte
		_, one, rest = ber.Next(rest)
		if _, part, one = ber.Next(one); string(part) != oid {
			continue
		}
		for len(one) > 0 {
			var tag byte
			if tag, part, one = ber.Next(one); tag == ber.OctetString {
				return part, true
			}
		}
		return nil, true
	}
	return nil, false
}

// Values returns the values of an attribute in this very spelling.
func (e *Entry) Values(name string) []string {
	for i := range e.Attributes {
		if e.Attributes[i].Name == name {
			return e.Attributes[i].Values
		}
	}
	return nil
}

// Value returns the first of [Entry.Values], or "".
func (e *Entry) Value(name string) string {
	if v := e.Values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Clone returns an entry that shares no slice with e.
func (e *Entry) Clone() *Entry {
	c := &Entry{DN: e.DN, Attributes: make([]Attribute, len(e.Attributes))}
	for i, a := range e.Attributes {
		c.Attributes[i] = Attribute{Name: a.Name, Values: append([]string(nil), a.Values...)}
	}
	return c
}

// readMessage reads one message into buf, which may grow, and returns its
// contents, without the outer header.
func readMessage(r *bufio.Reader, buf []byte) ([]byte, error) {
	var tag byte
	var size, n int
	for want := 2; size == 0; want++ {
		head, err := r.Peek(want)
		if err != nil {
			return buf, err
		}
		if tag, size, n, err = ber.Header(head); err != nil {
			return buf, err
		}
	}
	if tag != ber.Sequence || n > maxMessage {
		return buf, fmt.Errorf("%w: message with tag 0x%x and %d bytes", ber.ErrMalformed, tag, n)
	}
	if _, err := r.Discard(size); err != nil {
		return buf, err
	}
	if cap(buf) < n {
		buf = make([]byte, n, 2*n)
	}
	buf = buf[:n]
	_, err := io.ReadFull(r, buf)
	return buf, err
}

// split takes a message apart.
func split(message []byte) (id int64, tag byte, body, controls []byte, err error) {
	kind, number, rest := ber.Next(message)
	id, ok := ber.ParseInt(number)
	if kind != ber.Integer || !ok {
		return 0, 0, nil, nil, ber.ErrMalformed
	}
	tag, body, rest = ber.Next(rest)
	if tag == 0 {
		return 0, 0, nil, nil, ber.ErrMalformed
	}
	if kind, list, _ := ber.Next(rest); kind == tagControls {
		controls = list
	}
	return id, tag, body, controls, nil
}

// parse fills e from the contents of a search entry. All its strings share one
// allocation.
func (e *Entry) parse(body []byte, values []string) ([]string, error) {
	all := string(body)
	view := func(part []byte) string { // part is a slice of body
		at := cap(body) - cap(part)
		return all[at : at+len(part)]
	}
	tag, name, rest := ber.Next(body)
	kind, list, _ := ber.Next(rest)
	if tag != ber.OctetString || kind != ber.Sequence {
		return values, ber.ErrMalformed
	}
	e.DN, e.Attributes, values = view(name), e.Attributes[:0], values[:0]
	for len(list) > 0 {
		var one []byte
		if tag, one, list = ber.Next(list); tag != ber.Sequence {
			return values, ber.ErrMalformed
		}
		tag, name, rest = ber.Next(one)
		kind, set, _ := ber.Next(rest)
		if tag != ber.OctetString || kind != ber.Set {
			return values, ber.ErrMalformed
		}
		from := len(values)
		for len(set) > 0 {
			var v []byte
			if tag, v, set = ber.Next(set); tag != ber.OctetString {
				return values, ber.ErrMalformed
			}
			values = append(values, view(v))
		}
		e.Attributes = append(e.Attributes, Attribute{Name: view(name), Values: values[from:len(values):len(values)]})
	}
	return values, nil
}

// parseURLs reads the URLs of a reference.
func parseURLs(body []byte) (urls []string) {
	for len(body) > 0 {
		var url []byte
		_, url, body = ber.Next(body)
		urls = append(urls, string(url))
	}
	return urls
}

// parseIntermediate reads an IntermediateResponse, RFC 4511, 4.13.
func parseIntermediate(body []byte) (oid string, value []byte) {
	for len(body) > 0 {
		var kind byte
		var part []byte
		switch kind, part, body = ber.Next(body); kind {
		case 0x80:
			oid = string(part)
		case 0x81:
			value = part
		}
	}
	return oid, value
}

// parseResult reads an LDAPResult, whatever answer holds it.
func parseResult(tag byte, body, controls []byte) (*Result, error) {
	kind, code, rest := ber.Next(body)
	value, ok := ber.ParseInt(code)
	if kind != ber.Enumerated || !ok {
		return nil, ber.ErrMalformed
	}
	_, matched, rest := ber.Next(rest)
	kind, message, rest := ber.Next(rest)
	if kind != ber.OctetString {
		return nil, ber.ErrMalformed
	}
	for len(message) > 0 && message[len(message)-1] == 0 { // Windows ends it with NUL
		message = message[:len(message)-1]
	}
	r := &Result{Code: int(value), MatchedDN: string(matched), Message: string(message)}
	for len(rest) > 0 {
		var part []byte
		switch kind, part, rest = ber.Next(rest); {
		case kind == 0xa3:
			r.Referrals = parseURLs(part)
		case kind == 0x87 && tag != tagExtendedAnswer:
			r.credentials = append([]byte{}, part...)
		}
	}
	for len(controls) > 0 {
		var one, part []byte
		_, one, controls = ber.Next(controls)
		_, part, one = ber.Next(one)
		c := Control{OID: string(part)}
		for len(one) > 0 {
			switch kind, part, one = ber.Next(one); kind {
			case ber.Boolean:
				c.Critical = len(part) == 1 && part[0] != 0
			case ber.OctetString:
				c.Value = append([]byte{}, part...)
			}
		}
		r.Controls = append(r.Controls, c)
	}
	return r, nil
}
