package connkit

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// A Verdict is what became of a rule.
type Verdict string

// The verdicts.
const (
	Passed        Verdict = "passed"
	Failed        Verdict = "failed"
	NotApplicable Verdict = "not applicable"
)

// A Result is what was found of one rule.
type Result struct {
	Rule    string        `json:"rule"` // its name, which stays the same over releases
	What    string        `json:"what"` // the rule, in a sentence
	Why     string        `json:"why"`  // what happens at a customer's when it is broken
	Cure    string        `json:"cure"` // how an author keeps it
	Verdict Verdict       `json:"verdict"`
	Found   []string      `json:"found,omitempty"`  // what broke it
	Reason  string        `json:"reason,omitempty"` // why it does not apply
	Notes   []string      `json:"notes,omitempty"`  // worth knowing, and no fault
	Took    time.Duration `json:"took_ns"`
}

// A Report is what the kit found.
type Report struct {
	Connector string   `json:"connector"`
	Version   string   `json:"version"`
	Protocol  uint32   `json:"protocol"`
	Passes    bool     `json:"passes"` // no rule failed
	Results   []Result `json:"results"`
}

// Count returns how many rules had the verdict.
func (r *Report) Count(v Verdict) (n int) {
	for _, result := range r.Results {
		if result.Verdict == v {
			n++
		}
	}
	return n
}

// WriteJSON writes the report for machines.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText writes the report for people: one line for each rule, and below
// one that failed what was found, why that matters and how to cure it.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Connector %s %s, contract %d\n\n", r.Connector, r.Version, r.Protocol)
	for _, result := range r.Results {
		sign := map[Verdict]string{Passed: "ok  ", Failed: "FAIL", NotApplicable: " -  "}[result.Verdict]
		fmt.Fprintf(&b, "%s  %-20s %s\n", sign, result.Rule, result.What)
		switch result.Verdict {
		case Failed:
			for _, found := range result.Found {
				fmt.Fprintf(&b, "        found  %s\n", indent(found))
			}
			fmt.Fprintf(&b, "        why    %s\n        cure   %s\n", result.Why, result.Cure)
		case NotApplicable:
			fmt.Fprintf(&b, "        does not apply: %s\n", result.Reason)
		}
		for _, note := range result.Notes {
			fmt.Fprintf(&b, "        note   %s\n", indent(note))
		}
	}
	end := "The connector passes."
	if !r.Passes {
		end = "The connector does NOT pass."
	}
	fmt.Fprintf(&b, "\n%d rules kept, %d broken, %d that do not apply. %s\n",
		r.Count(Passed), r.Count(Failed), r.Count(NotApplicable), end)
	_, err := io.WriteString(w, b.String())
	return err
}

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n               ") }
