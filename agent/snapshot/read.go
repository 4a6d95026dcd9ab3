package snapshot

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Options say what kind of read begins.
type Options struct {
	// Full: everything will be read, so what does not come has vanished. Otherwise only changes since the cookie.
	Full bool
	// Resend: forward all, whatever was seen before.
	Resend bool
	// Told says of an object that more is known of it than the reads have told: it
	// is forwarded although it is as the last read saw it. Nil: of none.
	Told func(id string) bool
}

// A Read compares the objects of one read with what is known. One Read of a
// Snapshot is open at a time; it ends with Commit, CommitPartial or Discard.
type Read struct {
	s       *Snapshot
	opt     Options
	set     []byte
	seen    []uint64        // a bit for every entry of the base
	touched map[digest]bool // of a read of changes: what pending has, up to perRun
	pending *pending
	trail   *trail       // of the last read, which this one may follow; or nil
	left    *trailWriter // trail of this read; or nil
	named   bool         // Gone went through

	known, objects, changed, deleted, vanished int
}

// Begin opens a read of a set; see [Snapshot.Cookie]. It returns [ErrReading] if one is open.
func (s *Snapshot) Begin(set []byte, opt Options) (*Read, error) {
	if s.reading {
		return nil, ErrReading
	}
	s.reading = true
	r := &Read{
		s: s, opt: opt, set: set, known: s.known,
		touched: map[digest]bool{}, pending: &pending{path: s.path + ".runs", perRun: s.perRun},
	}
	if opt.Full {
		r.seen = make([]uint64, (s.base.count+63)/64)
		r.beginTrail()
	}
	for _, c := range s.overlay {
		c.seen = false
	}
	return r, nil
}

// Filter returns those of records that must be forwarded: new and changed
// objects, deleted ones that were known, and those that Told names. It uses the
// slice anew. What the objects have in common and do not hold, if anything, is
// given beside them: another is a change of all of them.
func (r *Read) Filter(common []byte, records []*connectorv1.Record) ([]*connectorv1.Record, error) {
	var salt digest
	if len(common) > 0 {
		salt = digestOf(common)
	}
	out := records[:0]
	for _, rec := range records {
		forward, err := r.look(rec, salt)
		if err != nil {
			return nil, fmt.Errorf("snapshot %s: %w", r.s.path, err)
		}
		if forward {
			out = append(out, rec)
		}
	}
	return out, nil
}

func (r *Read) look(rec *connectorv1.Record, salt digest) (forward bool, err error) {
	id := rec.GetId()
	if id == "" || len(id) > maxID {
		return false, fmt.Errorf("record with an id of %d bytes, want 1 to %d: mend the connector", len(id), maxID)
	}
	f, err := r.find(id)
	if err != nil {
		return false, err
	}
	if rec.GetDeleted() {
		if !f.known && !r.touched[f.key] && len(r.touched) < r.s.perRun && !r.told(id) {
			return false, nil
		}
		r.deleted++
		return true, r.remember(entry{key: f.key, id: id, gone: true})
	}
	r.objects++
	again := r.mark(f)
	now := digestOf(rec.GetObject()).with(salt)
	same := f.known && now == f.print && !again
	if same && !r.opt.Resend && !r.told(id) {
		return false, nil
	}
	r.changed++
	if same {
		return true, nil
	}
	return true, r.remember(entry{key: f.key, print: now, id: id})
}

// find looks an object up, on the trail if it is there.
func (r *Read) find(id string) (found, error) {
	if r.trail != nil {
		if step, ok := r.trail.find(id); ok {
			if len(r.s.overlay) > 0 {
				if c := r.s.overlay[step.key]; c != nil {
					return c.found(step.key), nil
				}
			}
			return found{key: step.key, print: step.print, known: true, at: step.at}, nil
		}
	}
	f, err := r.s.find(digestOf(id))
	if err == nil && r.left != nil && f.at >= 0 {
		r.left.add(step{at: f.at, key: f.key, print: f.print, id: []byte(id)})
	}
	return f, err
}

func (r *Read) told(id string) bool { return r.opt.Told != nil && r.opt.Told(id) }

func (r *Read) remember(e entry) error {
	if !r.opt.Full && len(r.touched) < r.s.perRun {
		r.touched[e.key] = true
	}
	return r.pending.add(e)
}

// mark notes that an object was seen, and says whether it may have been before
// in this read: then what is known no longer tells whether it changed.
func (r *Read) mark(f found) (again bool) {
	if !r.opt.Full {
		return r.touched[f.key] || len(r.touched) == r.s.perRun
	}
	if f.at >= 0 {
		again = r.seen[f.at/64]&(1<<(f.at%64)) != 0
		r.seen[f.at/64] |= 1 << (f.at % 64)
	}
	if f.over != nil {
		again = again || f.over.seen
		f.over.seen = true
	}
	return again
}

// Gone names the ids of the objects that were known and did not come, after a
// full read that was complete. All must be forwarded as deleted before Commit.
func (r *Read) Gone() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if !r.opt.Full {
			yield("", errors.New("only a full read can tell what vanished"))
			return
		}
		r.vanished = 0
		for id, err := range r.unseen() {
			if err == nil {
				r.vanished++
			}
			if !yield(id, err) || err != nil {
				return
			}
		}
		r.named = true
	}
}

func (r *Read) unseen() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		block := make([]entry, 0, perBlock)
		for i := range r.s.base.first {
			if r.allSeen(i) {
				continue
			}
			var err error
			if block, err = r.s.base.read(i, block); err != nil {
				yield("", fmt.Errorf("snapshot %s: %w", r.s.path, err))
				return
			}
			for j, e := range block {
				at := i*perBlock + j
				if r.seen[at/64]&(1<<(at%64)) != 0 {
					continue
				}
				if c := r.s.overlay[e.key]; c != nil && c.gone {
					continue
				}
				if !yield(e.id, nil) {
					return
				}
			}
		}
		for _, c := range r.s.overlay {
			if c.at < 0 && !c.gone && !c.seen && !yield(c.id, nil) {
				return
			}
		}
	}
}

// allSeen says whether every entry of block i was seen.
func (r *Read) allSeen(i int) bool {
	return bits.OnesCount64(r.seen[i]) == r.s.base.entries(i)
}

// Commit makes what was read the known state, and cookie the place to go on
// from. Call it only after all that Filter and Gone gave is in the spool. What
// vanished is forgotten if Gone named all of it.
func (r *Read) Commit(cookie []byte) error { return r.end(r.set, cookie, r.opt.Full && r.named) }

// CommitPartial remembers what was forwarded of a read that broke off, so that
// it is not sent again. Nothing counts as vanished, and the cookie stays.
func (r *Read) CommitPartial() error { return r.end(r.s.set, r.s.cookie, false) }

func (r *Read) end(set, cookie []byte, dropUnseen bool) error {
	if r.s.reading = false; r.pending.closed {
		return errors.New("the read has ended already")
	}
	defer r.pending.close()
	defer r.endTrail()
	if err := r.s.commit(r, set, cookie, dropUnseen); err != nil {
		return fmt.Errorf("snapshot %s: %w", r.s.path, err)
	}
	if dropUnseen {
		r.keepTrail()
	}
	return nil
}

// Discard ends the read and changes nothing. After Commit it does nothing, so it may be deferred.
func (r *Read) Discard() {
	if !r.pending.closed {
		r.s.reading = false
		r.pending.close()
		r.endTrail()
	}
}

// Known returns how many objects were known when the read began.
func (r *Read) Known() int { return r.known }

// Seen returns how many objects were handed to Filter, without deleted ones.
func (r *Read) Seen() int { return r.objects }

// Changed returns how many of them were forwarded.
func (r *Read) Changed() int { return r.changed }

// Deleted returns how many deleted or vanished objects were forwarded.
func (r *Read) Deleted() int { return r.deleted + r.vanished }
