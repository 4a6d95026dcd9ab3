package sql

import (
	"fmt"
	"strings"
)

// inForce is a table of the rows of each key, numbered: first the one in force
// on the day, else the next to come, else the last that was. The day is written
// as a literal, which time.Format made: a parameter could not be used many
// times.
func (c *class) inForce(today string) string {
	d, e := c.dialect, c.Effective
	now, key, from := fmt.Sprintf(d.day, "'"+today+"'"), d.quote(c.key.name), d.quote(c.column(e.From).name)
	state := "CASE WHEN " + from + " > " + now + " THEN 1"
	if e.To != "" {
		state += " WHEN " + d.quote(c.column(e.To).name) + " < " + now + " THEN 2"
	}
	state += " ELSE 0 END"
	order, latest := state+", CASE WHEN "+from+" > "+now+" THEN "+from+" END, "+from+" DESC", ""
	if e.Sequence != "" {
		latest = ", " + d.quote(c.column(e.Sequence).name) + " DESC"
	}
	numbered := "SELECT t.*, " + state + " AS drawbridge_state, ROW_NUMBER() OVER (PARTITION BY " + key + " ORDER BY " + order + latest + ") AS drawbridge_n FROM " +
		c.source() + where(c.conditions())
	if len(e.Next) == 0 {
		return "(" + numbered + ") e"
	}
	// The row that comes after the one that is shown, if one is to come.
	window := " OVER (PARTITION BY " + key + " ORDER BY CASE WHEN drawbridge_n = 1 THEN 0 WHEN drawbridge_state = 1 THEN 1 ELSE 2 END, " + from + latest + ")"
	var list strings.Builder
	for _, col := range c.columns {
		if col.ahead != nil {
			fmt.Fprintf(&list, ", CASE WHEN LEAD(drawbridge_state)%[1]s = 1 THEN LEAD(%[2]s)%[1]s END AS %[3]s", window, d.quote(col.ahead.name), d.quote(col.stored()))
		}
	}
	return "(SELECT n.*" + list.String() + " FROM (" + numbered + ") n) e"
}

// addNext shows columns of the row that is to come, under names that begin
// with next_.
func (c *class) addNext() error {
	for _, name := range c.Effective.Next {
		of := c.column(name)
		if of == nil || of.list != nil {
			return c.missing(name, "effective.next")
		}
		col := *of
		col.name, col.ahead = "next_"+of.name, of
		c.insert(&col)
	}
	return nil
}
