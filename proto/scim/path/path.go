// Package path reads and writes the two small languages of SCIM: attribute
// paths with value filters (RFC 7644, figure 7) and filters (figure 1).
//
//	name.givenName
//	emails[type eq "work"].value
//	urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department
//	userName eq "ada" and not (active eq false)
//
// A path has one canonical spelling, by which mappings name attributes. A
// filter can be matched against a resource or against one value of it; what a
// server makes of a filter is the server's.
//
// What may go wrong: text that is neither, which Parse and ParseFilter say with
// the place; never a panic, whatever the text (see the fuzz target).
package path

import (
	"fmt"
	"strings"
)

// A Path names an attribute, a part of it, or values of it. The zero Path names
// the whole resource.
type Path struct {
	Schema string  // URN before the attribute; empty for the core schema
	Attr   string  // attribute
	Filter *Filter // which values of it; nil for all
	Sub    string  // part of it
}

// Parse reads a path.
func Parse(text string) (Path, error) {
	p := &parser{text: text}
	path, err := p.path()
	if err == nil && p.at < len(text) {
		err = p.faultf("nothing more is expected")
	}
	if err != nil {
		return Path{}, fmt.Errorf("%q is no SCIM path: %w", text, err)
	}
	return path, nil
}

// String returns the canonical spelling.
func (p Path) String() string {
	var b strings.Builder
	b.WriteString(p.Schema)
	if p.Schema != "" && p.Attr != "" {
		b.WriteByte(':')
	}
	b.WriteString(p.Attr)
	if p.Filter != nil {
		b.WriteByte('[')
		b.WriteString(p.Filter.String())
		b.WriteByte(']')
	}
	if p.Sub != "" {
		b.WriteByte('.')
		b.WriteString(p.Sub)
	}
	return b.String()
}

// Parent is p without the part.
func (p Path) Parent() Path { p.Sub = ""; return p }

// Base is the attribute alone.
func (p Path) Base() Path { return Path{Schema: p.Schema, Attr: p.Attr} }

// Equal tells whether both name the same; names are compared without regard to
// case (RFC 7643, 2.1).
func (p Path) Equal(q Path) bool { return strings.EqualFold(p.String(), q.String()) }

// path reads a path up to what cannot belong to it.
func (p *parser) path() (Path, error) {
	var path Path
	name := p.word(func(c byte) bool { return nameChar(c) || c == ':' || c == '.' })
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		path.Schema, name = name[:i], name[i+1:]
		if !strings.HasPrefix(strings.ToLower(path.Schema), "urn:") {
			return path, p.faultf("what stands before the last colon is no URN")
		}
	}
	var dotted bool
	path.Attr, path.Sub, dotted = strings.Cut(name, ".")
	if !validName(path.Attr) || dotted && !validName(path.Sub) {
		return path, p.faultf("a name of an attribute is expected")
	}
	if !p.take("[") {
		return path, nil
	}
	if dotted {
		return path, p.faultf("a part of an attribute has no values to choose from")
	}
	var err error
	if path.Filter, err = p.or(); err != nil {
		return path, err
	}
	p.space()
	if !p.take("]") {
		return path, p.faultf("] is expected")
	}
	if p.take(".") {
		if path.Sub = p.word(nameChar); !validName(path.Sub) {
			return path, p.faultf("a name of a part is expected")
		}
	}
	return path, nil
}

func nameChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '$'
}

// validName is the rule of RFC 7643, 2.1, and $ref.
func validName(s string) bool {
	if s == "" || s != "$ref" && !(s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z') {
		return false
	}
	return s == "$ref" || !strings.ContainsAny(s, "$.:")
}
