package access

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

var auditColumns = []string{"seq", "at", "who", "subject", "means", "credential", "address", "browser", "action", "object", "detail", "outcome", "reason"}

// csvLines gives what writes lines as CSV (RFC 4180), beginning with the names of the columns.
func csvLines(to io.Writer) func([]client.Audited) error {
	out := csv.NewWriter(to)
	begun := false
	return func(list []client.Audited) error {
		if !begun {
			begun = true
			_ = out.Write(auditColumns) // Flush gives its error
		}
		for _, a := range list {
			row := []string{strconv.FormatInt(a.Seq, 10), a.At.Format(time.RFC3339Nano), a.Who, a.Subject, a.Means, a.Credential, a.Address,
				a.Browser, a.Action, a.Object, a.Detail, a.Outcome, a.Reason}
			for i := range row {
				row[i] = plainCell(row[i])
			}
			_ = out.Write(row)
		}
		out.Flush()
		return out.Error()
	}
}

// plainCell keeps a spreadsheet from taking what others wrote for a formula.
func plainCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// jsonLines gives what writes each line as a JSON object.
func jsonLines(to io.Writer) func([]client.Audited) error {
	out := json.NewEncoder(to)
	return func(list []client.Audited) error {
		for _, a := range list {
			if err := out.Encode(a); err != nil {
				return err
			}
		}
		return nil
	}
}
