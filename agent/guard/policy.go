package guard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/config"
)

// The modes of a policy.
const (
	Enforce = "enforce"
	Observe = "observe"  // the admin's own rules are only reported; the built-in ones stand
	BuiltIn = "built-in" // there are none but the built-in ones
)

// activeDirectory is the connector whose systems the built-in rules are for.
const activeDirectory = "activedirectory"

// A Policy is the content of guardrail.yaml.
type Policy struct {
	Mode    string            `yaml:"mode"`    // Required. enforce, observe or built-in
	Systems map[string]System `yaml:"systems"` // Optional. A system that is not named is not written to, unless mode is built-in

	File   string                // as rules are named by, without its folder
	Digest string                // SHA-256, in hexadecimal
	Signed bool                  // by the key that agent.yaml pins
	Err    error                 // why it cannot be used; nil if it can
	lines  func(path string) int // of the value at a path; 0: not there
	ready  sync.Map              // *System by madeFor
}

// A System says what may be done in one system. A list that is absent does not
// limit; one that is there allows what it names and nothing else.
type System struct {
	Connector    string                    `yaml:"connector"`    // Optional. The only one that may serve it
	Verbs        []string                  `yaml:"verbs"`        // create, modify, move, enable, disable, membership, password, delete
	Classes      []string                  `yaml:"classes"`      // of objects
	Bases        []string                  `yaml:"bases"`        // containers whose contents may be touched
	Destinations []string                  `yaml:"destinations"` // containers that objects may be put into, or below; the bases where absent
	Attributes   map[string][]string       `yaml:"attributes"`   // by create and modify
	NeverSet     []string                  `yaml:"never_set"`    // Optional. Bits of userAccountControl besides the built-in ones
	MaySet       []string                  `yaml:"may_set"`      // Optional. Built-in bits that may be set all the same
	Groups       []string                  `yaml:"groups"`       // that may be joined and left: DN, SID, or "below DN"
	NeverTouch   []string                  `yaml:"never_touch"`  // Optional. SIDs and RIDs besides the built-in ones; members of groups among them, too
	MayTouch     []string                  `yaml:"may_touch"`    // Optional. Built-in RIDs and SIDs that are not protected all the same
	Recipients   []string                  `yaml:"recipients"`   // age keys that passwords may be sealed to; none where absent
	Budgets      map[string]map[string]int `yaml:"budgets"`      // by verb: hour, day
	Hours        Hours                     `yaml:"hours"`        // Optional. When changes may be made
	Withhold     []string                  `yaml:"withhold"`     // Optional. Attributes that never leave the site

	compiled
}

// Hours are when changes may be made. The zero value is always.
type Hours struct {
	Zone   string   `yaml:"zone"`   // Required. Such as Europe/Zurich
	Days   []string `yaml:"days"`   // Optional. mon to sun; absent: every day
	From   string   `yaml:"from"`   // Required. HH:MM
	To     string   `yaml:"to"`     // Required. HH:MM, later than from
	Except []string `yaml:"except"` // Optional. Verbs for which every hour serves; disable where absent
}

// compiled is a System made ready to be asked.
type compiled struct {
	policy       *Policy
	path         string // in the file; "" of the built-in one
	directory    bool   // it is Active Directory: the built-in rules hold
	bases, dests []name
	below        []name // of groups
	neverSet     uint32
	protected    []string // SIDs and RIDs, of groups and of accounts
	attributes   map[string]map[string]bool
	opening      *hours
}

// A Rule is what spoke.
type Rule struct {
	file string // "" of a built-in one
	line int
	path string
}

func builtIn(what string) Rule { return Rule{path: what} }

// String names the rule and, of the admin's own, the line.
func (r Rule) String() string {
	if r.file == "" {
		return "built-in rule " + r.path
	}
	return strings.TrimSuffix(fmt.Sprintf("%s:%d %s", r.file, r.line, r.path), " ")
}

func (r Rule) where() string {
	if r.file == "" {
		return "guardrail.yaml"
	}
	return fmt.Sprintf("%s, line %d,", r.file, r.line)
}

// at is the rule at a path, or what holds it.
func (p *Policy) at(path string) Rule {
	r := Rule{file: p.File, path: path, line: 1}
	if p.lines == nil {
		return r
	}
	for at := path; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if line := p.lines(at); line > 0 {
			r.line = line
			return r
		}
	}
	return r
}

func (s *System) rule(key string) Rule {
	if s.path == "" {
		return builtIn(key)
	}
	if s.policy.lines(s.path+"."+key) == 0 {
		key, _, _ = strings.Cut(key, "[")
	}
	return s.policy.at(s.path + "." + key)
}

// system returns the rules of a system; the built-in ones where the policy has
// none for it. known is false for a system that must not be written.
func (p *Policy) system(name, connector string) (s *System, known bool) {
	_, named := p.Systems[name]
	s = p.made(madeFor{name, named, connector == activeDirectory})
	if !named {
		return s, p.Mode == BuiltIn
	}
	return s, s.Connector == "" || s.Connector == connector
}

// A madeFor is what the rules of a system depend on, besides the policy.
type madeFor struct {
	name      string
	named     bool // by the policy
	directory bool // the agent knows that it is Active Directory
}

// made returns the rules for a system. They are made once, since every job asks.
func (p *Policy) made(of madeFor) *System {
	if !of.named {
		of.name = "" // the same for all
	}
	if s, ok := p.ready.Load(of); ok {
		return s.(*System)
	}
	s := new(System)
	if of.named {
		*s = p.Systems[of.name]
	} else {
		s.policy = p
	}
	if s.Connector == "" && !s.directory && of.directory || !of.named { // the file does not say
		s.directory = of.directory
		s.protect()
	}
	p.ready.Store(of, s)
	return s
}

// none is the policy where there is no file.
func none() *Policy { return &Policy{Mode: BuiltIn} }

// Word says in one word what the policy does.
func (p *Policy) Word() string {
	if p.Err != nil {
		return "broken"
	}
	return p.Mode
}

// Summary says what is allowed, a line for each system.
func (p *Policy) Summary() []string {
	var lines []string
	if p.Err != nil {
		return []string{"everything is denied"}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Systems)) {
		s := p.Systems[name]
		line := name + ": " + listed("verbs", s.Verbs) + ", " + listed("classes", s.Classes)
		if s.Bases != nil {
			line += ", within " + strings.Join(s.Bases, " | ")
		}
		if s.Groups != nil {
			line += fmt.Sprintf(", %d rules for groups", len(s.Groups))
		}
		for _, verb := range slices.Sorted(maps.Keys(s.Budgets)) {
			line += ", " + verb
			for _, span := range slices.Sorted(maps.Keys(s.Budgets[verb])) {
				line += fmt.Sprintf(" %d/%s", s.Budgets[verb][span], span)
			}
		}
		if len(s.Withhold) > 0 {
			line += ", withheld " + strings.Join(s.Withhold, " ")
		}
		lines = append(lines, line)
	}
	if p.Mode == BuiltIn {
		lines = append(lines, "Active Directory: administrators, what makes them, and computers are not touched")
	} else {
		lines = append(lines, "any other system: nothing is written")
	}
	return lines
}

func listed(what string, list []string) string {
	if list == nil {
		return "all " + what
	}
	return strings.Join(list, " ")
}

// Parse checks the text of a policy, calling it file in faults. An error is
// [config.Faults], with all of them.
func Parse(file string, text []byte) (*Policy, error) {
	p := &Policy{File: filepath.Base(file)}
	d := config.Decode(file, text, p)
	p.lines = d.Line
	if !d.Broken() {
		p.check(d)
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

var (
	verbs = []string{"create", "modify", "move", "enable", "disable", "membership", "password", "delete"}
	days  = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	sid   = regexp.MustCompile(`^S-1-[0-9]+(-[0-9]+){1,15}$`)
	rid   = regexp.MustCompile(`^[0-9]{1,10}$`)
)

func (p *Policy) check(d *config.Document) {
	switch p.Mode {
	case Enforce, Observe, BuiltIn:
	case "":
		d.FaultAt("mode", "is missing: enforce, observe, or built-in")
	default:
		d.FaultAt("mode", "%q is none of enforce, observe, built-in", p.Mode)
	}
	if p.Mode == BuiltIn && len(p.Systems) > 0 {
		d.FaultAt("systems", "has no meaning in mode built-in; write mode: enforce")
	}
	for name, s := range p.Systems {
		s.policy, s.path = p, "systems."+name
		s.directory = s.Connector == activeDirectory
		s.check(d)
		s.protect()
		p.Systems[name] = s
	}
}

func (s *System) check(d *config.Document) {
	at := func(key string) string { return s.path + "." + key }
	for key, list := range map[string][]string{"verbs": s.Verbs, "classes": s.Classes, "bases": s.Bases, "destinations": s.Destinations, "groups": s.Groups,
		"recipients": s.Recipients, "withhold": s.Withhold, "hours.days": s.Hours.Days, "hours.except": s.Hours.Except} {
		if list == nil && d.Line(at(key)) > 0 {
			d.FaultAt(at(key), "is empty: write [] for none, or leave the key out for no limit")
		}
		for i, v := range list {
			if strings.TrimSpace(v) == "" {
				d.FaultAt(fmt.Sprintf("%s[%d]", at(key), i), "is empty")
			}
		}
	}
	oneOf(d, at("verbs"), s.Verbs, verbs)
	s.bases = names(d, at("bases"), s.Bases)
	s.dests = names(d, at("destinations"), s.Destinations)
	s.attributes = make(map[string]map[string]bool)
	for verb, list := range s.Attributes {
		if verb != "create" && verb != "modify" {
			d.FaultAt(at("attributes."+verb), "%q is none of create, modify", verb)
		}
		if list == nil {
			d.FaultAt(at("attributes."+verb), "is empty: write [] for none, or leave the key out for no limit")
		}
		s.attributes[verb] = make(map[string]bool)
		for _, name := range list {
			s.attributes[verb][fold(name)] = true
		}
	}
	s.neverSet = neverSet
	for i, text := range s.NeverSet {
		s.neverSet |= bit(d, fmt.Sprintf("%s[%d]", at("never_set"), i), text)
	}
	for i, text := range s.MaySet {
		s.neverSet &^= bit(d, fmt.Sprintf("%s[%d]", at("may_set"), i), text)
	}
	for i, g := range s.Groups {
		if rest, below := strings.CutPrefix(g, "below "); below {
			s.below = append(s.below, names(d, fmt.Sprintf("%s[%d]", at("groups"), i), []string{rest})...)
		} else if !sid.MatchString(g) {
			names(d, fmt.Sprintf("%s[%d]", at("groups"), i), []string{g})
		}
	}
	for key, list := range map[string][]string{"never_touch": s.NeverTouch, "may_touch": s.MayTouch} {
		for i, v := range list {
			if !sid.MatchString(v) && !rid.MatchString(v) {
				d.FaultAt(fmt.Sprintf("%s[%d]", at(key), i), "%q is neither a SID such as S-1-5-21-1-2-3-1104 nor a RID such as 1104", v)
			}
		}
	}
	for verb, spans := range s.Budgets {
		oneOf(d, at("budgets."+verb), []string{verb}, verbs)
		for span, n := range spans {
			oneOf(d, at("budgets."+verb+"."+span), []string{span}, []string{"hour", "day"})
			if n < 0 {
				d.FaultAt(at("budgets."+verb+"."+span), "%d is less than none", n)
			}
		}
	}
	s.Hours.check(d, at("hours"))
	s.opening = s.Hours.compile()
}

func (h Hours) check(d *config.Document, at string) {
	if d.Line(at) == 0 {
		return
	}
	if _, err := time.LoadLocation(h.Zone); err != nil || h.Zone == "" {
		d.FaultAt(at+".zone", "%q is no time zone such as Europe/Zurich", h.Zone)
	}
	from, err := clock(h.From)
	if err != nil {
		d.FaultAt(at+".from", "%q is no time of day such as 07:00", h.From)
	}
	to, err2 := clock(h.To)
	if err2 != nil {
		d.FaultAt(at+".to", "%q is no time of day such as 19:00", h.To)
	}
	if err == nil && err2 == nil && to <= from {
		d.FaultAt(at+".to", "is not later than from; for work over night leave hours out and use budgets")
	}
	oneOf(d, at+".days", h.Days, days)
	oneOf(d, at+".except", h.Except, verbs)
}

func oneOf(d *config.Document, at string, given, known []string) {
	for i, v := range given {
		if !slices.Contains(known, v) {
			path := at
			if d.Line(fmt.Sprintf("%s[%d]", at, i)) > 0 {
				path = fmt.Sprintf("%s[%d]", at, i)
			}
			d.FaultAt(path, "%q is none of %s", v, strings.Join(known, ", "))
		}
	}
}

func names(d *config.Document, at string, texts []string) []name {
	all := []name(nil)
	if texts != nil {
		all = []name{}
	}
	for i, text := range texts {
		n, err := parseName(text)
		if err != nil {
			path := at
			if d.Line(fmt.Sprintf("%s[%d]", at, i)) > 0 {
				path = fmt.Sprintf("%s[%d]", at, i)
			}
			d.FaultAt(path, "%q is no distinguished name: %v", text, err)
			continue
		}
		all = append(all, n)
	}
	return all
}

// bit reads one bit of userAccountControl, by its name or number.
func bit(d *config.Document, at, text string) uint32 {
	if b, known := accountBits[strings.ToLower(text)]; known {
		return b
	}
	n, err := strconv.ParseUint(text, 0, 32)
	if err != nil || n == 0 || n&(n-1) != 0 {
		d.FaultAt(at, "%q is no bit of userAccountControl: write 0x80000, or one of %s", text,
			strings.Join(slices.Sorted(maps.Keys(accountBits)), ", "))
	}
	return uint32(n)
}

// limit returns the budgets of a verb.
func (s *System) limit(verb string) map[string]int { return s.Budgets[verb] }

// withheld returns which entry names the attribute, with whatever options
// (RFC 4512 2.5) it is asked for; -1 if none does.
func (s *System) withheld(attribute string) int {
	attribute, _, _ = strings.Cut(attribute, ";")
	return slices.IndexFunc(s.Withhold, func(w string) bool { return fold(w) == fold(attribute) })
}

// fold makes two spellings of an attribute or class one.
func fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// quote writes text as YAML, on one line.
func quote(text string) string {
	b, err := json.Marshal(text) // JSON is YAML
	return cmp.Or(string(b), fmt.Sprint(err))
}
