package csv_test

import (
	"os"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/csv"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// watch returns a channel with a value for each change noticed.
func watch(t *testing.T, s settings) <-chan time.Time {
	t.Helper()
	stream, err := connkit.Open(t, csv.New(), s, nil).Watch(t.Context(), &connectorv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	noticed := make(chan time.Time)
	go func() {
		for {
			response, err := stream.Recv()
			if err != nil {
				return // the test has ended
			}
			select {
			case noticed <- response.GetNoticed().AsTime():
			case <-t.Context().Done():
				return
			}
		}
	}()
	return noticed
}

func wantNotice(t *testing.T, noticed <-chan time.Time, why string) {
	t.Helper()
	select {
	case <-noticed:
	case <-time.After(10 * time.Second):
		t.Fatalf("no change was noticed: %s", why)
	}
}

func wantNone(t *testing.T, noticed <-chan time.Time, why string) {
	t.Helper()
	select {
	case <-noticed:
		t.Fatalf("a change was noticed: %s", why)
	case <-time.After(400 * time.Millisecond):
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	s := with(t, "id,n\n1,a\n", settings{"settle": "100ms", "poll": "1h"}) // by events alone
	path, noticed := s["path"].(string), watch(t, s)
	wantNotice(t, noticed, "it may have changed while nobody watched")
	wantNone(t, noticed, "nothing has changed")

	if err := os.WriteFile(path, []byte("id,n\n1,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantNotice(t, noticed, "the file was written")

	if err := os.WriteFile(path+".new", []byte("id,n\n1,c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantNone(t, noticed, "another file was written")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	wantNotice(t, noticed, "a file was renamed into place")

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wantNone(t, noticed, "the file was removed")
}

// A file that grows is told of once, when it has been left alone.
func TestWatch_waitsUntilTheFileHasSettled(t *testing.T) {
	t.Parallel()
	s := with(t, "id,n\n1,a\n", settings{"settle": "1s", "poll": "1h"})
	noticed := watch(t, s)
	wantNotice(t, noticed, "it is there")
	for i := range 10 {
		if err := os.WriteFile(s["path"].(string), make([]byte, i), 0o600); err != nil {
			t.Fatal(err)
		}
		select {
		case <-noticed:
			t.Fatal("a file being written was told of")
		case <-time.After(200 * time.Millisecond):
		}
	}
	wantNotice(t, noticed, "it has settled")
}

// A share tells nothing, and neither does a folder that is not there yet.
func TestWatch_byPolling(t *testing.T) {
	t.Parallel()
	s := with(t, "id,n\n1,a\n", settings{"settle": "0s", "poll": "1s"})
	s["path"] = t.TempDir() + "/later/workers.csv"
	noticed := watch(t, s)
	if err := os.Mkdir(s["path"].(string)[:len(s["path"].(string))-len("/workers.csv")], 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s["path"].(string), []byte("id,n\n1,a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantNotice(t, noticed, "the file has appeared")
}

// With a marker, the file is new when its marker is.
func TestWatch_marker(t *testing.T) {
	t.Parallel()
	s := with(t, "id,n\n1,a\n", settings{"settle": "0s", "poll": "1h", "done_marker": ".done"})
	noticed := watch(t, s)
	if err := os.WriteFile(s["path"].(string), []byte("id,n\n1,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantNone(t, noticed, "there is no marker yet")
	if err := os.WriteFile(s["path"].(string)+".done", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantNotice(t, noticed, "the marker was written")
}
