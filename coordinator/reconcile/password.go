package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// recipients gives the keys of those who may open a new password. Somebody who
// has none is passed over; where the document wants readers and nobody can be
// one, no account is made: its password would be lost.
func (p *planner) recipients(wanted []string) (keys []string, ok bool) {
	var unknown []string
	for _, w := range wanted {
		key, name := w, w
		if !strings.HasPrefix(w, "age1") {
			switch w {
			case mapping.Manager:
				name = p.in.Person.Attributes.Text("manager")
			case mapping.Pickup:
				name = mapping.PickupOf(p.in.Person.ID)
			}
			key = p.recipient(name)
		}
		switch {
		case key == "" && name == "":
			unknown = append(unknown, "the person's manager, whom the source does not name")
		case key == "" && w == mapping.Pickup:
			unknown = append(unknown, "a one-time link of the person")
		case key == "" && w == mapping.Manager:
			unknown = append(unknown, "the person's manager "+name)
		case key == "":
			unknown = append(unknown, name)
		case !slices.Contains(keys, key):
			keys = append(keys, key)
		}
	}
	if len(wanted) > 0 && len(keys) == 0 {
		p.problem(NoRecipient, &connectorv1.Fault{
			Cause:     fmt.Sprintf("Nobody could open the new password: there is no key for %s.", strings.Join(unknown, ", nor for ")),
			Attribute: "password",
			NextStep:  "Give one with drawbridge recipient add NAME KEY (for a manager, NAME is their key), make a link with drawbridge password link PERSON where the document says pickup, or name a second recipient in the document."})
		return nil, false
	}
	return keys, true
}

func (p *planner) recipient(name string) string {
	if name == "" || p.in.Recipient == nil {
		return ""
	}
	return p.in.Recipient(directory.Fold(name))
}

// NoRecipient is the kind of problem that another recipient may cure.
const NoRecipient = "no recipient"
