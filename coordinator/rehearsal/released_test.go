package rehearsal_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/gob"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A store as each release has left it is in testdata/RELEASE; `make stored-release RELEASE=x` adds one.
var release = flag.String("release", "", "write testdata/RELEASE/coordinator.gz, which must not be there yet")

// left is what a release has left: its store, and what the target held, by native id.
type left struct {
	Store   []byte
	Objects map[string][]byte
}

// A store of every release is opened by this one, which finds what is in it and
// goes on: with the jobs that were planned, with people who change, come and leave.
func TestReleased(t *testing.T) {
	t.Parallel()
	if *release != "" {
		keep(t, filepath.Join("testdata", *release, "coordinator.gz"))
	}
	kept, err := filepath.Glob("testdata/*/coordinator.gz")
	if err != nil || len(kept) == 0 {
		t.Fatalf("no store of a release, %v", err)
	}
	for _, file := range kept {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			t.Parallel()
			w := reopen(t, file)
			const staff, leavers = ",OU=Research,DC=corp,DC=example", ",OU=Leavers,DC=corp,DC=example"
			if got := w.Value("CN=Given1 Family1"+staff, "title"); got != "Engineer" {
				t.Fatalf("title = %q; want it to be changed yet", got)
			}
			w.Settle() // what was planned
			people := rehearsal.Workers(13)
			people[0] = rehearsal.Worker("E0001", "Given1", "Family1", "title", "Chief")
			people[1] = rehearsal.Worker("E0002", "Given2", "Married")
			people[3] = rehearsal.Worker("E0004", "Given4", "Family4", "status", "T")
			people[11] = rehearsal.Worker("E0012", "Given12", "Family12", "status", "T")
			w.Read("hr", people...)
			w.Settle()
			for address, enabled := range map[string]string{
				"CN=Given1 Family1" + staff: "true", "CN=Given2 Married" + staff: "true", "CN=Given4 Family4" + leavers: "false",
				"CN=Given12 Family12" + leavers: "false", "CN=Given13 Family13" + staff: "true",
			} {
				if got := w.Value(address, "enabled"); got != enabled {
					t.Errorf("%s is enabled: %q; want %q; there are %q", address, got, enabled, w.Addresses())
				}
			}
			if got := w.Value("CN=Given1 Family1"+staff, "title"); got != "Chief" {
				t.Errorf("title = %q; want what was planned", got)
			}
			if got := len(w.Objects); got != 13 {
				t.Errorf("%d accounts; want 13", got)
			}
		})
	}
}

// reopen makes a world of what a release has left.
func reopen(t *testing.T, file string) *rehearsal.World {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	compressed, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(compressed)
	if err != nil {
		t.Fatal(err)
	}
	var was left
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&was); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "coordinator.db")
	if err := os.WriteFile(path, was.Store, 0o600); err != nil {
		t.Fatal(err)
	}
	objects := map[string]*connectorv1.Object{}
	for id, text := range was.Objects {
		objects[id] = new(connectorv1.Object)
		if err := proto.Unmarshal(text, objects[id]); err != nil {
			t.Fatal(err)
		}
	}
	st := storetest.OpenAs(t, path)
	return rehearsal.Again(t, st, objects)
}

// keep plays a company with today's code until something is planned and not yet
// done, and writes what that leaves.
func keep(t *testing.T, file string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "coordinator.db")
	st, err := store.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	w := rehearsal.NewOn(t, st)
	w.Apply(rehearsal.Documents)
	people := rehearsal.Workers(12)
	w.Read("hr", people...)
	w.Settle()
	people[11] = rehearsal.Worker("E0012", "Given12", "Family12", "status", "T")
	w.Read("hr", people...)
	w.Settle()
	people[0] = rehearsal.Worker("E0001", "Given1", "Family1", "title", "Chief")
	w.Read("hr", people...)
	w.Plan()
	was := left{Objects: map[string][]byte{}}
	for id, o := range w.Objects {
		if was.Objects[id], err = proto.Marshal(o); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	for _, beside := range []string{"-wal", "-journal"} {
		if _, err := os.Stat(path + beside); !errors.Is(err, os.ErrNotExist) {
			t.Fatal(fmt.Errorf("a store that was closed is one file, and there is %s: %w", beside, err))
		}
	}
	if was.Store, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	compressed, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(gob.NewEncoder(compressed).Encode(was), compressed.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
}
