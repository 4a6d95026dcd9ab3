package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const ad = "corp-ad"

var now = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// What Accept stored is there after a restart, in the order to run.
func TestSpool_survivesRestart(t *testing.T) {
	t.Parallel()
	s, path := newSpool(t, spool.Options{})
	want := []*linkv1.Job{job(5, 9), job(3, 0), job(4, 0), job(9, 0)}
	accept(t, s, job(4, 0), job(9, 0), job(5, 9), job(3, 0))
	id := s.ID()
	closeSpool(t, s)

	s = openSpool(t, path, spool.Options{})
	if diff := cmp.Diff(want, next(t, s, spool.Key{}, 10), protocmp.Transform()); diff != "" {
		t.Errorf("Next() after restart (-want +got):\n%s", diff)
	}
	if got := s.ID(); got != id || len(id) != 32 {
		t.Errorf("ID() = %q; want %q, of 32 digits", got, id)
	}
	if got := s.Waiting(ad); got != 4 {
		t.Errorf("Waiting() = %d; want 4", got)
	}
	if s.Damage() != nil {
		t.Errorf("Damage() = %v; want nil", s.Damage())
	}
}

// The caller pages through a queue that is larger than what it wants at once.
func TestNext_goesOnAfterAKey(t *testing.T) {
	t.Parallel()
	s, _ := newSpool(t, spool.Options{})
	accept(t, s, job(1, 0), job(2, 0), job(3, 0), job(4, 300), job(5, 255))
	var got []uint64
	var after spool.Key
	for {
		jobs := next(t, s, after, 2)
		if len(jobs) == 0 {
			break
		}
		for _, j := range jobs {
			got = append(got, j.GetId())
			after = spool.KeyOf(j)
		}
	}
	if diff := cmp.Diff([]uint64{4, 5, 1, 2, 3}, got); diff != "" {
		t.Errorf("pages of Next() (-want +got):\n%s", diff)
	}
	if jobs, _, err := s.Next("other", spool.Key{}, 1, now); len(jobs) != 0 || err != nil {
		t.Errorf("Next(other system) = %v, %v; want nothing", jobs, err)
	}
}

// A job whose time has not come is passed over, and the runner learns when to look again.
func TestNext_honoursNotBefore(t *testing.T) {
	t.Parallel()
	s, _ := newSpool(t, spool.Options{})
	later, latest := job(1, 0), job(2, 0)
	later.NotBefore = timestamppb.New(now.Add(time.Hour))
	latest.NotBefore = timestamppb.New(now.Add(2 * time.Hour))
	accept(t, s, latest, later, job(3, 0))

	jobs, wake, err := s.Next(ad, spool.Key{}, 10, now)
	if err != nil || len(jobs) != 1 || jobs[0].GetId() != 3 || !wake.Equal(now.Add(time.Hour)) {
		t.Errorf("Next(now) = %v, %v, %v; want job 3 and a wake in an hour", jobs, wake, err)
	}
	jobs, wake, err = s.Next(ad, spool.Key{}, 10, now.Add(2*time.Hour))
	if err != nil || len(jobs) != 3 || !wake.IsZero() {
		t.Errorf("Next(in two hours) = %v, %v, %v; want three jobs and no wake", jobs, wake, err)
	}
}

// A stale job behind others that cannot run is found, also when it came after the last look.
func TestExpired_findsStaleJobsAnywhere(t *testing.T) {
	t.Parallel()
	s, path := newSpool(t, spool.Options{})
	stale := func(id uint64, after time.Duration) *linkv1.Job {
		j := job(id, 0)
		j.NotAfter = timestamppb.New(now.Add(after))
		return j
	}
	expired := func(at time.Duration, want ...uint64) {
		t.Helper()
		jobs, err := s.Expired(ad, 10, now.Add(at))
		var got []uint64
		for _, j := range jobs {
			got = append(got, j.GetId())
		}
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("Expired(%v) = %v, %v; want %v, nil", at, got, err, want)
		}
	}
	accept(t, s, job(1, 0), stale(2, time.Hour), stale(3, 2*time.Hour))
	expired(0)
	expired(time.Hour)
	expired(time.Hour+time.Second, 2)
	accept(t, s, stale(4, 30*time.Minute))
	expired(time.Hour+time.Second, 2, 4)
	expired(3*time.Hour, 2, 3, 4)
	closeSpool(t, s)
	s = openSpool(t, path, spool.Options{})
	expired(3*time.Hour, 2, 3, 4)
}

// The coordinator repeats what was not confirmed: neither a job that waits nor
// one whose result waits may be stored, and so run, again.
func TestAccept_storesOnce(t *testing.T) {
	t.Parallel()
	s, _ := newSpool(t, spool.Options{})
	accept(t, s, job(1, 0), job(2, 0))
	finish(t, s, job(1, 0))
	accept(t, s, job(1, 0), job(2, 0))
	if got := s.Waiting(ad); got != 1 {
		t.Errorf("Waiting() = %d; want 1", got)
	}
	if jobs := next(t, s, spool.Key{}, 10); len(jobs) != 1 || jobs[0].GetId() != 2 {
		t.Errorf("Next() = %v; want job 2 alone", jobs)
	}
}

func TestAccept_refusesWhatCannotBeKept(t *testing.T) {
	t.Parallel()
	s, _ := newSpool(t, spool.Options{MaxJobs: 3})
	nameless := &linkv1.Job{Id: 2}
	if n, err := s.Accept(t.Context(), []*linkv1.Job{job(1, 0), nameless, job(3, 0)}); n != 1 || !errors.Is(err, spool.ErrInvalid) {
		t.Errorf("Accept(job without a system) = %d, %v; want 1, ErrInvalid", n, err)
	}
	if n, err := s.Accept(t.Context(), []*linkv1.Job{job(4, 0), job(5, 0), job(6, 0)}); n != 2 || !errors.Is(err, spool.ErrFull) {
		t.Errorf("Accept(one too many) = %d, %v; want 2, ErrFull", n, err)
	}
	finish(t, s, job(1, 0))
	accept(t, s, job(6, 0))
	if got := s.Waiting(ad); got != 3 {
		t.Errorf("Waiting() = %d; want 3", got)
	}
}

// Finish may be repeated after a crash, and must not invent a result for a job that was never held.
func TestFinish_isOnceOnly(t *testing.T) {
	t.Parallel()
	s, _ := newSpool(t, spool.Options{})
	accept(t, s, job(1, 0))
	finish(t, s, job(1, 0))
	finish(t, s, job(1, 0))
	if items := unsent(t, s, 0); len(items) != 1 {
		t.Errorf("Unsent() = %d items; want 1", len(items))
	}
	if err := s.Finish(t.Context(), job(7, 0), result(7)); !errors.Is(err, spool.ErrNotHeld) {
		t.Errorf("Finish(job never held) = %v; want ErrNotHeld", err)
	}
	if err := s.Finish(t.Context(), job(1, 0), result(2)); err == nil {
		t.Error("Finish(result of another job) = nil; want an error")
	}
}

// Fences outlive the jobs that brought them, and never fall.
func TestFence_isRaisedByFinish(t *testing.T) {
	t.Parallel()
	s, path := newSpool(t, spool.Options{})
	fenced := func(id, fence uint64) *linkv1.Job {
		j := job(id, 0)
		j.Object, j.Fence = "guid-1", fence
		return j
	}
	for _, j := range []*linkv1.Job{fenced(1, 7), fenced(2, 5), fenced(3, 0)} {
		accept(t, s, j)
		finish(t, s, j)
	}
	closeSpool(t, s)
	s = openSpool(t, path, spool.Options{})
	if got, err := s.Fence(ad, "guid-1"); got != 7 || err != nil {
		t.Errorf("Fence() = %d, %v; want 7, nil", got, err)
	}
	if got, err := s.Fence("other", "guid-1"); got != 0 || err != nil {
		t.Errorf("Fence(other system) = %d, %v; want 0, nil", got, err)
	}
}

// Results and records are sent in the order they were stored, until they are confirmed.
func TestUnsent_keepsOrderUntilForgotten(t *testing.T) {
	t.Parallel()
	s, path := newSpool(t, spool.Options{})
	accept(t, s, job(1, 0), job(2, 0))
	first := putRecords(t, s, 10)
	finish(t, s, job(2, 0))
	second := putRecords(t, s, 10)
	finish(t, s, job(1, 0))
	closeSpool(t, s)

	s = openSpool(t, path, spool.Options{})
	describe := func(items []spool.Item) (out []string) {
		for _, i := range items {
			if i.Result() != nil {
				out = append(out, fmt.Sprint("result ", i.Result().GetJob()))
			} else {
				out = append(out, fmt.Sprint("records ", i.Records().GetBatch()))
			}
		}
		return out
	}
	all := []string{fmt.Sprint("records ", first), "result 2", fmt.Sprint("records ", second), "result 1"}
	if diff := cmp.Diff(all, describe(unsent(t, s, 0))); diff != "" {
		t.Errorf("Unsent(0) (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(all[1:], describe(unsent(t, s, first))); diff != "" {
		t.Errorf("Unsent(first) (-want +got):\n%s", diff)
	}
	if items, err := s.Unsent(0, 1); len(items) != 1 || err != nil {
		t.Errorf("Unsent(1 byte) = %d items, %v; want 1, nil", len(items), err)
	}

	if err := s.Forget(t.Context(), []uint64{2, 77}, first); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all[2:], describe(unsent(t, s, 0))); diff != "" {
		t.Errorf("Unsent() after Forget (-want +got):\n%s", diff)
	}
	if results, size := s.Held(); results != 1 || size == 0 {
		t.Errorf("Held() = %d, %d; want one result and a size", results, size)
	}
	if err := s.Forget(t.Context(), []uint64{1}, second); err != nil {
		t.Fatal(err)
	}
	if results, size := s.Held(); results != 0 || size != 0 {
		t.Errorf("Held() = %d, %d; want 0, 0", results, size)
	}
	if third := putRecords(t, s, 1); third <= second {
		t.Errorf("batch %d after %d; want a higher one though all are forgotten", third, second)
	}
}

// A reader that is quicker than the link is held up, and let go when there is room.
func TestPutRecords_waitsForRoom(t *testing.T) {
	t.Parallel()
	s, _ := newSpool(t, spool.Options{MaxInTransit: 4 << 10, MaxRecords: 32 << 10})
	s.SetConnected(true)
	batch := putRecords(t, s, 3<<10)

	stored := make(chan error, 1)
	go func() { stored <- s.PutRecords(context.Background(), records(3<<10)) }()
	select {
	case err := <-stored:
		t.Fatalf("PutRecords() = %v with no room; want it to wait", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := s.Forget(t.Context(), nil, batch); err != nil {
		t.Fatal(err)
	}
	if err := <-stored; err != nil {
		t.Errorf("PutRecords() after Forget = %v; want nil", err)
	}

	go func() { stored <- s.PutRecords(context.Background(), records(3<<10)) }()
	s.SetConnected(false) // an outage: more may wait, so that the read goes on
	if err := <-stored; err != nil {
		t.Errorf("PutRecords() after the link went down = %v; want nil", err)
	}

	s.SetConnected(true)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("service stops")
	cancel(gone)
	if err := s.PutRecords(ctx, records(3<<10)); !errors.Is(err, gone) {
		t.Errorf("PutRecords(ended) = %v; want %v", err, gone)
	}
}

func TestSignals_tellOfNewWork(t *testing.T) {
	t.Parallel()
	s, _ := newSpool(t, spool.Options{})
	<-s.Outgoing() // at first at once: there may be something from before
	accept(t, s, job(1, 0))
	<-s.Arrived(ad)
	select {
	case <-s.Outgoing():
		t.Error("Outgoing() told of a job that was only accepted")
	default:
	}
	finish(t, s, job(1, 0))
	<-s.Outgoing()
	putRecords(t, s, 1)
	<-s.Outgoing()
}

func TestSystems_areKept(t *testing.T) {
	t.Parallel()
	s, path := newSpool(t, spool.Options{})
	if got, err := s.Systems(); err != nil || len(got.GetSystems()) != 0 {
		t.Errorf("Systems() of a new spool = %v, %v; want none", got, err)
	}
	want := &linkv1.Systems{Systems: []*linkv1.System{{Name: ad, Connector: "activedirectory", Settings: `{"a":1}`, Revision: 3}}}
	if err := s.SetSystems(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	closeSpool(t, s)
	got, err := openSpool(t, path, spool.Options{}).Systems()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" || err != nil {
		t.Errorf("Systems() = %v (-want +got):\n%s", err, diff)
	}
}

func TestOpen_isExclusive(t *testing.T) {
	t.Parallel()
	_, path := newSpool(t, spool.Options{})
	if _, err := spool.Open(path, spool.Options{LockWait: 10 * time.Millisecond}); !errors.Is(err, spool.ErrInUse) {
		t.Errorf("Open(held) = %v; want ErrInUse", err)
	}
}

// An older agent must not open, and above all not rewrite, a newer spool.
func TestOpen_unknownSchemaIsLeftAlone(t *testing.T) {
	t.Parallel()
	s, path := newSpool(t, spool.Options{})
	accept(t, s, job(1, 0))
	closeSpool(t, s)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("3")) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(path, spool.Options{}); !errors.Is(err, spool.ErrSchema) {
		t.Errorf("Open(schema 3) = %v; want ErrSchema", err)
	}
	if layout, err := spool.LayoutOf(path); err != nil || layout != 3 {
		t.Errorf("LayoutOf = %d, %v; want 3", layout, err)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(before) != string(after) {
		t.Errorf("Open(schema 3) changed the file (%v)", err)
	}
}

func TestClose_endsCalls(t *testing.T) {
	t.Parallel()
	s, _ := newSpool(t, spool.Options{MaxRecords: 1})
	putRecords(t, s, 10)
	waiting := make(chan error, 1)
	go func() { waiting <- s.PutRecords(context.Background(), records(10)) }()
	closeSpool(t, s)
	if err := <-waiting; !errors.Is(err, spool.ErrClosed) {
		t.Errorf("PutRecords() while closing = %v; want ErrClosed", err)
	}
	if _, err := s.Accept(t.Context(), []*linkv1.Job{job(1, 0)}); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Accept() after Close = %v; want ErrClosed", err)
	}
	if _, _, err := s.Next(ad, spool.Key{}, 1, now); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Next() after Close = %v; want ErrClosed", err)
	}
	closeSpool(t, s)
}

func newSpool(t testing.TB, opt spool.Options) (*spool.Spool, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spool.db")
	return openSpool(t, path, opt), path
}

func openSpool(t testing.TB, path string, opt spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func closeSpool(t testing.TB, s *spool.Spool) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func job(id uint64, priority uint32) *linkv1.Job {
	return &linkv1.Job{Id: id, System: ad, Priority: priority, Work: &linkv1.Job_Probe{Probe: &linkv1.Probe{}}}
}

func result(id uint64) *linkv1.Result {
	return &linkv1.Result{Job: id, Outcome: connectorv1.Outcome_OUTCOME_DONE, Began: timestamppb.New(now), Finished: timestamppb.New(now)}
}

func records(size int) *linkv1.Records {
	return &linkv1.Records{System: ad, Job: 1, Records: []*connectorv1.Record{{Id: "1", Object: make([]byte, size)}}}
}

func accept(t testing.TB, s *spool.Spool, jobs ...*linkv1.Job) {
	t.Helper()
	if n, err := s.Accept(context.Background(), jobs); n != len(jobs) || err != nil {
		t.Fatalf("Accept() = %d, %v; want %d, nil", n, err, len(jobs))
	}
}

func finish(t testing.TB, s *spool.Spool, j *linkv1.Job) {
	t.Helper()
	if err := s.Finish(context.Background(), j, result(j.GetId())); err != nil {
		t.Fatal(err)
	}
}

func next(t testing.TB, s *spool.Spool, after spool.Key, n int) []*linkv1.Job {
	t.Helper()
	jobs, _, err := s.Next(ad, after, n, now)
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

func unsent(t testing.TB, s *spool.Spool, after uint64) []spool.Item {
	t.Helper()
	items, err := s.Unsent(after, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func putRecords(t testing.TB, s *spool.Spool, size int) uint64 {
	t.Helper()
	r := records(size)
	if err := s.PutRecords(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return r.GetBatch()
}
