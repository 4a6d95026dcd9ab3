package reconcile

import (
	"slices"
	"strconv"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Left tells whether a create has left the object just as it wanted it, so that
// [Plan] would find nothing more to do there. Where the system has written
// something in another way, or filled what a rule leaves empty, Plan must look.
func Left(t *mapping.Target, c *connectorv1.Create, o *mapping.Object) bool {
	if _, name, container, ok := mapping.SplitDN(o.Address); ok {
		if directory.Fold(name) != directory.Fold(c.GetName()) || c.GetContainer() != "" && !sameDN(container, c.GetContainer()) {
			return false
		}
	}
	if enabled, told := o.Get(t.EnabledAttribute); told && !slices.Equal(enabled, []string{strconv.FormatBool(c.GetEnabled())}) {
		return false
	}
	for _, r := range t.Rules {
		var want []string
		if i := slices.IndexFunc(c.GetAttributes(), func(a *connectorv1.Attribute) bool { return a.GetName() == r.Attribute }); i >= 0 {
			want = c.GetAttributes()[i].GetValues()
		}
		if held, _ := o.Get(r.Attribute); !equal(r, held, want) {
			return false
		}
	}
	return true
}
