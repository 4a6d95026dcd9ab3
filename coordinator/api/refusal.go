package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// problem makes a refusal that says what to do next.
func problem(status int, detail, next string, faults ...client.Fault) *client.Problem {
	return &client.Problem{Title: http.StatusText(status), Status: status, Detail: detail, NextStep: next, Errors: faults}
}

// none says that something asked for by name is not there.
func none(what, name, next string) error {
	return problem(http.StatusNotFound, fmt.Sprintf("there is no %s %q", what, name), next)
}

// missing is none where err says so, else err.
func missing(err error, what string, name any, next string) error {
	if errors.Is(err, store.ErrNone) {
		return none(what, fmt.Sprint(name), next)
	}
	return err
}

// refuse lets refusals pass. Anything else is the coordinator's own trouble: it
// is logged, and the caller learns no more than that.
func (s *Server) refuse(ctx context.Context, err error) error {
	var p *client.Problem
	if err == nil || errors.As(err, &p) {
		return err
	}
	s.Log.ErrorContext(ctx, "Request failed", "err", err)
	return problem(http.StatusInternalServerError, "the coordinator could not do it", "try again; if it stays so, the coordinator's log says why")
}
