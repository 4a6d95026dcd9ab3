package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// A table is printed with aligned columns. On a terminal its last column is
// cut to the width; elsewhere nothing is ever cut.
type table struct {
	head []string
	rows [][]string
}

func newTable(head ...string) *table { return &table{head: head} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table, or says that there is nothing.
func (t *table) print(s *session, nothing string) {
	if len(t.rows) == 0 {
		s.printf("%s", nothing)
		return
	}
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	paint, limit := s.paint(), s.width()
	t.line(s.out, t.head, widths, limit, paint.dim)
	for _, row := range t.rows {
		t.line(s.out, row, widths, limit, func(text string) string { return text })
	}
}

func (t *table) line(out io.Writer, row []string, widths []int, limit int, style func(string) string) {
	var b strings.Builder
	used := 0
	for i, cell := range row {
		if i == len(row)-1 {
			if limit > 0 && used < limit {
				cell = runewidth.Truncate(cell, limit-used, "…")
			}
			b.WriteString(cell)
			break
		}
		b.WriteString(runewidth.FillRight(cell, widths[i]))
		b.WriteString("  ")
		used += widths[i] + 2
	}
	fmt.Fprintln(out, style(strings.TrimRight(b.String(), " ")))
}

// width is that of the terminal; 0 where the output is none.
func (s *session) width() int {
	f, ok := s.out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 20 {
		return n
	}
	if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 20 {
		return n
	}
	return 100
}

// paint colours text for a terminal; its zero value leaves it plain.
type paint struct{ on bool }

func (s *session) paint() paint    { return paint{coloured(s.out)} }
func (s *session) paintErr() paint { return paint{coloured(s.errOut)} }

func coloured(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

func (p paint) style(code, text string) string {
	if !p.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p paint) bold(text string) string { return p.style("1", text) }
func (p paint) dim(text string) string  { return p.style("2", text) }
func (p paint) good(text string) string { return p.style("32", text) }
func (p paint) warn(text string) string { return p.style("33", text) }
func (p paint) bad(text string) string  { return p.style("1;31", text) }

// stamp gives an instant in local time; "–" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// span gives a duration in the one or two largest units.
func span(d time.Duration) string {
	switch d = d.Abs(); {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// orDash gives "–" for nothing.
func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// bare writes the rows without a heading, indented by two.
func (t *table) bare(s *session) {
	widths := make([]int, len(t.head))
	for i := range t.rows {
		t.rows[i][0] = "  " + t.rows[i][0]
		for j, cell := range t.rows[i] {
			widths[j] = max(widths[j], runewidth.StringWidth(cell))
		}
	}
	for _, row := range t.rows {
		t.line(s.out, row, widths, s.width(), func(text string) string { return text })
	}
}
