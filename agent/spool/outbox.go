package spool

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/drawbridge-id/drawbridge/agent/intact"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"
)

// An Item is something to send: one result or one batch of records. It is kept
// as it was stored, because whoever sends it need not look inside.
type Item struct {
	Seq   uint64 // rises in the order stored
	Kind  Kind
	Value []byte // the marshalled message
}

// A Kind tells what an [Item] holds.
type Kind int

// The kinds of items.
const (
	AResult     Kind = iota // a link.v1.Result
	SomeRecords             // a link.v1.Records
)

// Result decodes the item, nil unless it is a result that can be.
func (i Item) Result() *linkv1.Result {
	m := new(linkv1.Result)
	if i.Kind != AResult || proto.Unmarshal(i.Value, m) != nil {
		return nil
	}
	return m
}

// Records decodes the item, nil unless it is records that can be.
func (i Item) Records() *linkv1.Records {
	m := new(linkv1.Records)
	if i.Kind != SomeRecords || proto.Unmarshal(i.Value, m) != nil {
		return nil
	}
	return m
}

// PutRecords stores records and sets their batch number. It waits while there
// is no room for them: more than Options.MaxInTransit wait to be sent, or,
// while the link is down, Options.MaxRecords.
func (s *Spool) PutRecords(ctx context.Context, records *linkv1.Records) error {
	size := proto.Size(records)
	if err := s.waitRoom(ctx, size); err != nil {
		return fmt.Errorf("store records of %s: %w", records.GetSystem(), err)
	}
	err := s.do(ctx, ordinary, func(t *txn) error {
		t.counts.seq++
		records.Batch = t.counts.seq
		value, err := proto.Marshal(records)
		if err != nil {
			return err
		}
		b := t.tx.Bucket(recordsBucket)
		b.FillPercent = 0.95
		if err := t.put(b, binary.BigEndian.AppendUint64(nil, t.counts.seq), value); err != nil {
			return err
		}
		t.counts.recordBytes += uint64(len(value) + intact.SumSize)
		t.outgoing = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("store records of %s: %w", records.GetSystem(), err)
	}
	return nil
}

// SetConnected tells whether the link is up, and so how many records may wait.
func (s *Spool) SetConnected(up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected = up
	s.makeRoom()
}

// waitRoom waits until size bytes of records may be stored. What is larger than the room goes alone.
func (s *Spool) waitRoom(ctx context.Context, size int) error {
	for {
		s.mu.Lock()
		limit, held, changed := s.opt.MaxRecords, int(s.counts.recordBytes), s.room
		if s.connected {
			limit = s.opt.MaxInTransit
		}
		s.mu.Unlock()
		if held == 0 || held+size <= limit {
			return nil
		}
		select {
		case <-changed:
		case <-s.closing:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// makeRoom lets waitRoom look again. The caller holds mu.
func (s *Spool) makeRoom() {
	close(s.room)
	s.room = make(chan struct{})
}

// Outgoing returns a channel that gets a token when there may be something new
// to send, at first at once. One receiver is meant; tokens are not counted.
func (s *Spool) Outgoing() <-chan struct{} { return s.outgoing }

// Unsent returns what was stored after seq, in order, as much as fits into
// maxBytes but at least one. The caller remembers the last Seq that it has
// sent, and starts over at 0 when it has connected anew.
func (s *Spool) Unsent(after uint64, maxBytes int) (items []Item, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		from := binary.BigEndian.AppendUint64(nil, after+1)
		results, records := tx.Bucket(resultsBucket).Cursor(), tx.Bucket(recordsBucket).Cursor()
		rk, rv := results.Seek(from)
		bk, bv := records.Seek(from)
		for size := 0; rk != nil || bk != nil; {
			var item Item
			var err error
			if bk == nil || rk != nil && string(rk) < string(bk) {
				item, err = newItem(AResult, rk, rv)
				rk, rv = results.Next()
			} else {
				item, err = newItem(SomeRecords, bk, bv)
				bk, bv = records.Next()
			}
			if err != nil {
				return err
			}
			if size += len(item.Value); size > maxBytes && len(items) > 0 {
				return nil
			}
			item.Value = bytes.Clone(item.Value) // it dies with the transaction
			items = append(items, item)
		}
		return nil
	})
	return items, err
}

func newItem(kind Kind, key, stored []byte) (Item, error) {
	if len(key) != 8 {
		return Item{}, fmt.Errorf("%w: result or records with a key of %d bytes", ErrDamaged, len(key))
	}
	value, err := intact.WithoutSum(key, stored)
	return Item{Seq: binary.BigEndian.Uint64(key), Kind: kind, Value: value}, err
}

// Forget removes the results of jobs and the batches of records up to and with
// batch, because the coordinator has them. What is not held is no error.
func (s *Spool) Forget(ctx context.Context, jobs []uint64, batch uint64) error {
	err := s.do(ctx, essential, func(t *txn) error {
		if err := t.forgetResults(jobs); err != nil {
			return err
		}
		return t.forgetRecords(batch)
	})
	if err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	return nil
}

func (t *txn) forgetResults(jobs []uint64) error {
	results, done := t.tx.Bucket(resultsBucket), t.tx.Bucket(doneBucket)
	for _, job := range jobs {
		id := binary.BigEndian.AppendUint64(nil, job)
		seq, err := intact.Get(done, id)
		if err != nil {
			return err
		}
		if seq == nil {
			continue
		}
		if err := t.remove(results, seq); err != nil {
			return err
		}
		if err := t.remove(done, id); err != nil {
			return err
		}
		t.counts.results--
	}
	return nil
}

func (t *txn) forgetRecords(batch uint64) error {
	records := t.tx.Bucket(recordsBucket)
	c := records.Cursor()
	for k, v := c.First(); k != nil && binary.BigEndian.Uint64(k) <= batch; k, v = c.First() {
		t.counts.recordBytes -= uint64(len(v))
		if err := t.remove(records, k); err != nil {
			return err
		}
	}
	return nil
}

// Held returns how many results and how many bytes of records wait to be confirmed.
func (s *Spool) Held() (results int, recordBytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.counts.results), int64(s.counts.recordBytes)
}
