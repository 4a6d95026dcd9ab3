package api

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// logOfJob is how many entries of the log are shown with a job.
const logOfJob = 100

func (s *Server) getJob(ctx context.Context, in *byNumber) (*body[client.JobDetail], error) {
	var out client.JobDetail
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := tx.JobWithWork(who.tenant, in.ID)
		if err != nil {
			return missing(err, "job", in.ID, "see drawbridge job list")
		}
		list, err := jobsOf(tx, who.tenant, []store.Job{row})
		if err != nil {
			return err
		}
		if err := heldByAgents(tx, who.tenant, list); err != nil {
			return err
		}
		out = client.JobDetail{Job: list[0], Cycle: row.Cycle, Reasons: reasonsOf(row), Request: request(row), Log: []client.Entry{}}
		result, err := resultOf(tx, row)
		if err != nil {
			return err
		}
		if result != nil {
			out.Answer = reply(result)
		}
		if row.Person == "" {
			return nil
		}
		entries, err := tx.HistoryOfJob(who.tenant, row.Person, row.ID, logOfJob)
		if err == nil && len(entries) > 0 {
			out.Log, err = entriesOf(tx, who.tenant, entries)
		}
		return err
	})
	return answer(out), err
}

func reasonsOf(row store.Job) []client.Reason {
	var stored []mapping.Reason
	if json.Unmarshal([]byte(row.Reasons), &stored) != nil {
		stored = nil
	}
	out := make([]client.Reason, len(stored))
	for i, r := range stored {
		out[i] = client.Reason{Attribute: r.Attribute, Before: orEmpty(r.Before), After: orEmpty(r.After), From: make([]client.Term, len(r.From))}
		for j, in := range r.From {
			out[i].From[j] = client.Term(in)
		}
		if r.Rule != "" {
			out[i].Rule = &client.Rule{Document: row.System, Line: r.Line, Text: r.Rule}
		}
	}
	return out
}

func orEmpty(values []string) []string {
	if values == nil {
		return []string{}
	}
	return values
}

// request is what an agent is asked to do, in JSON.
func request(row store.Job) json.RawMessage {
	var work linkv1.Job
	if proto.Unmarshal(row.Work, &work) != nil {
		return json.RawMessage("{}")
	}
	work.Id, work.Fence = uint64(row.ID), uint64(cmp.Or(row.Fence, row.ID))
	return plainJSON(&work)
}

// reply is what came back of a job, in JSON, with the objects readable.
func reply(result *linkv1.Result) json.RawMessage {
	text := plainJSON(result)
	var fields map[string]any
	if json.Unmarshal(text, &fields) != nil {
		return text
	}
	if result.GetObject() != nil {
		fields["object"] = readable(result.GetObject())
	}
	if len(result.GetFound()) > 0 {
		found := make([]any, len(result.GetFound()))
		for i, r := range result.GetFound() {
			found[i] = readable(r)
		}
		fields["found"] = found
	}
	if opened, err := json.Marshal(fields); err == nil {
		return opened
	}
	return text
}

// readable is a record with its object as JSON, in the place of encoded bytes.
func readable(r *connectorv1.Record) any {
	var object connectorv1.Object
	if len(r.GetObject()) == 0 || proto.Unmarshal(r.GetObject(), &object) != nil {
		return map[string]any{"id": r.GetId(), "deleted": r.GetDeleted()}
	}
	return map[string]any{"id": r.GetId(), "object": plainJSON(&object)}
}

func plainJSON(m proto.Message) json.RawMessage {
	text, err := protojson.Marshal(m)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}

type stepsInput struct {
	Key string `path:"key" doc:"Key of the person, or their id"`
	Page
}

func (s *Server) listSteps(ctx context.Context, in *stepsInput) (*items[client.Step], error) {
	before, err := in.number()
	if err != nil {
		return nil, err
	}
	var list []client.Step
	next := ""
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		p, err := personRow(tx, who, in.Key)
		if err != nil {
			return err
		}
		rows, err := tx.HistoryOf(who.tenant, p.ID, before, in.Limit)
		if err != nil {
			return err
		}
		list, err = stepsOf(tx, who.tenant, rows)
		return err
	})
	if len(list) == in.Limit {
		next = strconv.FormatInt(list[len(list)-1].Seq, 10)
	}
	out := listed(list)
	out.Body.Next = next
	return out, err
}

// stepsOf gives entries of the log with when their jobs were planned, sent, begun and finished.
func stepsOf(tx *store.Tx, tenant string, rows []store.History) ([]client.Step, error) {
	entries, err := entriesOf(tx, tenant, rows)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, h := range rows {
		if h.Job != 0 {
			ids = append(ids, h.Job)
		}
	}
	jobs, err := tx.JobsBare(tenant, ids)
	if err != nil {
		return nil, err
	}
	byID, hosts := map[int64]store.Job{}, map[string]string{}
	for _, j := range jobs {
		byID[j.ID] = j
		if _, known := hosts[j.Agent]; known || j.Agent == "" {
			continue
		}
		hosts[j.Agent] = j.Agent
		if a, err := tx.Agent(tenant, j.Agent); err == nil {
			hosts[j.Agent] = a.Host
		}
	}
	list := make([]client.Step, len(rows))
	for i, h := range rows {
		list[i] = client.Step{Entry: entries[i]}
		fillStep(&list[i], h, byID[h.Job], hosts)
	}
	return list, nil
}

func fillStep(out *client.Step, h store.History, j store.Job, hosts map[string]string) {
	var told struct {
		Server          string
		Began, Finished time.Time
		Changed         []string
	}
	if len(h.Body) > 0 && json.Unmarshal(h.Body, &told) == nil { // bodies of other kinds say nothing of these
		out.Server, out.Began, out.Finished, out.Attribute = told.Server, told.Began, told.Finished, told.Changed
	}
	if j.ID == 0 {
		return
	}
	out.Agent, out.Planned, out.Sent = hosts[j.Agent], j.Made.Time(), j.Sent.Time()
	if ended := h.Kind == history.Written || h.Kind == history.Unchanged || h.Kind == history.Failed; ended && j.Since != 0 {
		out.SinceHR = h.At.Time().Sub(j.Since.Time()).Seconds()
	}
}
