package mapping

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// A Target is the way from the directory into a system. What it wants of a
// person's account is asked through a View.
type Target struct {
	Class string
	// WriteBack: the accounts are the records of the document's source. They are
	// changed, and never made, moved, disabled or deleted; Name is nil.
	WriteBack bool
	// BothWays: the system is a source of the class, too. Its accounts are those of
	// people whose home is elsewhere; the records of its source are left alone.
	BothWays bool
	// Match names the attribute by which an existing account is recognised;
	// "" where the document has no match.
	Match string
	// MakeContainers lets a create or a move make what containers are missing.
	MakeContainers bool
	Password       *Password // nil: the class has none
	// Preview: nothing is done before somebody has seen it.
	Preview bool
	// OfGroups: the accounts are groups.
	OfGroups bool
	// Authoritative tells of a group whether only members by rule remain in it; nil: of none.
	Authoritative *Rule
	// System is the name of the document's.
	System string
	// Owns: some groups of the system are authoritative.
	Owns bool
	// Makes: a rule of Groups makes what groups are missing.
	Makes bool
	// Window is within what time thresholds count; an hour by default.
	Window    time.Duration
	Lifecycle Lifecycle

	// The rules of a document; nil where it has none of the kind. Scope gives a
	// boolean, Groups give names of groups.
	Scope, MatchRule, Container, Name *Rule
	Rules                             []*Rule // ascending by attribute, folded
	Groups                            []*Rule

	// EnabledAttribute tells by "true" or "false" whether the account may be used,
	// MemberOf which groups it is in; "" where that does not matter.
	EnabledAttribute, MemberOf string
	// Attributes is what the answer to an operation must show of the account.
	Attributes []string

	scope      *scope
	thresholds map[string]Limit
	machines   machines
}

// A Rule is how one thing of an account comes about.
type Rule struct {
	Attribute string
	Apply     Apply
	Keep      Keep
	// KeepEmpty leaves the attribute alone where the rule gives nothing.
	KeepEmpty bool
	// Exact also writes what differs in case only.
	Exact bool
	// Person: the value is the key of a person whose account is meant.
	Person bool
	// Make: of a rule of groups, that the group is made where it is not there.
	Make bool
	// Directory: of a rule of groups, that it gives keys of the directory's groups.
	Directory bool
	// Display is how a group that is made is shown; nil: as the rule's value.
	Display *Rule
	// Drift says what becomes of what somebody else writes there.
	Drift Drift
	// CoolOff is how long a value that its account has no more is not given to
	// anybody else; of rules that choose by firstUnique only.
	CoolOff time.Duration

	// What the system's schema says; zero while it is not known.
	Type      connectorv1.Type
	Multi     bool
	MaxLength int // characters; 0: no limit is known

	*expression
	key Fault // place of the attribute's name
}

// Unique tells that the rule gives candidates, of which the first free one is
// taken.
func (r *Rule) Unique() bool { return r.expression.unique }

// Text gives the text of the expression.
func (r *Rule) Text() string { return r.expression.text }

// Line gives the line of the expression in the document.
func (r *Rule) Line() int { return r.expression.line }

// RuleOf gives the rule of an attribute; nil where it has none.
func (t *Target) RuleOf(attribute string) *Rule {
	for _, r := range t.Rules {
		if strings.EqualFold(r.Attribute, attribute) {
			return r
		}
	}
	return nil
}

// Adds tells whether a rule of the target is additive.
func (t *Target) Adds() bool {
	return slices.ContainsFunc(t.Rules, func(r *Rule) bool { return r.Keep == KeepAdditive })
}

// Apply says when a rule's value is written.
type Apply uint8

const (
	// Always: whenever it differs.
	Always Apply = iota
	// OnCreate: when the account is made, and not again.
	OnCreate
	// IfEmpty: when the account has no value.
	IfEmpty
)

// Keep says what becomes of values that the rule does not give.
type Keep uint8

const (
	// KeepNone: they go.
	KeepNone Keep = iota
	// KeepOld: they stay beside the rule's values.
	KeepOld
	// KeepAlias: as KeepOld, and a primary address (SMTP:) becomes an alias (smtp:).
	KeepAlias
	// KeepAdditive: those that others wrote stay; those that we added go when the rule gives them no more.
	KeepAdditive
)

// Drift says what becomes of a value that somebody else has written.
type Drift uint8

const (
	// Revert puts back what the rule wants.
	Revert Drift = iota
	// Adopt lets it stand until the rule wants something else.
	Adopt
	// LeaveAlone lets it be, and shows it until somebody decides.
	LeaveAlone
)

// A Lifecycle says what a target wants in each part of a person's life.
type Lifecycle struct {
	Create Moment // account made; at start by default
	Enable Moment // at start by default
	Leave  Leave
	// HoldRehire leaves the account of somebody who comes back disabled for a
	// person to decide; else it is restored.
	HoldRehire bool
	// IgnoreOutOfScope leaves the account of somebody who left the scope alone;
	// else that is a leave.
	IgnoreOutOfScope bool
	// HoldOutOfScope leaves it alone, too, and shows it as a problem until somebody sees to it.
	HoldOutOfScope bool
	// OutOfScope is what becomes of it instead; nil: what becomes of a leaver's, but for the deletion.
	OutOfScope *Parting
}

// Leave is what happens to a leaver's account, and when.
type Leave struct {
	At Moment // at end by default
	Parting
}

// A Parting is what becomes of an account that is not wanted as it was.
type Parting struct {
	Disable   bool // true by default
	Groups    GroupsOfLeaver
	Container *Rule   // where it goes; nil: it stays
	Rules     []*Rule // what it gets; all others rest
	Delete    *Moment // nil: never
}

// parting gives the rules of a parting, the container's first, nil where there is none.
func (p *Parting) parting() []*Rule {
	if p == nil {
		return nil
	}
	return slices.Concat([]*Rule{p.Container}, p.Rules)
}

// partings gives the rules of attributes that an account gets when it is not wanted as it was.
func (l *Lifecycle) partings() (rules []*Rule) {
	for _, p := range []*Parting{&l.Leave.Parting, l.OutOfScope} {
		if p != nil {
			rules = append(rules, p.Rules...)
		}
	}
	return rules
}

// CountsOutside tells whether accounts are deleted so and so long after their people left the scope.
func (l *Lifecycle) CountsOutside() bool { return l.OutOfScope != nil && l.OutOfScope.Delete != nil }

// Deletes tells whether accounts are ever deleted.
func (l *Lifecycle) Deletes() bool {
	return l.Leave.Delete != nil || l.OutOfScope != nil && l.OutOfScope.Delete != nil
}

// GroupsOfLeaver says out of which groups a leaver's account is taken.
type GroupsOfLeaver uint8

const (
	// KeepGroups leaves memberships alone.
	KeepGroups GroupsOfLeaver = iota
	// StripOurs takes it out of the groups that Drawbridge put it in.
	StripOurs
	// StripAll takes it out of every group.
	StripAll
)

// A Moment is an instant relative to the person's start or end, or to when they left the scope.
type Moment struct {
	From   Base
	Offset time.Duration // negative: before
}

// A Base is what a moment is counted from.
type Base uint8

const (
	FromStart Base = iota
	FromEnd
	FromScope // when they left the scope, as far as was seen
)

// After gives the instant counted from base; the zero time where base is that.
func (m Moment) After(base time.Time) time.Time {
	if base.IsZero() {
		return base
	}
	return base.Add(m.Offset)
}

// Thresholds that hold where a document says nothing. A share never holds the
// first five.
var thresholds = map[string]Limit{
	"create": {None: true}, "enable": {None: true},
	"clear":  {Share: 0.1, Count: 5},
	"modify": {Share: 0.3, Count: 5}, "move": {Share: 0.2, Count: 5}, "membership": {Share: 0.2, Count: 5},
	"disable": {Share: 0.1, Count: 5}, "delete": {Count: 5},
}

// Threshold gives the limit for a class of operation: create, modify, clear,
// move, enable, disable, membership or delete.
func (t *Target) Threshold(class string) Limit {
	if l, ok := t.thresholds[class]; ok {
		return l
	}
	return thresholds[class]
}

// MatchValue evaluates by what the person's existing account is recognised,
// folded as account.match is; "" where it is not known.
func (t *Target) MatchValue(p directory.Person) (string, error) {
	if t.MatchRule == nil {
		return "", nil
	}
	v := t.View(p, time.Time{})
	defer v.Close()
	value, err := v.Eval(t.MatchRule)
	if err != nil {
		return "", err
	}
	return directory.Fold(value.First()), nil
}

// OwnsGroup tells of a group's target whether only members by rule remain in a
// group. A rule that cannot tell owns nothing.
func (t *Target) OwnsGroup(group directory.Person, now time.Time) bool {
	if t.Authoritative == nil {
		return false
	}
	v := t.View(group, now)
	defer v.Close()
	x, _, err := v.machine.eval(t.Authoritative.expression)
	owns, _ := x.(bool)
	return err == nil && owns
}

// A View is a person as the rules of a target see them at an instant. It is
// for one goroutine, until it is closed.
type View struct {
	target  *Target
	machine *machine
}

// View opens a view.
func (t *Target) View(p directory.Person, now time.Time) View {
	m := t.machines.get(t.scope)
	m.start(now)
	attributes := p.Attributes.Cursor()
	for _, v := range t.scope.ascending {
		if v.account {
			m.set(v, nil, false)
			continue
		}
		value, known := attributes.Get(v.path)
		if value != nil && kindOf(value) != v.kind {
			value, known = nil, false // declared otherwise when it was stored
		}
		m.set(v, value, known)
	}
	return View{t, m}
}

// accountPrefix begins the paths of what the account itself has.
const accountPrefix = "account."

// SetAccount tells the view what the account has, or is about to get, in an
// attribute that is chosen by firstUnique.
func (v View) SetAccount(attribute, value string) {
	for _, variable := range v.target.scope.variables {
		if name, ok := strings.CutPrefix(variable.path, accountPrefix); ok && strings.EqualFold(name, attribute) && value != "" {
			v.machine.set(variable, value, true)
		}
	}
}

// Container as an attribute of the account is where it lies, "" while it is not made.
const Container = "container"

// SetGroups tells the view how to find whether the account is in a group.
func (v View) SetGroups(in func(name string) bool) { v.machine.groups.in = in }

// asksGroups tells whether a rule depends on the groups of the account.
func (t *Target) asksGroups() bool {
	rules := slices.Concat([]*Rule{t.Scope, t.MatchRule, t.Container, t.Name}, t.Groups, t.Rules, t.Lifecycle.Leave.parting(), t.Lifecycle.OutOfScope.parting())
	return slices.ContainsFunc(rules, func(r *Rule) bool { return r != nil && r.groups })
}

// Close ends the view; it must not be used any more.
func (v View) Close() { v.target.machines.put(v.machine) }

// A Value is what a rule gave.
type Value struct {
	one  string
	list []string
	// Known tells nothing that may clear an attribute (true) from nothing that
	// says nothing (false).
	Known bool
}

// Empty tells whether there is no value.
func (v Value) Empty() bool { return v.one == "" && len(v.list) == 0 }

// First gives the first value, "" where there is none.
func (v Value) First() string {
	if len(v.list) > 0 {
		return v.list[0]
	}
	return v.one
}

// All gives all values, nil where there is none.
func (v Value) All() []string {
	if v.list == nil && v.one != "" {
		return []string{v.one}
	}
	return v.list
}

// Eval gives what a rule wants. The error is a *RecordError.
func (v View) Eval(r *Rule) (Value, error) {
	if r.direct != nil { // not by way of an interface, which costs an allocation
		if s := r.direct(v.machine); s != "" {
			return text(s), nil
		}
		return Value{Known: v.machine.known(r.expression)}, nil
	}
	x, known, err := v.machine.eval(r.expression)
	if err != nil {
		return Value{}, recordError(r.Attribute, r.expression, err)
	}
	switch x := x.(type) {
	case nil:
		return Value{Known: known}, nil
	case string:
		return text(x), nil
	case []string:
		return Value{list: x, Known: true}, nil
	default:
		return Value{one: Text(x), Known: true}, nil
	}
}

func text(s string) Value {
	if letter := s != "" && s[0] > ' ' && s[0] < utf8.RuneSelf; !letter && strings.TrimSpace(s) == "" {
		s = "" // no system holds blanks alone, and some refuse them
	}
	return Value{one: s, Known: true}
}

// InScope tells whether the target is for the person at all.
func (v View) InScope() (bool, error) {
	if v.target.Scope == nil {
		return true, nil
	}
	x, _, err := v.machine.eval(v.target.Scope.expression)
	if err != nil {
		return false, recordError("scope", v.target.Scope.expression, err)
	}
	in, ok := x.(bool)
	if !ok {
		return false, recordError("scope", v.target.Scope.expression, fmt.Errorf("it gives %v, neither true nor false", x))
	}
	return in, nil
}

// Inputs gives what the rule read, for people.
func (v View) Inputs(r *Rule) []Input { return v.machine.inputs(r.expression) }

// Next gives the later instants at which what was evaluated may be another.
func (v View) Next() []time.Time { return slices.Clone(v.machine.clock.next) }

// Redacted stands where a value is not for people's eyes.
const Redacted = "[Redact]"

// Shown gives values as people may see them.
func (r *Rule) Shown(values []string) []string {
	if r.redacted && len(values) > 0 {
		return []string{Redacted}
	}
	return values
}

// Sequence yields the candidates of a rule that names something and then the
// last of them with a number, from 2 on: jdoe, jdoe2; j.doe@example.com,
// j.doe2@example.com; "Jane Doe", "Jane Doe 2". None is longer than MaxLength.
// A rule that chooses by SelectUniqueValue yields its candidates alone.
func (r *Rule) Sequence(candidates []string) iter.Seq[string] {
	if r.pattern {
		return numbered(candidates, r.MaxLength)
	}
	return func(yield func(string) bool) {
		for _, c := range candidates {
			if !yield(cut(c, "", r.MaxLength)) {
				return
			}
		}
		if len(candidates) == 0 || r.exact {
			return
		}
		last := candidates[len(candidates)-1]
		space := ""
		if strings.Contains(last, " ") {
			space = " "
		}
		for n := 2; n < 10_000; n++ {
			if !yield(cut(last, fmt.Sprint(space, n), r.MaxLength)) {
				return
			}
		}
	}
}

// cut puts number behind the local part of base and shortens that to fit.
func cut(base, number string, limit int) string {
	base, domain, at := strings.Cut(base, "@")
	if at {
		domain = "@" + domain
	}
	if room := limit - len([]rune(domain)) - len(number); limit > 0 && room < len([]rune(base)) {
		base = strings.TrimRight(left(base, max(1, room)), " .")
	}
	return base + number + domain
}

// Gave tells whether value could have come out of Sequence(candidates).
func (r *Rule) Gave(value string, candidates []string) bool {
	if r.pattern {
		return gaveNumbered(value, candidates, r.MaxLength)
	}
	for _, c := range candidates {
		if strings.EqualFold(value, cut(c, "", r.MaxLength)) {
			return true
		}
	}
	if len(candidates) == 0 || r.exact {
		return false
	}
	last := candidates[len(candidates)-1]
	head, _, _ := strings.Cut(value, "@")
	digits := strings.TrimRight(head, "0123456789")
	for i := len(digits); i < len(head); i++ { // the base itself may end with digits
		number := head[i:]
		if number[0] == '0' || number == "1" || len(number) > 4 {
			continue
		}
		if strings.Contains(last, " ") {
			number = " " + number
		}
		if strings.EqualFold(value, cut(last, number, r.MaxLength)) {
			return true
		}
	}
	return false
}
