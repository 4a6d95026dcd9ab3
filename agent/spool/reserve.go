package spool

import (
	"cmp"
	"crypto/rand"
	"errors"
	"os"
	"time"
)

var errReserve = errors.New("the disk was full a moment ago")

// refill is how long a disk that was full is left alone before it is tried again.
const refill = time.Second

// A reserve is a file that does nothing but take up space, to be given to
// results when the disk is full. Only the committer uses it.
type reserve struct {
	path string
	size int
	held bool
	err  error // why it is not held
	next time.Time
}

// fill makes sure that the space is taken, or says why it is not.
func (r *reserve) fill() error {
	if r.held || time.Now().Before(r.next) {
		return r.err
	}
	if r.err = r.write(); r.err != nil {
		r.release()
		return r.err
	}
	r.held = true
	return nil
}

func (r *reserve) write() error {
	if info, err := os.Stat(r.path); err == nil && info.Size() == int64(r.size) {
		return nil
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	block := make([]byte, min(r.size, 1<<16))
	rand.Read(block) // not zeros: a file system that compresses would keep none
	for left := r.size; left > 0 && err == nil; left -= len(block) {
		_, err = f.Write(block[:min(left, len(block))])
	}
	if err == nil {
		err = f.Sync() // some file systems find out only now
	}
	return errors.Join(err, f.Close())
}

// release gives the space back to the disk.
func (r *reserve) release() {
	os.Remove(r.path)
	r.held, r.next = false, time.Now().Add(refill)
	r.err = cmp.Or(r.err, errReserve)
}
