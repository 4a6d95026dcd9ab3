package csv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

const (
	// maxTwice keys may be there more than once; with more, the column is no key.
	maxTwice = 10_000
	// fewBad rows are set aside however few good ones there are.
	fewBad = 10
	// sampleRows show how many rows the file has.
	sampleRows = 1000
	// linesNamed of the lines that hold a key which is there more than once.
	linesNamed = 5
)

// A survey is what the first pass over a file found.
type survey struct {
	header []string
	key    int // index of the key column
	rows   int
	bad    int
	twice  map[string]*repetition
}

// A repetition is a key that several rows have. Which of them is right nobody
// knows, so none is taken.
type repetition struct {
	rows  int
	lines []int // of the first few
}

// survey reads the file once and returns what is in it, or why nothing of it
// may be taken. What it lets through is read by the second pass without
// another thought.
//
// A quote that is open when the file ends is either a stray one, which costs
// its row, or the file is cut off within a quoted field. It is stray if what
// follows its line are good rows, as they are if they were swallowed by it.
func (f *file) survey(ctx context.Context) (*survey, error) {
	r, header, err := f.start()
	if err != nil {
		return nil, err
	}
	found := &survey{header: header, key: slices.Index(header, f.Key)}
	var (
		seed      = maphash.MakeSeed()
		hashes    []uint64
		sample    int // bytes of the first rows
		firstBad  error
		openQuote int // line
		goodAfter bool
		trailer   []byte
	)
	for more, err := r.next(); more; more, err = r.next() {
		if trailer != nil {
			return nil, f.cutOff(fmt.Sprintf("line %d comes after the trailer", r.begin))
		}
		if f.isTrailer(r) {
			trailer = slices.Clone(r.text)
			continue
		}
		if found.rows++; found.rows%4096 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err = found.check(r, err); err == nil {
			goodAfter = true
			hashes = append(hashes, maphash.Bytes(seed, r.fields[found.key]))
			if sample += len(r.text); len(hashes) == sampleRows { // growing by halves would need twice the memory
				hashes = slices.Grow(hashes, int(f.info.Size()*sampleRows/int64(sample+sampleRows)))
			}
			continue
		}
		if openQuote != 0 {
			return nil, f.cutOff(fmt.Sprintf("it ends within the quoted field that begins in line %d", openQuote))
		}
		if errors.Is(err, errOpenQuote) {
			openQuote, goodAfter = r.begin, false
		}
		if found.bad++; firstBad == nil {
			firstBad = fmt.Errorf("line %d: %w", r.begin, err)
		}
	}
	switch {
	case !errors.Is(r.err, io.EOF):
		return nil, f.broken(r.err)
	case openQuote != 0 && !goodAfter:
		return nil, f.cutOff(fmt.Sprintf("it ends within the quoted field that begins in line %d", openQuote))
	case f.Trailer != "":
		if err := f.checkTrailer(trailer, found.rows); err != nil {
			return nil, err
		}
	case r.openEnd && !f.OpenEnd:
		return nil, f.cutOff("its last line has no line end (if it never has, set open_end)")
	}
	if found.bad >= fewBad && found.bad*2 > found.rows {
		return nil, sdk.Conflict(fmt.Sprintf("%d of the %d rows of %s are bad, the first is %v", found.bad, found.rows, f.Path, firstBad),
			"Compare delimiter, quote and encoding with the file, or have it exported again.").On(f.Path)
	}
	return found, f.repetitions(ctx, found, seed, hashes)
}

// check says what is wrong with the row that r stands at; err is what its
// lexer said.
func (s *survey) check(r *rows, err error) error {
	if err != nil {
		return err
	}
	if len(r.fields) != len(s.header) {
		return fmt.Errorf("the row has %d fields, the header has %d; quote fields that hold the delimiter", len(r.fields), len(s.header))
	}
	if !utf8.Valid(r.text) || bytes.IndexByte(r.text, 0) >= 0 {
		for i, field := range r.fields {
			if !utf8.Valid(field) || bytes.IndexByte(field, 0) >= 0 {
				return fmt.Errorf("column %q holds what is no text in this encoding; correct the value, or the encoding in the settings", s.header[i])
			}
		}
	}
	if len(bytes.TrimSpace(r.fields[s.key])) == 0 {
		return fmt.Errorf("the key column %q is empty; give the row its key", s.header[s.key])
	}
	return nil
}

// repetitions finds the keys that are there more than once: equal hashes name
// the suspects, and only if there are any a further pass compares the keys.
func (f *file) repetitions(ctx context.Context, found *survey, seed maphash.Seed, hashes []uint64) error {
	slices.Sort(hashes)
	suspects := map[uint64]bool{}
	for i := 1; i < len(hashes); i++ {
		if hashes[i] == hashes[i-1] {
			suspects[hashes[i]] = true
		}
	}
	noKey := sdk.Conflict(fmt.Sprintf("more than %d values of column %q of %s are there more than once", maxTwice, f.Key, f.Path),
		"Set key to the column whose value no two rows share.").On(f.Path).At(f.Key)
	if len(suspects) == 0 {
		return nil
	}
	if len(suspects) > maxTwice {
		return noKey
	}
	found.twice = map[string]*repetition{}
	err := f.each(ctx, found, func(r *rows, err error) error {
		if err != nil || !suspects[maphash.Bytes(seed, r.fields[found.key])] {
			return nil
		}
		t := found.twice[string(r.fields[found.key])]
		if t == nil {
			t = &repetition{}
			found.twice[string(r.fields[found.key])] = t
		}
		if t.rows++; len(t.lines) < linesNamed {
			t.lines = append(t.lines, r.begin)
		}
		return nil
	})
	for key, t := range found.twice {
		if t.rows == 1 { // only its hash was another's
			delete(found.twice, key)
		}
	}
	return err
}

// each calls visit with every row, and with what is wrong with it.
func (f *file) each(ctx context.Context, found *survey, visit func(r *rows, err error) error) error {
	r, _, err := f.start()
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		more, err := r.next()
		if !more {
			break
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if f.isTrailer(r) {
			continue
		}
		if err := visit(r, found.check(r, err)); err != nil {
			return err
		}
	}
	if !errors.Is(r.err, io.EOF) {
		return f.broken(r.err)
	}
	return nil
}

func (f *file) isTrailer(r *rows) bool {
	return f.Trailer != "" && bytes.HasPrefix(r.text, []byte(f.Trailer))
}

// checkTrailer compares the count in the trailer, if it has one, with that of
// the rows.
func (f *file) checkTrailer(trailer []byte, rows int) error {
	if trailer == nil {
		return f.cutOff(fmt.Sprintf("its last line does not begin with %q", f.Trailer))
	}
	digits := regexp.MustCompile(`\d+`).Find(trailer[len(f.Trailer):])
	if digits == nil {
		return nil
	}
	if n, err := strconv.Atoi(string(digits)); err != nil || n != rows {
		return f.cutOff(fmt.Sprintf("its trailer counts %s rows, but it has %d", digits, rows))
	}
	return nil
}

func (f *file) cutOff(how string) error {
	return sdk.Unavailable(fmt.Sprintf("the file %s is not whole: %s", f.Path, how),
		"Nothing, if it is still being written; else have it exported again.").On(f.Path)
}

func (t *repetition) String() string {
	text := fmt.Sprintf("the key is there %d times, in lines ", t.rows)
	for i, line := range t.lines {
		if i > 0 {
			text += ", "
		}
		text += strconv.Itoa(line)
	}
	if t.rows > len(t.lines) {
		text += " and others"
	}
	return text + "; remove all but the right one, none of them is taken"
}
