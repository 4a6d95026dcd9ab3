package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/examples"
	"github.com/drawbridge-id/drawbridge/coordinator/forecast"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// configuration serves what looks at documents as a whole: what they would
// change for everybody and for one person, and storing them all or none.
func (s *Server) configuration(doc huma.API) {
	operation := func(least access.Role, path, id, summary string) huma.Operation {
		return access.Operation(least, huma.Operation{OperationID: id, Method: "POST", Path: path, Summary: summary, MaxBodyBytes: 2 * maxDocument})
	}
	huma.Register(doc, access.Reading(operation(access.Operator, "/v1/configuration/plan", "plan-configuration",
		"Tell what documents would change for everybody, and store nothing")), s.planConfiguration)
	huma.Register(doc, access.Reading(operation(access.HelpDesk, "/v1/configuration/trial", "try-configuration",
		"Tell what documents make of one person, rule by rule, and store nothing")), s.tryConfiguration)
	huma.Register(doc, operation(access.Administrator, "/v1/configuration", "apply-configuration",
		"Check and store documents, all or none"), s.applyConfiguration)
}

// A bundle is files of documents, parsed.
type bundle struct {
	files   []client.File
	systems []*mapping.System
}

// parse reads the files. The error is a refusal that tells every fault of all of them.
func (s *Server) parse(ctx context.Context, files []client.File) (bundle, error) {
	b := bundle{files: slices.Clone(files)}
	var wrong mapping.Faults
	from := map[string]string{} // file by system
	for i := range b.files {
		f := &b.files[i]
		f.Text = string(bytes.ReplaceAll([]byte(f.Text), []byte("\r\n"), []byte("\n")))
		list, err := mapping.ParseFile(f.Name, []byte(f.Text))
		var faults mapping.Faults
		if err != nil && !errors.As(err, &faults) {
			return b, s.refuse(ctx, err)
		}
		wrong = append(wrong, faults...)
		for _, system := range list {
			if other, twice := from[system.Name]; twice {
				wrong = append(wrong, mapping.Fault{File: f.Name, Message: fmt.Sprintf("system %s is in %s, too", system.Name, other), Hint: "keep one of them"})
			}
			from[system.Name] = f.Name
		}
		b.systems = append(b.systems, list...)
	}
	if len(wrong) > 0 {
		return b, b.refusal(wrong)
	}
	return b, nil
}

// refusal tells faults, each with its line of text.
func (b bundle) refusal(faults mapping.Faults) error {
	text := map[string]string{}
	for _, f := range b.files {
		text[f.Name] = f.Text
	}
	list := make([]client.Fault, len(faults))
	for i, f := range faults {
		list[i] = shownFault(f, text[f.File])
	}
	detail := "the document has a fault"
	if len(list) > 1 {
		detail = fmt.Sprintf("the documents have %d faults", len(list))
	}
	return problem(http.StatusUnprocessableEntity, detail, "mend them and apply again; nothing was stored", list...)
}

func shownFault(f mapping.Fault, text string) client.Fault {
	out := client.Fault{Document: f.File, Line: f.Line, Column: f.Column, Message: f.Message, NextStep: f.Hint}
	if lines := strings.Split(text, "\n"); f.Line > 0 && f.Line <= len(lines) {
		out.Text = lines[f.Line-1]
	}
	return out
}

// each checks the documents one after the other, and stores them unless dry.
func (s *Server) each(tx *store.Tx, who caller, b bundle, dry bool, note string) ([]client.AppliedSystem, error) {
	var done []client.AppliedSystem
	var wrong mapping.Faults
	for _, system := range b.systems {
		one, faults, err := s.applyOne(tx, who, system, &applyInput{Name: system.File(), DryRun: dry}, note)
		if err != nil {
			return nil, err
		}
		wrong = append(wrong, faults...)
		done = append(done, one)
	}
	if len(wrong) > 0 {
		return nil, b.refusal(wrong)
	}
	return done, nil
}

func (s *Server) planConfiguration(ctx context.Context, in *body[client.Configuration]) (*body[client.Forecast], error) {
	b, err := s.parse(ctx, in.Body.Files)
	if err != nil {
		return nil, err
	}
	var out client.Forecast
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		done, err := s.each(tx, who, b, true, "")
		if err != nil {
			return err
		}
		f, err := forecast.New(tx, who.tenant, s.systems.Get, b.systems)
		if err != nil {
			return err
		}
		if out, err = f.Everybody(ctx); err != nil {
			return err
		}
		if out.Base, err = baseOf(tx, who.tenant); err != nil {
			return err
		}
		out.Documents = []client.DocumentChange{}
		for i, one := range done {
			change := client.DocumentChange{Name: one.Name, Action: one.Action, Revision: one.Revision, Notes: one.Notes}
			if change.Action != "unchanged" {
				row, err := tx.System(who.tenant, one.Name)
				if err != nil && !errors.Is(err, store.ErrNone) {
					return err
				}
				change.Diff = difference(revisionName(one.Name, row.Revision), row.Document, b.systems[i].File(), b.systems[i].Document)
			}
			out.Documents = append(out.Documents, change)
		}
		out.Examples = b.examples(f.Systems(), tx)
		return nil
	})
	return answer(out), err
}

// examples runs those of all documents as they would be in force.
func (b bundle) examples(systems []*mapping.System, tx *store.Tx) client.ExamplesRun {
	run, failures := examples.Run(systems, tx.Now.Time())
	out := client.ExamplesRun{Run: run, Failures: []client.Fault{}}
	for _, f := range failures {
		message := f.Message
		if f.Example != "" {
			message = f.Example + ": " + message
		}
		out.Failures = append(out.Failures, client.Fault{Document: f.File, Line: f.Line, Message: message})
	}
	return out
}

func (s *Server) applyConfiguration(ctx context.Context, in *body[client.NewConfiguration]) (*body[client.Applied], error) {
	b, err := s.parse(ctx, in.Body.Files)
	if err != nil {
		return nil, err
	}
	var out client.Applied
	err = s.write(ctx, func(tx *store.Tx, who caller) error {
		base, err := baseOf(tx, who.tenant)
		if err != nil {
			return err
		}
		if in.Body.Base != "" && in.Body.Base != base {
			return problem(http.StatusConflict, "the configuration was changed since it was looked at", "look again: drawbridge plan")
		}
		access.Because(ctx, in.Body.Note)
		out.Systems, err = s.each(tx, who, b, false, in.Body.Note)
		tellApplied(ctx, out.Systems)
		return err
	})
	return answer(out), err
}

func (s *Server) tryConfiguration(ctx context.Context, in *body[client.AskTrial]) (*body[client.Trial], error) {
	var b bundle
	if len(in.Body.Files) > 0 {
		err := access.Of(ctx).Require(access.Operator, "to try other documents than those in force")
		if err != nil {
			return nil, err
		}
		if b, err = s.parse(ctx, in.Body.Files); err != nil {
			return nil, err
		}
	}
	var out client.Trial
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := personRow(tx, who, in.Body.Person)
		if err != nil {
			return err
		}
		f, err := forecast.New(tx, who.tenant, s.systems.Get, b.systems)
		if err != nil {
			return err
		}
		out, err = f.Person(forecast.Question{Row: row, Record: in.Body.Record, System: in.Body.System, At: in.Body.At})
		if errors.Is(err, forecast.ErrNoRecord) {
			return problem(http.StatusUnprocessableEntity, err.Error(), "see drawbridge person show "+row.Shown())
		}
		return err
	})
	return answer(out), err
}

// baseOf gives what stands for the configuration in force: every system with its revision.
func baseOf(tx *store.Tx, tenant string) (string, error) {
	rows, err := tx.Systems(tenant)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, row := range rows {
		fmt.Fprintf(sum, "%s\x00%d\x00", row.Name, row.Revision)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}
