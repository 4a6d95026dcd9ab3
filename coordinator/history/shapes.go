package history

import (
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Trouble gives a fault as the API shows it.
func Trouble(f *connectorv1.Fault) *client.Trouble {
	return &client.Trouble{Cause: f.GetCause(), Object: f.GetObject(), Attribute: f.GetAttribute(), NextStep: f.GetNextStep(), Raw: f.GetRaw(), Length: int(f.GetLength())}
}

// TroubleOf reads a stored fault; nil where there is none.
func TroubleOf(text string) *client.Trouble {
	if text == "" || text == "{}" {
		return nil
	}
	var f connectorv1.Fault
	if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(text), &f) != nil && json.Unmarshal([]byte(text), &f) != nil {
		return &client.Trouble{Cause: text}
	}
	return Trouble(&f)
}

// JobOf gives a job as the API shows it, with the person's id for their key.
func JobOf(r store.Job) client.Job {
	var work linkv1.Job
	text := "its stored work cannot be read"
	if proto.Unmarshal(r.Work, &work) == nil {
		text = Describe(&work)
	}
	return client.Job{ID: r.ID, Class: r.Class, System: r.System, Object: r.Object, Person: r.Person, State: r.State, Outcome: r.Outcome,
		Fault: TroubleOf(r.Fault), Text: text, Agent: r.Agent, After: r.After, NotBefore: r.NotBefore.Time(), NotAfter: r.NotAfter.Time(),
		Made: r.Made.Time(), Sent: r.Sent.Time(), Ended: r.Ended.Time()}
}

// GuardrailOf gives the guardrail that an agent last told of; empty if it never did.
func GuardrailOf(row store.Agent) *linkv1.Guardrail {
	g := new(linkv1.Guardrail)
	if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(row.Guardrail), g) != nil {
		return new(linkv1.Guardrail)
	}
	return g
}

// ObstacleOf gives a problem as the API shows it.
func ObstacleOf(r store.Problem, p store.Person) client.Obstacle {
	o := client.Obstacle{Person: p.Shown(), Display: p.Display, System: r.System, Kind: r.Kind, At: r.At.Time(), Retry: r.Retry.Time(), Tries: r.Tries, Job: r.Job}
	if f := TroubleOf(r.Fault); f != nil {
		o.Fault = *f
	}
	return o
}

// DriftOf shows where an account of a person is let be as it is, or is being put back.
func DriftOf(d store.Deviation, p store.Person) client.Drift {
	return client.Drift{Person: p.Shown(), Display: p.Display, System: d.System, Account: d.Account, Attribute: d.Attribute, Kind: d.Kind,
		Refused: append([]string{}, store.TextsOf(d.Refused)...), Found: append([]string{}, store.TextsOf(d.Found)...), At: d.At.Time(), By: d.Who, Job: d.Job}
}
