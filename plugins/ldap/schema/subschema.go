package schema

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
)

// readSubSchema reads the schema of a server that is no Active Directory.
func readSubSchema(ctx context.Context, c *dc.Conn) (*Schema, error) {
	var attributes, classes []string
	result, err := c.Search(ctx, wire.Search{
		Base: c.Root.SubSchema, Scope: wire.ScopeBase, Filter: filter.Present("objectClass").Bytes(),
		Attributes: []string{"attributeTypes", "objectClasses"},
	}, func(e *wire.Entry) error {
		for _, a := range e.Clone().Attributes {
			switch strings.ToLower(a.Name) {
			case "attributetypes":
				attributes = a.Values
			case "objectclasses":
				classes = a.Values
			}
		}
		return nil
	})
	if err == nil {
		err = result.Err()
	}
	if err != nil {
		return nil, err
	}
	return parseSubSchema(attributes, classes), nil
}

func parseSubSchema(attributes, classes []string) *Schema {
	s := newSchema()
	known := map[string]description{} // of attributes, by every name and OID in lower case
	for _, text := range attributes {
		d := parseDescription(text)
		for _, name := range d.names() {
			known[strings.ToLower(name)] = d
		}
	}
	for _, text := range attributes {
		d := parseDescription(text)
		syntax, limit, _ := strings.Cut(inherited(known, d, "SYNTAX"), "{")
		rule := inherited(known, d, "EQUALITY")
		most, _ := strconv.Atoi(strings.TrimSuffix(limit, "}")) // absent means 0
		_, single := d.words["SINGLE-VALUE"]
		_, fixed := d.words["NO-USER-MODIFICATION"]
		for i, name := range d.words["NAME"] {
			a := &Attribute{
				Name: name, Kind: kindOfSyntax(syntax, rule), Multi: !single, ReadOnly: fixed, Max: most,
				Unmatched: rule == "",
			}
			if i > 0 {
				a.Canonical = d.words["NAME"][0]
			}
			s.add(a)
		}
	}
	for _, text := range classes {
		d := parseDescription(text)
		names := d.names()
		for _, name := range names {
			s.classes[strings.ToLower(name)] = &class{
				name: names[0], superior: d.first("SUP"), required: d.words["MUST"],
				attributes: slices.Concat(d.words["MUST"], d.words["MAY"]),
			}
		}
	}
	return s
}

// inherited is what an attribute says, or the one it is derived from.
func inherited(known map[string]description, d description, word string) string {
	for range 16 {
		if v := d.first(word); v != "" {
			return v
		}
		above, ok := known[strings.ToLower(d.first("SUP"))]
		if !ok {
			return ""
		}
		d = above
	}
	return ""
}

// kindOfSyntax is the table of RFC 4517, 3.3, and of the matching rules, which
// say whether case counts. A syntax that is not in it is text.
func kindOfSyntax(oid, rule string) Kind {
	switch strings.TrimPrefix(oid, "1.3.6.1.4.1.1466.115.121.1.") {
	case "5", "8", "23", "28", "40":
		return Binary
	case "7":
		return Boolean
	case "12":
		return Reference
	case "24", "53":
		return Timestamp
	case "27":
		return Integer
	}
	switch {
	case strings.HasPrefix(rule, "caseExact"), strings.HasPrefix(rule, "octetString"):
		return ExactString
	case strings.HasPrefix(rule, "caseIgnore"):
		return String
	case strings.HasSuffix(oid, ".121.1.26"):
		return ExactString
	}
	return String
}

// A description is what RFC 4512, 4.1, writes for an attribute type or an
// object class: an OID, and words with their values.
type description struct {
	oid   string
	words map[string][]string
}

func (d description) first(word string) string {
	if v := d.words[word]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// names are the names and, last, the OID, by which others may speak of it.
func (d description) names() []string { return append(slices.Clip(d.words["NAME"]), d.oid) }

func parseDescription(text string) description {
	d := description{words: map[string][]string{}}
	word := ""
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeft(text, " \t\n") {
		var token string
		quoted := text[0] == '\''
		switch {
		case quoted: // what a person wrote, brackets and words of ours included
			token, text, _ = strings.Cut(text[1:], "'")
		case strings.IndexByte("()$", text[0]) >= 0:
			text = text[1:]
			continue
		default:
			end := strings.IndexAny(text, " ()$\t\n")
			if end < 0 {
				end = len(text)
			}
			token, text = text[:end], text[end:]
		}
		switch {
		case quoted:
			d.words[word] = append(d.words[word], token)
		case isKeyword(token):
			word = token
			d.words[word] = append([]string{}, d.words[word]...)
		case word == "":
			d.oid = token
		default:
			d.words[word] = append(d.words[word], token)
		}
	}
	return d
}

func isKeyword(field string) bool {
	switch field {
	case "NAME", "DESC", "OBSOLETE", "SUP", "EQUALITY", "ORDERING", "SUBSTR", "SYNTAX", "SINGLE-VALUE", "COLLECTIVE",
		"NO-USER-MODIFICATION", "USAGE", "ABSTRACT", "STRUCTURAL", "AUXILIARY", "MUST", "MAY":
		return true
	}
	return strings.HasPrefix(field, "X-")
}
