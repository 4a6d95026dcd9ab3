package schema

import (
	"context"
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
	syntaxes, superiors := map[string]string{}, map[string]string{}
	for _, text := range attributes {
		d := parseDescription(text)
		for _, name := range d["NAME"] {
			key := strings.ToLower(name)
			syntax, limit, _ := strings.Cut(strings.Join(d["SYNTAX"], ""), "{")
			syntaxes[key], superiors[key] = syntax, strings.ToLower(strings.Join(d["SUP"], ""))
			most, _ := strconv.Atoi(strings.TrimSuffix(limit, "}")) // absent means 0
			_, single := d["SINGLE-VALUE"]
			_, fixed := d["NO-USER-MODIFICATION"]
			s.add(&Attribute{Name: name, Multi: !single, ReadOnly: fixed, Max: most})
		}
	}
	for key, a := range s.attributes {
		if _, known := syntaxes[key]; known && a.Kind == String {
			from := key
			for i := 0; i < 8 && syntaxes[from] == "" && superiors[from] != ""; i++ {
				from = superiors[from]
			}
			a.Kind = kindOfSyntax(syntaxes[from])
		}
	}
	for _, text := range classes {
		d := parseDescription(text)
		for _, name := range d["NAME"] {
			s.classes[strings.ToLower(name)] = &class{
				name: name, superior: strings.Join(d["SUP"][:min(1, len(d["SUP"]))], ""),
				attributes: append(d["MUST"], d["MAY"]...),
			}
		}
	}
	return s
}

func kindOfSyntax(oid string) Kind {
	switch strings.TrimPrefix(oid, "1.3.6.1.4.1.1466.115.121.1.") {
	case "5", "8", "28", "40":
		return Binary
	case "7":
		return Boolean
	case "12":
		return Reference
	case "24", "53":
		return Timestamp
	case "27":
		return Integer
	case "26":
		return ExactString
	}
	return String
}

// parseDescription splits what RFC 4512, 4.1, writes for an attribute type or
// an object class into its keywords.
func parseDescription(text string) map[string][]string {
	d := map[string][]string{}
	keyword := ""
	for _, field := range strings.Fields(strings.NewReplacer("(", " ", ")", " ", "$", " ").Replace(text)) {
		switch {
		case strings.HasPrefix(field, "'"):
			d[keyword] = append(d[keyword], strings.Trim(field, "'"))
		case keyword != "DESC" && (keyword == "SUP" || keyword == "MUST" || keyword == "MAY" || keyword == "SYNTAX") && !isKeyword(field):
			d[keyword] = append(d[keyword], field)
		case isKeyword(field):
			keyword = field
			if _, known := d[keyword]; !known {
				d[keyword] = nil
			}
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
