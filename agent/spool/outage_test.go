package spool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A day without the coordinator at a site of 50,000 workers: the file is read
// every 15 minutes, one worker in a hundred changes each time, and at midnight
// all of them do; 2,000 jobs are finished. Then everything goes out, while new
// jobs come in. Figures: size on disk, time, memory held.
func BenchmarkOutage_aDay(b *testing.B) {
	for range b.N {
		path := filepath.Join(b.TempDir(), "spool.db")
		s, err := spool.Open(path, spool.Options{})
		if err != nil {
			b.Fatal(err)
		}
		ctx := context.Background()
		sent := 0
		put := func(n int) {
			for n > 0 {
				batch := &linkv1.Records{System: "hr"}
				for range min(n, 500) {
					batch.Records = append(batch.Records, worker(b, rand.IntN(50_000)))
				}
				n -= len(batch.Records)
				sent += len(batch.Records)
				if err := s.PutRecords(ctx, batch); err != nil {
					b.Fatal(err)
				}
			}
		}
		for quarter := range 96 {
			if put(500); quarter == 48 {
				put(50_000)
			}
		}
		jobs := make([]*linkv1.Job, 2000)
		for i := range jobs {
			jobs[i] = kibibyte(uint64(i + 1))
		}
		if _, err := s.Accept(ctx, jobs); err != nil {
			b.Fatal(err)
		}
		for _, job := range jobs {
			go s.Finish(ctx, job, &linkv1.Result{Job: job.GetId()})
		}
		for n, _ := s.Held(); n < len(jobs); n, _ = s.Held() {
			time.Sleep(time.Millisecond)
		}
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		began, slowest, id, out := time.Now(), time.Duration(0), uint64(10_000), 0
		for after := uint64(0); ; {
			items, err := s.Unsent(after, 1<<20)
			if err != nil {
				b.Fatal(err)
			}
			if len(items) == 0 {
				break
			}
			var done []uint64
			batch := uint64(0)
			for _, item := range items {
				after = item.Seq
				if r := item.Records(); r != nil {
					batch = item.Seq
					out += len(r.GetRecords())
				} else {
					done = append(done, item.Result().GetJob())
				}
			}
			if err := s.Forget(ctx, done, batch); err != nil {
				b.Fatal(err)
			}
			id++
			arrived := time.Now()
			if _, err := s.Accept(ctx, []*linkv1.Job{kibibyte(id)}); err != nil {
				b.Fatal(err)
			}
			slowest = max(slowest, time.Since(arrived))
		}
		took := time.Since(began)
		if out != sent {
			b.Fatalf("%d records came out; want %d", out, sent)
		}
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
		b.ReportMetric(took.Seconds(), "s-catch-up")
		b.ReportMetric(float64(sent)/took.Seconds(), "records/s")
		b.ReportMetric(slowest.Seconds()*1000, "ms-slowest-new-job")
		b.ReportMetric(float64(resident())/(1<<20), "MiB-resident")
		s.Close()
	}
}

func worker(b *testing.B, n int) *connectorv1.Record {
	object := &connectorv1.Object{Class: "row"}
	for i, name := range []string{"employee_id", "first_name", "last_name", "title", "department", "location", "phone", "manager_id", "hire_date", "status"} {
		object.Attributes = append(object.Attributes, &connectorv1.Attribute{Name: name, Values: []string{fmt.Sprintf("value %d of %d", i, n)}})
	}
	value, err := proto.Marshal(object)
	if err != nil {
		b.Fatal(err)
	}
	return &connectorv1.Record{Id: fmt.Sprint("E", n), Object: value}
}

// resident is the memory of this process, 0 where that is not told.
func resident() (bytes int64) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
