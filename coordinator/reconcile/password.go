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

// NewPassword gives the operation by which the account has a new password, by the
// document's rule and for whom the document names. No plan has it: somebody asks
// for it, and why says who. The problem says why there is none.
func NewPassword(in Input, why string) (Op, *Problem) {
	p := &planner{in: in, t: in.Target, account: in.Account}
	refuse := func(cause, next string) (Op, *Problem) {
		return Op{}, &Problem{Kind: "invalid", Fault: &connectorv1.Fault{Cause: cause, NextStep: next, Attribute: "password"}}
	}
	w := p.t.Password
	switch {
	case w == nil:
		return refuse("The document gives accounts of this class no password.", "Add password to it.")
	case in.Account == nil:
		return refuse("There is no account.", "See why with drawbridge person show.")
	case in.Home:
		return refuse("The account comes from there, and is not ours to write.", "Set the password at its home.")
	case len(w.Recipients) == 0:
		return refuse("The document names nobody who may read passwords, so nobody would learn the new one.", "Add recipients below password.")
	}
	if err := p.object.Read(in.Account.Object); err != nil {
		return refuse("The stored object of the account cannot be read: "+err.Error()+".", "Read the system in full.")
	}
	if enabled, told := p.state(); told && !enabled {
		return refuse("The account is disabled.", "See why with drawbridge person show; one that is enabled again keeps its password.")
	}
	to, ok := p.recipients(w.Recipients)
	if !ok {
		return Op{}, p.out.Problem
	}
	p.op("password", false, letsIn, &connectorv1.Operation{Verb: &connectorv1.Operation_SetPassword{SetPassword: &connectorv1.SetPassword{Rule: p.rule(to)}}},
		mapping.Reason{Attribute: "password", Rule: why})
	return p.out.Ops[0], nil
}

// rule is the document's rule for a password that the holders of keys may read.
func (p *planner) rule(keys []string) *connectorv1.PasswordRule {
	w := p.t.Password
	return &connectorv1.PasswordRule{Length: uint32(w.Length), Recipients: keys, ChangeAtSignIn: w.ChangeAtSignIn}
}

// NoRecipient is the kind of problem that another recipient may cure.
const NoRecipient = "no recipient"
