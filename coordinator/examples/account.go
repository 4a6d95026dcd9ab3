package examples

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// An account is one that obeys operations, and is not made yet at first.
type account struct {
	made            bool
	container, name string
	enabled         bool
	object          connectorv1.Object
	groups          []string
}

// get gives what an example may expect by its name.
func (a *account) get(name string) []string {
	switch strings.ToLower(name) {
	case "account":
		if a.made {
			return []string{"made"}
		}
		return []string{"none"}
	case "container":
		return nonEmpty(a.container)
	case "name":
		return nonEmpty(a.name)
	case "enabled":
		if !a.made {
			return nil
		}
		return []string{strconv.FormatBool(a.enabled)}
	case "groups":
		return a.groups
	}
	for _, at := range a.object.GetAttributes() {
		if strings.EqualFold(at.GetName(), name) {
			return at.GetValues()
		}
	}
	return nil
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func (a *account) set(name string, values []string) {
	for _, at := range a.object.GetAttributes() {
		if strings.EqualFold(at.GetName(), name) {
			at.Values = values
			return
		}
	}
	a.object.Attributes = append(a.object.Attributes, &connectorv1.Attribute{Name: name, Values: values})
}

// apply carries an operation out.
func (a *account) apply(op *connectorv1.Operation) {
	switch verb := op.GetVerb().(type) {
	case *connectorv1.Operation_Create:
		c := verb.Create
		a.made, a.container, a.name, a.enabled = true, c.GetContainer(), c.GetName(), c.GetEnabled()
		for _, at := range c.GetAttributes() {
			a.set(at.GetName(), at.GetValues())
		}
	case *connectorv1.Operation_Modify:
		for _, c := range verb.Modify.GetChanges() {
			a.set(c.GetName(), c.GetWant())
		}
	case *connectorv1.Operation_Move:
		a.container, a.name = verb.Move.GetContainer(), verb.Move.GetName()
	case *connectorv1.Operation_SetEnabled:
		a.enabled = verb.SetEnabled.GetEnabled()
	case *connectorv1.Operation_ChangeMembership:
		a.groups = append(a.groups, verb.ChangeMembership.GetJoin()...)
		a.groups = slices.DeleteFunc(a.groups, func(id string) bool { return slices.Contains(verb.ChangeMembership.GetLeave(), id) })
	case *connectorv1.Operation_Delete:
		*a = account{}
	}
}

// known gives the account as the planner sees it; nil while it is not made.
func (a *account) known() (*reconcile.Account, error) {
	if !a.made {
		return nil, nil
	}
	address := "CN=" + mapping.EscapeDN(a.name)
	if a.container != "" {
		address += "," + a.container
	}
	a.set("enabled", []string{strconv.FormatBool(a.enabled)})
	a.set("memberOf", slices.Clone(a.groups))
	a.object.Id, a.object.Address = "example", address
	slices.SortFunc(a.object.Attributes, func(x, y *connectorv1.Attribute) int {
		return strings.Compare(x.GetName(), y.GetName())
	})
	text, err := proto.Marshal(&a.object)
	return &reconcile.Account{ID: "example", Address: address, Object: text, Granted: slices.Clone(a.groups)}, err
}
