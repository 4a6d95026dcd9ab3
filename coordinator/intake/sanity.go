package intake

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// What a feed does not do by itself, column by column, over the records that a
// read changed, against what was known of them:
//
//	empty      values went, and the columns are there
//	gone       values went with their columns
//	alike      values became others, of less than half as many kinds
//	rewritten  values became others of another shape: 2024-01-31 and 31.01.24
//	come       a column that no record had
//
// Each counts where more records than the gate lets pass do it. And one record
// is enough for
//
//	reused     the record is another person's than it was
//
// Records are gone through twice: to count, and, where anything broke the gate or
// was held before, to hold those that have part in it. What is remembered is bounded by columns,
// not by records.

// An oddity is one of these.
type oddity int

const (
	sane oddity = iota
	emptied
	vanished
	alike
	rewritten
	appeared
)

// kinds is how many different values, and shapes, are told apart.
const kinds = 4096

// A column is what a read did to one.
type column struct {
	name      string
	lost      int // values that went
	absent    int // of them with the column
	changed   int // values that became others
	came      int // records that have the column now
	was, is   map[uint64]struct{}
	wasA, isA map[string]int // shapes
	odd       oddity
	known     int // values known before; records where there were none
}

// A suspicion is what is odd about what was staged.
type suspicion struct {
	columns []*column
	reused  map[string]bool // ids
	rows    int
	held    bool                // some of it was held before
	places  map[string][]string // some of the records concerned, by column; "" for the reused
	first   bool                // the first read under its document
}

// A pair is a record as it was known and as a read gives it.
type pair struct {
	store.Staged
	old      *store.Account
	was, now mapping.Object
}

// suspect counts what was staged up to a cycle and says what is odd about it; nil where nothing is staged.
func (s *scope) suspect(cycle int64) (*suspicion, error) {
	row, err := s.tx.System(s.tenant, s.name)
	if err != nil {
		return nil, err
	}
	v := &suspicion{reused: map[string]bool{}, places: map[string][]string{}, first: row.ReadAs != row.Revision}
	for _, name := range s.system.Source.Columns() {
		if !s.system.Gate.Ignores(name) {
			v.columns = append(v.columns, &column{name: name, was: map[uint64]struct{}{}, is: map[uint64]struct{}{}, wasA: map[string]int{}, isA: map[string]int{}})
		}
	}
	seed := maphash.MakeSeed()
	v.rows, err = s.pairs(cycle, func(p *pair) error {
		differ := 0
		v.held = v.held || p.Held != ""
		for _, c := range v.columns {
			if c.add(p, seed) {
				differ++
			}
		}
		if !s.system.Gate.Reuse && (differ > 1 || p.old.Gone != 0) && s.another(p) {
			v.reused[p.ID] = true
		}
		return nil
	})
	if err != nil || v.rows == 0 {
		return nil, err
	}
	return v, s.weigh(v)
}

// pairs visits what was staged up to a cycle beside what was known of it, and gives how much that is.
func (s *scope) pairs(cycle int64, visit func(*pair) error) (n int, err error) {
	for last, more := "", true; more; {
		rows, err := s.tx.StagedAfter(s.tenant, s.name, cycle, last, atOnce)
		if err != nil {
			return n, err
		}
		n, more = n+len(rows), len(rows) == atOnce
		ids := make([]string, len(rows))
		for i, r := range rows {
			ids[i], last = r.ID, r.ID
		}
		known, err := s.byID(ids)
		if err != nil {
			return n, err
		}
		for _, r := range rows {
			p := &pair{Staged: r, old: known[r.ID]}
			if p.old == nil || p.was.Read(p.old.Object) != nil || p.now.Read(r.Object) != nil {
				continue // it is taken, or set aside, as every record
			}
			if err := visit(p); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// A difference is what a read did to one column of a record.
type difference int

const (
	asBefore difference = iota
	valueLost
	columnCame // with a value
	valueChanged
)

// of tells how a record differs in the column; there says whether it has it now.
func (c *column) of(p *pair) (d difference, was, is []string, there bool) {
	was, had := p.was.Get(c.name)
	is, there = p.now.Get(c.name)
	switch full := filledIn(is); {
	case filledIn(was) && !full:
		d = valueLost
	case !had && full:
		d = columnCame
	case filledIn(was) && !slices.Equal(was, is):
		d = valueChanged
	}
	return d, was, is, there
}

// add counts a record, and tells whether the column changed.
func (c *column) add(p *pair, seed maphash.Seed) bool {
	d, was, is, there := c.of(p)
	switch d {
	case valueLost:
		c.lost++
		if !there {
			c.absent++
		}
	case columnCame:
		c.came++
	case valueChanged:
		c.changed++
		remember(c.was, was, seed)
		remember(c.is, is, seed)
		tell(c.wasA, was)
		tell(c.isA, is)
	}
	return d != asBefore
}

func remember(set map[uint64]struct{}, values []string, seed maphash.Seed) {
	if len(set) < kinds {
		set[maphash.String(seed, strings.Join(values, "\x00"))] = struct{}{}
	}
}

func tell(shapes map[string]int, values []string) {
	if shape := shapeOf(values[0]); shapes[shape] > 0 || len(shapes) < kinds {
		shapes[shape]++
	}
}

// weigh says which columns broke the gate.
func (s *scope) weigh(v *suspicion) error {
	g := s.system.Gate
	if !slices.ContainsFunc(v.columns, func(c *column) bool { return max(c.lost, c.changed, c.came) >= max(g.Rows, 1) }) {
		return nil
	}
	filled, err1 := s.filled()
	records, err2 := s.tx.CountAccounts(s.tenant, s.name)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for _, c := range v.columns {
		c.known = int(filled[strings.ToLower(c.name)])
		switch {
		case g.HoldsValues(c.lost, c.known) && 2*c.absent > c.lost:
			c.odd = vanished
		case g.HoldsValues(c.lost, c.known):
			c.odd = emptied
		case g.HoldsValues(c.changed, c.known) && len(c.was) > 1 && float64(len(c.is)) < (1-g.Distinct)*float64(len(c.was)):
			c.odd = alike
		case g.HoldsValues(c.changed, c.known) && c.reshaped():
			c.odd = rewritten
		case c.known == 0 && !v.first && g.HoldsValues(c.came, records):
			c.odd, c.known = appeared, records
		}
	}
	return nil
}

// reshaped tells whether nearly all values are of one shape now, and were of another.
func (c *column) reshaped() bool {
	was, n := most(c.wasA)
	is, m := most(c.isA)
	return was != is && 10*n >= 9*c.changed && 10*m >= 9*c.changed
}

func most(shapes map[string]int) (shape string, n int) {
	for s, k := range shapes {
		if k > n || k == n && s < shape {
			shape, n = s, k
		}
	}
	return shape, n
}

// shapeOf gives what a value is like, and nothing of the value itself: of
// numbers and dates where digits stand, of anything else that it is text.
func shapeOf(value string) string {
	value = strings.TrimSpace(value)
	switch strings.ToLower(value) {
	case "true", "false", "yes", "no": // a letter may be any code: A is active, T has left
		return "yes or no"
	}
	if strings.Trim(value, "0123456789") == "" {
		return "digits"
	}
	if len(value) > 40 || strings.Trim(value, "0123456789.,:/-+ TZ") != "" || !strings.ContainsAny(value, "0123456789") {
		return "text"
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '9'
		}
		return r
	}, value)
}

// another tells whether a record is another person's than it was: with other
// names and another first day, or with other names where it had been gone or
// tells of no first day. Who marries keeps a name, and who comes back both.
func (s *scope) another(p *pair) bool {
	was, err1 := s.system.Source.Read(p.old.Object)
	is, err2 := s.system.Source.Read(p.Object)
	if err1 != nil || err2 != nil || directory.Fold(was.Key) != directory.Fold(is.Key) {
		return false
	}
	names := func(a directory.Attributes) []string {
		return []string{directory.Fold(a.Text("name.givenName")), directory.Fold(a.Text("name.familyName"))}
	}
	old, now := names(was.Attributes), names(is.Attributes)
	if slices.Contains(old, "") || slices.Contains(now, "") || slices.ContainsFunc(now, func(n string) bool { return slices.Contains(old, n) }) {
		return false
	}
	began, begins := was.Attributes.Time("startDate"), is.Attributes.Time("startDate")
	return p.old.Gone != 0 || began.IsZero() || begins.IsZero() || !began.Equal(begins)
}

// hold marks what waits for a person, and tells whether any of it came with this cycle.
func (s *scope) hold(cycle int64, v *suspicion) (fresh bool, err error) {
	odd := slices.DeleteFunc(slices.Clone(v.columns), func(c *column) bool { return c.odd == sane })
	if len(odd)+len(v.reused) == 0 && !v.held {
		return false, nil
	}
	held := map[string][]string{} // why to ids
	_, err = s.pairs(cycle, func(p *pair) error {
		var why []string
		place := cmp.Or(p.now.Address, s.system.Source.Class+" "+p.ID)
		for _, c := range odd {
			if c.has(p) {
				why = append(why, c.word())
				v.place(c.name, place)
			}
		}
		if v.reused[p.ID] {
			why = append(why, "the id is another person's now")
			v.place("", place)
		}
		reason := strings.Join(why, ", ")
		if reason != p.Held {
			held[reason] = append(held[reason], p.ID)
		}
		fresh = fresh || reason != "" && p.Cycle == cycle
		return nil
	})
	for reason, ids := range held {
		if err == nil {
			err = s.tx.HoldStaged(s.tenant, s.name, reason, ids)
		}
	}
	return fresh, err
}

// shown is how many of the records concerned are named in a reason.
const shown = 3

func (v *suspicion) place(column, place string) {
	if len(v.places[column]) < shown {
		v.places[column] = append(v.places[column], place)
	}
}

// has tells whether a record has part in what is odd about the column.
func (c *column) has(p *pair) bool {
	d, _, _, _ := c.of(p)
	switch c.odd {
	case emptied, vanished:
		return d == valueLost
	case alike, rewritten:
		return d == valueChanged
	case appeared:
		return d == columnCame
	}
	return false
}

// word says of one record what is odd about the column.
func (c *column) word() string {
	return c.name + " " + map[oddity]string{emptied: "is empty", vanished: "is gone", alike: "is as in many others",
		rewritten: "is written otherwise", appeared: "is there"}[c.odd]
}

// causes says of every column that broke the gate what is odd about it, and of ids that are another person's now.
func (v *suspicion) causes() []string {
	var all []string
	for _, c := range v.columns {
		if c.odd != sane {
			all = append(all, c.cause()+v.examples(c.name))
		}
	}
	if n := len(v.reused); n > 0 {
		all = append(all, fmt.Sprintf("%d of the ids that are known are other people's now, by their names: give whoever is new an id of their own%s", n, v.examples("")))
	}
	return all
}

func (c *column) cause() string {
	was, _ := most(c.wasA)
	is, _ := most(c.isA)
	switch c.odd {
	case vanished:
		return fmt.Sprintf("the column %s is gone from %d of %d records that had a value", c.name, c.lost, c.known)
	case emptied:
		return fmt.Sprintf("%s is empty in %d of %d records that had a value", c.name, c.lost, c.known)
	case alike:
		return fmt.Sprintf("%s has %s in %d of %d records, which had %s", c.name, different(c.is), c.changed, c.known, different(c.was))
	case rewritten:
		return fmt.Sprintf("%s is written like %s in %d of %d records, and was like %s", c.name, is, c.changed, c.known, was)
	}
	return fmt.Sprintf("the column %s, which no record had, is in %d of %d", c.name, c.came, c.known)
}

func different(values map[uint64]struct{}) string {
	switch n := len(values); {
	case n == 1:
		return "one and the same value"
	case n >= kinds:
		return fmt.Sprintf("%d different values and more", kinds)
	default:
		return fmt.Sprintf("%d different values", n)
	}
}

// examples names some of the records.
func (v *suspicion) examples(column string) string {
	if len(v.places[column]) == 0 {
		return ""
	}
	return " (" + strings.Join(v.places[column], ", ") + ", …)"
}
