package store

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Tally is how often something happened in one span of time.
type Tally struct {
	Tenant string
	Width  int64   // of the span, in seconds
	At     Instant // when the span begins
	System string
	Name   string
	N      int64
}

const tallyColumns = "tenant, width, at, system, name, n"

func (t *Tally) fields() []any { return []any{&t.Tenant, &t.Width, &t.At, &t.System, &t.Name, &t.N} }

// Spans that are counted, and for how long the counts are kept.
var spans = []struct{ width, kept time.Duration }{
	{5 * time.Minute, 48 * time.Hour},
	{time.Hour, 35 * 24 * time.Hour},
	{24 * time.Hour, 3 * 366 * 24 * time.Hour},
}

// SpanFor gives the width of the spans to look at for what happened since, a few hundred at most.
func SpanFor(since time.Duration) time.Duration {
	for _, s := range spans {
		if since <= s.kept/2 {
			return s.width
		}
	}
	return spans[len(spans)-1].width
}

// Counts are what a transaction counts. The zero value is ready.
type Counts struct{ n map[[2]string]int64 }

// Add counts one of a name in a system.
func (c *Counts) Add(system, name string) {
	if c.n == nil {
		c.n = map[[2]string]int64{}
	}
	c.n[[2]string{system, name}]++
}

// Lag counts how long something took. It is kept in steps of a fifth.
func (c *Counts) Lag(system string, took time.Duration) {
	c.Add(system, "lag "+strconv.Itoa(lagStep(took)))
}

const lag = "lag "

// lagStep is the number of the step that a duration is in; steps are a quarter of an octave of milliseconds.
func lagStep(d time.Duration) int {
	return int(math.Round(4 * math.Log2(float64(max(d.Milliseconds(), 1)))))
}

// LagOf gives the middle of the step that a tally counts, and whether it counts one.
func LagOf(name string) (time.Duration, bool) {
	step, ok := strings.CutPrefix(name, lag)
	n, err := strconv.Atoi(step)
	return time.Duration(math.Exp2(float64(n)/4) * float64(time.Millisecond)), ok && err == nil
}

// AddCounts adds what was counted to the spans of now.
func (tx *Tx) AddCounts(tenant string, c Counts) error {
	if len(c.n) == 0 {
		return nil
	}
	var rows []Tally
	for _, s := range spans {
		at := InstantOf(tx.Now.Time().Truncate(s.width))
		for _, k := range slices.SortedFunc(maps.Keys(c.n), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
			rows = append(rows, Tally{tenant, int64(s.width / time.Second), at, k[0], k[1], c.n[k]})
		}
	}
	return insert(tx, "tally", tallyColumns, "ON CONFLICT (tenant, width, at, system, name) DO UPDATE SET n = tally.n + excluded.n", rows)
}

// Tallies returns what was counted in spans of a width that begin at or after since, the earliest first.
func (tx *Tx) Tallies(tenant string, width time.Duration, since Instant) ([]Tally, error) {
	return query[Tally](tx, "SELECT "+tallyColumns+" FROM tally WHERE tenant = ? AND width = ? AND at >= ? ORDER BY at, system, name",
		tenant, int64(width/time.Second), since)
}

// ForgetTallies removes what is too old to be looked at.
func (tx *Tx) ForgetTallies(tenant string) error {
	for _, s := range spans {
		if _, err := tx.exec("DELETE FROM tally WHERE tenant = ? AND width = ? AND at < ?", tenant, int64(s.width/time.Second), tx.Now.Add(-s.kept)); err != nil {
			return err
		}
	}
	return nil
}

// CountPlanned counts jobs that were planned out of cycles, for each of these.
func (tx *Tx) CountPlanned(tenant string, jobs []Job) error {
	return tx.countOf(tenant, jobs, func(j Job) string { return j.Class + " planned" })
}

// CountCame counts objects that a cycle has read so far.
func (tx *Tx) CountCame(tenant, system string, cycle int64, objects int) error {
	tx.touch(tenant, TopicCycles)
	return insert(tx, "tally", tallyColumns, "ON CONFLICT (tenant, width, at, system, name) DO UPDATE SET n = tally.n + excluded.n",
		[]Tally{{Tenant: tenant, At: Instant(cycle), System: system, Name: Came, N: int64(objects)}})
}

// Came is the name under which objects are counted that a cycle has read.
const Came = "came"

// CountEnded counts jobs that have ended for the spans of now, for the cycles that they
// were planned out of, and how long they took since the record came that they answer.
func (tx *Tx) CountEnded(tenant string, jobs []Job) error {
	var c Counts
	for _, j := range jobs {
		c.Add(j.System, j.Class+" "+j.State)
		if j.State == JobDone && j.Since != 0 {
			c.Lag(j.System, tx.Now.Time().Sub(j.Since.Time()))
		}
	}
	if err := tx.AddCounts(tenant, c); err != nil {
		return err
	}
	return tx.countOf(tenant, jobs, func(j Job) string { return j.Class + " " + j.State })
}

func (tx *Tx) countOf(tenant string, jobs []Job, name func(Job) string) error {
	n := map[Tally]int64{}
	for _, j := range jobs {
		if j.Cycle != 0 {
			n[Tally{Tenant: tenant, At: Instant(j.Cycle), System: j.System, Name: name(j)}]++
		}
	}
	var rows []Tally
	for t, count := range n {
		t.N = count
		rows = append(rows, t)
	}
	return insert(tx, "tally", tallyColumns, "ON CONFLICT (tenant, width, at, system, name) DO UPDATE SET n = tally.n + excluded.n", rows)
}

// CountsOf returns what came of a cycle: by target, class and what became of its jobs.
func (tx *Tx) CountsOf(tenant string, cycle int64) ([]Tally, error) {
	return query[Tally](tx, "SELECT "+tallyColumns+" FROM tally WHERE tenant = ? AND width = 0 AND at = ? ORDER BY system, name", tenant, cycle)
}
