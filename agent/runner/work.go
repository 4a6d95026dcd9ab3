package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/agent/guard"
	"github.com/drawbridge-id/drawbridge/agent/host"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// mostStrikes is how often a job is run whose outcome stays unknown.
const mostStrikes = 3

// A putOff says why a job is to be run again instead of answered.
type putOff struct {
	lost    bool      // the process was lost under it
	unknown bool      // the connector cannot say whether it happened
	stopped bool      // the agent stops
	held    bool      // the guardrail has it wait
	until   time.Time // of held: when to ask again; of the rest: when it is run again
	fault   *connectorv1.Fault
	after   time.Duration // not sooner
}

// work carries out one job and stores its result. The system's slot is free
// before the disk is done, so that a write to the disk never slows the system.
func (l *lane) work(ctx context.Context, t *task, conn *connection) {
	began := time.Now()
	under, ended := l.traced(ctx, t)
	result, put, err := l.carryOut(under, t, conn.process)
	ended(result)
	l.events <- event{task: t, did: answered}
	if put == nil && !t.passed {
		l.Guard.Forget(l.system.GetName(), t.job.GetId())
	}
	if put == nil && err == nil && !t.own {
		result.Job = t.job.GetId()
		result.Began, result.Finished = timestamppb.New(began), timestamppb.Now()
		l.Log.DebugContext(ctx, "Job done", "job", t.job.GetId(), "system", l.system.GetName(), "outcome", result.GetOutcome())
		err = l.finish(t.job, result)
		if l.Ended != nil {
			l.Ended(t.job, result, time.Since(began))
		}
	}
	ok := result.GetOutcome() != connectorv1.Outcome_OUTCOME_UNAVAILABLE && result.GetOutcome() != connectorv1.Outcome_OUTCOME_UNKNOWN
	l.events <- event{task: t, did: settled, err: err, put: put, ok: ok}
}

// traced begins to tell of a job, where somebody wants to know.
func (l *lane) traced(ctx context.Context, t *task) (context.Context, func(*linkv1.Result)) {
	if l.Trace == nil {
		return ctx, func(*linkv1.Result) {}
	}
	return l.Trace(ctx, t.job)
}

func (l *lane) carryOut(ctx context.Context, t *task, p *host.Process) (*linkv1.Result, *putOff, error) {
	job := t.job
	if now := l.Clock.Now(); stale(job, now) {
		return staleResult(t, now), nil, nil
	}
	if job.GetFence() > 0 {
		fence := l.Spool.Fence
		if job.GetNotBefore() != nil {
			fence = l.Spool.PlacedFence
		}
		highest, err := fence(job.GetSystem(), job.GetObject())
		if err != nil {
			return nil, nil, err
		}
		if job.GetFence() <= highest { // the same: it was done, and comes once more
			return refuse(job, connectorv1.Outcome_OUTCOME_CONFLICT, &connectorv1.Fault{
				Cause:    fmt.Sprintf("the job is not younger (fence %d) than one already done for this object (fence %d)", job.GetFence(), highest),
				Object:   job.GetObject(),
				NextStep: "Nothing: it is planned again from what is there.",
			}), nil, nil
		}
	}
	if result, put := l.guarded(ctx, t, p); result != nil || put != nil {
		return result, put, nil
	}
	if now := time.Now(); !l.leased(t, now) { // it ended while the guardrail looked
		return nil, &putOff{held: true, until: now.Add(lookAgain)}, nil
	}
	var result *linkv1.Result
	var put *putOff
	var err error
	switch w := job.GetWork().(type) {
	case *linkv1.Job_Apply:
		result, put = l.apply(ctx, t, p, w.Apply)
	case *linkv1.Job_Find:
		result, put = l.find(ctx, t, p, w.Find)
	case *linkv1.Job_Read:
		result, put, err = l.read(ctx, t, p, w.Read)
	case *linkv1.Job_Probe:
		result = l.probe(ctx, p)
	case *linkv1.Job_Schema:
		result = l.schema(ctx, p)
	default:
		result = refuse(job, connectorv1.Outcome_OUTCOME_INVALID, &connectorv1.Fault{
			Cause:    "this release of the agent does not know this kind of job",
			NextStep: "Update the agent.",
		})
	}
	return result, put, err
}

// guarded asks the guardrail, which is last. It returns nothing for a job that
// may be carried out.
func (l *lane) guarded(ctx context.Context, t *task, p *host.Process) (*linkv1.Result, *putOff) {
	q := guard.Question{System: l.system, Job: t.job, Ahead: t.ahead, Paid: t.passed}
	if p.Can(connectorv1.Capability_CAPABILITY_INSPECT) {
		q.Inspect = p.Inspect
	}
	v := l.Guard.Check(ctx, q)
	t.ahead = nil
	switch v.Decision {
	case guard.Allow:
		t.passed = true
		return nil, nil
	case guard.Wait:
		t.fault = v.Fault
		return nil, &putOff{held: true, until: v.Until, fault: v.Fault}
	case guard.Later:
		if v.Err != nil {
			return l.failed(ctx, t, v.Err)
		}
		t.fault = v.Fault
		return nil, &putOff{fault: v.Fault, after: v.Fault.GetRetryAfter().AsDuration()}
	}
	result := refuse(t.job, v.Outcome, v.Fault)
	result.Unchanged = v.Outcome == connectorv1.Outcome_OUTCOME_DONE
	return result, nil
}

func (l *lane) apply(ctx context.Context, t *task, p *host.Process, op *connectorv1.Operation) (*linkv1.Result, *putOff) {
	allow := l.spare.take()
	defer l.spare.give(allow)
	op.ReturnAttributes = allow.among(op.GetReturnAttributes())
	r, err := p.Apply(ctx, op)
	if err != nil {
		return l.failed(ctx, t, err)
	}
	outcome := r.GetOutcome()
	if put := l.again(t, outcome, r.GetFault()); put != nil {
		return nil, put
	}
	if outcome == connectorv1.Outcome_OUTCOME_UNSPECIFIED {
		outcome = connectorv1.Outcome_OUTCOME_UNKNOWN
	}
	if !l.permit(allow, r.GetObject()) {
		r.Object = nil
	}
	return &linkv1.Result{
		Outcome: outcome, Fault: discreet(allow, op, r.GetFault()), Object: r.GetObject(), Unchanged: r.GetUnchanged(),
		SealedPassword: r.GetSealedPassword(), Server: r.GetServer(),
	}, nil
}

func (l *lane) find(ctx context.Context, t *task, p *host.Process, q *connectorv1.FindRequest) (*linkv1.Result, *putOff) {
	allow := l.spare.take()
	defer l.spare.give(allow)
	q.ReturnAttributes = allow.among(q.GetReturnAttributes())
	r, err := p.Find(ctx, q)
	if err != nil {
		return l.failed(ctx, t, err)
	}
	if put := l.again(t, r.GetOutcome(), r.GetFault()); put != nil {
		return nil, put
	}
	found := r.GetRecords()[:0]
	for _, record := range r.GetRecords() {
		if l.permit(allow, record) {
			found = append(found, record)
		}
	}
	return &linkv1.Result{Outcome: r.GetOutcome(), Fault: r.GetFault(), Found: found}, nil
}

// probe and schema are answered at once, whatever happens: a person waits.
func (l *lane) probe(ctx context.Context, p *host.Process) *linkv1.Result {
	r, err := p.Probe(ctx, nil)
	if err != nil {
		return &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_UNAVAILABLE, Fault: faultOf(err)}
	}
	result := &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_DONE, Steps: r.GetSteps()}
	for _, step := range r.GetSteps() {
		if step.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
			result.Outcome, result.Fault = step.GetOutcome(), step.GetFault()
		}
	}
	return result
}

func (l *lane) schema(ctx context.Context, p *host.Process) *linkv1.Result {
	r, err := p.Schema(ctx)
	switch {
	case err != nil:
		return &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_UNAVAILABLE, Fault: faultOf(err)}
	case r.GetFault() != nil:
		return &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_UNAVAILABLE, Fault: r.GetFault(), Schema: r}
	}
	return &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_DONE, Schema: r}
}

// again says whether an outcome is one that the lane tries again by itself.
func (l *lane) again(t *task, outcome connectorv1.Outcome, fault *connectorv1.Fault) *putOff {
	switch outcome {
	case connectorv1.Outcome_OUTCOME_UNAVAILABLE:
		t.fault = fault
		return &putOff{fault: fault, after: fault.GetRetryAfter().AsDuration()}
	case connectorv1.Outcome_OUTCOME_UNKNOWN, connectorv1.Outcome_OUTCOME_UNSPECIFIED:
		if t.strikes+1 < mostStrikes {
			t.fault = fault
			return &putOff{unknown: true, fault: fault}
		}
	}
	return nil
}

// failed judges a call that brought no answer.
func (l *lane) failed(ctx context.Context, t *task, err error) (*linkv1.Result, *putOff) {
	fault := faultOf(err)
	switch {
	case ctx.Err() != nil:
		return nil, &putOff{stopped: true}
	case t.strikes+1 >= mostStrikes:
		fault.NextStep = "Look at the agent's log for why; the object is read again before anything else is done to it."
		return refuse(t.job, connectorv1.Outcome_OUTCOME_UNKNOWN, fault), nil
	}
	t.fault = fault
	return nil, &putOff{lost: errors.Is(err, host.ErrLost), unknown: true, fault: fault}
}

// permit strips a record of what may not leave. It is false for one that
// cannot be understood, which does not leave at all.
func (l *lane) permit(allow allowed, r *connectorv1.Record) bool {
	stripped, err := allow.strip(r)
	if err != nil {
		l.Log.Error("Object held back", "system", l.system.GetName(), "err", err)
		return false
	}
	if len(stripped) > 0 {
		l.Log.Warn("Connector returned attributes that no mapping uses; they were held back",
			"system", l.system.GetName(), "connector", l.system.GetConnector(), "attributes", stripped)
	}
	return true
}

func stale(job *linkv1.Job, now time.Time) bool {
	return job.GetNotAfter() != nil && now.After(job.GetNotAfter().AsTime())
}

func staleResult(t *task, now time.Time) *linkv1.Result {
	cause := fmt.Sprintf("the job went stale: it was to be begun by %s, and it is %s",
		t.job.GetNotAfter().AsTime().UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	fault := &connectorv1.Fault{NextStep: "Nothing: it is planned again.", Object: t.job.GetObject()}
	if t.fault != nil {
		cause += "; the last attempt failed: " + t.fault.GetCause()
		fault.NextStep, fault.Raw = t.fault.GetNextStep(), t.fault.GetRaw()
	}
	fault.Cause = cause
	return refuse(t.job, connectorv1.Outcome_OUTCOME_CONFLICT, fault)
}

// refuse is the result of a job that the connector did not answer.
func refuse(job *linkv1.Job, outcome connectorv1.Outcome, fault *connectorv1.Fault) *linkv1.Result {
	now := timestamppb.Now()
	return &linkv1.Result{Job: job.GetId(), Outcome: outcome, Fault: fault, Began: now, Finished: now}
}

// faultOf is an error of ours in the words of the contract.
func faultOf(err error) *connectorv1.Fault {
	var bad *badSettings
	var pin *host.PinError
	switch {
	case errors.As(err, &bad):
		return bad.fault
	case errors.As(err, &pin):
		return &connectorv1.Fault{Cause: err.Error(), NextStep: "See to the executable or to sha256 in agent.yaml on the agent's host."}
	case errors.Is(err, host.ErrUnknown):
		return &connectorv1.Fault{Cause: err.Error(), NextStep: "Add the connector to agent.yaml on the agent's host, or run the system at another site."}
	}
	return &connectorv1.Fault{Cause: err.Error(), NextStep: "Nothing at first: it is tried again by itself. If it goes on, look at the agent's log."}
}
