package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// listen opens a stream of events, and gives the topics of each as it comes.
func listen(t *testing.T, address, token string, header http.Header) <-chan []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan []string, 100)
	go func() {
		defer close(events)
		defer resp.Body.Close()
		kind := ""
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if k, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				kind = k
			}
			var c client.Changed
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && kind == "changed" && json.Unmarshal([]byte(data), &c) == nil {
				events <- c.Topics
			}
		}
	}()
	return events
}

// Who follows is told what to look at again, and nothing of other tenants; who
// comes again is told to look at everything; and a server that stops ends all streams.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := populated(t)
	address, server := w.ServeAs()
	mine := listen(t, address+"/v1/events", w.Token(rehearsal.Tenant, "me"), http.Header{})
	problems := listen(t, address+"/v1/events?topics=problems", w.Token(rehearsal.Tenant, "me"), http.Header{})
	other := listen(t, address+"/v1/events", w.Token("other", "them"), http.Header{})
	again := listen(t, address+"/v1/events", w.Token(rehearsal.Tenant, "me"), http.Header{"Last-Event-Id": {"7"}})
	for _, events := range []<-chan []string{mine, problems, other} {
		if first := <-events; len(first) != 0 {
			t.Errorf("first event of a new stream: %q", first)
		}
	}
	if first := <-again; !slices.Equal(first, store.Topics()) {
		t.Errorf("first event of a stream that goes on: %q", first)
	}
	w.Write(func(tx *store.Tx) error {
		return tx.AddHistory([]store.History{{Tenant: rehearsal.Tenant, Kind: "held", Text: "x"}})
	})
	if got := <-mine; !slices.Equal(got, []string{"held", "jobs", "log"}) {
		t.Errorf("told of %q", got)
	}
	server.Depart()
	for what, events := range map[string]<-chan []string{"other topics": problems, "another tenant": other} {
		for got := range events {
			t.Errorf("who follows %s was told of %q", what, got)
		}
	}
}
