package spool

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Results tell the coordinator of objects, past the reads: what was written, what
// was found. Then the fingerprint that agent/snapshot has of such an object says
// nothing of what the coordinator knows: should somebody put back what the last
// read saw, the next one would find nothing new. So the spool notes, in the
// transaction that stores a result, which objects it tells of, until every read
// of the system has taken that in.
//
//	told/<system>/o<object>  number of the last result that tells of it
//	told/<system>/r<read>    up to which number the read has taken them in
//
// There are never more than the system has objects; they go with the system.
const (
	toldObject = 'o'
	toldRead   = 'r'
	mostTold   = 100_000 // held in memory: of more, everything counts as told
	toldAtOnce = 4096    // forgotten in one transaction
	longestID  = 16 << 10
)

// Told are the objects that a read must send whether or not it finds them changed.
type Told struct {
	ids  map[string]struct{}
	all  bool
	mark uint64 // of the last result that tells of one; 0: none does
}

// Has says whether the coordinator was told of the object since the read before.
func (t Told) Has(id string) bool {
	if t.all {
		return true
	}
	_, has := t.ids[id]
	return has
}

// Told returns what the coordinator was told of that a read, by its name, has
// not taken in yet. Call it before the read begins, and [Spool.TakeIn] after
// what it sends is stored and its snapshot committed. From the first call on the
// spool keeps what it is told for that read, so everything counts as told then:
// its snapshot, if there is one, is older than the file.
func (s *Spool) Told(ctx context.Context, system, read string) (told Told, err error) {
	known := false
	err = s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(toldBucket).Bucket([]byte(system))
		if b == nil {
			return nil
		}
		key := toldKey(toldRead, read)
		if known = b.Get(key) != nil; !known {
			return nil
		}
		taken, err := fence(b, key)
		if err == nil {
			told, err = toldSince(b, taken)
		}
		return err
	})
	if err == nil && !known {
		told.all = true
		err = s.do(ctx, essential, func(t *txn) error {
			told.mark = t.counts.seq
			return t.tell(system, 0, toldKey(toldRead, read))
		})
	}
	if err != nil {
		return Told{}, fmt.Errorf("objects told of: %w", err)
	}
	return told, nil
}

func toldSince(b *bbolt.Bucket, taken uint64) (told Told, err error) {
	told.ids = map[string]struct{}{}
	c := b.Cursor()
	for k, v := c.Seek([]byte{toldObject}); k != nil && k[0] == toldObject; k, v = c.Next() {
		number, err := number(k, v)
		if err != nil {
			return Told{}, err
		}
		if number <= taken {
			continue
		}
		told.mark = max(told.mark, number)
		if len(told.ids) < mostTold {
			told.ids[string(k[1:])] = struct{}{}
		} else {
			told.all = true
		}
	}
	return told, nil
}

// TakeIn notes that a read has taken in what Told gave it, and forgets what
// every read of the system has. Where Told gave nothing it writes nothing.
func (s *Spool) TakeIn(ctx context.Context, system, read string, told Told) error {
	if told.mark == 0 {
		return nil
	}
	for more := true; more; {
		err := s.do(ctx, essential, func(t *txn) (err error) {
			more, err = t.takeIn(system, read, told.mark)
			return err
		})
		if err != nil {
			return fmt.Errorf("objects told of: %w", err)
		}
	}
	return nil
}

// takeIn says whether more is to be forgotten than one transaction shall.
func (t *txn) takeIn(system, read string, mark uint64) (more bool, err error) {
	b := t.tx.Bucket(toldBucket).Bucket([]byte(system))
	if b == nil { // the system has gone meanwhile
		return false, nil
	}
	if err := t.put(b, toldKey(toldRead, read), binary.BigEndian.AppendUint64(nil, mark)); err != nil {
		return false, err
	}
	all := uint64(math.MaxUint64)
	c := b.Cursor()
	for k, v := c.Seek([]byte{toldRead}); k != nil && k[0] == toldRead; k, v = c.Next() {
		taken, err := number(k, v)
		if err != nil {
			return false, err
		}
		all = min(all, taken)
	}
	var over [][]byte
	for k, v := c.Seek([]byte{toldObject}); k != nil && k[0] == toldObject && len(over) < toldAtOnce; k, v = c.Next() {
		last, err := number(k, v)
		if err != nil {
			return false, err
		}
		if last <= all {
			over = append(over, k)
		}
	}
	for _, k := range over {
		if err := t.remove(b, k); err != nil {
			return false, err
		}
	}
	return len(over) == toldAtOnce, nil
}

// tell puts a number for each key: of objects, that of the result that tells of them.
func (t *txn) tell(system string, number uint64, keys ...[]byte) error {
	if len(keys) == 0 {
		return nil
	}
	b, err := t.tx.Bucket(toldBucket).CreateBucketIfNotExists([]byte(system))
	if err != nil {
		t.failed = err
		return err
	}
	value := binary.BigEndian.AppendUint64(nil, number)
	for _, key := range keys {
		if err := t.put(b, key, slices.Clip(value)); err != nil {
			return err
		}
	}
	return nil
}

// keepTold forgets what was told of systems that are none any more.
func (t *txn) keepTold(systems []*linkv1.System) error {
	here := map[string]bool{}
	for _, system := range systems {
		here[system.GetName()] = true
	}
	var gone [][]byte
	told := t.tx.Bucket(toldBucket)
	err := told.ForEachBucket(func(name []byte) error {
		if !here[string(name)] {
			gone = append(gone, name)
		}
		return nil
	})
	for _, name := range gone {
		if err == nil {
			err = told.DeleteBucket(name)
		}
	}
	if err != nil {
		t.failed = err
	}
	return err
}

// tellsOf returns the keys of the objects of which a result tells something, or which its job may have changed.
func tellsOf(job *linkv1.Job, result *linkv1.Result) (keys [][]byte) {
	operation := job.GetApply()
	ids := slices.Concat([]string{operation.GetId(), result.GetObject().GetId()},
		operation.GetChangeMembership().GetJoin(), operation.GetChangeMembership().GetLeave())
	for _, record := range result.GetFound() {
		ids = append(ids, record.GetId())
	}
	for _, id := range ids {
		if id != "" && len(id) <= longestID {
			keys = append(keys, toldKey(toldObject, id))
		}
	}
	return keys
}

func toldKey(kind byte, name string) []byte { return append([]byte{kind}, name...) }
