package sdk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// maxUnderWay operations run at a time. It is far above what an agent asks
// for, which bounds them by what the system takes best; a sender beyond it
// waits.
const maxUnderWay = 1024

// Apply carries out operations as they come, each in a goroutine, and returns
// when the stream has ended and all are answered.
func (s *Service) Apply(stream connectorv1.ConnectorService_ApplyServer) error {
	system, err := s.opened()
	if err != nil {
		return err
	}
	var (
		sending sync.Mutex // a stream takes one sender at a time
		running sync.WaitGroup
		slots   = make(chan struct{}, maxUnderWay)
	)
	defer running.Wait()
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			response := s.carryOut(stream.Context(), system, request.GetOperation())
			response.Tag = request.GetTag()
			sending.Lock()
			defer sending.Unlock()
			// A stream that has broken tells Recv, too, and the agent takes
			// an operation without an answer as Unknown.
			_ = stream.Send(response)
		})
	}
}

// carryOut runs one operation and makes an answer of whatever comes of it.
func (s *Service) carryOut(ctx context.Context, system System, op *connectorv1.Operation) *connectorv1.ApplyResponse {
	var result Result
	err := s.guarded(func() (err error) {
		result, err = s.perform(ctx, system, op)
		return err
	})
	response := &connectorv1.ApplyResponse{
		Unchanged: result.Unchanged && err == nil, SealedPassword: result.SealedPassword, Server: text(result.Server),
	}
	if result.Object != nil {
		record, cannot := s.encoder.record(result.Object, op.GetReturnAttributes())
		if err == nil {
			err = cannot
		}
		response.Object = record
	}
	response.Outcome, response.Fault = verdict(err, OutcomeUnknown)
	if response.Fault != nil && response.Fault.Object == "" { // whoever must act wants to know of whom it tells
		response.Fault.Object = text(cmp.Or(op.GetId(), op.GetCreate().GetName()))
	}
	return response
}

// perform hands the operation to the interface that its verb belongs to.
func (s *Service) perform(ctx context.Context, system System, op *connectorv1.Operation) (Result, error) {
	t := Target{Class: op.GetClass(), ID: op.GetId(), Attributes: op.GetReturnAttributes()}
	if _, creates := op.GetVerb().(*connectorv1.Operation_Create); t.Class == "" || t.ID == "" && !creates {
		return Result{}, Invalid("the operation names no class or no object", "Report this as a fault of the coordinator.")
	}
	switch verb := op.GetVerb().(type) {
	case *connectorv1.Operation_Create:
		if w, ok := system.(Creator); ok {
			return w.Create(ctx, t, verb.Create)
		}
	case *connectorv1.Operation_Modify:
		if w, ok := system.(Modifier); ok {
			return w.Modify(ctx, t, verb.Modify.GetChanges())
		}
	case *connectorv1.Operation_Move:
		if w, ok := system.(Mover); ok {
			return w.Move(ctx, t, verb.Move)
		}
	case *connectorv1.Operation_SetEnabled:
		if w, ok := system.(Enabler); ok {
			return w.SetEnabled(ctx, t, verb.SetEnabled.GetEnabled())
		}
	case *connectorv1.Operation_ChangeMembership:
		if w, ok := system.(MembershipChanger); ok {
			return w.ChangeMembership(ctx, t, verb.ChangeMembership.GetJoin(), verb.ChangeMembership.GetLeave())
		}
	case *connectorv1.Operation_SetPassword:
		if w, ok := system.(PasswordSetter); ok {
			return w.SetPassword(ctx, t, verb.SetPassword.GetRule())
		}
	case *connectorv1.Operation_Delete:
		if w, ok := system.(Deleter); ok {
			return w.Delete(ctx, t)
		}
	}
	return Result{}, Invalid(fmt.Sprintf("connector %s cannot carry out a %s", s.connector.Name, verbName(op)),
		"Remove it from the mapping, or update the connector on the agent's host.")
}

func verbName(op *connectorv1.Operation) string {
	if field := op.ProtoReflect().WhichOneof(op.ProtoReflect().Descriptor().Oneofs().ByName("verb")); field != nil {
		return string(field.Name())
	}
	return "verb of a later release"
}
