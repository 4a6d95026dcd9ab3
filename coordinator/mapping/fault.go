package mapping

import (
	"fmt"
	"strings"
)

// A Fault is one thing wrong with a document, written for the one who writes it.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1; 0: the whole document
	Column  int    `json:"column"` // from 1, in characters; 0: the whole line
	Message string `json:"message"`
	// Hint is what to do, such as "did you mean department?"; may be empty.
	Hint string `json:"hint,omitempty"`
	// Snippet shows the expression with a caret under the place; may be empty.
	Snippet string `json:"snippet,omitempty"`
}

// Error gives the fault on one line, and the snippet below it.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	if f.Column > 0 {
		fmt.Fprintf(&b, ":%d", f.Column)
	}
	b.WriteString(": " + f.Message)
	if f.Hint != "" {
		b.WriteString("; " + f.Hint)
	}
	if f.Snippet != "" {
		b.WriteString("\n" + f.Snippet)
	}
	return b.String()
}

// Faults is everything wrong with a document, in order of place. It is the
// error that Parse returns.
type Faults []Fault

// Error gives one fault after the other.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}
