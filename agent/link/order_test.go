package link_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A witness is a site that writes down each word, and how many jobs lay in the
// spool when it came.
type witness struct {
	spool *spool.Spool
	heard chan string
}

func (w witness) hear(word string) error {
	w.heard <- fmt.Sprintf("%s after %d", word, w.spool.Waiting("ad"))
	return nil
}

func (witness) Connectors(context.Context) []*connectorv1.DescribeResponse { return nil }
func (w witness) Systems(context.Context, *linkv1.Systems) error           { return w.hear("systems") }
func (w witness) Rescind(_ context.Context, jobs []*linkv1.Rescission) error {
	return w.hear(fmt.Sprintf("rescind %d", jobs[0].GetJob()))
}
func (w witness) Assigned(_ context.Context, jobs []uint64) error {
	return w.hear(fmt.Sprintf("assigned %d", jobs[0]))
}
func (w witness) Beat(time.Time) { _ = w.hear("beat") }

// A word of the coordinator is obeyed when the jobs before it are stored, and
// before those behind it: a job may not come back that was rescinded.
func TestSession_obeysInOrder(t *testing.T) {
	t.Parallel()
	server, client := pki(t)
	words := []*linkv1.ConnectResponse{
		{Frame: &linkv1.ConnectResponse_Systems{Systems: &linkv1.Systems{}}},
		{Frame: &linkv1.ConnectResponse_Rescind{Rescind: &linkv1.Rescind{Jobs: []*linkv1.Rescission{{Job: 2}}}}},
		{Frame: &linkv1.ConnectResponse_Assigned{Assigned: &linkv1.Assigned{Jobs: []uint64{3}}}},
		{Frame: &linkv1.ConnectResponse_Beat{Beat: &linkv1.Beat{Number: 1}}},
	}
	c := serve(t, server, &coordinator{handle: func(stream linkv1.LinkService_ConnectServer) error {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		_ = stream.Send(welcome())
		for i, word := range words {
			job := &linkv1.Job{Id: uint64(i + 1), System: "ad", Work: &linkv1.Job_Probe{Probe: &linkv1.Probe{}}}
			_ = stream.Send(&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Jobs{Jobs: &linkv1.Jobs{Jobs: []*linkv1.Job{job}}}})
			_ = stream.Send(word)
		}
		<-stream.Context().Done()
		return nil
	}})
	s := newSpool(t, spool.Options{})
	w := witness{spool: s, heard: make(chan string, len(words))}
	l := newLink(t, c.address, client, s)
	l.Site = w
	start(t, l)
	var got []string
	for range words {
		select {
		case word := <-w.heard:
			got = append(got, word)
		case <-time.After(time.Minute):
			t.Fatalf("heard %q, and then nothing", got)
		}
	}
	if diff := cmp.Diff([]string{"systems after 1", "rescind 2 after 2", "assigned 3 after 3", "beat after 4"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
