package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// An applier shares the one Apply stream of a process among many callers.
type applier struct {
	sending sync.Mutex // of stream, and that it is opened once
	stream  connectorv1.ConnectorService_ApplyClient

	mu      sync.Mutex
	tag     uint64
	answers map[uint64]chan *connectorv1.ApplyResponse
}

// Apply carries out one operation. After [ErrLost] or when ctx ends early it may
// have happened.
func (p *Process) Apply(ctx context.Context, op *connectorv1.Operation) (*connectorv1.ApplyResponse, error) {
	late := time.AfterFunc(p.host.opt.CallWait, func() {
		p.lost(fmt.Errorf("an operation was not answered within %s", p.host.opt.CallWait))
	})
	defer late.Stop()
	p.waiting.Add(1)
	defer p.waiting.Add(-1)

	tag, answer := p.applier.register()
	defer p.applier.unregister(tag)
	if err := p.sendApply(&connectorv1.ApplyRequest{Tag: tag, Operation: op}); err != nil {
		return nil, p.judge(p.life, err)
	}
	select {
	case response := <-answer:
		return response, nil
	case <-p.life.Done():
		select {
		case response := <-answer: // it came with the last breath
			return response, nil
		default:
			return nil, context.Cause(p.life)
		}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *Process) sendApply(r *connectorv1.ApplyRequest) error {
	a := &p.applier
	a.sending.Lock()
	defer a.sending.Unlock()
	if a.stream == nil {
		stream, err := p.rpc.Apply(p.life)
		if err != nil {
			return err
		}
		a.stream = stream
		go p.receiveAnswers()
	}
	err := a.stream.Send(r)
	if errors.Is(err, io.EOF) { // the receiver has the reason, and loses the process for it
		<-p.life.Done()
	}
	return err
}

// receiveAnswers ends with the process; when the stream ends first, so does
// the process, for nobody could say what became of the operations on it.
func (p *Process) receiveAnswers() {
	for {
		response, err := p.applier.stream.Recv()
		if err != nil {
			p.lost(fmt.Errorf("its answers to operations broke off: %w", err))
			return
		}
		response.Outcome, response.Fault = p.heed(response.GetOutcome(), response.GetFault())
		if !p.applier.deliver(response) {
			p.host.log.Warn("Connector answered what was not asked; the answer is dropped", "connector", p.name, "tag", response.GetTag())
		}
	}
}

func (a *applier) register() (uint64, <-chan *connectorv1.ApplyResponse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answers == nil {
		a.answers = make(map[uint64]chan *connectorv1.ApplyResponse)
	}
	a.tag++
	answer := make(chan *connectorv1.ApplyResponse, 1)
	a.answers[a.tag] = answer
	return a.tag, answer
}

func (a *applier) unregister(tag uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.answers, tag)
}

// deliver hands an answer to its caller. It is false for a tag that is unknown
// or answered already.
func (a *applier) deliver(r *connectorv1.ApplyResponse) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer, ok := a.answers[r.GetTag()]
	delete(a.answers, r.GetTag())
	if ok {
		answer <- r
	}
	return ok
}
