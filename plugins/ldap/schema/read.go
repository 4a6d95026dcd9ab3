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

// Read asks the server for its schema.
func Read(ctx context.Context, c *dc.Conn) (*Schema, error) {
	if c.Root.Schema == "" {
		return readSubSchema(ctx, c)
	}
	s := newSchema()
	request := wire.Search{
		Base: c.Root.Schema, Scope: wire.ScopeOne,
		Filter: filter.Or(filter.Equal("objectClass", "attributeSchema"), filter.Equal("objectClass", "classSchema")).Bytes(),
		Attributes: []string{"lDAPDisplayName", "attributeSyntax", "oMSyntax", "isSingleValued", "rangeUpper", "systemOnly",
			"searchFlags", "systemFlags", "linkID", "subClassOf", "auxiliaryClass", "systemAuxiliaryClass",
			"mayContain", "systemMayContain", "mustContain", "systemMustContain"},
	}
	var cookie []byte
	for {
		result, err := c.Search(ctx, request, func(e *wire.Entry) error {
			s.addEntry(e)
			return nil
		}, wire.Paged(1000, cookie))
		if err == nil {
			err = result.Err()
		}
		if err != nil {
			return nil, err
		}
		if cookie = wire.PagedCookie(result); len(cookie) == 0 {
			return s, nil
		}
	}
}

func (s *Schema) addEntry(e *wire.Entry) {
	values := make(map[string][]string, len(e.Attributes))
	for _, a := range e.Attributes {
		values[strings.ToLower(a.Name)] = a.Values
	}
	first := func(name string) string {
		if v := values[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	number := func(name string) int {
		n, _ := strconv.Atoi(first(name)) // absent means 0
		return n
	}
	name := first("ldapdisplayname")
	if name == "" {
		return
	}
	if syntax := first("attributesyntax"); syntax != "" {
		const constructed, backLink = 4, 1
		a := &Attribute{
			Name: name, Kind: kindOf(syntax, number("omsyntax")), Multi: first("issinglevalued") == "FALSE",
			Indexed: number("searchflags")&1 != 0,
			ReadOnly: first("systemonly") == "TRUE" || number("systemflags")&constructed != 0 ||
				first("linkid") != "" && number("linkid")&backLink != 0,
		}
		if a.Kind != Integer {
			a.Max = number("rangeupper")
		}
		s.add(a)
		return
	}
	s.classes[strings.ToLower(name)] = &class{
		name: name, superior: first("subclassof"),
		auxiliary:  slices.Concat(values["auxiliaryclass"], values["systemauxiliaryclass"]),
		attributes: slices.Concat(values["maycontain"], values["systemmaycontain"], values["mustcontain"], values["systemmustcontain"]),
	}
}

// kindOf is the table of MS-ADTS 3.1.1.2.2.2.
func kindOf(syntax string, om int) Kind {
	switch strings.TrimPrefix(syntax, "2.5.5.") {
	case "1":
		return Reference
	case "3", "6":
		return ExactString
	case "5":
		if om == 22 { // IA5
			return ExactString
		}
	case "8":
		return Boolean
	case "9", "16":
		return Integer
	case "10", "15":
		return Binary
	case "11":
		return Timestamp
	case "17":
		return SID
	}
	return String
}
