package spool

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/intact"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A Key is a job's place in the queue of its system; byte order is the order to run.
// The zero value is before all.
type Key [9]byte

// KeyOf returns the place of job: higher priority first (above 255 all are
// the same), then the lower id.
func KeyOf(job *linkv1.Job) Key {
	var k Key
	k[0] = 255 - byte(min(job.GetPriority(), 255))
	binary.BigEndian.PutUint64(k[1:], job.GetId())
	return k
}

// window is how long before and after what instants a job may be run, in ms since 1970.
type window struct{ notBefore, notAfter int64 }

const windowSize = 16

// Accept stores jobs in their order and returns how many; only those may be
// acknowledged. A job that is held already, or whose result is, counts as
// stored and changes nothing. When n < len(jobs), err says why jobs[n] was not
// stored: [ErrFull], or [ErrInvalid] for that one job. A fence is not compared
// here but when the job is run: see [Spool.Fence].
func (s *Spool) Accept(ctx context.Context, jobs []*linkv1.Job) (n int, err error) {
	values := make([][]byte, 0, len(jobs))
	var refused error
	for _, job := range jobs {
		value, err := encodeJob(job)
		if err != nil {
			refused = err
			break
		}
		values = append(values, value)
	}
	if len(values) == 0 {
		return 0, refused
	}
	err = s.do(ctx, ordinary, func(t *txn) error {
		n = 0 // a transaction that failed is tried again
		for i, value := range values {
			if t.counts.allJobs >= uint64(s.opt.MaxJobs) {
				refused = fmt.Errorf("%w: %d jobs are waiting", ErrFull, t.counts.allJobs)
				return nil
			}
			if err := t.accept(jobs[i], value); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("accept: %w", err)
	}
	s.noteExpiry(jobs[:n])
	return n, refused
}

func (t *txn) accept(job *linkv1.Job, value []byte) error {
	queue, err := t.queue(job.GetSystem())
	if err != nil {
		return err
	}
	key, id := KeyOf(job), binary.BigEndian.AppendUint64(nil, job.GetId())
	if queue.Get(key[:]) != nil || t.tx.Bucket(doneBucket).Get(id) != nil {
		return nil
	}
	if err := t.put(queue, key[:], value); err != nil {
		return err
	}
	t.counts.addJobs(job.GetSystem(), 1)
	t.arrived[job.GetSystem()] = true
	return nil
}

// queue returns the jobs of a system, to write to.
func (t *txn) queue(system string) (*bbolt.Bucket, error) {
	if b := t.systems[system]; b != nil {
		return b, nil
	}
	b, err := t.tx.Bucket(jobsBucket).CreateBucketIfNotExists([]byte(system))
	if err != nil {
		t.failed = err
		return nil, err
	}
	b.FillPercent = 0.95 // ids rise: pages need no room to grow
	t.systems[system] = b
	return b, nil
}

// Next returns up to n jobs of system that may begin at now, in the order to
// run and after the key after. They stay in place: the caller remembers which
// it has begun, asks again after the last of them, and from the zero Key after
// [Spool.Arrived], since a job of higher priority comes before. When there are jobs
// whose time has not come, wake is the first instant at which one may begin.
func (s *Spool) Next(system string, after Key, n int, now time.Time) (jobs []*linkv1.Job, wake time.Time, err error) {
	first := int64(math.MaxInt64)
	err = s.walk(system, after, func(_ Key, w window, value []byte) (bool, error) {
		if w.notBefore > now.UnixMilli() {
			first = min(first, w.notBefore)
			return true, nil
		}
		job, err := decodeJob(value)
		if err != nil {
			return false, err
		}
		jobs = append(jobs, job)
		return len(jobs) < n, nil
	})
	if first != math.MaxInt64 {
		wake = time.UnixMilli(first)
	}
	return jobs, wake, err
}

// Expired returns up to n jobs of system that ended before now, wherever they
// stand in the queue. It reads nothing while it knows that there is none.
func (s *Spool) Expired(system string, n int, now time.Time) (jobs []*linkv1.Job, err error) {
	s.mu.Lock()
	soonest, known := s.soonest[system]
	if known && !soonest.Before(now) {
		s.mu.Unlock()
		return nil, nil
	}
	s.soonest[system] = time.UnixMilli(math.MaxInt64) // what arrives meanwhile lowers it
	s.mu.Unlock()

	next := int64(math.MaxInt64)
	err = s.walk(system, Key{}, func(_ Key, w window, value []byte) (bool, error) {
		if w.notAfter == 0 || w.notAfter >= now.UnixMilli() {
			if w.notAfter != 0 {
				next = min(next, w.notAfter)
			}
			return true, nil
		}
		next = min(next, w.notAfter)
		job, err := decodeJob(value)
		if err != nil {
			return false, err
		}
		jobs = append(jobs, job)
		return len(jobs) < n, nil
	})
	s.lowerSoonest(system, time.UnixMilli(next))
	return jobs, err
}

// noteExpiry remembers when the first of jobs ends.
func (s *Spool) noteExpiry(jobs []*linkv1.Job) {
	for _, job := range jobs {
		if job.GetNotAfter() != nil {
			s.lowerSoonest(job.GetSystem(), job.GetNotAfter().AsTime())
		}
	}
}

func (s *Spool) lowerSoonest(system string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, known := s.soonest[system]; known && at.Before(old) {
		s.soonest[system] = at
	}
}

// walk calls fn for the jobs of system after a key until it returns false. The value dies with the call.
func (s *Spool) walk(system string, after Key, fn func(Key, window, []byte) (bool, error)) error {
	return s.view(func(tx *bbolt.Tx) error {
		queue := tx.Bucket(jobsBucket).Bucket([]byte(system))
		if system == "" || queue == nil {
			return nil
		}
		c := queue.Cursor()
		k, v := c.Seek(after[:])
		if bytes.Equal(k, after[:]) {
			k, v = c.Next()
		}
		for ; k != nil; k, v = c.Next() {
			v, err := intact.WithoutSum(k, v)
			if err != nil {
				return err
			}
			if len(k) != len(Key{}) || len(v) < windowSize {
				return fmt.Errorf("%w: job of %s with a key of %d and a value of %d bytes", ErrDamaged, system, len(k), len(v))
			}
			w := window{int64(binary.BigEndian.Uint64(v)), int64(binary.BigEndian.Uint64(v[8:]))}
			if more, err := fn(Key(k), w, v[windowSize:]); err != nil || !more {
				return err
			}
		}
		return nil
	})
}

// Finish stores the result of job, removes the job, raises the fence of its
// object and notes what it tells of ([Spool.Told]), all or nothing. Repeating it is no error. It returns [ErrNotHeld] if
// the job is not held and its result is not either.
func (s *Spool) Finish(ctx context.Context, job *linkv1.Job, result *linkv1.Result) error {
	if result.GetJob() != job.GetId() {
		return fmt.Errorf("finish job %d: the result is of job %d", job.GetId(), result.GetJob())
	}
	value, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(make([]byte, 0, proto.Size(result)+intact.SumSize), result)
	if err != nil {
		return fmt.Errorf("finish job %d: %w", job.GetId(), err)
	}
	told := tellsOf(job, result)
	if err := s.do(ctx, essential, func(t *txn) error { return t.finish(job, value, told) }); err != nil {
		return fmt.Errorf("finish job %d: %w", job.GetId(), err)
	}
	return nil
}

func (t *txn) finish(job *linkv1.Job, result []byte, told [][]byte) error {
	queue := t.tx.Bucket(jobsBucket).Bucket([]byte(job.GetSystem()))
	key, id := KeyOf(job), binary.BigEndian.AppendUint64(nil, job.GetId())
	if queue == nil || queue.Get(key[:]) == nil {
		if t.tx.Bucket(doneBucket).Get(id) != nil {
			return nil
		}
		return ErrNotHeld
	}
	if err := t.remove(queue, key[:]); err != nil {
		return err
	}
	t.counts.addJobs(job.GetSystem(), -1)
	raise := t.raiseFence
	if job.GetNotBefore() != nil {
		raise = t.passInstant
	}
	if err := raise(job); err != nil {
		return err
	}
	if err := t.putResult(id, result); err != nil {
		return err
	}
	return t.tell(job.GetSystem(), t.counts.seq, told...)
}

func (t *txn) putResult(id, result []byte) error {
	t.counts.seq++
	t.counts.results++
	t.outgoing = true
	seq := binary.BigEndian.AppendUint64(nil, t.counts.seq)
	results := t.tx.Bucket(resultsBucket)
	results.FillPercent = 0.95
	if err := t.put(results, seq, result); err != nil {
		return err
	}
	return t.put(t.tx.Bucket(doneBucket), id, seq)
}

func (t *txn) raiseFence(job *linkv1.Job) error {
	if job.GetFence() == 0 || job.GetObject() == "" {
		return nil
	}
	return t.putFence(fenceKey(job.GetSystem(), job.GetObject()), job.GetFence())
}

func (t *txn) putFence(key []byte, at uint64) error {
	fences := t.tx.Bucket(fencesBucket)
	if highest, err := fence(fences, key); err != nil || highest >= at {
		return err
	}
	return t.put(fences, key, binary.BigEndian.AppendUint64(nil, at))
}

// Fence returns the highest fence of the finished jobs of an object; a job with
// this one or a lower one, other than 0, is to be refused as CONFLICT: it was
// done, or what was planned after it.
func (s *Spool) Fence(system, object string) (highest uint64, err error) {
	err = s.view(func(tx *bbolt.Tx) (err error) {
		highest, err = fence(tx.Bucket(fencesBucket), fenceKey(system, object))
		return err
	})
	return highest, err
}

func fenceKey(system, object string) []byte { return []byte(system + "\x00" + object) }

func fence(fences *bbolt.Bucket, key []byte) (uint64, error) {
	stored := fences.Get(key)
	if stored == nil {
		return 0, nil
	}
	return number(key, stored)
}

// number gives the number that is stored under a key.
func number(key, stored []byte) (uint64, error) {
	value, err := intact.WithoutSum(key, stored)
	if err == nil && len(value) != 8 {
		err = fmt.Errorf("%w: number of %d bytes", ErrDamaged, len(value))
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

// Waiting returns how many jobs of system are held.
func (s *Spool) Waiting(system string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.counts.jobs[system])
}

// Queues returns the systems for which jobs are held, in ascending order.
func (s *Spool) Queues() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var systems []string
	for system, n := range s.counts.jobs {
		if n > 0 {
			systems = append(systems, system)
		}
	}
	slices.Sort(systems)
	return systems
}

// Arrived returns a channel that gets a token when jobs of system were stored.
// One receiver is meant for each system; tokens are not counted.
func (s *Spool) Arrived(system string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrival(system)
}

func (s *Spool) arrival(system string) chan struct{} {
	ch := s.arrivals[system]
	if ch == nil {
		ch = make(chan struct{}, 1)
		s.arrivals[system] = ch
	}
	return ch
}

func encodeJob(job *linkv1.Job) ([]byte, error) {
	switch {
	case job.GetId() == 0:
		return nil, fmt.Errorf("%w: it has no id", ErrInvalid)
	case job.GetSystem() == "" || len(job.GetSystem()) > 1024:
		return nil, fmt.Errorf("%w: job %d names no system, or one of more than 1024 bytes", ErrInvalid, job.GetId())
	case len(job.GetObject()) > 16384:
		return nil, fmt.Errorf("%w: job %d names its object with %d bytes, at most 16384 can be kept", ErrInvalid, job.GetId(), len(job.GetObject()))
	}
	value := make([]byte, 0, windowSize+proto.Size(job)+intact.SumSize)
	value = binary.BigEndian.AppendUint64(value, uint64(milliseconds(job.GetNotBefore(), time.Millisecond-1))) // never sooner
	value = binary.BigEndian.AppendUint64(value, uint64(milliseconds(job.GetNotAfter(), 0)))                   // never later
	value, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(value, job)
	if err != nil {
		return nil, fmt.Errorf("%w: job %d: %w", ErrInvalid, job.GetId(), err)
	}
	return value, nil
}

func decodeJob(value []byte) (*linkv1.Job, error) {
	job := new(linkv1.Job)
	if err := proto.Unmarshal(value, job); err != nil {
		return nil, fmt.Errorf("%w: job: %w", ErrDamaged, err)
	}
	return job, nil
}

// milliseconds gives the whole milliseconds up to round after at; 0 for none.
func milliseconds(at *timestamppb.Timestamp, round time.Duration) int64 {
	if at == nil {
		return 0
	}
	return at.AsTime().Add(round).UnixMilli()
}
