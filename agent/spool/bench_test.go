package spool_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"google.golang.org/protobuf/proto"
)

// BenchmarkAccept compares durable accepts, 64 jobs of 1 KiB in flight, with the
// least that a disk allows: the same bytes appended to a file by the same
// number of callers, who share each fdatasync. Both run in turn, in slices.
func BenchmarkAccept(b *testing.B) {
	const flight, slice = 64, 250 * time.Millisecond
	s, path := newSpool(b, spool.Options{MaxJobs: 1 << 30})
	raw := newRawLog(b, filepath.Join(filepath.Dir(path), "raw.log"))
	var ids atomic.Uint64
	var spooled, logged rate
	for b.Loop() {
		spooled.measure(flight, slice, func() error {
			_, err := s.Accept(context.Background(), []*linkv1.Job{kibibyte(ids.Add(1))})
			return err
		})
		logged.measure(flight, slice, func() error {
			value, err := proto.Marshal(kibibyte(ids.Add(1)))
			return errors.Join(err, raw.append(value))
		})
	}
	if err := errors.Join(spooled.err, logged.err); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(spooled.perSecond(), "accepts/s")
	b.ReportMetric(logged.perSecond(), "raw/s")
	b.ReportMetric(spooled.perSecond()/logged.perSecond(), "ratio")
}

// BenchmarkRecover opens a spool in which 1,000,000 jobs of 1 KiB wait, with
// nothing of it in the page cache, and takes the first job.
func BenchmarkRecover(b *testing.B) {
	const waiting = 1_000_000
	s, path := newSpool(b, spool.Options{MaxJobs: waiting})
	for id := uint64(1); id <= waiting; {
		jobs := make([]*linkv1.Job, 1000)
		for i := range jobs {
			jobs[i] = kibibyte(id)
			id++
		}
		accept(b, s, jobs...)
	}
	closeSpool(b, s)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	var opening time.Duration
	for range b.N {
		b.StopTimer()
		evict(b, path)
		b.StartTimer()
		began := time.Now()
		s, err := spool.Open(path, spool.Options{MaxJobs: waiting})
		if err != nil {
			b.Fatal(err)
		}
		if jobs := next(b, s, spool.Key{}, 1); len(jobs) != 1 || jobs[0].GetId() != 1 {
			b.Fatalf("Next() = %v; want job 1", jobs)
		}
		opening += time.Since(began)
		b.StopTimer()
		closeSpool(b, s)
		b.StartTimer()
	}
	b.ReportMetric(opening.Seconds()/float64(b.N), "s/first-job")
	b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
}

// kibibyte is a job of about 1 KiB.
func kibibyte(id uint64) *linkv1.Job {
	value := make([]byte, 930)
	for i := range value {
		value[i] = "abcdefghijklmnop"[(uint64(i)*7+id)%16]
	}
	return &linkv1.Job{
		Id: id, System: ad, Object: fmt.Sprintf("5d2b1c44-0000-0000-0000-%012d", id), Fence: id,
		Work: &linkv1.Job_Apply{Apply: &connectorv1.Operation{Class: "user", Id: "x", Verb: &connectorv1.Operation_Modify{
			Modify: &connectorv1.Modify{Changes: []*connectorv1.Change{{Name: "description", Want: []string{string(value)}}}},
		}}},
	}
}

// A rate counts calls and the time they took.
type rate struct {
	calls atomic.Int64
	took  time.Duration
	err   error
}

// measure has n callers repeat call for a while.
func (r *rate) measure(n int, d time.Duration, call func() error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	began := time.Now()
	for range n {
		wg.Go(func() {
			for time.Since(began) < d {
				if err := call(); err != nil {
					failed.Store(&err)
					return
				}
				r.calls.Add(1)
			}
		})
	}
	wg.Wait()
	r.took += time.Since(began)
	if p := failed.Load(); p != nil {
		r.err = *p
	}
}

func (r *rate) perSecond() float64 { return float64(r.calls.Load()) / r.took.Seconds() }

// A rawLog appends values to a file; those that wait share a write and a sync.
type rawLog struct {
	file  *os.File
	queue chan rawAppend
}

type rawAppend struct {
	value []byte
	done  chan error
}

func newRawLog(b *testing.B, path string) *rawLog {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	l := &rawLog{file: f, queue: make(chan rawAppend, 1024)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.run()
	}()
	b.Cleanup(func() {
		close(l.queue)
		<-ended
		f.Close()
	})
	return l
}

func (l *rawLog) append(value []byte) error {
	a := rawAppend{value, make(chan error, 1)}
	l.queue <- a
	return <-a.done
}

func (l *rawLog) run() {
	var buf []byte
	var group []rawAppend
	for a := range l.queue {
		group = append(group[:0], a)
		for len(l.queue) > 0 {
			group = append(group, <-l.queue)
		}
		buf = buf[:0]
		for _, a := range group {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(len(a.value)))
			buf = append(buf, a.value...)
		}
		_, err := l.file.Write(buf)
		if err == nil {
			err = syncData(l.file)
		}
		for _, a := range group {
			a.done <- err
		}
	}
}
