package sdk

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Steps records a probe. It is for one goroutine.
type Steps struct {
	steps   []*connectorv1.ProbeStep
	failed  bool
	secrets *Redactor // nil: there are none
}

// Try carries out one step of a probe, such as "bind as CN=svc,…", and tells
// whether it went well; detail is what was found, such as a server's version.
// After a step that failed, Try does nothing and returns false.
func (s *Steps) Try(name string, step func() (detail string, err error)) bool {
	if s.failed {
		return false
	}
	s.failed = !s.Check(name, step)
	return !s.failed
}

// Check is Try for a step on which no other depends: it is carried out
// whatever failed before, and nothing is left out if it fails.
func (s *Steps) Check(name string, step func() (detail string, err error)) bool {
	began := time.Now()
	detail, err := step()
	outcome, fault := verdict(s.secrets.fault(err), OutcomeUnavailable)
	s.steps = append(s.steps, &connectorv1.ProbeStep{
		Name: text(s.secrets.Text(name)), Outcome: outcome, Fault: fault,
		Took: durationpb.New(time.Since(began)), Detail: text(s.secrets.Text(detail)),
	})
	return err == nil
}
