package snapshot

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"math/bits"
	"os"
)

// The base file, numbers little-endian, u varint:
//
//	magic        8 bytes, "DBSNAP1\n": the last digit is the schema
//	block, …     64 entries (the last block: fewer) of key 16, fingerprint 16; then the ids in the same order: u length, bytes
//	index        for every block: the first 8 bytes of its first key (big-endian), its offset 8
//	meta         generation 16; u count; u length, set; u length, cookie
//	tail         offset of index 8, of meta 8, CRC-32C of all before 4, magic 8
const (
	magic     = "DBSNAP1\n"
	perBlock  = 64 // a word of Read.seen, and few bytes to read for a look-up
	entrySize = 32
	tailSize  = 8 + 8 + 4 + 8
	maxID     = 1 << 16 // bytes of an id

	// keepBlocks is how many blocks stay in memory once they were looked at,
	// some 12 MiB: objects come in any order of key, so that each look-up of a
	// read would be a call to the operating system, which costs more than all
	// else that is done for an object that did not change. Of more objects
	// than 393,000 the rest is looked up in the file.
	keepBlocks = 6 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// An entry is an object as files and runs hold it.
type entry struct {
	key, print digest
	id         string
	gone       bool
}

// A base is an opened base file; the zero value stands for none.
type base struct {
	file       *os.File
	generation [16]byte
	count      int
	set        []byte
	cookie     []byte
	first      []uint64 // key of each block's first entry, its beginning
	offset     []int64  // of each block, and of the end of the last
	kept       [][]byte // entries of blocks that were looked at, up to keepBlocks; nil: not yet
	keeps      int
	block      [perBlock * entrySize]byte // one that is not kept
}

// openBase opens and checks a base file; none is an empty base.
func openBase(path string) (*base, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &base{}, nil
	}
	if err != nil {
		return nil, err
	}
	b := &base{file: f}
	if err := b.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return b, nil
}

func (b *base) load() error {
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(b.file, head); err != nil {
		return damaged("no beginning: %v", err)
	}
	if string(head) != magic {
		if bytes.HasPrefix(head, []byte(magic[:6])) {
			return fmt.Errorf("%w: %q, this release knows %q: install the newer release again", ErrSchema, head, magic)
		}
		return damaged("it begins with %q", head)
	}
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size < int64(len(magic)+tailSize) {
		return damaged("%d bytes are too few", size)
	}
	tail := make([]byte, tailSize)
	if _, err := b.file.ReadAt(tail, size-tailSize); err != nil {
		return err
	}
	if string(tail[20:]) != magic {
		return damaged("it has no end")
	}
	if err := b.checkSum(size-tailSize, binary.LittleEndian.Uint32(tail[16:])); err != nil {
		return err
	}
	indexAt, metaAt := int64(binary.LittleEndian.Uint64(tail)), int64(binary.LittleEndian.Uint64(tail[8:]))
	if indexAt < int64(len(magic)) || metaAt < indexAt || metaAt > size-tailSize || (metaAt-indexAt)%16 != 0 {
		return damaged("its parts are at %d and %d of %d", indexAt, metaAt, size)
	}
	if err := b.loadMeta(metaAt, size-tailSize); err != nil {
		return err
	}
	return b.loadIndex(indexAt, metaAt)
}

// checkSum reads all of the file, in pieces.
func (b *base) checkSum(size int64, want uint32) error {
	sum := crc32.New(castagnoli)
	if _, err := io.CopyBuffer(sum, io.NewSectionReader(b.file, 0, size), make([]byte, 256<<10)); err != nil {
		return err
	}
	if got := sum.Sum32(); got != want {
		return damaged("checksum %08x, want %08x", got, want)
	}
	return nil
}

func (b *base) loadMeta(at, end int64) error {
	meta := make([]byte, end-at)
	if _, err := b.file.ReadAt(meta, at); err != nil {
		return err
	}
	if len(meta) < len(b.generation) {
		return damaged("its description has %d bytes", len(meta))
	}
	meta = meta[copy(b.generation[:], meta):]
	count, n := binary.Uvarint(meta)
	if n <= 0 {
		return damaged("it does not count its entries")
	}
	var ok1, ok2 bool
	b.count = int(count)
	b.set, meta, ok1 = cutBytes(meta[n:])
	b.cookie, _, ok2 = cutBytes(meta)
	if !ok1 || !ok2 {
		return damaged("its description is cut off")
	}
	return nil
}

func (b *base) loadIndex(at, end int64) error {
	blocks := int(end-at) / 16
	if b.count < 0 || (b.count+perBlock-1)/perBlock != blocks {
		return damaged("%d blocks for %d entries", blocks, b.count)
	}
	b.first, b.offset = make([]uint64, blocks), make([]int64, blocks+1)
	r := bufio.NewReaderSize(io.NewSectionReader(b.file, at, end-at), 64<<10)
	var item [16]byte
	for i := range blocks {
		if _, err := io.ReadFull(r, item[:]); err != nil {
			return err
		}
		b.first[i] = binary.BigEndian.Uint64(item[:])
		b.offset[i] = int64(binary.LittleEndian.Uint64(item[8:]))
	}
	b.offset[blocks] = at
	for i := range blocks {
		if b.offset[i] < int64(len(magic)) || b.offset[i]+int64(b.entries(i))*entrySize > b.offset[i+1] {
			return damaged("block %d is at %d", i, b.offset[i])
		}
	}
	return nil
}

// entries returns how many entries block i has.
func (b *base) entries(i int) int { return min(perBlock, b.count-i*perBlock) }

// find returns the number of an object's entry, or -1, and its fingerprint.
func (b *base) find(key digest) (at int, print digest, err error) {
	want := binary.BigEndian.Uint64(key[:])
	// Keys that share their first 8 bytes may lie in the blocks before: in practice never.
	for i := b.blockOf(want); i >= 0; i-- {
		data, err := b.entriesOf(i)
		if err != nil {
			return -1, digest{}, err
		}
		for j := b.near(i, data, want); j < b.entries(i); j++ {
			e := data[j*entrySize : (j+1)*entrySize]
			if binary.BigEndian.Uint64(e) != want {
				break
			}
			if digest(e[:16]) == key {
				return i*perBlock + j, digest(e[16:]), nil
			}
		}
		if b.first[i] != want {
			break
		}
	}
	return -1, digest{}, nil
}

// blockOf returns the last block that begins with want or less, or -1. Keys are
// spread evenly, so that it is near the place that want has among all numbers.
func (b *base) blockOf(want uint64) int {
	near, _ := bits.Mul64(want, uint64(len(b.first)))
	i := int(near)
	for i < len(b.first) && b.first[i] <= want {
		i++
	}
	for i > 0 && b.first[i-1] > want {
		i--
	}
	return i - 1
}

// near returns the first entry of block i that begins with want or more: the
// keys in a block are spread evenly, too, and all of them are far from the
// processor, so that a few neighbours are looked at sooner than six far apart.
func (b *base) near(i int, data []byte, want uint64) int {
	n, first, end := b.entries(i), b.first[i], uint64(math.MaxUint64)
	if i+1 < len(b.first) {
		end = b.first[i+1]
	}
	key := func(j int) uint64 { return binary.BigEndian.Uint64(data[j*entrySize:]) }
	j := 0
	if want > first {
		j = min(n-1, int(float64(want-first)/float64(end-first)*float64(n)))
	}
	for j > 0 && key(j) >= want {
		j--
	}
	for j < n && key(j) < want {
		j++
	}
	return j
}

// entriesOf returns the entries of block i without their ids, valid until the
// next call.
func (b *base) entriesOf(i int) ([]byte, error) {
	if b.kept == nil {
		b.kept = make([][]byte, len(b.first))
	}
	if b.kept[i] != nil {
		return b.kept[i], nil
	}
	data := b.block[:]
	if b.keeps < keepBlocks {
		data = make([]byte, len(b.block))
	}
	data = data[:b.entries(i)*entrySize]
	if _, err := b.file.ReadAt(data, b.offset[i]); err != nil {
		return nil, err
	}
	if b.keeps < keepBlocks {
		b.kept[i] = data
		b.keeps++
	}
	return data, nil
}

// read returns the entries of block i with their ids.
func (b *base) read(i int, into []entry) ([]entry, error) {
	data := make([]byte, b.offset[i+1]-b.offset[i])
	if _, err := b.file.ReadAt(data, b.offset[i]); err != nil {
		return nil, err
	}
	n := b.entries(i)
	ids := data[n*entrySize:]
	into = into[:0]
	for j := range n {
		id, rest, ok := cutBytes(ids)
		if !ok {
			return nil, damaged("block %d has only %d ids", i, j)
		}
		e := data[j*entrySize:]
		into = append(into, entry{key: digest(e[:16]), print: digest(e[16:32]), id: string(id)})
		ids = rest
	}
	return into, nil
}

func (b *base) close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// A baseWriter writes a base file from entries in ascending order of key.
type baseWriter struct {
	file    *os.File
	out     *bufio.Writer
	sum     hash.Hash32
	at      int64
	count   int
	entries []byte // of the block not yet full
	ids     []byte
	index   []byte
}

func newBaseWriter(path string) (*baseWriter, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &baseWriter{file: f, out: bufio.NewWriterSize(f, 256<<10), sum: crc32.New(castagnoli)}
	w.write([]byte(magic))
	return w, nil
}

func (w *baseWriter) write(p []byte) {
	w.sum.Write(p)
	w.out.Write(p) // keeps its first error for Flush
	w.at += int64(len(p))
}

func (w *baseWriter) add(e entry) {
	if len(w.entries) == 0 {
		w.index = append(w.index, e.key[:8]...)
		w.index = binary.LittleEndian.AppendUint64(w.index, uint64(w.at))
	}
	w.entries = append(append(w.entries, e.key[:]...), e.print[:]...)
	w.ids = appendBytes(w.ids, e.id)
	if w.count++; w.count%perBlock == 0 {
		w.endBlock()
	}
}

func (w *baseWriter) endBlock() {
	w.write(w.entries)
	w.write(w.ids)
	w.entries, w.ids = w.entries[:0], w.ids[:0]
}

// finish writes the rest, and the disk has it when it returns.
func (w *baseWriter) finish(generation [16]byte, set, cookie []byte) error {
	w.endBlock()
	indexAt := w.at
	w.write(w.index)
	metaAt := w.at
	meta := binary.AppendUvarint(generation[:], uint64(w.count))
	w.write(appendBytes(appendBytes(meta, set), cookie))
	tail := binary.LittleEndian.AppendUint64(nil, uint64(indexAt))
	tail = binary.LittleEndian.AppendUint64(tail, uint64(metaAt))
	tail = binary.LittleEndian.AppendUint32(tail, w.sum.Sum32())
	w.out.Write(append(tail, magic...))
	return errors.Join(cmp.Or(w.out.Flush(), w.file.Sync()), w.file.Close())
}

func (w *baseWriter) discard() {
	w.file.Close()
	os.Remove(w.file.Name())
}

func appendBytes[T string | []byte](to []byte, data T) []byte {
	return append(binary.AppendUvarint(to, uint64(len(data))), data...)
}

// cutBytes reads what appendBytes wrote.
func cutBytes(from []byte) (data, rest []byte, ok bool) {
	size, n := binary.Uvarint(from)
	if n <= 0 || size > uint64(len(from)-n) {
		return nil, nil, false
	}
	return from[n : n+int(size)], from[n+int(size):], true
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}
