// Package export writes lists for other programs: as JSON lines, or as CSV that a
// spreadsheet may open. What is exported, to whom, and how it is fetched slice by
// slice is its callers': api and access.
package export

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
)

// JSONLines gives what writes each value of a list as a JSON object on a line of its own.
func JSONLines[T any](to io.Writer) func([]T) error {
	out := json.NewEncoder(to)
	return func(list []T) error {
		for _, v := range list {
			if err := out.Encode(v); err != nil {
				return err
			}
		}
		return nil
	}
}

// CSV gives what writes values as CSV (RFC 4180), row making the cells of one. The
// names of the columns come first, with the first list. It may change the cells.
func CSV[T any](to io.Writer, row func(T) []string, columns ...string) func([]T) error {
	out := csv.NewWriter(to)
	_ = out.Write(columns) // Flush gives its error
	return func(list []T) error {
		for _, v := range list {
			cells := row(v)
			for i := range cells {
				cells[i] = plain(cells[i])
			}
			_ = out.Write(cells)
		}
		out.Flush()
		return out.Error()
	}
}

// plain keeps a spreadsheet from taking what others wrote for a formula.
func plain(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
