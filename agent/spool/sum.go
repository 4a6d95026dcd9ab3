package spool

import (
	"encoding/binary"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/drawbridge-id/drawbridge/agent/intact"
)

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
		_, added := intact.AddSums(b)
		err = errors.Join(err, added)
	}
	records, added := intact.AddSums(tx.Bucket(recordsBucket))
	counts, key := tx.Bucket(countsBucket), []byte(bytesCount)
	if was := counts.Get(key); len(was) == 8 {
		added = errors.Join(added, counts.Put(key, binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(was)+uint64(records*intact.SumSize))))
	}
	_, last := intact.AddSums(counts)
	return errors.Join(err, added, last, tx.Bucket(metaBucket).Put(schemaKey, []byte(schema)))
}
