package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/forecast"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// replay serves what looks back at cycles: with other documents, and at one person.
func (s *Server) replay(doc huma.API) {
	huma.Register(doc, access.Reading(access.Operation(access.Operator, huma.Operation{OperationID: "replay-cycle", Method: "POST", Path: "/v1/cycles/{id}/replay",
		Summary: "Tell what documents would have made of a past cycle, as a difference, and store nothing", MaxBodyBytes: 2 * maxDocument})), s.replayCycle)
	route(doc, "GET", "/v1/cycles/{id}/people/{key}", "explain-past", "Explain what a cycle made of one person: every rule of then with its outcome, and what stopped or delayed it", access.HelpDesk, s.explainPast)
}

type replayInput struct {
	ID   int64 `path:"id" minimum:"1" doc:"Number"`
	Body client.Replay
}

func (s *Server) replayCycle(ctx context.Context, in *replayInput) (*body[client.Forecast], error) {
	b, err := s.parse(ctx, in.Body.Files)
	if err != nil {
		return nil, err
	}
	var out client.Forecast
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := tx.Cycle(who.tenant, in.ID)
		if err != nil {
			return missing(err, "cycle", in.ID, "see drawbridge cycle list")
		}
		out, err = forecast.Replay(ctx, tx, row, s.systems.Get, b.systems)
		out.Documents, out.Examples.Failures = []client.DocumentChange{}, []client.Fault{}
		return forgotten(err)
	})
	return answer(out), err
}

func forgotten(err error) error {
	if errors.Is(err, forecast.ErrNoImages) {
		return problem(http.StatusConflict, err.Error(), "choose a cycle that changed something: drawbridge cycle list")
	}
	return err
}

type pastPath struct {
	ID  int64  `path:"id" minimum:"1" doc:"Number"`
	Key string `path:"key" doc:"Key of the person, or their id"`
}

func (s *Server) explainPast(ctx context.Context, in *pastPath) (*body[client.Trial], error) {
	var out client.Trial
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := personRow(tx, who, in.Key)
		if err != nil {
			return err
		}
		image, err := tx.Image(who.tenant, in.ID, row.ID)
		if errors.Is(err, store.ErrNone) {
			return problem(http.StatusNotFound, "the cycle did not touch "+row.Shown()+", or what it looked at is not kept any more", "see which did: drawbridge person timeline "+row.Shown())
		}
		if err != nil {
			return err
		}
		out, err = forecast.Back(tx, image, row, s.systems.Get)
		return err
	})
	return answer(out), err
}
