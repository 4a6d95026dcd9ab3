package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"
)

// What is stored ends with a CRC-32C of key and value: bbolt guards the
// beginning of its file alone. A bit that flips in a name would be written to a
// directory or told to the coordinator, and one in a fence would have all that
// is planned for an object refused for ever.
const sumSize = crc32.Size

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sumOf(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// withSum appends the checksum to value.
func withSum(key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, sumOf(key, value))
}

// withoutSum gives the value of what is stored, or [ErrDamaged].
func withoutSum(key, stored []byte) ([]byte, error) {
	if len(stored) < sumSize {
		return nil, fmt.Errorf("%w: entry %x of %d bytes", ErrDamaged, key, len(stored))
	}
	value := stored[:len(stored)-sumSize]
	if binary.BigEndian.Uint32(stored[len(value):]) != sumOf(key, value) {
		return nil, fmt.Errorf("%w: entry %x of %d bytes has another checksum than it was stored with", ErrDamaged, key, len(stored))
	}
	return value, nil
}

// get returns the value of a key, nil where it has none, or [ErrDamaged].
func get(b *bbolt.Bucket, key []byte) ([]byte, error) {
	stored := b.Get(key)
	if stored == nil {
		return nil, nil
	}
	return withoutSum(key, stored)
}

// addSums makes schema 2 of schema 1, which had none.
func addSums(tx *bbolt.Tx) error {
	buckets := []*bbolt.Bucket{tx.Bucket(metaBucket), tx.Bucket(fencesBucket), tx.Bucket(resultsBucket), tx.Bucket(doneBucket)}
	var err error
	for _, bySystem := range []*bbolt.Bucket{tx.Bucket(jobsBucket), tx.Bucket(toldBucket)} {
		err = errors.Join(err, bySystem.ForEachBucket(func(system []byte) error {
			buckets = append(buckets, bySystem.Bucket(system))
			return nil
		}))
	}
	for _, b := range buckets {
		_, added := sumAll(b)
		err = errors.Join(err, added)
	}
	records, added := sumAll(tx.Bucket(recordsBucket))
	counts, key := tx.Bucket(countsBucket), []byte(bytesCount)
	if was := counts.Get(key); len(was) == 8 {
		added = errors.Join(added, counts.Put(key, binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(was)+uint64(records*sumSize))))
	}
	_, last := sumAll(counts)
	return errors.Join(err, added, last, tx.Bucket(metaBucket).Put(schemaKey, []byte(schema)))
}

// sumAll adds its checksum to every value of a bucket, and counts them.
func sumAll(b *bbolt.Bucket) (int, error) {
	values := map[string][]byte{} // not to change what is being walked
	err := b.ForEach(func(k, v []byte) error {
		values[string(k)] = bytes.Clone(v)
		return nil
	})
	for k, v := range values {
		err = errors.Join(err, b.Put([]byte(k), withSum([]byte(k), v)))
	}
	return len(values), err
}
