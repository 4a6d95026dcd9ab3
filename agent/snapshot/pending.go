package snapshot

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
)

// perRun is how many changes of a read are held in memory, some 100 bytes each, before they go to disk, sorted.
const perRun = 8 << 10

// Pending are the changes of a read under way: the latest in memory, earlier
// ones as sorted runs in a temporary file.
type pending struct {
	path   string
	perRun int
	latest []entry
	file   *os.File
	runs   []int64 // where each ends
	closed bool
}

func (p *pending) add(e entry) error {
	if len(p.latest) == p.perRun {
		if err := p.spill(); err != nil {
			return err
		}
	}
	p.latest = append(p.latest, e)
	return nil
}

// settle sorts the latest and leaves one of each key, the last that was added.
func (p *pending) settle() {
	slices.SortStableFunc(p.latest, func(a, b entry) int { return compare(a.key, b.key) })
	out := p.latest[:0]
	for i, e := range p.latest {
		if i+1 < len(p.latest) && p.latest[i+1].key == e.key {
			continue
		}
		out = append(out, e)
	}
	p.latest = out
}

func (p *pending) spill() error {
	p.settle()
	if p.file == nil {
		f, err := os.OpenFile(p.path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		p.file = f
	}
	w := bufio.NewWriterSize(p.file, 64<<10)
	var buf []byte
	for _, e := range p.latest {
		buf = appendEntry(buf[:0], e)
		w.Write(buf) // keeps its first error for Flush
	}
	if err := w.Flush(); err != nil {
		return err
	}
	end, err := p.file.Seek(0, io.SeekCurrent)
	p.runs = append(p.runs, end)
	clear(p.latest)
	p.latest = p.latest[:0]
	return err
}

// sources returns the runs, oldest first, then the latest changes.
func (p *pending) sources() []source {
	p.settle()
	var out []source
	begin := int64(0)
	for _, end := range p.runs {
		r := &runReader{r: bufio.NewReaderSize(io.NewSectionReader(p.file, begin, end-begin), 16<<10)}
		out = append(out, r.next)
		begin = end
	}
	return append(out, sliceSource(p.latest))
}

func (p *pending) close() {
	if p.closed = true; p.file != nil {
		p.file.Close()
		os.Remove(p.path)
	}
}

// A source gives entries in ascending order of key, then false.
type source func() (entry, bool, error)

func sliceSource(entries []entry) source {
	i := 0
	return func() (entry, bool, error) {
		if i == len(entries) {
			return entry{}, false, nil
		}
		i++
		return entries[i-1], true, nil
	}
}

type runReader struct {
	r   *bufio.Reader
	buf []byte
}

func (r *runReader) next() (entry, bool, error) {
	var head [33]byte
	if _, err := io.ReadFull(r.r, head[:]); errors.Is(err, io.EOF) {
		return entry{}, false, nil
	} else if err != nil {
		return entry{}, false, err
	}
	size, err := binary.ReadUvarint(r.r)
	if err != nil || size > maxID {
		return entry{}, false, errors.Join(damaged("run of changes: id of %d bytes", size), err)
	}
	r.buf = slices.Grow(r.buf[:0], int(size))[:size]
	if _, err := io.ReadFull(r.r, r.buf); err != nil {
		return entry{}, false, err
	}
	return entry{key: digest(head[:16]), print: digest(head[16:32]), gone: head[32] == 1, id: string(r.buf)}, true, nil
}
