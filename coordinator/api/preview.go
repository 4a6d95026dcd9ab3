package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// personPreviewLasts is how long what was previewed of one person waits for a decision; then it is planned as ever.
const personPreviewLasts = 15 * time.Minute

func (s *Server) previews(doc huma.API) {
	route(doc, "POST", "/v1/systems/{name}/mode", "set-system-mode", "Say whether a system is written to at once, or on approval", access.Operator, s.setMode)
	route(doc, "POST", "/v1/people/{key}/preview", "preview-person", "Look a person up and plan what is to be done for them, without doing it", access.HelpDesk, s.previewPerson)
	route(doc, "GET", "/v1/people/{key}/preview", "get-preview", "Show how far the preview of a person is, and its plan", access.Viewer, s.getPreview)
	route(doc, "POST", "/v1/people/{key}/run", "run-person", "Look a person up in every system that tells of them, and do what is to be done", access.HelpDesk, s.runOne)
}

type modeInput struct {
	SystemPath
	Body client.Mode
}

func (s *Server) setMode(ctx context.Context, in *modeInput) (*body[client.Mode], error) {
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		row, err := systemRow(tx, who, in.Name)
		if err != nil {
			return err
		}
		access.About(ctx, row.Name, "mode "+in.Body.Mode)
		mode := in.Body.Mode
		if mode == "document" {
			mode = ""
		}
		return tx.PutSystemMode(store.SystemMode{Tenant: who.tenant, System: row.Name, Mode: mode, At: tx.Now, Who: who.name})
	})
	return answer(in.Body), err
}

// PersonPath names a person. It is exported for the same reason as Page.
type PersonPath struct {
	Key string `path:"key" maxLength:"500" doc:"Key of the person"`
}

func causeOf(p store.Person) string { return "person " + p.Shown() }

func (s *Server) previewPerson(ctx context.Context, in *PersonPath) (*body[client.Started], error) {
	return s.lookUp(ctx, in.Key, func(tx *store.Tx, p store.Person) error {
		return tx.PutPreviews([]store.Preview{{Tenant: p.Tenant, Person: p.ID, Cause: causeOf(p), Lapses: tx.Now.Add(personPreviewLasts)}})
	})
}

func (s *Server) runOne(ctx context.Context, in *PersonPath) (*body[client.Started], error) {
	return s.lookUp(ctx, in.Key, func(tx *store.Tx, p store.Person) error { return tx.RemovePreviews(p.Tenant, []string{p.ID}) })
}

// lookUp has a person's records looked up in the sources that have one, and plans the person anew.
func (s *Server) lookUp(ctx context.Context, key string, first func(*store.Tx, store.Person) error) (*body[client.Started], error) {
	var out client.Started
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		p, err := personRow(tx, who, key)
		if err != nil {
			return err
		}
		access.About(ctx, p.Shown(), "")
		if err := first(tx, p); err != nil {
			return err
		}
		if err := tx.MarkDue(who.tenant, tx.Now, plan.OnDemand, []string{p.ID}); err != nil {
			return err
		}
		out.Detail = fmt.Sprintf("%s is looked at now: drawbridge person show %s", p.Display, p.Shown())
		out.Job, err = s.findRecords(tx, who, p)
		return err
	})
	return answer(out), err
}

// findRecords has a person's records looked up in every system that tells of them, and gives the last search's job.
func (s *Server) findRecords(tx *store.Tx, who caller, p store.Person) (last int64, err error) {
	accounts, err := tx.AccountsOf(who.tenant, []string{p.ID})
	if err != nil {
		return 0, err
	}
	rows, err := tx.Systems(who.tenant)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		system, fault := s.systems.Get(row)
		if fault != nil || system.Pushed() {
			continue
		}
		job, err := findRecord(tx, row, system, accounts)
		if err != nil {
			return last, err
		}
		last = cmp.Or(job, last)
	}
	return last, nil
}

func (s *Server) getPreview(ctx context.Context, in *PersonPath) (*body[client.Preview], error) {
	out := client.Preview{State: "looking"}
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		p, err := personRow(tx, who, in.Key)
		if err != nil {
			return err
		}
		looked, err := s.looked(tx, who, p)
		if err != nil || !looked {
			return err
		}
		row, err := tx.UndecidedPlan(who.tenant, causeOf(p))
		if errors.Is(err, store.ErrNone) {
			out.State = "nothing"
			return nil
		}
		if err != nil {
			return err
		}
		shown, err := planOf(tx, row)
		out = client.Preview{State: "planned", Plan: &shown}
		return err
	})
	return answer(out), err
}

// looked tells whether a person's records have been looked up and the person planned since.
func (s *Server) looked(tx *store.Tx, who caller, p store.Person) (bool, error) {
	due, err := tx.DueAmong(who.tenant, []string{p.ID})
	if err != nil || len(due) > 0 {
		return false, err
	}
	open, err := tx.ListJobs(who.tenant, store.JobFilter{Class: "find", State: "open"}, 100)
	if err != nil {
		return false, err
	}
	accounts, err := tx.AccountsOf(who.tenant, []string{p.ID})
	for _, j := range open {
		for _, a := range accounts {
			if a.System == j.System { // it may be another's: then this waits a moment longer
				return false, err
			}
		}
	}
	return true, err
}
