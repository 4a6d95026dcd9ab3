package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A Service serves one connector, and the one system it is opened for, by
// proto/connector/v1. It is safe for concurrent use.
type Service struct {
	connectorv1.UnimplementedConnectorServiceServer
	connector Connector
	log       *slog.Logger
	secrets   Redactor // of what is logged and of every fault
	encoder   encoder  // of what operations bring back

	mu     sync.Mutex
	system System // nil until opened and after Close
}

// NewService returns the service of c, which the caller has checked. [Serve]
// makes it for a process; a test may serve it within its own.
func NewService(c Connector, log *slog.Logger) *Service {
	s := &Service{connector: c}
	s.log = slog.New(s.secrets.Handler(log.Handler()))
	return s
}

// Close closes the system, if one is open.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.system == nil {
		return nil
	}
	system := s.system
	s.system = nil
	return s.guarded(system.Close)
}

// Describe says what the connector is and can do.
func (s *Service) Describe(_ context.Context, r *connectorv1.DescribeRequest) (*connectorv1.DescribeResponse, error) {
	if r.GetProtocol() < 1 {
		return nil, status.Error(codes.InvalidArgument, "the agent does not say which version of the connector contract it speaks")
	}
	return &connectorv1.DescribeResponse{
		Protocol: min(r.GetProtocol(), Protocol), Name: s.connector.Name, Version: s.connector.Version,
		Capabilities: s.connector.Capabilities, SettingsSchema: s.connector.SettingsSchema(),
	}, nil
}

// Open decodes the settings and opens the system.
func (s *Service) Open(ctx context.Context, r *connectorv1.OpenRequest) (*connectorv1.OpenResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.system != nil {
		return nil, status.Error(codes.FailedPrecondition, "the system is open already; start another process for another")
	}
	s.secrets.Hide(r.GetSecrets())
	err := s.guarded(func() error {
		system, err := s.connector.open(ctx, r.GetSettings(), r.GetSecrets(), s.log)
		if err == nil {
			s.system = system
		}
		return err
	})
	_, fault := verdict(err, OutcomeInvalid)
	return &connectorv1.OpenResponse{Fault: fault}, nil
}

// Probe tries everything the system needs.
func (s *Service) Probe(ctx context.Context, r *connectorv1.ProbeRequest) (*connectorv1.ProbeResponse, error) {
	system, err := s.opened()
	if err != nil {
		return nil, err
	}
	steps := Steps{secrets: &s.secrets}
	err = s.guarded(func() error {
		system.Probe(ctx, r.GetClasses(), &steps)
		if prober, ok := system.(AccessProber); ok && len(r.GetAccess()) > 0 && !steps.failed {
			prober.ProbeAccess(ctx, r.GetAccess(), &steps)
		}
		return nil
	})
	if err != nil {
		steps.Try("go on", func() (string, error) { return "", err })
	}
	return &connectorv1.ProbeResponse{Steps: steps.steps}, nil
}

// Schema returns the classes, and their attributes, in ascending order of name.
func (s *Service) Schema(ctx context.Context, _ *connectorv1.SchemaRequest) (*connectorv1.SchemaResponse, error) {
	system, err := s.opened()
	if err != nil {
		return nil, err
	}
	var classes []*connectorv1.Class
	err = s.guarded(func() (err error) {
		classes, err = system.Schema(ctx)
		return err
	})
	if _, fault := verdict(err, OutcomeUnavailable); fault != nil {
		return &connectorv1.SchemaResponse{Fault: fault}, nil
	}
	slices.SortFunc(classes, func(a, b *connectorv1.Class) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range classes {
		slices.SortFunc(c.Attributes, func(a, b *connectorv1.AttributeType) int { return strings.Compare(a.Name, b.Name) })
	}
	return &connectorv1.SchemaResponse{Classes: classes}, nil
}

// Read streams objects; the last response carries the end.
func (s *Service) Read(r *connectorv1.ReadRequest, stream connectorv1.ConnectorService_ReadServer) error {
	system, err := s.opened()
	if err != nil {
		return err
	}
	out := newSink(r.GetAttributes(), func(f *frame) error { return stream.SendMsg(f) })
	out.rows = r.GetRows()
	end := &connectorv1.ReadEnd{}
	err = s.guarded(func() (err error) {
		q := Query{Classes: r.GetClasses(), Attributes: r.GetAttributes()}
		end.Cookie, err = s.read(stream.Context(), system, q, r.GetCookie(), out)
		return err
	})
	if end.Resync = errors.Is(err, ErrResync); end.Resync {
		err = Conflict("the system refuses to continue from the last read", "Nothing: everything is read again.").From(err)
	}
	if end.Outcome, end.Fault = verdict(err, OutcomeUnavailable); err != nil {
		end.Cookie = nil
	}
	return out.finish(end)
}

func (s *Service) read(ctx context.Context, system System, q Query, cookie []byte, out *Sink) ([]byte, error) {
	if len(cookie) > 0 {
		if r, ok := system.(ChangeReader); ok {
			return r.ReadChanges(ctx, q, cookie, out)
		}
		return nil, ErrResync
	}
	if r, ok := system.(Reader); ok {
		return r.Read(ctx, q, out)
	}
	return nil, s.cannot("read")
}

// Find returns the objects whose attribute equals one of the values.
func (s *Service) Find(ctx context.Context, r *connectorv1.FindRequest) (*connectorv1.FindResponse, error) {
	system, err := s.opened()
	if err != nil {
		return nil, err
	}
	response := &connectorv1.FindResponse{}
	var unfit *connectorv1.Reject
	out := newSink(r.GetReturnAttributes(), func(f *frame) error {
		batch, err := f.Response()
		if err != nil {
			return err
		}
		response.Records = append(response.Records, batch.Records...)
		if unfit == nil && len(batch.Rejects) > 0 {
			unfit = batch.Rejects[0]
		}
		return nil
	})
	err = s.guarded(func() error {
		finder, ok := system.(Finder)
		if !ok {
			return s.cannot("find")
		}
		return finder.Find(ctx, Lookup{Class: r.GetClass(), Attribute: r.GetAttribute(), Values: r.GetValues(),
			Attributes: r.GetReturnAttributes()}, out)
	})
	err = errors.Join(err, out.finish(nil))
	if err == nil && unfit != nil {
		err = Invalid(unfit.Reason, "Correct the object in the system.").On(unfit.Place)
	}
	if response.Outcome, response.Fault = verdict(err, OutcomeUnavailable); err != nil {
		response.Records = nil
	}
	return response, nil
}

// Inspect returns what objects are to the security of the system.
func (s *Service) Inspect(ctx context.Context, r *connectorv1.InspectRequest) (*connectorv1.InspectResponse, error) {
	system, err := s.opened()
	if err != nil {
		return nil, err
	}
	response := &connectorv1.InspectResponse{}
	err = s.guarded(func() (err error) {
		inspector, ok := system.(Inspector)
		if !ok {
			return s.cannot("inspect")
		}
		response.Objects, response.Groups, err = inspector.Inspect(ctx, r.GetIds(), r.GetGroups())
		return err
	})
	if response.Outcome, response.Fault = verdict(err, OutcomeUnavailable); err != nil {
		response.Objects, response.Groups = nil, nil
	}
	return response, nil
}

// Watch sends a response for what the watcher notices; what it notices while
// the last response is still on its way becomes one.
func (s *Service) Watch(_ *connectorv1.WatchRequest, stream connectorv1.ConnectorService_WatchServer) error {
	system, err := s.opened()
	if err != nil {
		return err
	}
	watcher, ok := system.(Watcher)
	if !ok {
		return status.Error(codes.Unimplemented, s.cannot("watch").Cause)
	}
	ctx, stop := context.WithCancel(stream.Context())
	noticed, ended := make(chan struct{}, 1), make(chan error, 1)
	var watching sync.WaitGroup
	watching.Go(func() {
		ended <- s.guarded(func() error {
			return watcher.Watch(ctx, func() {
				select {
				case noticed <- struct{}{}:
				default:
				}
			})
		})
	})
	defer watching.Wait()
	defer stop()
	for {
		select {
		case <-noticed:
			if err := stream.Send(&connectorv1.WatchResponse{Noticed: timestamppb.Now()}); err != nil {
				return err
			}
		case err := <-ended:
			if err == nil || ctx.Err() != nil {
				return ctx.Err()
			}
			return status.Error(codes.Unavailable, text(s.secrets.Text(err.Error())))
		}
	}
}

func (s *Service) opened() (System, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.system == nil {
		return nil, status.Error(codes.FailedPrecondition, "the system is not open")
	}
	return s.system, nil
}

func (s *Service) cannot(verb string) *Error {
	return Invalid(fmt.Sprintf("connector %s cannot %s", s.connector.Name, verb),
		"Remove it from the mapping, or update the connector on the agent's host.")
}

// guarded calls into the connector. A panic there is Unknown, for it says
// nothing of what was done before it. What it said may hold a value of the
// system, so only what the runtime itself says is logged, and the stack.
func (s *Service) guarded(call func() error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			err = s.secrets.fault(err)
			return
		}
		what := reflect.TypeOf(p).String()
		if fault, ok := p.(runtime.Error); ok {
			what = fault.Error()
		}
		s.log.Error("Connector panicked", "connector", s.connector.Name, "panic", what, "stack", string(debug.Stack()))
		err = Unknown(fmt.Sprintf("the connector has a fault: it panicked (%s)", what),
			"Report it with the agent's log; the object is looked at again by itself.")
	}()
	return call()
}
