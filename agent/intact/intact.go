// Package intact notices that a bbolt file is not as it was written. bbolt guards
// the beginning of its file and trusts the rest: a branch that leads back to
// itself keeps it going for ever, a page that makes no sense ends the process,
// and a bit that flips in a value is a value.
//
//	Open        every page in use is looked at, a second per gigabyte
//	WithoutSum  every value ends with a CRC-32C of its key and itself
//	Recovered   deferred: what bbolt still falls over is an error
//
// What is to be done about damage is its caller's: the spool begins a new file,
// the guardrail none.
package intact

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrDamaged says that a file is not as it was written. Test with [errors.Is].
var ErrDamaged = errors.New("file damaged")

// PageSize is that of the files which are checked, whatever the host's: small
// transactions write fewer bytes by small pages.
const PageSize = 4 << 10

// SumSize is by how many bytes a value is longer on disk.
const SumSize = crc32.Size

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sumOf(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// WithSum appends the checksum to value.
func WithSum(key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, sumOf(key, value))
}

// WithoutSum gives the value of what is stored, or [ErrDamaged].
func WithoutSum(key, stored []byte) ([]byte, error) {
	if len(stored) < SumSize {
		return nil, fmt.Errorf("%w: entry %x of %d bytes", ErrDamaged, key, len(stored))
	}
	value := stored[:len(stored)-SumSize]
	if binary.BigEndian.Uint32(stored[len(value):]) != sumOf(key, value) {
		return nil, fmt.Errorf("%w: entry %x of %d bytes has another checksum than it was stored with", ErrDamaged, key, len(stored))
	}
	return value, nil
}

// Get returns the value of a key, nil where it has none, or [ErrDamaged].
func Get(b *bbolt.Bucket, key []byte) ([]byte, error) {
	stored := b.Get(key)
	if stored == nil {
		return nil, nil
	}
	return WithoutSum(key, stored)
}

// Put stores a value with its checksum.
func Put(b *bbolt.Bucket, key, value []byte) error {
	return b.Put(key, WithSum(key, value[:len(value):len(value)]))
}

// AddSums adds its checksum to every value of a bucket that has none, and counts them.
func AddSums(b *bbolt.Bucket) (int, error) {
	values := map[string][]byte{} // not to change what is being walked
	err := b.ForEach(func(k, v []byte) error {
		values[string(k)] = append([]byte(nil), v...)
		return nil
	})
	for k, v := range values {
		err = errors.Join(err, Put(b, []byte(k), v))
	}
	return len(values), err
}

// newPages is with how many bbolt begins a file.
const newPages = 4

// Open opens a file, or makes it, if it makes sense. What does not is
// [ErrDamaged]; where another process keeps the file for longer than wait, the
// error is bbolt's [berrors.ErrTimeout].
func Open(path string, wait time.Duration) (db *bbolt.DB, err error) {
	var file *os.File
	defer func() {
		if err != nil && file != nil {
			file.Close() // bbolt leaves it open when it panics, and Windows renames no open file
		}
	}()
	defer Recovered(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if info, err := os.Stat(path); err == nil && info.Size() != 0 && info.Size() < newPages*PageSize {
		return nil, fmt.Errorf("%w: the file has only %d bytes", ErrDamaged, info.Size())
	}
	if err := checkFile(path, wait); err != nil {
		return nil, err
	}
	open := func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: wait, FreelistType: bbolt.FreelistMapType, PageSize: PageSize, OpenFile: open})
	switch {
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	case err != nil:
		return nil, err
	}
	if err := CheckSize(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// checkFile checks the pages of a file that no process writes to meanwhile. What
// bbolt itself has to say of a file is left to it.
func checkFile(path string, wait time.Duration) (err error) {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil
	}
	defer Recovered(&err)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: wait, ReadOnly: true})
	if errors.Is(err, berrors.ErrTimeout) {
		return err
	}
	if err != nil {
		return nil
	}
	defer db.Close()
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return checkPages(file)
}

// CheckSize notices a file that lost its end. Reading there would end the process.
func CheckSize(db *bbolt.DB) error {
	info, err := os.Stat(db.Path())
	if err != nil {
		return err
	}
	return db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: the file has %d bytes, it had %d", ErrDamaged, info.Size(), tx.Size())
		}
		return nil
	})
}

// Recovered turns a panic, of bbolt on a page that makes no sense or of the
// runtime on one that cannot be read, into [ErrDamaged]. It is to be deferred.
func Recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, p)
	}
}
