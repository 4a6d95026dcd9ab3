// Package snapshot remembers a fingerprint of every object that was sent up, by
// system: a full read goes in, only what changed comes out, and what vanished is
// named. It keeps no values, only digests and native ids.
//
// It neither reads (agent/host) nor sends (agent/spool); agent/runner drives it:
//
//	snap.Begin ─► Filter, Filter, … ─► Gone ─► Commit
//	                 │ changed          │ vanished   after both are in the spool
//	                 ▼                  ▼
//	               spool              spool
//
// A read that ends before Commit leaves everything as it was, so what was
// forwarded is forwarded again the next time.
//
// Memory does not grow with the number of objects, but for one bit and a share
// in an index of 16 bytes for every 64 of them, and in a read without a trail
// for at most 12 MiB of entries that were looked at. Two files hold a system,
// and a third helps to find in them:
//
//	<name>.snap   the base, replaced as a whole: blocks of 64 entries in
//	              ascending order of key, their ids, an index; see base.go
//	<name>.log    what changed since, appended: small changes do not rewrite the
//	              base; see log.go
//	<name>.trail  the order that the objects of the base came in; see trail.go
//
// What may go wrong: a file is damaged ([ErrDamaged]: it was set aside; begin
// anew and read everything, sending all); a crash between steps (a temporary
// file stays and is removed by Open; a log of another base is ignored; a torn
// end of the log is cut off).
package snapshot

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/durable"
)

// Errors to test for with [errors.Is]. Any other error is a disk fault.
var (
	ErrDamaged = errors.New("snapshot damaged")
	ErrSchema  = errors.New("snapshot written by another agent release")
	ErrReading = errors.New("a read of this system is under way")
)

// maxOverlay is how many changes the log may hold, and memory with it, before they go into the base.
const maxOverlay = 32 << 10

// A digest is the first half of a SHA-256: of an id it is the key, of an object the fingerprint.
type digest [16]byte

func digestOf[T string | []byte](data T) digest {
	sum := sha256.Sum256([]byte(data))
	return digest(sum[:16])
}

// with is the digest of what two digests are of.
func (d digest) with(other digest) digest {
	subtle.XORBytes(d[:], d[:], other[:])
	return d
}

// A change is what the log says of an object, over what the base says.
type change struct {
	print digest
	id    string
	gone  bool
	at    int  // number of the entry in the base; -1: it has none
	seen  bool // by the read under way
}

// A Snapshot is one system's. It is used by one goroutine at a time.
type Snapshot struct {
	path    string // of the base
	base    *base
	log     *log
	overlay map[digest]*change
	known   int
	set     []byte
	cookie  []byte
	reading bool

	maxOverlay, perRun int // the constants, but in tests
}

// Open opens the snapshot of system in dir, empty if there is none. After
// [ErrDamaged] the file has been set aside under the name in the error, and
// opening again gives an empty snapshot: let someone know, since what vanished
// meanwhile can no longer be named. It returns [ErrSchema], changing nothing,
// if it does not know the files' layout.
func Open(dir, system string) (*Snapshot, error) {
	s := &Snapshot{path: filepath.Join(dir, FileName(system)), maxOverlay: maxOverlay, perRun: perRun}
	for _, leftover := range []string{s.path + ".new", s.logPath() + ".new", s.trailPath() + ".new", s.path + ".runs"} {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("open snapshot %s: %w", s.path, err)
		}
	}
	if err := s.load(); err != nil {
		s.Close()
		if errors.Is(err, ErrDamaged) {
			err = errors.Join(err, s.setAside())
		}
		return nil, fmt.Errorf("open snapshot %s: %w", s.path, err)
	}
	return s, nil
}

// load reads both files' heads and the log.
func (s *Snapshot) load() (err error) {
	if s.base, err = openBase(s.path); err != nil {
		return err
	}
	s.overlay, s.known = map[digest]*change{}, s.base.count
	s.set, s.cookie = s.base.set, s.base.cookie
	s.log, err = openLog(s.logPath(), s.base.generation, func(f frame) error { return s.overlayFrame(f) })
	return err
}

// overlayFrame takes one committed group of changes into memory.
func (s *Snapshot) overlayFrame(f frame) error {
	s.set, s.cookie = f.set, f.cookie
	for _, e := range f.entries {
		if err := s.overlayEntry(e); err != nil {
			return err
		}
	}
	return nil
}

func (s *Snapshot) overlayEntry(e entry) error {
	old, known := s.overlay[e.key]
	at := -1
	was := known && !old.gone
	if known {
		at = old.at
	} else {
		i, _, err := s.base.find(e.key)
		if err != nil {
			return err
		}
		at, was = i, i >= 0
	}
	switch {
	case was && e.gone:
		s.known--
	case !was && !e.gone:
		s.known++
	}
	if e.gone && at < 0 {
		delete(s.overlay, e.key)
		return nil
	}
	s.overlay[e.key] = &change{print: e.print, id: e.id, gone: e.gone, at: at}
	return nil
}

// A found is what is known of an object.
type found struct {
	key, print digest
	known      bool
	at         int     // number of its entry in the base, or -1
	over       *change // what the log says of it, over the base
}

// find looks an object up by its key.
func (s *Snapshot) find(key digest) (found, error) {
	if c := s.overlay[key]; c != nil {
		return c.found(key), nil
	}
	at, print, err := s.base.find(key)
	return found{key: key, print: print, known: at >= 0, at: at}, err
}

func (c *change) found(key digest) found {
	return found{key: key, print: c.print, known: !c.gone, at: c.at, over: c}
}

// Cookie returns where the last read ended, if it was of the same set: an
// opaque description, by the caller, of all that a cookie is good for, such as
// the classes, attributes and settings. Otherwise everything must be read.
func (s *Snapshot) Cookie(set []byte) []byte {
	if string(set) != string(s.set) {
		return nil
	}
	return s.cookie
}

// Known returns how many objects are known.
func (s *Snapshot) Known() int { return s.known }

// Close releases the files.
func (s *Snapshot) Close() error {
	var err error
	if s.base != nil {
		err = s.base.close()
	}
	if s.log != nil {
		err = errors.Join(err, s.log.close())
	}
	return err
}

// Remove deletes what is kept of a system that is no more.
func Remove(dir, system string) error {
	path := filepath.Join(dir, FileName(system))
	for _, p := range []string{path, logPath(path), trailPath(path)} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove snapshot: %w", err)
		}
	}
	return durable.SyncDir(dir)
}

// FileName returns the name of a system's base: readable, fit for every file
// system, and another for every name.
func FileName(system string) string {
	safe := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') {
			return r
		}
		return '_'
	}, strings.ToLower(system))
	sum := sha256.Sum256([]byte(system))
	return safe[:min(len(safe), 40)] + "-" + hex.EncodeToString(sum[:6]) + ".snap"
}

func (s *Snapshot) logPath() string { return logPath(s.path) }

func logPath(base string) string { return strings.TrimSuffix(base, ".snap") + ".log" }

func (s *Snapshot) trailPath() string { return trailPath(s.path) }

func trailPath(base string) string { return strings.TrimSuffix(base, ".snap") + ".trail" }

// setAside renames both files, so that the next Open finds none.
func (s *Snapshot) setAside() error {
	suffix := ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	var errs []error
	for _, p := range []string{s.path, s.logPath()} {
		if err := os.Rename(p, p+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, durable.SyncDir(filepath.Dir(s.path)), fmt.Errorf("kept with the suffix %s", suffix))...)
}
