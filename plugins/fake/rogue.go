package fake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// RoguePrefix begins the name of a connector that breaks the rule that follows;
// blanks in the rule's name are hyphens.
const RoguePrefix = "rogue-"

// ServeRogue serves the rogue that the arguments name, and tells whether they
// name one. It does not return before the agent ends it, and does not end by
// itself, which is a broken rule of its own.
func ServeRogue(args []string) bool {
	if len(args) < 2 || !strings.HasPrefix(args[1], RoguePrefix) {
		return false
	}
	breaks := strings.ReplaceAll(strings.TrimPrefix(args[1], RoguePrefix), "-", " ")
	service := sdk.NewService(connector(args[1], breaks), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	serve(&rogue{Service: service, breaks: breaks, stderr: os.Stderr})
	return true
}

// A rogue stands before the service of the directory and spoils one thing.
type rogue struct {
	*sdk.Service
	breaks string
	stderr io.Writer // before go-plugin takes it

	opened atomic.Bool
	reads  atomic.Int64
	state  string // path of the state file
	size   atomic.Int64
	hoard  [][]byte
}

func (r *rogue) Describe(ctx context.Context, q *connectorv1.DescribeRequest) (*connectorv1.DescribeResponse, error) {
	d, err := r.Service.Describe(ctx, q)
	if r.breaks == "describe" {
		d.Version = "one"
	}
	return d, err
}

func (r *rogue) Open(ctx context.Context, q *connectorv1.OpenRequest) (*connectorv1.OpenResponse, error) {
	settings := map[string]any{}
	_ = json.Unmarshal([]byte(q.GetSettings()), &settings) // the service says what is wrong
	r.state, _ = settings["state"].(string)
	switch r.breaks {
	case "open":
		if r.opened.Swap(true) {
			return &connectorv1.OpenResponse{}, nil
		}
	case "settings":
		delete(settings, "no_such_setting")
		b, err := json.Marshal(settings)
		if err != nil {
			return nil, err
		}
		q.Settings = string(b)
	case "secrets":
		fmt.Fprintln(r.stderr, "connecting with", q.GetSecrets())
	}
	return r.Service.Open(ctx, q)
}

func (r *rogue) Probe(ctx context.Context, q *connectorv1.ProbeRequest) (*connectorv1.ProbeResponse, error) {
	p, err := r.Service.Probe(ctx, q)
	if r.breaks == "probe" && err == nil {
		p.Steps[0].Name = ""
	}
	return p, err
}

func (r *rogue) Schema(ctx context.Context, q *connectorv1.SchemaRequest) (*connectorv1.SchemaResponse, error) {
	s, err := r.Service.Schema(ctx, q)
	if r.breaks == "schema" && err == nil {
		slices.Reverse(s.GetClasses()[0].Attributes)
	}
	return s, err
}

func (r *rogue) Find(ctx context.Context, q *connectorv1.FindRequest) (*connectorv1.FindResponse, error) {
	if r.breaks == "find" && strings.Contains(q.GetValues()[0], "'") { // the injection
		q.Values = []string{"u1"}
	}
	return r.Service.Find(ctx, q)
}

func (r *rogue) Watch(q *connectorv1.WatchRequest, stream connectorv1.ConnectorService_WatchServer) error {
	if r.breaks == "watch" {
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	return r.Service.Watch(q, stream)
}

func (r *rogue) Read(q *connectorv1.ReadRequest, stream connectorv1.ConnectorService_ReadServer) error {
	s := &rogueRead{ConnectorService_ReadServer: stream, r: r, read: r.reads.Add(1), changes: len(q.GetCookie()) > 0}
	switch r.breaks {
	case "only asked":
		q.Attributes = append(q.Attributes, "enabled")
	case "quiet delta":
		if s.changes && !bytes.HasPrefix(q.GetCookie(), []byte(cookiePrefix)) {
			return stream.Send(&connectorv1.ReadResponse{End: &connectorv1.ReadEnd{Outcome: sdk.OutcomeDone, Cookie: q.GetCookie()}})
		}
	case "cancel read":
		stop := context.AfterFunc(stream.Context(), func() { os.Exit(exitCrash) })
		defer stop()
	case "paging":
		if info, err := os.Stat(r.state); err == nil {
			s.drop = r.size.Swap(info.Size()) != info.Size()
		}
	}
	return r.Service.Read(q, asMessages{s})
}

// A rogueRead spoils the responses of one read.
type rogueRead struct {
	connectorv1.ConnectorService_ReadServer
	r       *rogue
	read    int64
	changes bool
	drop    bool
	all     connectorv1.ReadResponse
}

func (s *rogueRead) Send(b *connectorv1.ReadResponse) error {
	switch s.r.breaks {
	case "values":
		spoil(b, func(o *connectorv1.Object) { slices.Reverse(o.Attributes) })
	case "same twice":
		spoil(b, func(o *connectorv1.Object) {
			o.Attributes = append(o.Attributes, &connectorv1.Attribute{Name: "title", Values: []string{fmt.Sprint(s.read)}})
		})
	case "rows":
		b.Table, b.Rows = &connectorv1.Table{Class: "user"}, [][]byte{{0x0a, 1, '1'}}
	case "paging":
		if i := int(s.read); s.drop && len(b.Records) > i {
			b.Records = slices.Delete(slices.Clone(b.Records), i, i+1)
		}
		s.drop = false
	case "delta":
		if s.changes {
			b.Records = slices.DeleteFunc(slices.Clone(b.Records), (*connectorv1.Record).GetDeleted)
		}
	case "batches":
		for _, record := range b.Records {
			s.all.Records = append(s.all.Records, proto.CloneOf(record))
		}
		if b.End == nil {
			return nil
		}
		s.all.End = b.End
		b = &s.all
	case "memory":
		for _, record := range b.Records {
			s.r.hoard = append(s.r.hoard, slices.Grow(bytes.Clone(record.Object), 100))
		}
	}
	return s.ConnectorService_ReadServer.Send(b)
}

// spoil changes every object of a response.
func spoil(b *connectorv1.ReadResponse, change func(*connectorv1.Object)) {
	for _, record := range b.Records {
		o := &connectorv1.Object{}
		if proto.Unmarshal(record.GetObject(), o) == nil && !record.GetDeleted() {
			change(o)
			record.Object, _ = proto.MarshalOptions{Deterministic: true}.Marshal(o)
		}
	}
}

func (r *rogue) Apply(stream connectorv1.ConnectorService_ApplyServer) error {
	s := &rogueApply{ConnectorService_ApplyServer: stream, r: r, under: map[uint64]*connectorv1.Operation{}}
	return r.Service.Apply(s)
}

// A rogueApply spoils operations and answers.
type rogueApply struct {
	connectorv1.ConnectorService_ApplyServer
	r *rogue

	mu    sync.Mutex
	under map[uint64]*connectorv1.Operation // by tag
}

// Recv returns the next operation, spoiled; what it answers itself it does not return.
func (s *rogueApply) Recv() (*connectorv1.ApplyRequest, error) {
	for {
		q, err := s.ConnectorService_ApplyServer.Recv()
		if err != nil {
			return q, err
		}
		op := q.GetOperation()
		if s.pretends(op) {
			if err := s.ConnectorService_ApplyServer.Send(&connectorv1.ApplyResponse{Tag: q.GetTag(), Outcome: sdk.OutcomeDone}); err != nil {
				return nil, err
			}
			continue
		}
		s.spoil(op)
		s.mu.Lock()
		s.under[q.GetTag()] = op
		s.mu.Unlock()
		return q, nil
	}
}

// pretends tells whether the operation is answered DONE and nothing is done.
func (s *rogueApply) pretends(op *connectorv1.Operation) bool {
	switch op.GetVerb().(type) {
	case *connectorv1.Operation_Move:
		return s.r.breaks == "move"
	case *connectorv1.Operation_SetEnabled:
		return s.r.breaks == "enable"
	case *connectorv1.Operation_ChangeMembership:
		return s.r.breaks == "membership"
	case nil:
		return s.r.breaks == "unknown verb"
	}
	return false
}

func (s *rogueApply) spoil(op *connectorv1.Operation) {
	create, modify := op.GetCreate(), op.GetModify()
	switch {
	case s.r.breaks == "create" && create != nil:
		create.Attributes = slices.DeleteFunc(create.Attributes, func(a *connectorv1.Attribute) bool { return a.GetName() == "surname" })
	case s.r.breaks == "create again" && create != nil:
		create.Anchor = nil
		create.Name += fmt.Sprint(s.r.reads.Add(1))
		create.Attributes = slices.DeleteFunc(create.Attributes, func(a *connectorv1.Attribute) bool { return a.GetName() == "login" })
	case s.r.breaks == "honest schema" && modify != nil:
		shorten(modify, func(v string) string { return strings.ToValidUTF8(v[:min(3, len(v))], "") })
	case s.r.breaks == "hostile values" && modify != nil:
		shorten(modify, func(v string) string { return strings.ReplaceAll(v, "'", "") })
	}
}

func shorten(m *connectorv1.Modify, change func(string) string) {
	for _, c := range m.GetChanges() {
		for i := range c.Want {
			c.Want[i] = change(c.Want[i])
		}
	}
}

func (s *rogueApply) Send(a *connectorv1.ApplyResponse) error {
	s.mu.Lock()
	op := s.under[a.GetTag()]
	delete(s.under, a.GetTag())
	s.mu.Unlock()
	if s.r.breaks == "cancel write" && s.Context().Err() != nil {
		os.Exit(exitCrash)
	}
	fault := &connectorv1.Fault{Cause: "it is gone", NextStep: "Nothing."}
	switch {
	case s.r.breaks == "not found" && a.GetOutcome() == sdk.OutcomeNotFound:
		a.Outcome = sdk.OutcomeUnavailable
	case s.r.breaks == "delete" && op.GetDelete() != nil && a.GetUnchanged():
		a.Outcome, a.Unchanged, a.Fault = sdk.OutcomeNotFound, false, fault
	case s.r.breaks == "slow down" && a.GetFault() != nil:
		a.Fault.RetryAfter = nil
	case s.r.breaks == "faults" && a.GetFault() != nil:
		a.Fault.NextStep = ""
	case s.r.breaks == "many at a time" && a.GetTag()%5 == 0:
		return errors.Join(s.ConnectorService_ApplyServer.Send(a), s.ConnectorService_ApplyServer.Send(a))
	case s.r.breaks == "password" && op.GetSetPassword() != nil:
		box, err := sealed.Seal(sealed.New(strings.Repeat("x", int(op.GetSetPassword().GetRule().GetLength()))), op.GetSetPassword().GetRule().GetRecipients())
		if err != nil {
			return err
		}
		a.SealedPassword = box
	}
	return s.ConnectorService_ApplyServer.Send(a)
}
