package agent_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/agent/guard"
	"github.com/drawbridge-id/drawbridge/agent/identity"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	"github.com/drawbridge-id/drawbridge/agent/vault"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// What each release has left in a data folder is in testdata/RELEASE/data.tar.gz
// (snapshots are agent/snapshot's); `make stored-release RELEASE=x` adds one.
var release = flag.String("release", "", "write testdata/RELEASE/data.tar.gz, which must not be there yet")

var (
	releasedAt     = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	releasedAnchor = vault.Anchors{"servers": "ldaps://dc1.corp.example", "bind": "svc@corp.example"}
)

const releasedPolicy = "mode: enforce\nsystems:\n  app:\n    budgets:\n      delete: {hour: 10, day: 25}\n"

// Whatever a release has stored is opened by this one, which finds all of it and
// goes on: jobs and results, secrets, spent budgets, who it is.
func TestReleased(t *testing.T) {
	if *release != "" {
		keep(t, filepath.Join("testdata", *release, "data.tar.gz"))
	}
	kept, err := filepath.Glob("testdata/*/data.tar.gz")
	if err != nil || len(kept) == 0 {
		t.Fatalf("no data folder of a release, %v", err)
	}
	for _, file := range kept {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			dir := unpack(t, file)
			t.Run("spool", func(t *testing.T) { releasedSpool(t, dir) })
			t.Run("guard", func(t *testing.T) { releasedGuard(t, dir) })
			t.Run("vault", func(t *testing.T) {
				if runtime.GOOS == "windows" {
					t.Skip("sealed to a Linux host")
				}
				releasedVault(t, dir)
			})
			t.Run("identity", func(t *testing.T) {
				who, err := identity.Load(dir)
				if err != nil {
					t.Fatal(err)
				}
				hello := &linkv1.Hello{}
				if err := who.Mark(hello); err != nil || hello.GetCounter() != 3 {
					t.Errorf("the agent connects the %d. time, %v; want the 3.", hello.GetCounter(), err)
				}
			})
		})
	}
}

// keep fills a data folder with today's code, and packs it.
func keep(t *testing.T, file string) {
	t.Helper()
	dir := filepath.Join(newSite(t, newCoordinator(t, nil)).dir, "data")
	who, err := identity.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(who.Mark(&linkv1.Hello{}), who.Taken()); err != nil {
			t.Fatal(err)
		}
	}
	s, err := spool.Open(filepath.Join(dir, "spool.db"), spool.Options{Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := s.SetSystems(ctx, &linkv1.Systems{Systems: []*linkv1.System{{Name: "app", Connector: "sql", Revision: 7, Settings: "{}"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(ctx, []*linkv1.Job{write(1), write(2), write(3), placed(4)}); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(s.PutRecords(ctx, &linkv1.Records{System: "app", Records: []*connectorv1.Record{{Id: "user-1"}}}),
		s.Finish(ctx, write(1), &linkv1.Result{Job: 1, Outcome: connectorv1.Outcome_OUTCOME_DONE}), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Set("corp-ad", "password", releasedAnchor, sealed.New("correct horse")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "guardrail.yaml"), []byte(releasedPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	g := openGuard(t, dir)
	if got := deletes(t, g, 4); got != 4 {
		t.Fatalf("%d deletes pass; want 4", got)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	pack(t, dir, file)
}

func releasedSpool(t *testing.T, dir string) {
	s, err := spool.Open(filepath.Join(dir, "spool.db"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Damage() != nil {
		t.Fatal(s.Damage())
	}
	systems, err := s.Systems()
	if err != nil || len(systems.GetSystems()) != 1 || systems.GetSystems()[0].GetRevision() != 7 {
		t.Errorf("Systems() = %v, %v; want app at revision 7", systems, err)
	}
	jobs, wake, err := s.Next("app", spool.Key{}, 10, releasedAt)
	if err != nil || len(jobs) != 2 || jobs[0].GetId() != 2 || !wake.Equal(releasedAt.Add(time.Hour)) {
		t.Errorf("Next() = %v, %v, %v; want jobs 2 and 3, and one in an hour", jobs, wake, err)
	}
	items, err := s.Unsent(0, 1<<20)
	if err != nil || len(items) != 2 || items[0].Records().GetRecords()[0].GetId() != "user-1" || items[1].Result().GetJob() != 1 {
		t.Errorf("Unsent() = %v, %v; want the records and the result of job 1", items, err)
	}
	if fence, err := s.Fence("app", "user-1"); err != nil || fence != 1 {
		t.Errorf("Fence() = %d, %v; want 1", fence, err)
	}
	ctx := context.Background()
	told, err := s.Told(ctx, "app", "user")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(ctx, []*linkv1.Job{write(5)}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []uint64{2, 3, 5} {
		if err := s.Finish(ctx, write(id), &linkv1.Result{Job: id}); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(s.TakeIn(ctx, "app", "user", told), s.Forget(ctx, []uint64{1, 2, 3, 5}, items[0].Seq)); err != nil {
		t.Error(err)
	}
	if items, err := s.Unsent(0, 1<<20); err != nil || len(items) != 0 {
		t.Errorf("Unsent() = %v, %v; want nothing", items, err)
	}
}

func releasedGuard(t *testing.T, dir string) {
	g := openGuard(t, dir)
	defer g.Close()
	if got := deletes(t, g, 10); got != 6 {
		t.Errorf("%d deletes pass; want 6 of an hour's 10, 4 of which were spent", got)
	}
}

func releasedVault(t *testing.T, dir string) {
	v, err := vault.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if secret, err := v.Get("corp-ad", "password", releasedAnchor); err != nil || secret.Reveal() != "correct horse" {
		t.Errorf("Get() = %v; want the secret", err)
	}
	if err := v.Set("corp-ad", "password", releasedAnchor, sealed.New("another")); err != nil {
		t.Error(err)
	}
}

func openGuard(t *testing.T, dir string) *guard.Guard {
	t.Helper()
	g, err := guard.Open(guard.Options{Policy: filepath.Join(dir, "guardrail.yaml"), Data: dir,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: func() time.Time { return releasedAt }})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// deletes asks for n deletes and returns how many pass.
func deletes(t *testing.T, g *guard.Guard, n int) (passed int) {
	t.Helper()
	for i := range n {
		job := &linkv1.Job{Id: uint64(100 + i), System: "app", Work: &linkv1.Job_Apply{Apply: &connectorv1.Operation{
			Class: "row", Id: fmt.Sprint("r", i), Verb: &connectorv1.Operation_Delete{Delete: &connectorv1.Delete{}}}}}
		if g.Check(t.Context(), guard.Question{System: &linkv1.System{Name: "app", Connector: "sql"}, Job: job}).Decision == guard.Allow {
			passed++
		}
	}
	return passed
}

func write(id uint64) *linkv1.Job {
	object := fmt.Sprint("user-", id)
	return &linkv1.Job{Id: id, System: "app", Object: object, Fence: id, Work: &linkv1.Job_Apply{Apply: &connectorv1.Operation{Class: "user", Id: object}}}
}

// placed is a job for an hour later.
func placed(id uint64) *linkv1.Job {
	job := write(id)
	job.NotBefore = timestamppb.New(releasedAt.Add(time.Hour))
	return job
}

// pack writes the files of a folder into a new archive.
func pack(t *testing.T, dir, file string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	compressed := gzip.NewWriter(out)
	archive := tar.NewWriter(compressed)
	if err := errors.Join(archive.AddFS(os.DirFS(dir)), archive.Close(), compressed.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
}

// unpack gives an archive's files in a new folder.
func unpack(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	compressed, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(compressed)
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(head.Name))
		if head.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o700)
		} else if text, failed := io.ReadAll(archive); failed == nil {
			err = os.WriteFile(path, text, 0o600)
		} else {
			err = failed
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
