package snapshot

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/drawbridge-id/drawbridge/agent/durable"
)

// commit makes the outcome of r known: nothing is written when nothing changed,
// few changes go to the log, many into a new base.
func (s *Snapshot) commit(r *Read, set, cookie []byte, dropUnseen bool) error {
	if len(r.pending.runs) > 0 || len(s.overlay)+len(r.pending.latest) > s.maxOverlay {
		return s.rebase(r, set, cookie, dropUnseen)
	}
	r.pending.settle()
	fr := frame{set: set, cookie: cookie, entries: slices.Clone(r.pending.latest)}
	if dropUnseen {
		for id, err := range r.unseen() {
			if err != nil {
				return err
			}
			fr.entries = append(fr.entries, entry{key: digestOf(id), id: id, gone: true})
			if len(s.overlay)+len(fr.entries) > s.maxOverlay {
				return s.rebase(r, set, cookie, dropUnseen)
			}
		}
	}
	if len(fr.entries) == 0 && bytes.Equal(set, s.set) && bytes.Equal(cookie, s.cookie) {
		return nil
	}
	data := encodeFrame(fr)
	if s.log.size+int64(len(data)) > maxLog {
		return s.rebase(r, set, cookie, dropUnseen)
	}
	if err := s.log.append(data); err != nil {
		return err
	}
	return s.overlayFrame(fr)
}

// rebase merges base, log and the read's changes into a new base and starts over with an empty log.
func (s *Snapshot) rebase(r *Read, set, cookie []byte, dropUnseen bool) error {
	w, err := newBaseWriter(s.path + ".new")
	if err != nil {
		return err
	}
	sources := append([]source{s.baseSource(r, dropUnseen), s.overlaySource(dropUnseen)}, r.pending.sources()...)
	err = merge(sources, func(e entry) {
		if !e.gone {
			w.add(e)
		}
	})
	if err != nil {
		w.discard()
		return err
	}
	var generation [16]byte
	rand.Read(generation[:]) // never fails: crypto/rand
	if err := w.finish(generation, set, cookie); err != nil {
		w.discard()
		return err
	}
	// Windows replaces no file that is open.
	if err := cmp.Or(s.base.close(), s.log.close()); err != nil {
		return err
	}
	if err := os.Rename(s.path+".new", s.path); err != nil {
		return errors.Join(err, s.load())
	}
	if err := durable.SyncDir(filepath.Dir(s.path)); err != nil {
		return err
	}
	if err := os.Remove(s.logPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // harmless: it is of another generation
	}
	return s.load()
}

// baseSource gives the entries of the base, without those that a complete read did not see.
func (s *Snapshot) baseSource(r *Read, dropUnseen bool) source {
	block := make([]entry, 0, perBlock)
	i, j := 0, 0
	return func() (entry, bool, error) {
		for {
			if j == len(block) {
				if i == len(s.base.first) {
					return entry{}, false, nil
				}
				var err error
				if block, err = s.base.read(i, block); err != nil {
					return entry{}, false, err
				}
				i, j = i+1, 0
			}
			e, at := block[j], (i-1)*perBlock+j
			j++
			if !dropUnseen || r.seen[at/64]&(1<<(at%64)) != 0 {
				return e, true, nil
			}
		}
	}
}

// overlaySource gives the changes of the log, likewise.
func (s *Snapshot) overlaySource(dropUnseen bool) source {
	entries := make([]entry, 0, len(s.overlay))
	for key, c := range s.overlay {
		gone := c.gone || dropUnseen && !c.seen
		entries = append(entries, entry{key: key, print: c.print, id: c.id, gone: gone})
	}
	slices.SortFunc(entries, func(a, b entry) int { return compare(a.key, b.key) })
	return sliceSource(entries)
}

// merge calls emit for every key, in order, with the entry of the last source that has it.
func merge(sources []source, emit func(entry)) error {
	heads := make([]entry, len(sources))
	live := make([]bool, len(sources))
	advance := func(i int) (err error) {
		heads[i], live[i], err = sources[i]()
		return err
	}
	for i := range sources {
		if err := advance(i); err != nil {
			return err
		}
	}
	for {
		last := -1
		for i := range sources {
			if live[i] && (last < 0 || compare(heads[i].key, heads[last].key) <= 0) {
				last = i
			}
		}
		if last < 0 {
			return nil
		}
		e := heads[last]
		emit(e)
		for i := range sources {
			if live[i] && heads[i].key == e.key {
				if err := advance(i); err != nil {
					return err
				}
			}
		}
	}
}

func compare(a, b digest) int { return bytes.Compare(a[:], b[:]) }
