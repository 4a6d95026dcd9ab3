package fault_test

import (
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Pain 5: whatever result code a directory answers, also one that nobody has
// heard of, whoever must act is told what happened, to which object and
// attribute, what to do next, and what the server said in its own words.
func TestPain05_everyResultCodeSaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := fault.Words{Account: "cn=svc"}
	about := fault.About{Server: dc.Server{URL: "ldaps://dc1"}, Doing: "change the object", Object: "cn=Ada,o=x", Attribute: "title"}
	for code := 1; code <= 140; code++ {
		e := w.Refusal(&wire.Result{Code: code, Message: "said so", Referrals: []string{"ldap://other"}}, about)
		switch {
		case e.Outcome <= sdk.OutcomeDone:
			t.Errorf("code %d is the outcome %s", code, e.Outcome)
		case len(strings.Fields(e.Cause)) < 4, len(strings.Fields(e.NextStep)) < 3:
			t.Errorf("code %d: cause %q, next step %q; want a sentence each", code, e.Cause, e.NextStep)
		case e.Object != "cn=Ada,o=x" || e.Attribute != "title":
			t.Errorf("code %d is about %q of %q; want title of cn=Ada,o=x", code, e.Attribute, e.Object)
		case !strings.Contains(e.Raw, "said so"):
			t.Errorf("code %d: raw %q; want the server's words", code, e.Raw)
		}
	}
}
