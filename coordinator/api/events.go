package api

import (
	"context"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const (
	// eventPause is between two events of one stream: while much happens they are told together.
	eventPause = time.Second
	// eventAlive is how often something is sent when nothing happens, so that proxies keep the connection.
	eventAlive = 25 * time.Second
)

func (s *Server) events(doc huma.API) {
	sse.Register(doc, access.Operation(access.Viewer, huma.Operation{OperationID: "follow-events", Method: "GET", Path: "/v1/events",
		Summary: "Be told what to look at again",
		Description: "Server-sent events. Each names topics of which something has changed: look at them again. Nothing is sent while nothing happens but a sign of life, " +
			"and one event a second at most. A stream that begins with Last-Event-ID names every topic first, because something may have been missed."}),
		map[string]any{"changed": client.Changed{}, "alive": client.Alive{}}, s.followEvents)
}

type eventsInput struct {
	Topics []string `query:"topics" enum:"agents,cycles,held,jobs,log,passwords,people,problems,systems" doc:"Only these topics; all if left out"`
	Last   string   `header:"Last-Event-ID" doc:"Set by browsers that come again"`
}

// followEvents tells of topics until the one who asked hangs up, or the coordinator stops.
func (s *Server) followEvents(ctx context.Context, in *eventsInput, send sse.Sender) {
	watch := s.Store.Watch(callerOf(ctx).tenant)
	defer watch.Close()
	id := 0
	tell := func(topics []string) error {
		id++
		return send(sse.Message{ID: id, Data: client.Changed{Topics: topics}})
	}
	first := []string{}
	if in.Last != "" {
		first = wanted(store.Topics(), in.Topics)
	}
	if tell(first) != nil {
		return
	}
	alive := time.NewTicker(eventAlive)
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.departed():
			return
		case <-alive.C:
			if send(sse.Message{Data: client.Alive{Now: time.Now().UTC()}}) != nil {
				return
			}
		case <-watch.Changed:
			if topics := wanted(watch.Take(), in.Topics); len(topics) > 0 {
				if tell(topics) != nil || !s.rest(ctx, eventPause) {
					return
				}
			}
		}
	}
}

// wanted gives those of the topics that were asked for; all where none was.
func wanted(topics, asked []string) []string {
	if len(asked) == 0 {
		return topics
	}
	return slices.DeleteFunc(topics, func(t string) bool { return !slices.Contains(asked, t) })
}

// rest waits, and tells whether to go on.
func (s *Server) rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-s.departed():
		return false
	case <-timer.C:
		return true
	}
}

// Depart ends the streams of events, so that a server that stops need not wait for them.
func (s *Server) Depart() { s.depart.Do(func() { close(s.departed()) }) }

func (s *Server) departed() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone == nil {
		s.gone = make(chan struct{})
	}
	return s.gone
}
