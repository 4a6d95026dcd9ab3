package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	greetWait    = 30 * time.Second // for the coordinator's Welcome
	inboxFrames  = 32               // received and not yet stored; more wait in the network
	resultsFrame = 256              // results in one frame
	portionBytes = 1 << 20          // read from the spool at a time
)

// A session is one stream from dial to loss.
type session struct {
	*Link
	stream    linkv1.LinkService_ConnectClient
	inbox     chan *linkv1.ConnectResponse // jobs and systems, in order
	committed chan *linkv1.Committed
	sent      uint64    // position in the spool of the last item sent
	greeted   time.Time // Hello was about to be sent: Welcome was made later
}

// Session holds one stream, from dial to loss, and says why it ended. [Link.Run]
// calls it; only tests do so themselves.
func (l *Link) Session(ctx context.Context) error {
	conn, err := l.dial()
	if err != nil {
		return err
	}
	defer conn.Close()

	group, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{
		Link:      l,
		inbox:     make(chan *linkv1.ConnectResponse, inboxFrames),
		committed: make(chan *linkv1.Committed, inboxFrames),
	}
	greeted := time.AfterFunc(greetWait, func() {
		cancel(fmt.Errorf("no answer from %s within %s", l.Address, greetWait))
	})
	defer greeted.Stop()
	if s.stream, err = linkv1.NewLinkServiceClient(conn.ClientConn).Connect(ctx); err == nil {
		err = s.greet(ctx)
	}
	if err != nil {
		return conn.explain(ctx, err)
	}
	greeted.Stop()
	l.Log.InfoContext(ctx, "Connected", "coordinator", l.Address)
	l.Spool.SetConnected(true)
	defer l.Spool.SetConnected(false)
	if l.Linked != nil {
		l.Linked(true, nil)
	}

	l.current.Store(conn)
	defer l.current.Store(nil)
	l.out.begin()
	l.out.wake()
	group.Go(func() error { return s.receive(ctx) })
	group.Go(func() error { return s.store(ctx) })
	group.Go(func() error { return s.forget(ctx) })
	group.Go(func() error { return s.send(ctx) })
	return conn.explain(ctx, group.Wait())
}

// greet sends Hello and waits for Welcome, which must come first.
func (s *session) greet(ctx context.Context) error {
	hello := &linkv1.Hello{
		Protocol:   Protocol,
		Version:    s.Version,
		Host:       s.Host,
		Platform:   platform,
		Spool:      s.Spool.ID(),
		Connectors: s.Site.Connectors(ctx),
		Window:     s.Window,
		Clock:      timestamppb.Now(),
	}
	if s.Self != nil {
		if err := s.Self.Mark(hello); err != nil {
			return err
		}
	}
	s.greeted = time.Now()
	err := s.stream.Send(&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Hello{Hello: hello}})
	if err != nil && !errors.Is(err, io.EOF) { // of EOF, Recv gives the reason
		return err
	}
	for {
		frame, err := s.stream.Recv()
		if err != nil {
			return err
		}
		switch f := frame.GetFrame().(type) {
		case nil: // of a kind that this release does not know
		case *linkv1.ConnectResponse_Welcome:
			if s.Self != nil {
				if err := s.Self.Taken(); err != nil {
					return err
				}
			}
			return s.welcome(f.Welcome)
		case *linkv1.ConnectResponse_Depart:
			return depart(f.Depart)
		default:
			return fmt.Errorf("%w: %T came before Welcome", ErrProtocol, f)
		}
	}
}

func (s *session) welcome(w *linkv1.Welcome) error {
	if v := w.GetProtocol(); v == 0 || v > Protocol {
		return fmt.Errorf("%w: it speaks version %d of the link, this agent up to %d: update the agent", ErrProtocol, v, Protocol)
	}
	if err := w.GetClock().CheckValid(); err != nil {
		return fmt.Errorf("%w: Welcome without a clock: %w", ErrProtocol, err)
	}
	skew := time.Until(w.GetClock().AsTime())
	s.skew.Store(int64(skew))
	if s.Told != nil {
		s.Told(w.GetClock().AsTime())
	}
	if skew.Abs() > identity.MaxSkew {
		word := "behind"
		if skew < 0 {
			word = "ahead of"
		}
		return fmt.Errorf("%w: it is %s %s the coordinator's (%s); jobs wait until it is set right, for example with `timedatectl set-ntp true` or `w32tm /resync`",
			ErrClock, skew.Abs().Round(time.Second), word, w.GetClock().AsTime().Format(time.RFC3339))
	}
	return nil
}

// receive sorts what comes in. It blocks when store or forget lag behind, and
// with it, by flow control, the coordinator.
func (s *session) receive(ctx context.Context) error {
	for {
		frame, err := s.stream.Recv()
		if err != nil {
			return err
		}
		switch f := frame.GetFrame().(type) {
		case *linkv1.ConnectResponse_Jobs, *linkv1.ConnectResponse_Systems, *linkv1.ConnectResponse_Rescind, *linkv1.ConnectResponse_Assigned:
			err = put(ctx, s.inbox, frame)
		case *linkv1.ConnectResponse_Beat:
			s.out.setBeat(f.Beat.GetNumber())
			err = put(ctx, s.inbox, frame) // what came before it is carried out before the lease goes on
		case *linkv1.ConnectResponse_Committed:
			err = put(ctx, s.committed, f.Committed)
		case *linkv1.ConnectResponse_Release:
			if s.Offered != nil {
				s.Offered(f.Release)
			}
		case *linkv1.ConnectResponse_Depart:
			err = depart(f.Depart)
		case *linkv1.ConnectResponse_Welcome: // a second one changes nothing
		default:
			s.Log.DebugContext(ctx, "Frame of an unknown kind skipped")
		}
		if err != nil {
			return err
		}
	}
}

func depart(d *linkv1.Depart) error {
	return &departed{reason: d.GetReason(), wait: d.GetComeBackAfter().AsDuration()}
}

// store puts jobs on disk, as many at a time as have come in, and then has
// them acknowledged. Every other word is obeyed when what came before it is stored.
func (s *session) store(ctx context.Context) error {
	for {
		frame, err := take(ctx, s.inbox)
		if err != nil {
			return err
		}
		var jobs []*linkv1.Job
		for more := true; more; {
			if f, ok := frame.GetFrame().(*linkv1.ConnectResponse_Jobs); ok {
				jobs = append(jobs, f.Jobs.GetJobs()...)
			} else {
				if err := s.accept(ctx, jobs); err != nil {
					return err
				}
				jobs = nil
				if err := s.obey(ctx, frame); err != nil {
					return err
				}
			}
			select {
			case frame = <-s.inbox:
			default:
				more = false
			}
		}
		if err := s.accept(ctx, jobs); err != nil {
			return err
		}
	}
}

// obey hands a word of the coordinator to the site.
func (s *session) obey(ctx context.Context, frame *linkv1.ConnectResponse) error {
	switch f := frame.GetFrame().(type) {
	case *linkv1.ConnectResponse_Rescind:
		return s.Site.Rescind(ctx, f.Rescind.GetJobs())
	case *linkv1.ConnectResponse_Assigned:
		return s.Site.Assigned(ctx, f.Assigned.GetJobs())
	case *linkv1.ConnectResponse_Systems:
		return s.Site.Systems(ctx, f.Systems)
	case *linkv1.ConnectResponse_Beat:
		s.Site.Beat(s.greeted.Add(f.Beat.GetSince().AsDuration()))
	}
	return nil
}

// accept stores jobs and queues their acknowledgement. Jobs that cannot be
// stored are refused with the reason; the coordinator sends them again later.
func (s *session) accept(ctx context.Context, jobs []*linkv1.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	ids := make([]uint64, len(jobs))
	for i, job := range jobs {
		ids[i] = job.GetId()
	}
	for len(jobs) > 0 {
		n, err := s.Spool.Accept(ctx, jobs)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if n > 0 {
			s.out.addAccepted(ids[:n])
		}
		if err == nil {
			return nil
		}
		refused := len(jobs) - n
		if errors.Is(err, spool.ErrInvalid) {
			refused = 1
		}
		s.Log.ErrorContext(ctx, "Jobs refused", "jobs", refused, "first", ids[n], "err", err)
		s.out.addRefused(&linkv1.Accepted{Refused: ids[n : n+refused], Fault: &connectorv1.Fault{
			Cause:    fmt.Sprintf("the agent on %s could not store the job: %v", s.Host, err),
			NextStep: "run drawbridge-agent doctor on that host; the job is sent again by itself",
		}})
		jobs, ids = jobs[n+refused:], ids[n+refused:]
	}
	return nil
}

// forget drops what the coordinator has committed, as much at a time as came in.
func (s *session) forget(ctx context.Context) error {
	for {
		c, err := take(ctx, s.committed)
		if err != nil {
			return err
		}
		jobs, batch := c.GetJobs(), c.GetBatch()
		for more := true; more; {
			select {
			case c = <-s.committed:
				jobs, batch = append(jobs, c.GetJobs()...), max(batch, c.GetBatch())
			default:
				more = false
			}
		}
		if err := s.Spool.Forget(ctx, jobs, batch); err != nil {
			return err
		}
	}
}

// send is the only sender after Hello. A round sends what there is; after one
// without anything it waits.
func (s *session) send(ctx context.Context) error {
	for {
		quiet, err := s.round()
		if err != nil {
			return err
		}
		if !quiet {
			continue
		}
		select {
		case <-s.out.woken():
		case <-s.Spool.Outgoing():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// round sends the outbox and one portion of the spool, in the spool's order:
// the records of a read reach the coordinator before its result.
func (s *session) round() (quiet bool, err error) {
	m := s.out.take()
	if err := s.post(m); err != nil {
		return false, err
	}
	items, err := s.Spool.Unsent(s.sent, portionBytes)
	if err != nil {
		return false, err
	}
	var results [][]byte
	for i, item := range items {
		if item.Kind == spool.AResult {
			results = append(results, item.Value)
		}
		if len(results) > 0 && (item.Kind != spool.AResult || len(results) == resultsFrame || i == len(items)-1) {
			if err := s.transmit(stored(resultsField, join(results))); err != nil {
				return false, err
			}
			results = nil
		}
		if item.Kind == spool.SomeRecords {
			if err := s.transmit(stored(recordsField, item.Value)); err != nil {
				return false, err
			}
		}
		s.sent = item.Seq
	}
	return m.empty() && len(items) == 0, nil
}

// Field numbers of the contract for what is sent as it was stored.
const (
	recordsField = 3 // of ConnectRequest
	resultsField = 4 // of ConnectRequest
	resultField  = 1 // of Results
)

// stored is a frame around a message that was marshalled before. It travels as
// a field that this end takes for unknown: the bytes are the same, and nothing
// is decoded only to be encoded again.
func stored(field protowire.Number, message []byte) *linkv1.ConnectRequest {
	b := make([]byte, 0, len(message)+16)
	b = protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
	frame := new(linkv1.ConnectRequest)
	frame.ProtoReflect().SetUnknown(b)
	return frame
}

// join makes link.v1.Results of single ones.
func join(results [][]byte) []byte {
	size := 0
	for _, r := range results {
		size += len(r) + 8
	}
	b := make([]byte, 0, size)
	for _, r := range results {
		b = protowire.AppendBytes(protowire.AppendTag(b, resultField, protowire.BytesType), r)
	}
	return b
}

func (s *session) post(m mail) error {
	frames := make([]*linkv1.ConnectRequest, 0, 2+len(m.refused)+len(m.changed))
	if len(m.accepted) > 0 {
		frames = append(frames, &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Accepted{Accepted: &linkv1.Accepted{Jobs: m.accepted}}})
	}
	for _, r := range m.refused {
		frames = append(frames, &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Accepted{Accepted: r}})
	}
	if m.beat != 0 {
		frames = append(frames, &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Beat{Beat: &linkv1.Beat{Number: m.beat}}})
	}
	for _, c := range m.changed {
		frames = append(frames, &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Changed{Changed: c}})
	}
	if m.guard != nil {
		frames = append(frames, &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Guardrail{Guardrail: m.guard}})
	}
	if m.update != nil {
		frames = append(frames, &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Update{Update: m.update}})
	}
	if len(m.health) > 0 {
		frames = append(frames, &linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Health{Health: &linkv1.Health{Systems: m.health}}})
	}
	for _, f := range frames {
		if err := s.transmit(f); err != nil {
			return err
		}
	}
	return nil
}

// transmit sends one frame. On a broken stream gRPC says only EOF here and the
// reason to the receiver, which ends the session with it.
func (s *session) transmit(f *linkv1.ConnectRequest) error {
	err := s.stream.Send(f)
	if errors.Is(err, io.EOF) {
		<-s.stream.Context().Done()
		return context.Cause(s.stream.Context())
	}
	return err
}

func put[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func take[T any](ctx context.Context, from <-chan T) (v T, err error) {
	select {
	case v = <-from:
		return v, nil
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
}
