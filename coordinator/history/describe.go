package history

import (
	"fmt"
	"strings"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Describe says in a line what a job does. It names attributes, never values
// other than where an object is put.
func Describe(job *linkv1.Job) string {
	switch work := job.GetWork().(type) {
	case *linkv1.Job_Apply:
		return Operation(work.Apply)
	case *linkv1.Job_Read:
		if work.Read.GetFull() || work.Read.GetResend() {
			return "read everything"
		}
		return "read what changed"
	case *linkv1.Job_Find:
		return fmt.Sprintf("look up %d objects by %s", len(work.Find.GetValues()), work.Find.GetAttribute())
	case *linkv1.Job_Probe:
		return "probe"
	case *linkv1.Job_Schema:
		return "read the schema"
	}
	return "nothing"
}

// Operation says in a line what an operation does.
func Operation(op *connectorv1.Operation) string {
	switch verb := op.GetVerb().(type) {
	case *connectorv1.Operation_Create:
		text := "create " + verb.Create.GetName()
		if c := verb.Create.GetContainer(); c != "" {
			text += " in " + c
		}
		if !verb.Create.GetEnabled() {
			text += ", disabled"
		}
		return text
	case *connectorv1.Operation_Modify:
		names := make([]string, len(verb.Modify.GetChanges()))
		for i, c := range verb.Modify.GetChanges() {
			names[i] = c.GetName()
		}
		return "modify " + strings.Join(names, ", ")
	case *connectorv1.Operation_Move:
		text := "move to " + verb.Move.GetContainer()
		if n := verb.Move.GetName(); n != "" {
			text += " as " + n
		}
		return text
	case *connectorv1.Operation_SetEnabled:
		if verb.SetEnabled.GetEnabled() {
			return "enable"
		}
		return "disable"
	case *connectorv1.Operation_ChangeMembership:
		return membership(len(verb.ChangeMembership.GetJoin()), len(verb.ChangeMembership.GetLeave()))
	case *connectorv1.Operation_SetPassword:
		return "set a new password"
	case *connectorv1.Operation_Delete:
		return "delete"
	}
	return "nothing"
}

func membership(join, leave int) string {
	var parts []string
	if join > 0 {
		parts = append(parts, "join "+groups(join))
	}
	if leave > 0 {
		parts = append(parts, "leave "+groups(leave))
	}
	return strings.Join(parts, ", ")
}

func groups(n int) string {
	if n == 1 {
		return "1 group"
	}
	return fmt.Sprintf("%d groups", n)
}
