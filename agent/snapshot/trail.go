package snapshot

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"slices"
)

// The trail is the order in which objects came, for a system mostly gives them
// in the order of the last time. The base is in order of digests, so that
// without a trail each object is a place far from the last one, and its id must
// be hashed to find it; with it, the next object most often is the next line.
//
//	full read without a trail ─► each look-up is written down ─► Commit, of the same base ─► trail
//	full read with one ─► the next step has this id? ─► its entry; else one of those ahead; else as without
//
// It is no more than a help: it says where an entry is and what the base has
// there, and is good for that base alone. A read that leaves it for long
// removes it, and the next writes another. A damaged one ends at the damage.
// No fsync guards it: the checksum of each part does.
//
// The file, numbers little-endian, u varint:
//
//	head     "DBTRAIL1", generation of the base it belongs to 16
//	part, …  length 4, CRC-32C of the rest 4; steps to its end
//	step     number of the entry in the base 4, key 16, fingerprint 16; u length, id
const (
	trailMagic = "DBTRAIL1"
	trailPart  = 32 << 10 // bytes of a part, from which on it is written
	trailMost  = trailPart + stepHead + binary.MaxVarintLen64 + maxID
	stepHead   = 4 + 16 + 16

	ahead     = 64      // steps that are looked at for an object that is not the next
	strayMost = 4 << 10 // objects in a row that were not found on it, after which it is left
)

// A step is an entry of the base on its place in the trail.
type step struct {
	key, print digest
	id         []byte
	at         int // number of the entry
	from       int // where it begins in the data
}

// A trail is one that is followed.
type trail struct {
	file  *os.File
	count int    // entries of the base
	data  []byte // of the steps
	steps []step // read and not yet passed: those from next on
	next  int
	ended bool // no more come
	bad   bool // for it is damaged
	stray int  // objects in a row that were not found
}

// openTrail opens the trail of a base; nil if there is none.
func openTrail(path string, b *base) *trail {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	var head [len(trailMagic) + 16]byte
	if _, err := io.ReadFull(f, head[:]); err != nil || string(head[:len(trailMagic)]) != trailMagic || [16]byte(head[len(trailMagic):]) != b.generation {
		f.Close()
		return nil
	}
	return &trail{file: f, count: b.count}
}

// find goes to the step of the object with this id, if it is not far ahead.
// The step is good until the next call.
func (t *trail) find(id string) (*step, bool) {
	if t.stray > strayMost {
		return nil, false
	}
	if len(t.steps)-t.next < ahead && !t.ended {
		t.read()
	}
	for i := t.next; i < min(t.next+ahead, len(t.steps)); i++ {
		if string(t.steps[i].id) == id {
			t.next, t.stray = i+1, 0
			return &t.steps[i], true
		}
	}
	t.stray++
	return nil, false
}

// read puts the next part behind the steps that were not passed. At the end,
// or at damage, no more come.
func (t *trail) read() {
	from := len(t.data)
	if t.next < len(t.steps) {
		from = t.steps[t.next].from
	}
	t.data = t.data[:copy(t.data, t.data[from:])]
	t.steps, t.next = t.steps[:0], 0
	t.ended, t.bad = t.readPart()
	for at := 0; at < len(t.data); {
		s, size, ok := cutStep(t.data[at:])
		if !ok || s.at >= t.count {
			t.ended, t.bad = true, true
			return
		}
		s.from = at
		t.steps = append(t.steps, s)
		at += size
	}
}

// readPart puts the next part behind the data, if there is one that is whole.
func (t *trail) readPart() (ended, bad bool) {
	var head [8]byte
	if _, err := io.ReadFull(t.file, head[:]); err != nil {
		return true, err != io.EOF
	}
	size, old := int(binary.LittleEndian.Uint32(head[:])), len(t.data)
	if size > trailMost {
		return true, true
	}
	t.data = slices.Grow(t.data, size)[:old+size]
	_, err := io.ReadFull(t.file, t.data[old:])
	if err != nil || crc32.Checksum(t.data[old:], castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		t.data = t.data[:old]
		return true, true
	}
	return false, false
}

func cutStep(from []byte) (s step, size int, ok bool) {
	if len(from) < stepHead {
		return step{}, 0, false
	}
	id, rest, ok := cutBytes(from[stepHead:])
	return step{at: int(binary.LittleEndian.Uint32(from)), key: digest(from[4:20]), print: digest(from[20:36]), id: id}, len(from) - len(rest), ok
}

// lost tells whether the objects no longer come as the trail says.
func (t *trail) lost() bool { return t.stray > strayMost || t.bad }

func (t *trail) close() { t.file.Close() }

// A trailWriter writes a trail, next to the path until it is whole.
type trailWriter struct {
	path string
	file *os.File
	out  *bufio.Writer
	part []byte
}

// newTrailWriter begins the trail of a base. An error is of the disk; then there is none.
func newTrailWriter(path string, b *base) (*trailWriter, error) {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &trailWriter{path: path, file: f, out: bufio.NewWriterSize(f, 2*trailPart)}
	w.out.WriteString(trailMagic) // keeps its first error for Flush
	w.out.Write(b.generation[:])
	return w, nil
}

func (w *trailWriter) add(s step) {
	w.part = binary.LittleEndian.AppendUint32(w.part, uint32(s.at))
	w.part = append(append(w.part, s.key[:]...), s.print[:]...)
	if w.part = appendBytes(w.part, s.id); len(w.part) >= trailPart {
		w.endPart()
	}
}

func (w *trailWriter) endPart() {
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(w.part)))
	w.out.Write(binary.LittleEndian.AppendUint32(head, crc32.Checksum(w.part, castagnoli)))
	w.out.Write(w.part)
	w.part = w.part[:0]
}

// finish puts the trail in its place.
func (w *trailWriter) finish() error {
	if len(w.part) > 0 {
		w.endPart()
	}
	if err := errors.Join(w.out.Flush(), w.file.Close()); err != nil {
		return errors.Join(err, os.Remove(w.path+".new"))
	}
	return os.Rename(w.path+".new", w.path)
}

func (w *trailWriter) discard() {
	w.file.Close()
	os.Remove(w.path + ".new")
}

// beginTrail finds the trail of the last read, or begins another. Without one,
// where the disk is full, the read goes on as well.
func (r *Read) beginTrail() {
	if r.s.base.count == 0 { // all is in memory
		return
	}
	if r.trail = openTrail(r.s.trailPath(), r.s.base); r.trail == nil {
		r.left, _ = newTrailWriter(r.s.trailPath(), r.s.base)
	}
}

// keepTrail keeps the trail of a read that was complete. If that made a new
// base the trail is of none, and the next read begins another.
func (r *Read) keepTrail() {
	if r.left != nil {
		_ = r.left.finish() // then there is none
		r.left = nil
	}
}

// endTrail closes the trails, and removes one that led nowhere.
func (r *Read) endTrail() {
	if r.trail != nil {
		r.trail.close()
		if r.trail.lost() {
			_ = os.Remove(r.s.trailPath()) // else the next read strays, too
		}
		r.trail = nil
	}
	if r.left != nil {
		r.left.discard()
		r.left = nil
	}
}
