package entra

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An Imported is what an exported synchronization schema became.
type Imported struct {
	// Document is YAML: for each synchronization rule a system that people come
	// from and one that they go to. What must be filled in is marked there.
	Document []byte
	// Notes says, one sentence each, what could not be carried over, and what
	// does it here.
	Notes []string
}

// The parts of a synchronization schema (Microsoft Graph, synchronizationSchema)
// that decide what is written; all else describes directories.
type (
	schemaFile struct {
		Rules []syncRule `json:"synchronizationRules"`
	}
	syncRule struct {
		Name    string          `json:"name"`
		Source  string          `json:"sourceDirectoryName"`
		Target  string          `json:"targetDirectoryName"`
		Objects []objectMapping `json:"objectMappings"`
	}
	objectMapping struct {
		Enabled    *bool              `json:"enabled"`
		Flows      string             `json:"flowTypes"`
		Source     string             `json:"sourceObjectName"`
		Target     string             `json:"targetObjectName"`
		Scope      *filter            `json:"scope"`
		Attributes []attributeMapping `json:"attributeMappings"`
	}
	filter struct {
		Groups []struct {
			Clauses []clause `json:"clauses"`
		} `json:"groups"`
	}
	clause struct {
		Operator string `json:"operatorName"`
		Source   string `json:"sourceOperandName"`
		Target   struct {
			Values []string `json:"values"`
		} `json:"targetOperand"`
	}
	attributeMapping struct {
		Target   string  `json:"targetAttributeName"`
		Default  *string `json:"defaultValue"`
		FlowType string  `json:"flowType"`
		Priority int     `json:"matchingPriority"`
		Source   struct {
			Expression string `json:"expression"`
			Name       string `json:"name"`
			Type       string `json:"type"`
		} `json:"source"`
	}
)

// Import turns an exported schema into documents. What cannot be carried over
// is left out and noted; an error means that the file is none at all.
func Import(file []byte) (Imported, error) {
	var s schemaFile
	if err := json.Unmarshal(file, &s); err != nil {
		return Imported{}, fmt.Errorf("this is no exported synchronization schema: %w", err)
	}
	im := importer{names: map[string]bool{}}
	for _, r := range s.Rules {
		for _, o := range r.Objects {
			if o.Enabled != nil && !*o.Enabled {
				im.note("%s: the mapping of %s is switched off, and was left out", r.Name, o.Source)
				continue
			}
			if !strings.EqualFold(o.Target, "user") && !strings.Contains(strings.ToLower(o.Source), "user") && !strings.Contains(strings.ToLower(o.Source), "worker") {
				im.note("%s: the mapping of %s to %s was left out: only people are carried over", r.Name, o.Source, o.Target)
				continue
			}
			im.object(r, o)
		}
	}
	if im.out.Len() == 0 {
		return Imported{}, errors.New(`the file has no mapping of people: export it from the provisioning job's attribute mappings ("Review your schema here", then Download)`)
	}
	return Imported{Document: []byte(im.out.String()), Notes: im.notes}, nil
}

type importer struct {
	out   strings.Builder
	notes []string
	names map[string]bool // of systems, given already
	// of the mapping at hand
	used      []string          // attributes of the source, in the order met
	paths     map[string]string // their paths in the directory
	extension []string          // paths that are not standard, ascending
}

func (im *importer) note(format string, args ...any) {
	im.notes = append(im.notes, fmt.Sprintf(format, args...))
}

// path gives the path in the directory of an attribute of the source.
func (im *importer) path(name string) string {
	if p, ok := im.paths[name]; ok {
		return p
	}
	p, ok := standardPaths[strings.ToLower(name)]
	if !ok {
		p = strings.Map(func(r rune) rune {
			if r < 0x80 && (isWord(byte(r)) || r == '_') {
				return r
			}
			return '_'
		}, name)
		if i, found := slices.BinarySearch(im.extension, p); !found {
			im.extension = slices.Insert(im.extension, i, p)
		}
	}
	im.used, im.paths[name] = append(im.used, name), p
	return p
}

// system gives a name for a system that no other has.
func (im *importer) system(name, otherwise string) string {
	name = strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == ' ', r == '-', r == '.':
			return '-'
		}
		return -1
	}, strings.ToLower(name)), "-")
	if name == "" {
		name = otherwise
	}
	unique := name
	for n := 2; im.names[unique]; n++ {
		unique = name + "-" + strconv.Itoa(n)
	}
	im.names[unique] = true
	return unique
}

// A line is a rule of the document to be.
type line struct{ attribute, value string }

// object writes the two systems of one mapping.
func (im *importer) object(r syncRule, o objectMapping) {
	im.used, im.paths, im.extension = nil, map[string]string{}, nil
	var target strings.Builder
	var rules []line
	name, container, match := "", "", line{}
	scope := im.scope(o.Scope)
	slices.SortStableFunc(o.Attributes, func(a, b attributeMapping) int { return matchOrder(a) - matchOrder(b) })
	for _, a := range o.Attributes {
		if a.Target == "" {
			continue
		}
		if by, ok := elsewhere[strings.ToLower(a.Target)]; ok {
			im.note("%s: %s was left out: %s", a.Target, a.Source.Expression, by)
			continue
		}
		text, err := im.expression(a)
		if err != nil {
			im.note("%s: %s was left out: %v", a.Target, a.Source.Expression, err)
			continue
		}
		if a.Priority > 0 {
			if match.attribute == "" {
				match = line{a.Target, text}
			} else {
				im.note("%s: people are matched by %s only; %s, of a lower priority, is not looked at", a.Target, match.attribute, a.Target)
			}
		}
		switch strings.ToLower(a.Target) {
		case "cn":
			name = text
		case "parentdistinguishedname":
			container = text
		default:
			rules = append(rules, line{a.Target, im.rule(a, text)})
		}
	}
	if name == "" {
		name = `join(" ", name.givenName, name.familyName)`
		im.note("cn: the schema has none; the name of accounts is made of first and last name: check it")
	}
	flows := strings.ToLower(o.Flows)
	if flows != "" && (!strings.Contains(flows, "add") || !strings.Contains(flows, "update") || !strings.Contains(flows, "delete")) {
		im.note("the job's flows are %q; here a target creates, changes and disables: see lifecycle and thresholds", o.Flows)
	}
	slices.SortStableFunc(rules, func(a, b line) int {
		return strings.Compare(strings.ToLower(a.attribute), strings.ToLower(b.attribute))
	})

	fmt.Fprintf(&target, "target:\n  class: user\n")
	if scope != "" {
		fmt.Fprintf(&target, "  scope: %s\n", quote(scope))
	}
	if match.attribute != "" {
		fmt.Fprintf(&target, "  match: {%s: %s}\n", match.attribute, quote(match.value))
	}
	if container != "" {
		fmt.Fprintf(&target, "  container: %s\n", quote(container))
	}
	fmt.Fprintf(&target, "  name: %s\n  attributes:\n", quote(name))
	for _, l := range rules {
		fmt.Fprintf(&target, "    %s: %s\n", l.attribute, l.value)
	}
	im.documents(r, target.String())
}

func matchOrder(a attributeMapping) int {
	if a.Priority > 0 {
		return a.Priority
	}
	return 1 << 20
}

// documents writes the source with the columns that were used, and the target.
func (im *importer) documents(r syncRule, target string) {
	extension := ""
	if len(im.extension) > 0 {
		extension = "extension: {" + strings.Join(im.extension, ": text, ") + ": text}\n"
	}
	key := slices.IndexFunc(im.used, func(name string) bool { return im.paths[name] == "employeeNumber" })
	column := "employee_id"
	if key >= 0 {
		column = im.used[key]
	} else {
		im.note("source: no attribute was known as the number of a worker; say by key which column tells people apart")
	}
	if im.out.Len() > 0 {
		im.out.WriteString("---\n")
	}
	fmt.Fprintf(&im.out, "# %s: from %s.\n", r.Name, r.Source)
	fmt.Fprintf(&im.out, "system: %s\nsite: hq # fill in\nconnector: csv # fill in, with its settings\nsettings: {path: /srv/hr/workers.csv, key: %s}\n%s", im.system(r.Source, "hr"), quote(column), extension)
	fmt.Fprintf(&im.out, "source:\n  class: row\n  key: %s\n  attributes:\n", quote("row["+strconv.Quote(column)+"]"))
	seen := map[string]bool{}
	for _, name := range im.used {
		if path := im.paths[name]; !seen[path] {
			seen[path] = true
			fmt.Fprintf(&im.out, "    %s: %s\n", path, quote("row["+strconv.Quote(name)+"]"))
		}
	}
	fmt.Fprintf(&im.out, "---\n# %s: to %s.\n", r.Name, r.Target)
	fmt.Fprintf(&im.out, "system: %s\nsite: hq # fill in\nconnector: activedirectory # fill in, with its settings\nsettings: {servers: [ldaps://dc1.corp.example], base: \"DC=corp,DC=example\"}\n%s%s", im.system(r.Target, "ad"), extension, target)
	im.note("startDate, endDate and active: say in the source which columns they are; the lifecycle of accounts comes of them")
}

// expression gives the source of a mapping in our language.
func (im *importer) expression(a attributeMapping) (string, error) {
	text := strings.TrimSpace(a.Source.Expression)
	switch a.Source.Type {
	case "Constant":
		if unquoted, err := strconv.Unquote(text); err == nil {
			text = unquoted
		}
		return strconv.Quote(text), nil
	case "Attribute":
		if text == "" {
			text = "[" + a.Source.Name + "]"
		}
	}
	t := translator{attribute: im.path}
	out, err := t.translate(text)
	if err == nil && a.Default != nil && *a.Default != "" && !strings.HasPrefix(out, "SelectUniqueValue(") {
		out = "Coalesce(" + out + ", " + strconv.Quote(*a.Default) + ")"
	}
	return out, err
}

// rule writes the rule of an attribute with how it is applied.
func (im *importer) rule(a attributeMapping, text string) string {
	key, how := "value", ""
	if strings.EqualFold(a.Target, "manager") {
		key = "person"
	}
	switch a.FlowType {
	case "ObjectAddOnly":
		how = ", apply: create"
	case "AttributeAddOnly":
		how = ", apply: if_empty"
	case "MultiValueAddOnly", "ValueAddOnly":
		how = ", keep: old"
	}
	if key == "value" && how == "" {
		return quote(text)
	}
	return "{" + key + ": " + quote(text) + how + "}"
}

// scope gives the filter as one condition: groups of clauses, any group, all
// its clauses. An empty attribute fails every clause but IS NULL.
func (im *importer) scope(f *filter) string {
	if f == nil {
		return ""
	}
	var groups []string
	for _, g := range f.Groups {
		var clauses []string
		for _, c := range g.Clauses {
			text, ok := im.clause(c)
			if !ok {
				im.note("scope: the clause %s %s %s was left out with its group: there is no such operator here", c.Source, c.Operator, strings.Join(c.Target.Values, ", "))
				clauses = nil
				break
			}
			clauses = append(clauses, text)
		}
		if len(clauses) > 0 {
			groups = append(groups, strings.Join(clauses, " && "))
		}
	}
	if len(groups) < 2 {
		return strings.Join(groups, "")
	}
	return "(" + strings.Join(groups, ") || (") + ")"
}

// operators are those of scoping filters, folded and without spaces.
const operators = " equals notequals istrue isfalse isnull isnotnull regexmatch notregexmatch endswith startswith includes contains in greaterthan greaterthanorequals & !& "

func (im *importer) clause(c clause) (string, bool) {
	operator := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" _-", r) {
			return -1
		}
		return r
	}, strings.ToLower(c.Operator))
	if !strings.Contains(operators, " "+operator+" ") {
		return "", false
	}
	x := im.path(c.Source)
	value, number := "", "0"
	if len(c.Target.Values) > 0 {
		value = strconv.Quote(c.Target.Values[0])
		if _, err := strconv.ParseInt(c.Target.Values[0], 10, 64); err == nil {
			number = c.Target.Values[0]
		}
	}
	list := make([]string, len(c.Target.Values))
	for i, v := range c.Target.Values {
		list[i] = strconv.Quote(v)
	}
	present := "IsPresent(" + x + ") && "
	switch operator {
	case "equals":
		return x + " == " + value, true
	case "notequals":
		return present + x + " != " + value, true
	case "istrue":
		return "CBool(" + x + ")", true
	case "isfalse":
		return present + "!CBool(" + x + ")", true
	case "isnull":
		return "IsNullOrEmpty(" + x + ")", true
	case "isnotnull":
		return "IsPresent(" + x + ")", true
	case "regexmatch":
		return present + "matchesRegex(" + x + ", " + value + ")", true
	case "notregexmatch":
		return present + "!matchesRegex(" + x + ", " + value + ")", true
	case "endswith":
		return x + " endsWith " + value, true
	case "startswith":
		return x + " startsWith " + value, true
	case "includes", "contains":
		return x + " contains " + value, true
	case "in":
		return x + " in [" + strings.Join(list, ", ") + "]", true
	case "greaterthan":
		return present + "integer(CStr(" + x + ")) > " + number, true
	case "greaterthanorequals":
		return present + "integer(CStr(" + x + ")) >= " + number, true
	case "&":
		return present + "BitAnd(" + x + ", " + number + ") != 0", true
	default: // !&
		return present + "BitAnd(" + x + ", " + number + ") == 0", true
	}
}

// quote writes a text as a scalar of YAML.
func quote(s string) string {
	return "'" + strings.ReplaceAll(strings.NewReplacer("\r", " ", "\n", " ").Replace(s), "'", "''") + "'"
}

// elsewhere are the attributes that have no rule here, with what decides them.
var elsewhere = map[string]string{
	"accountdisabled": "lifecycle decides it", "accountenabled": "lifecycle decides it", "isactive": "lifecycle decides it", "active": "lifecycle decides it",
	"issoftdeleted": "lifecycle decides it", "useraccountcontrol": "lifecycle decides it", "unicodepwd": "password decides it", "password": "password decides it",
	"objectclass": "class decides it", "objectguid": "the system gives it", "distinguishedname": "container and name decide it",
}

// standardPaths are the attributes of the usual HR systems and of Entra itself
// that the directory has, folded. Dates are left to the source.
var standardPaths = map[string]string{
	"workerid": "employeeNumber", "employeeid": "employeeNumber", "employeenumber": "employeeNumber", "personidexternal": "employeeNumber",
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:employeenumber": "employeeNumber",
	"preferredfirstname": "name.givenName", "firstname": "name.givenName", "givenname": "name.givenName", "name.givenname": "name.givenName",
	"preferredlastname": "name.familyName", "lastname": "name.familyName", "surname": "name.familyName", "sn": "name.familyName", "name.familyname": "name.familyName",
	"middlename": "name.middleName", "preferredmiddlename": "name.middleName",
	"displayname": "displayName", "preferrednamedata": "displayName",
	"businesstitle": "title", "jobtitle": "title", "title": "title",
	"supervisoryorganization": "department", "department": "department",
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:department": "department",
	"company": "company", "companyname": "company", "costcenter": "costCenter", "division": "division",
	"managerreference": "manager", "manager": "manager", "managerid": "manager",
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:manager": "manager",
	"municipality": "addresses.work.locality", "city": "addresses.work.locality",
	"countryreferencetwoletter": "addresses.work.country", "country": "addresses.work.country",
	"countryregionreference": "addresses.work.region", "state": "addresses.work.region",
	"addresslinedata": "addresses.work.streetAddress", "streetaddress": "addresses.work.streetAddress", "postalcode": "addresses.work.postalCode",
	"primaryworktelephone": "phoneNumbers.work", "telephonenumber": "phoneNumbers.work", "businessphonenumber": "phoneNumbers.work",
	"mobile": "phoneNumbers.mobile", "cellphonenumber": "phoneNumbers.mobile", "fax": "phoneNumbers.fax", "facsimiletelephonenumber": "phoneNumbers.fax",
	"preferredlanguage": "preferredLanguage", "userid": "userName", "username": "userName", "userprincipalname": "userName",
	"emailaddress": "emails.work", "mail": "emails.work", "email": "emails.work",
}
