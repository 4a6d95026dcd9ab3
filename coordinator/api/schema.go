package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/schedule"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

func (s *Server) schemas(doc huma.API) {
	route(doc, "GET", "/v1/systems/{name}/schema", "get-schema", "Show what kinds of objects a system has", access.Viewer, s.getSchema)
	route(doc, "POST", "/v1/systems/{name}/test", "test-system", "Test the connection to a system, step by step", access.Operator, s.testSystem)
	route(doc, "GET", "/v1/systems/{name}/test", "get-test", "Show the latest test of the connection to a system", access.Viewer, s.getTest)
}

func (s *Server) getSchema(ctx context.Context, in *SystemPath) (*body[client.Schema], error) {
	var out client.Schema
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := systemRow(tx, who, in.Name)
		if err != nil {
			return err
		}
		out = client.Schema{System: row.Name, At: row.SchemaAt.Time(), Classes: []client.SchemaClass{}}
		var mapped []string
		if system, err := s.systems.Get(row); err == nil {
			mapped = system.Attributes()
		}
		for _, c := range schemaOf(row).GetClasses() {
			out.Classes = append(out.Classes, schemaClass(c, mapped))
		}
		return nil
	})
	return answer(out), err
}

func schemaClass(c *connectorv1.Class, mapped []string) client.SchemaClass {
	class := client.SchemaClass{Name: c.GetName(), Attributes: make([]client.SchemaAttribute, len(c.GetAttributes()))}
	for i, a := range c.GetAttributes() {
		class.Attributes[i] = client.SchemaAttribute{Name: a.GetName(), Type: strings.ToLower(strings.TrimPrefix(a.GetType().String(), "TYPE_")),
			Multi: a.GetMulti(), ReadOnly: a.GetReadOnly(), MaxLength: a.GetMaxLength(),
			Mapped: slices.ContainsFunc(mapped, func(m string) bool { return strings.EqualFold(m, a.GetName()) })}
	}
	return class
}

func (s *Server) testSystem(ctx context.Context, in *SystemPath) (*body[client.TestRun], error) {
	var out client.TestRun
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		row, err := systemRow(tx, who, in.Name)
		if err != nil {
			return err
		}
		if row.Connector == mapping.PushConnector {
			return problem(http.StatusConflict, row.Name+" has no connection to test: its records are pushed to it by SCIM", "have the HR system push one, see coordinator/scim/README.md")
		}
		id, err := schedule.Probe(tx, row)
		if err != nil {
			return err
		}
		out, err = testRun(tx, who, id)
		return err
	})
	return answer(out), err
}

func (s *Server) getTest(ctx context.Context, in *SystemPath) (*body[client.TestRun], error) {
	var out client.TestRun
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := systemRow(tx, who, in.Name)
		if err != nil {
			return err
		}
		id, err := tx.OpenRead(who.tenant, row.Name, "probe")
		if err != nil {
			return err
		}
		if id == 0 {
			last, err := tx.ListHistory(who.tenant, store.LogFilter{System: row.Name, Kind: "probe"}, 1)
			if err != nil {
				return err
			}
			if len(last) == 0 {
				return none("test of system", row.Name, "make one with: drawbridge system test "+row.Name)
			}
			id = last[0].Job
		}
		out, err = testRun(tx, who, id)
		return err
	})
	return answer(out), err
}

func testRun(tx *store.Tx, who caller, id int64) (client.TestRun, error) {
	row, err := tx.JobWithWork(who.tenant, id)
	if err != nil {
		return client.TestRun{}, err
	}
	out := client.TestRun{Job: row.ID, State: row.State, Made: row.Made.Time(), Ended: row.Ended.Time(), Agent: row.Agent, Outcome: row.Outcome,
		Fault: history.TroubleOf(row.Fault), Steps: []client.TestStep{}}
	result, err := resultOf(tx, row)
	for _, step := range result.GetSteps() {
		shown := client.TestStep{Name: step.GetName(), Outcome: strings.TrimPrefix(step.GetOutcome().String(), "OUTCOME_"), Detail: step.GetDetail(),
			Took: step.GetTook().AsDuration().Seconds()}
		if step.GetFault() != nil {
			shown.Fault = history.Trouble(step.GetFault())
		}
		out.Steps = append(out.Steps, shown)
	}
	return out, err
}

// resultOf gives what came back of a job; nil while nothing has, and of jobs of earlier releases.
func resultOf(tx *store.Tx, row store.Job) (*linkv1.Result, error) {
	text, err := tx.AnswerOf(row.Tenant, row.ID)
	if errors.Is(err, store.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	result := new(linkv1.Result)
	return result, proto.Unmarshal(text, result)
}
