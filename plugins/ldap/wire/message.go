package wire

import (
	"github.com/drawbridge-id/drawbridge/plugins/ldap/ber"
)

// Tags of requests and answers, RFC 4511, appendix B.
const (
	tagBind           = 0x60
	tagUnbind         = 0x42
	tagSearch         = 0x63
	tagEntry          = 0x64
	tagSearchDone     = 0x65
	tagModify         = 0x66
	tagAdd            = 0x68
	tagDelete         = 0x4a
	tagRename         = 0x6c
	tagReference      = 0x73
	tagAbandon        = 0x50
	tagExtended       = 0x77
	tagExtendedAnswer = 0x78
	tagIntermediate   = 0x79
	tagControls       = 0xa0
)

// A Request is one of the types below.
type Request interface{ appendTo(b []byte) []byte }

// An Attribute has a name and values, which are bytes whatever the syntax.
type Attribute struct {
	Name   string
	Values []string
}

// Add makes an entry.
type Add struct {
	DN         string
	Attributes []Attribute
}

// The kinds of change.
const (
	ChangeAdd     = 0
	ChangeDelete  = 1
	ChangeReplace = 2
)

// A Change is one part of a Modify.
type Change struct {
	Kind int
	Attribute
}

// Modify makes all changes or none.
type Modify struct {
	DN      string
	Changes []Change
}

// Rename gives an entry another RDN, the old one going, and another superior
// unless that is empty.
type Rename struct{ DN, RDN, Superior string }

// Delete removes a leaf.
type Delete struct{ DN string }

// The scopes of a search.
const (
	ScopeBase    = 0
	ScopeOne     = 1
	ScopeSubtree = 2
)

// Search asks for entries. Filter is BER, see package filter.
type Search struct {
	Base       string
	Scope      int
	SizeLimit  int // 0: none
	Filter     []byte
	Attributes []string
}

// Extended asks for what RFC 4511 does not have. A nil Value is absent.
type Extended struct {
	OID   string
	Value []byte
}

// bindSimple and bindSASL authenticate; nothing else may be under way.
type (
	bindSimple struct{ name, password string }
	bindSASL   struct {
		mechanism   string
		credentials []byte
	}
	abandon struct{ id int64 }
	unbind  struct{}
)

// A Control goes with a request or an answer. A nil Value is absent.
type Control struct {
	OID      string
	Critical bool
	Value    []byte
}

func appendMessage(b []byte, id int64, r Request, controls []Control) []byte {
	b, message := ber.Open(b, ber.Sequence)
	b = r.appendTo(ber.Int(b, ber.Integer, id))
	if len(controls) > 0 {
		var list, one int
		b, list = ber.Open(b, tagControls)
		for _, c := range controls {
			b, one = ber.Open(b, ber.Sequence)
			b = ber.Text(b, ber.OctetString, c.OID)
			if c.Critical {
				b = ber.Bool(b, ber.Boolean, true)
			}
			if c.Value != nil {
				b = ber.Text(b, ber.OctetString, c.Value)
			}
			b = ber.Shut(b, one)
		}
		b = ber.Shut(b, list)
	}
	return ber.Shut(b, message)
}

func (a Attribute) appendTo(b []byte) []byte {
	b, seq := ber.Open(b, ber.Sequence)
	b = ber.Text(b, ber.OctetString, a.Name)
	b, set := ber.Open(b, ber.Set)
	for _, v := range a.Values {
		b = ber.Text(b, ber.OctetString, v)
	}
	return ber.Shut(ber.Shut(b, set), seq)
}

func (r Add) appendTo(b []byte) []byte {
	b, op := ber.Open(b, tagAdd)
	b = ber.Text(b, ber.OctetString, r.DN)
	b, list := ber.Open(b, ber.Sequence)
	for _, a := range r.Attributes {
		b = a.appendTo(b)
	}
	return ber.Shut(ber.Shut(b, list), op)
}

func (r Modify) appendTo(b []byte) []byte {
	b, op := ber.Open(b, tagModify)
	b = ber.Text(b, ber.OctetString, r.DN)
	b, list := ber.Open(b, ber.Sequence)
	for _, c := range r.Changes {
		var one int
		b, one = ber.Open(b, ber.Sequence)
		b = ber.Int(b, ber.Enumerated, int64(c.Kind))
		b = ber.Shut(c.Attribute.appendTo(b), one)
	}
	return ber.Shut(ber.Shut(b, list), op)
}

func (r Rename) appendTo(b []byte) []byte {
	b, op := ber.Open(b, tagRename)
	b = ber.Text(b, ber.OctetString, r.DN)
	b = ber.Text(b, ber.OctetString, r.RDN)
	b = ber.Bool(b, ber.Boolean, true)
	if r.Superior != "" {
		b = ber.Text(b, 0x80, r.Superior)
	}
	return ber.Shut(b, op)
}

func (r Delete) appendTo(b []byte) []byte { return ber.Text(b, tagDelete, r.DN) }

func (r Search) appendTo(b []byte) []byte {
	b, op := ber.Open(b, tagSearch)
	b = ber.Text(b, ber.OctetString, r.Base)
	b = ber.Int(b, ber.Enumerated, int64(r.Scope))
	b = ber.Int(b, ber.Enumerated, 0) // aliases are not followed
	b = ber.Int(b, ber.Integer, int64(r.SizeLimit))
	b = ber.Int(b, ber.Integer, 0)
	b = ber.Bool(b, ber.Boolean, false)
	b = append(b, r.Filter...)
	b, list := ber.Open(b, ber.Sequence)
	for _, name := range r.Attributes {
		b = ber.Text(b, ber.OctetString, name)
	}
	return ber.Shut(ber.Shut(b, list), op)
}

func (r bindSimple) appendTo(b []byte) []byte {
	b, op := ber.Open(b, tagBind)
	b = ber.Int(b, ber.Integer, 3)
	b = ber.Text(b, ber.OctetString, r.name)
	return ber.Shut(ber.Text(b, 0x80, r.password), op)
}

func (r bindSASL) appendTo(b []byte) []byte {
	b, op := ber.Open(b, tagBind)
	b = ber.Int(b, ber.Integer, 3)
	b = ber.Text(b, ber.OctetString, "")
	b, sasl := ber.Open(b, 0xa3)
	b = ber.Text(b, ber.OctetString, r.mechanism)
	if r.credentials != nil {
		b = ber.Text(b, ber.OctetString, r.credentials)
	}
	return ber.Shut(ber.Shut(b, sasl), op)
}

func (r Extended) appendTo(b []byte) []byte {
	b, op := ber.Open(b, tagExtended)
	b = ber.Text(b, 0x80, r.OID)
	if r.Value != nil {
		b = ber.Text(b, 0x81, r.Value)
	}
	return ber.Shut(b, op)
}

func (r abandon) appendTo(b []byte) []byte { return ber.Int(b, tagAbandon, r.id) }

func (unbind) appendTo(b []byte) []byte { return append(b, tagUnbind, 0) }
