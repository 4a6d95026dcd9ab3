package csv

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Settings are what an operator sets; README.md has a table of them.
type Settings struct {
	Path       string        `json:"path" required:"true" format:"path" doc:"the file, with its whole path on the agent's host"`
	Key        string        `json:"key" required:"true" doc:"column whose value names the worker for ever, such as the employee number; it becomes the object's id: no name or address, which change"`
	Class      string        `json:"class" default:"row" doc:"name that mappings call a row by"`
	Header     bool          `json:"header" default:"true" doc:"the first line names the columns"`
	Columns    []string      `json:"columns" doc:"names of the columns in order: required without a header; with one, the header must be exactly this"`
	Delimiter  string        `json:"delimiter" default:"," doc:"one character between fields; tab for a tabulator"`
	Quote      string        `json:"quote" default:"\"" doc:"one character around fields that hold delimiters or line ends, doubled within them; none if there is no such"`
	Encoding   string        `json:"encoding" default:"utf-8" enum:"utf-8,utf-16,utf-16le,utf-16be,windows-1252" doc:"how text is written; a byte order mark is dropped, and decides the order of utf-16"`
	Trim       bool          `json:"trim" default:"false" doc:"drop blanks around values"`
	Settle     time.Duration `json:"settle" default:"2s" doc:"how long the file must have been left alone before it is taken"`
	OpenEnd    bool          `json:"open_end" default:"false" doc:"take a file whose last line has no line end; else it counts as cut off"`
	Trailer    string        `json:"trailer" doc:"beginning of the last line of a whole file, such as #END; a number after it is the count of rows"`
	DoneMarker string        `json:"done_marker" doc:"ending of the name of a file that is written beside this one when it is whole, such as .done; it must be as young as the file"`
	Poll       time.Duration `json:"poll" default:"10s" doc:"how often to look for a new file where the operating system does not tell, as on a network share"`
}

// Validate returns all that is wrong with the settings.
func (s Settings) Validate() error {
	var faults []error
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !filepath.IsAbs(s.Path) {
		add("%q must be a whole path such as /srv/hr/workers.csv, not %q", "path", s.Path)
	}
	if d := s.dialect(); d.delimiter == 0 {
		add("%q must be one ASCII character or the word tab, not %q", "delimiter", s.Delimiter)
	} else if d.quote == d.delimiter {
		add("%q and %q must be different characters", "quote", "delimiter")
	}
	if s.dialect().quote == 0 && s.Quote != "none" {
		add("%q must be one ASCII character or the word none, not %q", "quote", s.Quote)
	}
	if !s.Header && len(s.Columns) == 0 {
		add("%q is missing: a file without a header needs it", "columns")
	}
	if len(s.Columns) > 0 {
		if err := checkColumns(s.Columns); err != nil {
			add("%q: %w", "columns", err)
		}
		if !slices.Contains(s.Columns, s.Key) {
			add("%q is %q, which is not among %q", "key", s.Key, "columns")
		}
	}
	if s.Poll < time.Second {
		add("%q must be 1s or more, not %v", "poll", s.Poll)
	}
	if strings.ContainsAny(s.DoneMarker, `/\`) {
		add("%q is an ending such as .done, not a path", "done_marker")
	}
	return errors.Join(faults...)
}

// checkColumns looks for names that could not be attributes.
func checkColumns(names []string) error {
	seen := map[string]int{}
	for i, name := range names {
		fold := strings.ToLower(name)
		if strings.TrimSpace(name) == "" {
			return fmt.Errorf("column %d has no name", i+1)
		}
		if first, twice := seen[fold]; twice {
			return fmt.Errorf("columns %d and %d are both called %q", first, i+1, name)
		}
		seen[fold] = i + 1
	}
	return nil
}

// A dialect is what tells rows and fields apart.
type dialect struct {
	delimiter byte
	quote     byte // 0: there are no quoted fields
	trim      bool
	trailer   string
}

func (s Settings) dialect() dialect {
	return dialect{delimiter: character(s.Delimiter, "tab", '\t'), quote: character(s.Quote, "none", 0),
		trim: s.Trim, trailer: s.Trailer}
}

// character returns the one that text is, or what the word stands for; 0 if
// it is neither.
func character(text, word string, meaning byte) byte {
	switch {
	case text == word:
		return meaning
	case len(text) == 1 && text[0] < 0x80 && text[0] != '\n' && text[0] != '\r':
		return text[0]
	}
	return 0
}
