package reconcile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
)

// What becomes of an attribute that several hands fill.
func TestPlan_additive(t *testing.T) {
	t.Parallel()
	target := parse(t, `system: corp-ad
site: hq
connector: activedirectory
target:
  class: user
  name: displayName
  attributes:
    otherTelephone: {value: 'list(phoneNumbers.mobile, phoneNumbers.other)', keep: additive}
`).Target
	p := directory.Person{Key: "ann", HasSource: true}
	var got strings.Builder
	for _, step := range []struct {
		name, mobile, there, ours string
		known                     bool
	}{
		{"a number beside those of others", "1", "7 8", "", true},
		{"nothing new", "1", "7 8 1", "1", true},
		{"another number instead of ours", "2", "7 8 1", "1", true},
		{"somebody took ours away", "2", "7 8", "2", true},
		{"the rule gives what others wrote, too", "7", "7 8", "", true},
		{"and then nothing: theirs stays", "", "7 8", "", true},
		{"nothing instead of ours", "", "7 8 2", "2", true},
		{"ours was all there was", "", "2", "2", true},
		{"nothing is known of the numbers", "", "7 8 2", "2", false},
	} {
		p.Attributes = attributes("displayName", "Ann Doe")
		if step.known {
			p.Attributes.Set("phoneNumbers.mobile", nil)
		}
		if step.mobile != "" {
			p.Attributes.Set("phoneNumbers.mobile", step.mobile)
		}
		a := (&model{id: "guid", address: "CN=Ann Doe,DC=corp", enabled: true, attributes: map[string][]string{"otherTelephone": strings.Fields(step.there)}}).account()
		a.Added = map[string][]string{"othertelephone": strings.Fields(step.ours)}
		out := reconcile.Plan(reconcile.Input{Now: now, Person: p, Target: target, Account: a, Names: newDomain(), Refs: newDomain()})
		got.WriteString(story(fmt.Sprintf("%s: there %q, of which ours %q", step.name, step.there, step.ours), out))
	}
	golden(t, "additive.golden", "An attribute that several hands fill (keep: additive): only values that we added are ever taken away.\n"+legend+got.String())
}
