package snapshot

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
)

// The log file, numbers little-endian, u varint:
//
//	head     "DBSLOG1\n", generation of the base it belongs to 16
//	frame, … length 4, CRC-32C of the rest 4; u length, set; u length, cookie; entries to its end
//	entry    key 16, fingerprint 16, gone 1; u length, id
//
// A frame is what one Commit changed. The first that is not whole is where a
// crash cut the file off: it and what follows never were committed.
const (
	logMagic = "DBSLOG1\n"
	logHead  = len(logMagic) + 16
	maxLog   = 8 << 20 // bytes; what is more goes into the base
)

// A frame is one committed group of changes.
type frame struct {
	set, cookie []byte
	entries     []entry
}

// A log is an opened log file; it exists from the first append on.
type log struct {
	path       string
	generation [16]byte
	file       *os.File
	size       int64
}

// openLog hands each frame of the log at path to apply, if it is of this generation.
func openLog(path string, generation [16]byte, apply func(frame) error) (*log, error) {
	l := &log{path: path, generation: generation}
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	data := make([]byte, min(info.Size(), 2*maxLog))
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if len(data) < logHead || string(data[:len(logMagic)]) != logMagic || [16]byte(data[len(logMagic):logHead]) != generation {
		return l, f.Close() // of a base that has been replaced: it is contained in the present one
	}
	l.file, l.size = f, int64(logHead)
	for rest := data[logHead:]; ; {
		fr, size, ok := decodeFrame(rest)
		if !ok {
			break
		}
		if err := apply(fr); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		l.size += int64(size)
		rest = rest[size:]
	}
	return l, f.Truncate(l.size)
}

// append adds an encoded frame, and the disk has it when it returns.
func (l *log) append(data []byte) error {
	if l.file == nil {
		return l.begin(data)
	}
	if _, err := l.file.WriteAt(data, l.size); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.size += int64(len(data))
	return nil
}

// begin makes the file, in the place of one of an earlier base, with its first frame.
func (l *log) begin(first []byte) error {
	data := append(append([]byte(logMagic), l.generation[:]...), first...)
	if err := replaceFile(l.path, data); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_RDWR, 0o600)
	l.file, l.size = f, int64(len(data))
	return err
}

func (l *log) close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

func encodeFrame(fr frame) []byte {
	data := make([]byte, 8, 64+len(fr.entries)*80)
	data = appendBytes(appendBytes(data, fr.set), fr.cookie)
	for _, e := range fr.entries {
		data = appendEntry(data, e)
	}
	binary.LittleEndian.PutUint32(data, uint32(len(data)-8))
	binary.LittleEndian.PutUint32(data[4:], crc32.Checksum(data[8:], castagnoli))
	return data
}

func decodeFrame(data []byte) (fr frame, size int, ok bool) {
	if len(data) < 8 {
		return frame{}, 0, false
	}
	n := binary.LittleEndian.Uint32(data)
	if uint64(n) > uint64(len(data)-8) {
		return frame{}, 0, false
	}
	body := data[8 : 8+n]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(data[4:]) {
		return frame{}, 0, false
	}
	var ok1, ok2 bool
	fr.set, body, ok1 = cutBytes(body)
	fr.cookie, body, ok2 = cutBytes(body)
	if !ok1 || !ok2 {
		return frame{}, 0, false
	}
	for len(body) > 0 {
		e, rest, ok := cutEntry(body)
		if !ok {
			return frame{}, 0, false
		}
		fr.entries = append(fr.entries, e)
		body = rest
	}
	return fr, 8 + int(n), true
}

func appendEntry(to []byte, e entry) []byte {
	to = append(append(to, e.key[:]...), e.print[:]...)
	gone := byte(0)
	if e.gone {
		gone = 1
	}
	return appendBytes(append(to, gone), e.id)
}

func cutEntry(from []byte) (e entry, rest []byte, ok bool) {
	if len(from) < 33 {
		return entry{}, nil, false
	}
	id, rest, ok := cutBytes(from[33:])
	return entry{key: digest(from[:16]), print: digest(from[16:32]), gone: from[32] == 1, id: string(id)}, rest, ok
}
