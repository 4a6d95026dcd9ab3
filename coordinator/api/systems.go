package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// maxDocument is the greatest size of a file of system documents.
const maxDocument = 4 << 20

func (s *Server) systemRoutes(doc huma.API) {
	huma.Register(doc, access.Operation(access.Administrator, huma.Operation{OperationID: "apply-systems", Method: "POST", Path: "/v1/systems",
		Summary: "Check and store system documents", MaxBodyBytes: maxDocument}), s.applySystems)
	route(doc, "GET", "/v1/systems", "list-systems", "List systems", access.Viewer, s.listSystems)
	route(doc, "GET", "/v1/systems/{name}", "get-system", "Show a system", access.Viewer, s.getSystem)
	route(doc, "POST", "/v1/systems/{name}/run", "run-system", "Read a system now", access.HelpDesk, s.runSystem)
}

type applyInput struct {
	Name    string `query:"name" default:"document" doc:"Name of the file, for faults"`
	DryRun  bool   `query:"dry_run" doc:"Only check"`
	IfMatch string `header:"If-Match" maxLength:"100" doc:"Only if this is the ETag of the system in force; the body must then be one document"`
	IfNone  string `header:"If-None-Match" enum:"*" doc:"Only if the system is new; the body must then be one document"`
	RawBody []byte `contentType:"application/yaml"`
}

// SystemPath names a system. It is exported because huma sees no fields of an embedded type that is not.
type SystemPath struct {
	Name string `path:"name" doc:"Name of the system"`
}

func (s *Server) applySystems(ctx context.Context, in *applyInput) (*body[client.Applied], error) {
	text := bytes.ReplaceAll(in.RawBody, []byte("\r\n"), []byte("\n"))
	systems, err := mapping.ParseFile(in.Name, text)
	if err != nil {
		return nil, s.refuse(ctx, faulty(err, in.Name, text))
	}
	if (in.IfMatch != "" || in.IfNone != "") && len(systems) != 1 {
		return nil, problem(http.StatusUnprocessableEntity, fmt.Sprintf("If-Match and If-None-Match are about one document; these are %d", len(systems)), "send them one by one, or use /v1/configuration with its base")
	}
	out := client.Applied{DryRun: in.DryRun}
	apply := func(tx *store.Tx, who caller) error {
		out.Systems = nil
		var faults mapping.Faults
		for _, system := range systems {
			done, found, err := s.applyOne(tx, who, system, in, "")
			if err != nil {
				return err
			}
			faults = append(faults, found...)
			out.Systems = append(out.Systems, done)
		}
		if len(faults) > 0 {
			return faulty(faults, in.Name, text)
		}
		tellApplied(ctx, out.Systems)
		return nil
	}
	if in.DryRun {
		err = s.read(ctx, apply)
	} else {
		err = s.write(ctx, apply)
	}
	return answer(out), err
}

// tellApplied says in the audit which documents were stored.
func tellApplied(ctx context.Context, list []client.AppliedSystem) {
	var names, done []string
	for _, a := range list {
		names = append(names, a.Name)
		done = append(done, fmt.Sprintf("%s, revision %d", a.Action, a.Revision))
	}
	access.About(ctx, strings.Join(names, " "), strings.Join(done, "; "))
}

// applyOne checks one document against what is known, and stores it unless it is only to be checked.
func (s *Server) applyOne(tx *store.Tx, who caller, system *mapping.System, in *applyInput, note string) (client.AppliedSystem, mapping.Faults, error) {
	done := client.AppliedSystem{Name: system.Name, Action: "created", Revision: 1}
	old, err := tx.System(who.tenant, system.Name)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return done, nil, err
	}
	known := err == nil
	if err := in.fits(old, known); err != nil {
		return done, nil, err
	}
	if known && old.Connector == system.Connector {
		if faults := system.CheckSchema(schemaOf(old)); len(faults) > 0 {
			return done, faults, nil
		}
	}
	if known {
		done.Action, done.Revision = "changed", old.Revision+1
		if strings.TrimSpace(old.Document) == strings.TrimSpace(system.Document) {
			done.Action, done.Revision = "unchanged", old.Revision
			return done, nil, nil
		}
	}
	if system.Pushed() && system.Target != nil {
		return done, mapping.Faults{{File: in.Name, Message: system.Name + ": a system that records are pushed to is no target", Hint: "make the target a document of its own"}}, nil
	}
	if len(old.Schema) == 0 && !system.Pushed() {
		done.Notes = append(done.Notes, client.Fault{Document: in.Name, Message: system.Name + ": its attributes were not checked, its schema is not known yet",
			NextStep: "once it was read, apply again to check, or see: drawbridge system show " + system.Name})
	}
	for _, f := range system.Notes {
		done.Notes = append(done.Notes, shownFault(f, system.Document))
	}
	if faults, err := readOnly(tx, who, system); err != nil || len(faults) > 0 {
		return done, faults, err
	}
	notes, err := s.siteNotes(tx, who, system, in.Name)
	done.Notes = append(done.Notes, notes...)
	if err != nil || in.DryRun {
		return done, nil, err
	}
	row := store.System{Tenant: who.tenant, Name: system.Name, Site: system.Site, Connector: system.Connector, Document: system.Document, NextRead: tx.Now, Who: who.name, Note: note}
	if done.Revision, err = tx.ApplySystem(row); err != nil {
		return done, nil, err
	}
	if before, err := s.systems.Get(old); known && err == nil {
		if err := intake.Carry(tx, old, before, system, done.Revision); err != nil {
			return done, nil, err
		}
	}
	if err := tx.SetNextRead(who.tenant, system.Name, tx.Now); err != nil {
		return done, nil, err
	}
	return done, nil, tx.AddHistory([]store.History{{Tenant: who.tenant, Kind: history.Config, System: system.Name,
		Text: strings.TrimSuffix(fmt.Sprintf("document %s, revision %d, by %s: %s", done.Action, done.Revision, who.name, note), ": ")}})
}

// readOnly finds a target whose connector, as every agent of the site that has it says, cannot change anything.
func readOnly(tx *store.Tx, who caller, system *mapping.System) (mapping.Faults, error) {
	if system.Target == nil {
		return nil, nil
	}
	agents, err := tx.Agents(who.tenant)
	if err != nil {
		return nil, err
	}
	found := false
	for _, a := range agents {
		for _, c := range connectorsOf(a) {
			if a.Site != system.Site || a.Revoked != 0 || c.Name != system.Connector {
				continue
			}
			if !c.cannotWrite() {
				return nil, nil
			}
			found = true
		}
	}
	if !found {
		return nil, nil
	}
	return mapping.Faults{{File: system.File(), Message: fmt.Sprintf("system %s has a target, but its connector %s only reads: nothing can be written there", system.Name, system.Connector),
		Hint: "take target out; where HR keeps the rows in a database, the connector sql writes them back"}}, nil
}

// siteNotes tells where nobody can serve the system yet.
func (s *Server) siteNotes(tx *store.Tx, who caller, system *mapping.System, file string) ([]client.Fault, error) {
	if system.Pushed() {
		return nil, nil
	}
	agents, err := tx.Agents(who.tenant)
	if err != nil {
		return nil, err
	}
	here, able := false, false
	for _, a := range agents {
		if a.Site == system.Site && a.Revoked == 0 {
			here = true
			able = able || slices.ContainsFunc(connectorsOf(a), func(c connector) bool { return c.Name == system.Connector })
		}
	}
	switch {
	case !here:
		return []client.Fault{{Document: file, Message: fmt.Sprintf("%s: no agent serves site %s yet", system.Name, system.Site),
			NextStep: "let one join with: drawbridge token create --site " + system.Site}}, nil
	case !able:
		return []client.Fault{{Document: file, Message: fmt.Sprintf("%s: no agent of site %s has told of a connector %s", system.Name, system.Site, system.Connector),
			NextStep: "see drawbridge agent list -o json, and the connectors in the agent's agent.yaml"}}, nil
	}
	return nil, nil
}

// faulty makes a refusal of what is wrong with documents, each fault with its line of text.
func faulty(err error, name string, text []byte) error {
	var faults mapping.Faults
	if !errors.As(err, &faults) {
		return err
	}
	lines := strings.Split(string(text), "\n")
	list := make([]client.Fault, len(faults))
	for i, f := range faults {
		list[i] = client.Fault{Document: f.File, Line: f.Line, Column: f.Column, Message: f.Message, NextStep: f.Hint}
		if list[i].Document == "" {
			list[i].Document = name
		}
		if f.Line > 0 && f.Line <= len(lines) {
			list[i].Text = lines[f.Line-1]
		}
	}
	detail := "the document has a fault"
	if len(list) > 1 {
		detail = fmt.Sprintf("the documents have %d faults", len(list))
	}
	return problem(http.StatusUnprocessableEntity, detail, "mend them and apply again; nothing was stored", list...)
}

func (s *Server) listSystems(ctx context.Context, _ *empty) (*items[client.System], error) {
	total, err := s.total(ctx)
	if err != nil {
		return nil, err
	}
	var list []client.System
	err = s.read(ctx, func(tx *store.Tx, who caller) (err error) {
		list, err = s.systemsOf(tx, who.tenant, total.accounts)
		return err
	})
	return listed(list), err
}

func (s *Server) systemsOf(tx *store.Tx, tenant string, counts []store.Count) ([]client.System, error) {
	rows, err := tx.Systems(tenant)
	if err != nil {
		return nil, err
	}
	list := make([]client.System, len(rows))
	for i, row := range rows {
		if list[i], err = s.system(tx, row, counts); err != nil {
			return nil, err
		}
	}
	checked, err := tx.AllChecked(tenant)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		s.judge(tx.Now, &list[i], row, checked)
	}
	modes, err := tx.SystemModes(tenant)
	for i := range list {
		setMode(&list[i], modes)
	}
	return list, err
}

// judge has a system fail whose last check from end to end failed, or that nobody
// has answered in time: what its agent said last may be old, and an agent that is
// up may be stuck.
func (s *Server) judge(now store.Instant, out *client.System, row store.System, checked []store.Checked) {
	if row.Connector == mapping.PushConnector {
		return
	}
	var last store.Checked
	for _, c := range checked {
		if c.System == row.Name {
			last = c
		}
	}
	v := s.Health.Verdict(now, row, last)
	out.Checked, out.Good, out.CheckJob = v.At, v.Good, v.Job
	if v.State != "failing" || out.State == "waiting" && last.At == 0 {
		return
	}
	out.State = v.State
	if out.Fault == nil || last.Fault == "" {
		out.Fault = v.Fault
	}
}

// setMode takes the mode that somebody set in place of the document's, where the system is a target.
func setMode(out *client.System, modes []store.SystemMode) {
	for _, m := range modes {
		if out.Name == m.System && out.Mode != "" && m.Mode != "" {
			out.Mode = m.Mode
		}
	}
}

func (s *Server) system(tx *store.Tx, row store.System, counts []store.Count) (client.System, error) {
	out := client.System{Name: row.Name, Site: row.Site, Connector: row.Connector, Revision: row.Revision, Applied: row.Applied.Time(),
		State: "waiting", SchemaAt: row.SchemaAt.Time(), NextRead: row.NextRead.Time()}
	if system, err := s.systems.Get(row); err == nil {
		if out.Role = role(system); system.Target != nil {
			if out.Mode = plan.ModeApply; system.Target.Preview {
				out.Mode = plan.ModePreview
			}
		}
	}
	var health linkv1.SystemHealth
	if row.Health != "" && row.Health != "{}" && (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(row.Health), &health) == nil {
		out.State, out.Parallel = "failing", int(health.GetConcurrency())
		if health.GetReady() {
			out.State = "ready"
		}
		if f := health.GetFault(); f != nil {
			out.Fault = history.Trouble(f)
		}
		if t := health.GetNextTry(); t != nil {
			out.NextTry = t.AsTime()
		}
	}
	for _, c := range counts {
		if c.Name == row.Name {
			out.Accounts = c.N
		}
	}
	var err error
	if out.Waiting, err = tx.WaitingJobs(row.Tenant, row.Site, row.Name, mostWaiting); err != nil {
		return out, err
	}
	last, err := tx.LastCycle(row.Tenant, row.Name)
	if errors.Is(err, store.ErrNone) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	c := cycle(last)
	out.Last = &c
	if c.State == store.CycleFailed { // the agent reaches it, and yet it cannot be read
		out.State = "failing"
		if out.Fault == nil {
			out.Fault = &client.Trouble{Cause: c.Reason}
		}
	}
	return out, nil
}

// mostWaiting is how far waiting jobs of a system are counted.
const mostWaiting = 100_000

func role(system *mapping.System) string {
	switch {
	case system.Source != nil && system.Target != nil:
		return "both"
	case system.Source != nil:
		return "source"
	}
	return "target"
}

func (s *Server) getSystem(ctx context.Context, in *SystemPath) (*tagged[client.SystemDetail], error) {
	total, err := s.total(ctx)
	if err != nil {
		return nil, err
	}
	var out client.SystemDetail
	tag := ""
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := systemRow(tx, who, in.Name)
		if err != nil {
			return err
		}
		if out.System, err = s.system(tx, row, total.accounts); err != nil {
			return err
		}
		checked, err := tx.AllChecked(who.tenant)
		if err != nil {
			return err
		}
		s.judge(tx.Now, &out.System, row, checked)
		modes, err := tx.SystemModes(who.tenant)
		if err != nil {
			return err
		}
		setMode(&out.System, modes)
		tag = etag(row)
		out.Document, out.Classes, out.Rejects = row.Document, []string{}, []client.Reject{}
		for _, c := range schemaOf(row).GetClasses() {
			out.Classes = append(out.Classes, fmt.Sprintf("%s (%d attributes)", c.GetName(), len(c.GetAttributes())))
		}
		rejects, err := tx.Rejects(who.tenant, row.Name, 1000)
		for _, r := range rejects {
			out.Rejects = append(out.Rejects, client.Reject{Place: r.Place, Reason: r.Reason, Object: r.Object})
		}
		return err
	})
	return &tagged[client.SystemDetail]{tag, out}, err
}

func systemRow(tx *store.Tx, who caller, name string) (store.System, error) {
	row, err := tx.System(who.tenant, name)
	return row, missing(err, "system", name, "see drawbridge system list")
}

func schemaOf(row store.System) *connectorv1.SchemaResponse {
	if len(row.Schema) == 0 {
		return nil
	}
	var schema connectorv1.SchemaResponse
	if proto.Unmarshal(row.Schema, &schema) != nil {
		return nil
	}
	return &schema
}
