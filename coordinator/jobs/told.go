package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// checked notes a result that shows whether a system can be reached from end to end.
func (f *finish) checked(j store.Job, r *linkv1.Result) error {
	if j.Class != "read" && j.Class != "probe" && j.Class != "schema" {
		return nil
	}
	c := store.Checked{Tenant: f.tenant, System: j.System, At: f.tx.Now, What: j.Class, Took: int64(f.tx.Now - j.Made), Job: j.ID}
	if r.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
		c.Good = f.tx.Now
	} else if c.Fault = faultText(r.GetFault()); c.Fault == "" {
		c.Fault = faultText(&connectorv1.Fault{Cause: "it ended with " + word(r.GetOutcome()), NextStep: "Test the connection for its steps."})
	}
	return f.tx.PutChecked(c)
}

// keep keeps what came back as it came, but for what is secret and what is kept elsewhere.
func (f *finish) keep(j store.Job, r *linkv1.Result) error {
	kept := &linkv1.Result{Job: r.GetJob(), Outcome: r.GetOutcome(), Fault: r.GetFault(), Began: r.GetBegan(), Finished: r.GetFinished(), Object: r.GetObject(),
		Unchanged: r.GetUnchanged(), Server: r.GetServer(), Found: r.GetFound(), Read: r.GetRead(), Steps: r.GetSteps()}
	text, err := proto.Marshal(kept)
	if err != nil {
		return err
	}
	f.answers = append(f.answers, store.Answer{Tenant: f.tenant, ID: j.ID, Answer: text})
	return nil
}

// tell writes the log's entry about a write. It names attributes, never values.
func (f *finish) tell(j store.Job, r *linkv1.Result, work *linkv1.Job) {
	h := store.History{Tenant: j.Tenant, System: j.System, Person: j.Person, Job: j.ID, Account: r.GetObject().GetId(), Text: history.Describe(work)}
	switch {
	case r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE:
		h.Kind = history.Failed
		h.Text += ": " + r.GetFault().GetCause()
		if next := r.GetFault().GetNextStep(); next != "" {
			h.Text += "; " + next
		}
	case r.GetUnchanged():
		h.Kind = history.Unchanged
	default:
		h.Kind = history.Written
	}
	if at := work.GetNotBefore(); at != nil && r.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
		h.Text += fmt.Sprintf(", %.3f s after the instant it was placed for, %s", r.GetFinished().AsTime().Sub(at.AsTime()).Seconds(), at.AsTime().UTC().Format(time.RFC3339))
	}
	body, err := json.Marshal(struct {
		Server   string `json:"server,omitempty"`
		Began    string `json:"began,omitempty"`
		Finished string `json:"finished,omitempty"`
	}{r.GetServer(), instant(r.GetBegan().AsTime()), instant(r.GetFinished().AsTime())})
	if err == nil {
		h.Body = body
	}
	f.history = append(f.history, h)
}

func instant(t time.Time) string {
	if t.Unix() == 0 {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// schema stores a system's schema and what of its document does not fit it.
func (f *finish) schema(j store.Job, r *linkv1.Result) error {
	fault := r.GetFault()
	if fault == nil {
		fault = r.GetSchema().GetFault()
	}
	if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || fault != nil {
		return nil // the job shows it
	}
	text, err := proto.Marshal(r.GetSchema())
	if err != nil {
		return err
	}
	if err := f.tx.SetSchema(f.tenant, j.System, text); errors.Is(err, store.ErrNone) {
		return nil
	} else if err != nil {
		return err
	}
	row, err := f.tx.System(f.tenant, j.System)
	if err != nil {
		return err
	}
	return f.checkSchema(row, r.GetSchema())
}

func (f *finish) checkSchema(row store.System, schema *connectorv1.SchemaResponse) error {
	s, err := f.Systems.Get(row)
	if err != nil {
		return nil // it was said when it was applied
	}
	faults := s.CheckSchema(schema)
	if len(faults) == 0 {
		return f.tx.RemoveProblems(f.tenant, row.Name, []string{""})
	}
	return f.tx.PutProblems([]store.Problem{{Tenant: f.tenant, System: row.Name, At: f.tx.Now, Kind: "schema", Tries: 1,
		Fault: faultText(&connectorv1.Fault{Cause: faults.Error(), Object: row.Name, NextStep: "correct the document and apply it again"})}})
}

// probe keeps the steps of a probe in the log.
func (f *finish) probe(j store.Job, r *linkv1.Result) error {
	h := store.History{Tenant: f.tenant, Kind: "probe", System: j.System, Job: j.ID, Text: fmt.Sprintf("probe: %d steps, the last %s", len(r.GetSteps()), word(r.GetOutcome()))}
	body, err := protojson.Marshal(&connectorv1.ProbeResponse{Steps: r.GetSteps()})
	if err == nil {
		h.Body = body
	}
	f.history = append(f.history, h)
	return nil
}
