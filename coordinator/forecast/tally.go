package forecast

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// some is how many examples are kept of each kind.
const some = 5

// A tally counts what would change.
type tally struct {
	*Forecaster
	out        client.Forecast
	touched    map[string]bool // people of whom anything changes
	attributes attributes      // of the directory
	byTarget   map[string]*targetTally
	grouped    bool // groups were looked at, too
}

type targetTally struct {
	classes    map[string]*client.ClassForecast
	attributes attributes
	problems   client.AffectedPeople
	notes      []string
}

func newTally(f *Forecaster) *tally {
	t := &tally{Forecaster: f, touched: map[string]bool{}, attributes: attributes{}, byTarget: map[string]*targetTally{}}
	for _, name := range f.changed {
		if s := f.next[name]; s.Target != nil {
			t.notes(s)
		}
	}
	return t
}

// notes says what cannot be foretold of a target.
func (t *tally) notes(s *mapping.System) {
	before := t.present[s.Name]
	switch {
	case !t.known(s.Name):
		t.of(s.Name).notes = []string{"it was never read: which people have an account there already is not known, so that everybody in scope counts as a create"}
	case before != nil && before.Target != nil:
		if unread := mapping.Unread(before, s); len(unread) > 0 {
			t.of(s.Name).notes = []string{"not read so far, so that what they hold is not known, and they count as empty: " + strings.Join(unread, ", ")}
		}
	}
}

func (t *tally) of(system string) *targetTally {
	if t.byTarget[system] == nil {
		t.byTarget[system] = &targetTally{classes: map[string]*client.ClassForecast{}, attributes: attributes{}}
	}
	return t.byTarget[system]
}

// directory counts what becomes of a person, and tells whether it is anything.
func (t *tally) directory(row store.Person, was, is directory.Person) bool {
	who := affected(row)
	if was.HasSource && !is.HasSource {
		add(&t.out.Directory.Lost, who, "no source has a record of them any more")
	}
	paths := is.Attributes.Changes(was.Attributes)
	for _, path := range paths {
		before, _ := was.Attributes.Get(path)
		after, _ := is.Attributes.Get(path)
		who.Before, who.After = mapping.Texts(before), mapping.Texts(after)
		t.attributes.add(path, who)
	}
	if len(paths) == 0 && was.HasSource == is.HasSource && was.Key == is.Key {
		return false
	}
	t.touched[row.ID] = true
	return true
}

func (t *tally) made(p directory.Person) {
	t.touched[p.ID] = true
	add(&t.out.Directory.Made, client.Affected{Person: p.Key, Display: p.Display()}, "nobody has this key")
}

func (t *tally) rejected(where string, err error) {
	add(&t.out.Directory.Rejected, client.Affected{Person: where}, err.Error())
}

// target counts what becomes of a person's account.
func (t *tally) target(s *mapping.System, row store.Person, was, is plan.Seen) {
	who := affected(row)
	old, fresh := effects(was), effects(is)
	if is.Problem != nil && (was.Problem == nil || was.Problem.Kind != is.Problem.Kind || was.Problem.Fault.GetAttribute() != is.Problem.Fault.GetAttribute()) {
		add(&t.of(s.Name).problems, who, is.Problem.Fault.GetCause())
	}
	differs := false
	for e, now := range fresh {
		if before, also := old[e]; also && slices.Equal(before.After, now.After) {
			continue
		}
		differs = true
		one := who
		one.Before, one.After, one.Why = now.Before, now.After, now.Rule
		if before, also := old[e]; also {
			one.Before = before.After
		}
		t.of(s.Name).attributes.add(e.attribute, one)
	}
	for e, before := range old {
		if _, also := fresh[e]; !also {
			differs = true
			one := who
			one.Before, one.After = before.After, before.Before
			t.of(s.Name).attributes.add(e.attribute, one)
		}
	}
	if t.classes(s, who, was, is) || differs {
		t.touched[row.ID] = true
	}
}

// classes counts operations that the one configuration wants and the other does not.
func (t *tally) classes(s *mapping.System, who client.Affected, was, is plan.Seen) (differs bool) {
	old, fresh := classesOf(was), classesOf(is)
	for class, takes := range fresh {
		if _, also := old[class]; also {
			continue
		}
		differs = true
		c := t.class(s.Name, class)
		c.People++
		if takes {
			c.Takes++
		}
		if len(c.Examples) < some {
			c.Examples = append(c.Examples, who)
		}
	}
	for class := range old {
		if _, also := fresh[class]; !also {
			differs = true
			t.class(s.Name, class).Fewer++
		}
	}
	return differs
}

func (t *tally) class(system, class string) *client.ClassForecast {
	of := t.of(system)
	if of.classes[class] == nil {
		of.classes[class] = &client.ClassForecast{Class: class, Examples: []client.Affected{}}
	}
	return of.classes[class]
}

// classesOf gives the classes of operations, and whether any of each takes something away.
func classesOf(s plan.Seen) map[string]bool {
	out := map[string]bool{}
	for _, op := range s.Ops {
		out[op.Class] = out[op.Class] || op.Takes
	}
	return out
}

// An effect is one thing that an operation does: to an attribute, or to a membership.
type effect struct{ attribute, group string }

// effects gives what operations do, one reason for each.
func effects(s plan.Seen) map[effect]mapping.Reason {
	out := map[effect]mapping.Reason{}
	for _, op := range s.Ops {
		for _, r := range op.Reasons {
			switch {
			case r.Attribute == "": // why somebody leaves
			case op.Class == "membership":
				out[effect{"groups", strings.Join(append(slices.Clone(r.Before), r.After...), "\x00")}] = r
			default:
				out[effect{r.Attribute, ""}] = r
			}
		}
	}
	return out
}

// attributes counts by attribute.
type attributes map[string]*client.AttributeForecast

func (a attributes) add(name string, who client.Affected) {
	c := a[name]
	if c == nil {
		c = &client.AttributeForecast{Attribute: name, Examples: []client.Affected{}}
		a[name] = c
	}
	switch {
	case len(who.After) == 0:
		c.Lose++
		if len(c.Examples) >= some && len(c.Examples[some-1].After) > 0 { // who loses something is shown first
			c.Examples = c.Examples[:some-1]
		}
		if len(c.Examples) < some {
			c.Examples = slices.Insert(c.Examples, 0, who)
		}
		return
	case len(who.Before) == 0:
		c.Gain++
	default:
		c.Change++
	}
	if len(c.Examples) < some {
		c.Examples = append(c.Examples, who)
	}
}

func (a attributes) sorted() []client.AttributeForecast {
	out := []client.AttributeForecast{}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		out = append(out, *a[name])
	}
	slices.SortStableFunc(out, func(a, b client.AttributeForecast) int { return cmp.Compare(b.Lose, a.Lose) })
	return out
}

func add(to *client.AffectedPeople, who client.Affected, why string) {
	to.People++
	if who.Why = why; len(to.Examples) < some {
		to.Examples = append(to.Examples, who)
	}
}

func affected(row store.Person) client.Affected {
	return client.Affected{Person: row.Shown(), Display: row.Display}
}

// result gives the whole.
func (t *tally) result() client.Forecast {
	out := t.out
	out.Changed = len(t.touched)
	out.Directory.Attributes = t.attributes.sorted()
	for _, list := range []*client.AffectedPeople{&out.Directory.Made, &out.Directory.Lost, &out.Directory.Rejected} {
		list.Examples = append([]client.Affected{}, list.Examples...)
	}
	out.Targets = []client.TargetForecast{}
	for _, name := range slices.Sorted(maps.Keys(t.byTarget)) {
		of := t.byTarget[name]
		one := client.TargetForecast{System: name, Classes: []client.ClassForecast{}, Attributes: of.attributes.sorted(), Problems: of.problems, Notes: of.notes}
		one.Problems.Examples = append([]client.Affected{}, of.problems.Examples...)
		for _, class := range slices.Sorted(maps.Keys(of.classes)) {
			one.Classes = append(one.Classes, t.limited(name, *of.classes[class]))
		}
		out.Targets = append(out.Targets, one)
	}
	out.Summary = summary(out, t.grouped)
	return out
}

// limited says whether a class would break its threshold.
func (t *tally) limited(system string, c client.ClassForecast) client.ClassForecast {
	if s := t.next[system]; s.Target != nil {
		limit := s.Target.Threshold(c.Class)
		known, err := t.tx.CountManaged(t.tenant, system)
		c.Limit, c.Held = limit.String(), err == nil && limit.Holds(c.Takes, known)
	}
	return c
}

// summary tells the whole in a few lines, what is lost first.
func summary(f client.Forecast, grouped bool) []string {
	if f.Changed == 0 && f.Directory.Rejected.People == 0 && !slices.ContainsFunc(f.Targets, func(t client.TargetForecast) bool { return t.Problems.People > 0 }) {
		return []string{"Nothing changes for anybody."}
	}
	lines := []string{fmt.Sprintf("%s of %d would change.", count(f.Changed, "person", "people"), f.People)}
	if grouped {
		lines[0] = fmt.Sprintf("%d of %d people and groups would change.", f.Changed, f.People)
	}
	say := func(n int, format string, args ...any) {
		if n > 0 {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	say(f.Directory.Lost.People, "%s would have left: no source has a record of them.", count(f.Directory.Lost.People, "person", "people"))
	say(f.Directory.Rejected.People, "%s could not be taken.", count(f.Directory.Rejected.People, "record", "records"))
	for _, a := range f.Directory.Attributes {
		say(a.Lose, "%d would lose %s.", a.Lose, a.Attribute)
	}
	for _, t := range f.Targets {
		for _, c := range t.Classes {
			held := ""
			if c.Held {
				held = ", held for approval"
			}
			say(c.People, "%s: %s %d%s.", t.System, c.Class, c.People, held)
		}
		for _, a := range t.Attributes {
			say(a.Lose, "%s: %d lose %s.", t.System, a.Lose, a.Attribute)
		}
		say(t.Problems.People, "%s: %s.", t.System, count(t.Problems.People, "problem", "problems"))
	}
	say(f.Directory.Made.People, "%s would be made.", count(f.Directory.Made.People, "person", "people"))
	return lines
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
