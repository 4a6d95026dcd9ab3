package scim_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/scim/double"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Pain 5: whatever status and scimType a server refuses a change with, whoever
// must act is told what happened, to which object, what to do next, what the
// server said in its own words; and the attribute, where it says which.
func TestPain05_everyRefusalSaysWhatToDo(t *testing.T) {
	t.Parallel()
	var answer atomic.Pointer[string]
	var status atomic.Int64
	p := serveDouble(t, double.Options{Hook: func(w http.ResponseWriter, r *http.Request) bool {
		if answer.Load() == nil || r.Method != "PATCH" {
			return false
		}
		w.Header().Set("Content-Type", "application/scim+json")
		w.WriteHeader(int(status.Load()))
		_, _ = fmt.Fprint(w, *answer.Load())
		return true
	}}, nil)
	id := p.done(t, create("ada"), false).GetId()
	for _, code := range []int64{400, 401, 403, 404, 405, 409, 410, 412, 413, 418, 422, 500, 501} {
		for _, kind := range []string{"", "invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget", "invalidValue", "invalidVers", "sensitive"} {
			text := fmt.Sprintf(`{"scimType":%q,"detail":"said so of urn:ietf:params:scim:schemas:core:2.0:User:title"}`, kind)
			status.Store(code)
			answer.Store(&text)
			r := p.apply(t, modify(id, change("title", "", "Clerk"), change("nickName", "", "A")))
			f := r.GetFault()
			switch {
			case r.GetOutcome() <= sdk.OutcomeDone:
				t.Errorf("%d %s is the outcome %s", code, kind, r.GetOutcome())
			case len(strings.Fields(f.GetCause())) < 4, len(strings.Fields(f.GetNextStep())) < 3:
				t.Errorf("%d %s: cause %q, next step %q; want a sentence each", code, kind, f.GetCause(), f.GetNextStep())
			case f.GetObject() == "":
				t.Errorf("%d %s names no object: %v", code, kind, f)
			case r.GetOutcome() == sdk.OutcomeInvalid && f.GetAttribute() != "title":
				t.Errorf("%d %s is about %q; want the title, which the server names", code, kind, f.GetAttribute())
			case !strings.Contains(f.GetRaw(), "said so"):
				t.Errorf("%d %s: raw %q; want the server's words", code, kind, f.GetRaw())
			}
		}
	}
	none := `{"scimType":"invalidValue","detail":"said so"}`
	status.Store(400)
	answer.Store(&none)
	if f := p.apply(t, modify(id, change("nickName", "", "A"))).GetFault(); f.GetAttribute() != "nickName" {
		t.Errorf("the only attribute that was written is not named: %v", f)
	}
	if f := p.apply(t, modify(id, change("nickName", "", "A"), change("title", "", "B"))).GetFault(); f.GetAttribute() != "" {
		t.Errorf("of two the server names none, and the fault names %q", f.GetAttribute())
	}
}
