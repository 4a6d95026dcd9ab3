package spool

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/drawbridge-id/drawbridge/agent/intact"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// PlacedFence is what [Spool.Fence] is to jobs that were placed ahead of time,
// which have a not-before: what was made after them runs before them, so they
// are compared only with each other.
func (s *Spool) PlacedFence(system, object string) (highest uint64, err error) {
	err = s.view(func(tx *bbolt.Tx) (err error) {
		highest, err = fence(tx.Bucket(fencesBucket), placedKey(system, object))
		return err
	})
	return highest, err
}

func placedKey(system, object string) []byte {
	return append(fenceKey(system, object), "\x00placed"...)
}

// passInstant has a job that was placed ahead never run again, and refuses what
// is still held of its object: that was made before the instant and is not true any more.
func (t *txn) passInstant(job *linkv1.Job) error {
	if job.GetFence() == 0 || job.GetObject() == "" {
		return nil
	}
	if err := t.putFence(placedKey(job.GetSystem(), job.GetObject()), job.GetFence()); err != nil {
		return err
	}
	highest, object := uint64(0), []byte(job.GetObject())
	queue := t.tx.Bucket(jobsBucket).Bucket([]byte(job.GetSystem()))
	err := queue.ForEach(func(k, v []byte) error {
		v, err := intact.WithoutSum(k, v)
		if err != nil {
			return err
		}
		if len(v) < windowSize || !bytes.Contains(v[windowSize:], object) { // decoding all of them would take long
			return nil
		}
		held, err := decodeJob(v[windowSize:])
		if err != nil {
			return err
		}
		if held.GetObject() == job.GetObject() && held.GetNotBefore() == nil {
			highest = max(highest, held.GetFence())
		}
		return nil
	})
	if err != nil || highest == 0 {
		return err
	}
	return t.putFence(fenceKey(job.GetSystem(), job.GetObject()), highest)
}

// Rescind takes back a job that was placed ahead: its result is CONFLICT, and it
// is not run if it comes later. One that has a result already keeps that.
func (s *Spool) Rescind(ctx context.Context, r *linkv1.Rescission) error {
	now := timestamppb.Now()
	value, err := proto.Marshal(&linkv1.Result{Job: r.GetJob(), Outcome: connectorv1.Outcome_OUTCOME_CONFLICT, Began: now, Finished: now,
		Fault: &connectorv1.Fault{Cause: "the job was taken back before its instant", Object: r.GetObject(), NextStep: "Nothing: what is to be done now is planned anew."}})
	if err != nil {
		return fmt.Errorf("rescind job %d: %w", r.GetJob(), err)
	}
	err = s.do(ctx, essential, func(t *txn) error {
		id := binary.BigEndian.AppendUint64(nil, r.GetJob())
		if t.tx.Bucket(doneBucket).Get(id) != nil {
			return nil
		}
		if err := t.putFence(placedKey(r.GetSystem(), r.GetObject()), r.GetFence()); err != nil {
			return err
		}
		if queue := t.tx.Bucket(jobsBucket).Bucket([]byte(r.GetSystem())); queue != nil {
			if err := t.removeJob(queue, r.GetSystem(), id); err != nil {
				return err
			}
		}
		return t.putResult(id, value)
	})
	if err != nil {
		return fmt.Errorf("rescind job %d: %w", r.GetJob(), err)
	}
	return nil
}

// removeJob removes the job with the id, whatever its priority, if it is held.
func (t *txn) removeJob(queue *bbolt.Bucket, system string, id []byte) error {
	for priority := 0; priority < 256; priority++ {
		key := append([]byte{byte(priority)}, id...)
		if queue.Get(key) == nil {
			continue
		}
		t.counts.addJobs(system, -1)
		return t.remove(queue, key)
	}
	return nil
}

// Jobs returns the ids of the jobs of a system that are held, in the order to run.
func (s *Spool) Jobs(system string) (ids []uint64, err error) {
	err = s.walk(system, Key{}, func(k Key, _ window, _ []byte) (bool, error) {
		ids = append(ids, binary.BigEndian.Uint64(k[1:]))
		return true, nil
	})
	return ids, err
}

// Drop removes a job without a result: it is not this agent's any more. That it
// is not held is no error.
func (s *Spool) Drop(ctx context.Context, system string, job uint64) error {
	err := s.do(ctx, essential, func(t *txn) error {
		if queue := t.tx.Bucket(jobsBucket).Bucket([]byte(system)); queue != nil {
			return t.removeJob(queue, system, binary.BigEndian.AppendUint64(nil, job))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("drop job %d: %w", job, err)
	}
	return nil
}
