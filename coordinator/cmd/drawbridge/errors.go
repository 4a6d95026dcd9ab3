package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

// usageError is a command line that cannot be understood.
type usageError struct {
	cmd *cobra.Command
	err error
}

func (e usageError) Error() string { return e.err.Error() }

// adviceError is an error with what to do about it.
type adviceError struct {
	err  error
	next string
}

func (e *adviceError) Error() string { return e.err.Error() }
func (e *adviceError) Unwrap() error { return e.err }

// exitCode gives the code that scripts branch on; newRoot documents them.
func exitCode(err error) int {
	var problem *client.Problem
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(usageError)):
		return 2
	case errors.As(err, new(*client.Unreachable)):
		return 3
	case !errors.As(err, &problem):
		return 1
	}
	switch problem.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return 4
	case http.StatusNotFound:
		return 5
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType:
		return 6
	case http.StatusConflict, http.StatusPreconditionFailed:
		return 7
	}
	return 1
}

// explain writes an error for the person who must act.
func (s *session) explain(err error) {
	var (
		usage   usageError
		advice  *adviceError
		problem *client.Problem
		away    *client.Unreachable
	)
	switch {
	case errors.As(err, &usage):
		s.complain(err.Error(), fmt.Sprintf("see %s --help", usage.cmd.CommandPath()))
	case errors.As(err, &advice):
		s.complain(err.Error(), advice.next)
	case errors.As(err, &problem):
		s.complain(problem.Error(), problem.NextStep)
		for _, f := range problem.Errors {
			s.fault(f)
		}
	case errors.As(err, &away):
		s.complain(err.Error(), "look whether the coordinator runs, and whether the address is right")
	default:
		s.complain(err.Error(), "")
	}
}

func (s *session) complain(what, next string) {
	p := s.paintErr()
	fmt.Fprintf(s.errOut, "%s %s\n", p.bad("error:"), what)
	if next != "" {
		fmt.Fprintf(s.errOut, "%s %s\n", p.dim(" next:"), next)
	}
}

// fault shows a fault with its line and a caret under its place:
//
//	hr.yaml:7:14: unknown function lowr
//	   7 |   givenName: lowr(first_name)
//	     |              ^
//	     = did you mean lower?
func (s *session) fault(f client.Fault) {
	p := s.paintErr()
	place := f.Field
	if f.Document != "" {
		place = f.Document
		if f.Line > 0 {
			place += fmt.Sprintf(":%d", f.Line)
		}
		if f.Column > 0 {
			place += fmt.Sprintf(":%d", f.Column)
		}
	}
	if place != "" {
		place += ": "
	}
	fmt.Fprintf(s.errOut, "\n%s%s\n", p.bold(place), f.Message)
	margin := "     "
	if text := f.Text; text != "" && f.Line > 0 {
		margin = strings.Repeat(" ", max(4, len(fmt.Sprint(f.Line)))+1)
		fmt.Fprintf(s.errOut, "%*d %s %s\n", len(margin)-1, f.Line, p.dim("|"), expandTabs(text))
		if f.Column > 0 {
			fmt.Fprintf(s.errOut, "%s%s %s%s\n", margin, p.dim("|"), strings.Repeat(" ", widthBefore(text, f.Column)), p.bad("^"))
		}
	}
	if f.NextStep != "" {
		fmt.Fprintf(s.errOut, "%s%s %s\n", margin, p.dim("="), f.NextStep)
	}
}

// widthBefore gives the cells that text takes before the column, counted in characters from 1.
func widthBefore(text string, column int) int {
	runes := []rune(text)
	return runewidth.StringWidth(expandTabs(string(runes[:min(column-1, len(runes))])))
}

func expandTabs(text string) string { return strings.ReplaceAll(text, "\t", "    ") }
