package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Open gives the process its settings, once. A fault says what is wrong with them.
func (p *Process) Open(ctx context.Context, settings string, secrets map[string]string) (*connectorv1.Fault, error) {
	p.secrets.Hide(secrets)
	r, err := call(ctx, p, p.host.opt.CallWait, func(ctx context.Context) (*connectorv1.OpenResponse, error) {
		return p.rpc.Open(ctx, &connectorv1.OpenRequest{Settings: settings, Secrets: secrets})
	})
	p.hide(r.GetFault())
	return r.GetFault(), err
}

// hide takes the secrets out of a fault, which goes to the cloud: a connector
// that is not built with the SDK may have put them there.
func (p *Process) hide(f *connectorv1.Fault) {
	if f == nil {
		return
	}
	f.Cause, f.NextStep, f.Object, f.Raw = p.secrets.Text(f.Cause), p.secrets.Text(f.NextStep), p.secrets.Text(f.Object), p.secrets.Text(f.Raw)
}

// heed makes what a connector answers keep to the contract: outcomes are a closed
// set, and what is not done says why and what to do. One that the contract does
// not know says nothing of what has happened.
func (p *Process) heed(outcome connectorv1.Outcome, fault *connectorv1.Fault) (connectorv1.Outcome, *connectorv1.Fault) {
	p.hide(fault)
	cause := fmt.Sprintf("connector %q answered %s and not why", p.name, outcome)
	if _, known := connectorv1.Outcome_name[int32(outcome)]; !known || outcome == connectorv1.Outcome_OUTCOME_UNSPECIFIED {
		cause = fmt.Sprintf("connector %q answered with outcome %d, which the contract does not know", p.name, outcome)
		outcome, fault = connectorv1.Outcome_OUTCOME_UNKNOWN, nil
	}
	if outcome == connectorv1.Outcome_OUTCOME_DONE || fault.GetCause() != "" && fault.GetNextStep() != "" {
		return outcome, fault
	}
	if fault == nil {
		fault = &connectorv1.Fault{}
	}
	fault.Cause = cmp.Or(fault.Cause, cause)
	fault.NextStep = cmp.Or(fault.NextStep, "Look at the agent's log, and tell the author of the connector.")
	return outcome, fault
}

// Probe tries the way to the system step by step, and compares what its account
// may do with access.
func (p *Process) Probe(ctx context.Context, access []*connectorv1.Access) (*connectorv1.ProbeResponse, error) {
	r, err := call(ctx, p, p.host.opt.CallWait, func(ctx context.Context) (*connectorv1.ProbeResponse, error) {
		return p.rpc.Probe(ctx, &connectorv1.ProbeRequest{Access: access})
	})
	for _, step := range r.GetSteps() {
		step.Name, step.Detail = p.secrets.Text(step.GetName()), p.secrets.Text(step.GetDetail())
		step.Outcome, step.Fault = p.heed(step.GetOutcome(), step.GetFault())
	}
	return r, err
}

// Schema reads which classes and attributes the system has.
func (p *Process) Schema(ctx context.Context) (*connectorv1.SchemaResponse, error) {
	r, err := call(ctx, p, p.host.opt.CallWait, func(ctx context.Context) (*connectorv1.SchemaResponse, error) {
		return p.rpc.Schema(ctx, &connectorv1.SchemaRequest{})
	})
	p.hide(r.GetFault())
	return r, err
}

// Find looks objects up.
func (p *Process) Find(ctx context.Context, r *connectorv1.FindRequest) (*connectorv1.FindResponse, error) {
	found, err := call(ctx, p, p.host.opt.CallWait, func(ctx context.Context) (*connectorv1.FindResponse, error) {
		return p.rpc.Find(ctx, r)
	})
	if found != nil {
		found.Outcome, found.Fault = p.heed(found.GetOutcome(), found.GetFault())
	}
	return found, err
}

// Inspect tells what objects are to the security of the system.
func (p *Process) Inspect(ctx context.Context, r *connectorv1.InspectRequest) (*connectorv1.InspectResponse, error) {
	answer, err := call(ctx, p, p.host.opt.CallWait, func(ctx context.Context) (*connectorv1.InspectResponse, error) {
		return p.rpc.Inspect(ctx, r)
	})
	p.hide(answer.GetFault())
	return answer, err
}

// A Batch is what a connector reads at a time, as both ends of the contract have it.
type Batch = sdk.Batch

// Read streams objects to each, in order, and returns how the read ended. While
// each works, the connector waits. What each is given is good until it returns.
// A stream without an end is an error.
func (p *Process) Read(ctx context.Context, r *connectorv1.ReadRequest, each func(*Batch) error) (*connectorv1.ReadEnd, error) {
	stream, done, err := open(ctx, p, func(ctx context.Context) (grpc.ServerStreamingClient[connectorv1.ReadResponse], error) {
		return p.rpc.Read(ctx, r)
	})
	if err != nil {
		return nil, err
	}
	defer done()
	late := time.AfterFunc(p.host.opt.ReadWait, func() {
		p.lost(fmt.Errorf("a read brought nothing for %s", p.host.opt.ReadWait))
	})
	defer late.Stop()
	batch := &Batch{}
	for {
		if err := stream.RecvMsg(batch); err != nil {
			return nil, p.judge(ctx, err)
		}
		response := batch.Response()
		late.Stop() // the time that each takes is not the connector's
		if end := response.GetEnd(); end != nil && !end.GetResync() {
			end.Outcome, end.Fault = p.heed(end.GetOutcome(), end.GetFault())
		}
		if err := each(batch); err != nil {
			return nil, err
		}
		if response.GetEnd() != nil {
			return response.GetEnd(), nil
		}
		late.Reset(p.host.opt.ReadWait)
	}
}

// Watch calls each whenever the system may hold something new, until ctx ends,
// the process is lost, or the connector stops watching.
func (p *Process) Watch(ctx context.Context, each func(*connectorv1.WatchResponse)) error {
	stream, done, err := open(ctx, p, func(ctx context.Context) (grpc.ServerStreamingClient[connectorv1.WatchResponse], error) {
		return p.rpc.Watch(ctx, &connectorv1.WatchRequest{})
	})
	if err != nil {
		return err
	}
	defer done()
	p.waiting.Add(-1) // a watch waits by its nature: it alone is no reason to ask for signs of life
	defer p.waiting.Add(1)
	for {
		response, err := stream.Recv()
		if err != nil {
			return p.judge(ctx, err)
		}
		each(response)
	}
}

// open begins a stream that ends with ctx and with the process.
func open[S any](ctx context.Context, p *Process, begin func(context.Context) (S, error)) (stream S, done func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.life, func() { cancel(context.Cause(p.life)) })
	p.waiting.Add(1)
	done = func() {
		p.waiting.Add(-1)
		stop()
		cancel(nil)
	}
	if stream, err = begin(ctx); err != nil {
		err = p.judge(ctx, err)
		done()
	}
	return stream, done, err
}

// call makes one call that ends with ctx, with the process, and after wait;
// then the process counts as hung.
func call[R any](ctx context.Context, p *Process, wait time.Duration, do func(context.Context) (R, error)) (response R, err error) {
	late := time.AfterFunc(wait, func() { p.lost(fmt.Errorf("a call was not answered within %s", wait)) })
	defer late.Stop()
	_, done, err := open(ctx, p, func(ctx context.Context) (struct{}, error) {
		response, err = do(ctx)
		return struct{}{}, err
	})
	if err != nil {
		var none R
		return none, err
	}
	done()
	return response, nil
}

// judge turns what gRPC says into our errors, once. A connection that broke
// means that the process is gone, or as good as gone.
func (p *Process) judge(ctx context.Context, err error) error {
	switch code := status.Code(err); {
	case p.life.Err() != nil:
		return context.Cause(p.life)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case code == codes.Unimplemented:
		return fmt.Errorf("connector %q cannot do this: %w", p.name, err)
	case code == codes.Unavailable, errors.Is(err, io.EOF):
		p.lost(fmt.Errorf("its connection broke: %w", err))
		return context.Cause(p.life)
	default:
		return fmt.Errorf("connector %q: %w", p.name, err)
	}
}
