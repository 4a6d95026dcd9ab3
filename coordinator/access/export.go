package access

import (
	"strconv"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

var auditColumns = []string{"seq", "at", "who", "subject", "means", "credential", "address", "browser", "action", "object", "detail", "outcome", "reason"}

// auditRow gives the cells of a line of the audit.
func auditRow(a client.Audited) []string {
	return []string{strconv.FormatInt(a.Seq, 10), a.At.Format(time.RFC3339Nano), a.Who, a.Subject, a.Means, a.Credential, a.Address,
		a.Browser, a.Action, a.Object, a.Detail, a.Outcome, a.Reason}
}
