package csv

import (
	"bytes"
	stdcsv "encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// This file is inside the package: rows is not exported, and is compared here
// with encoding/csv, which says what a row is.

// A lexed is a row, or a fault, and the line that it began in.
type lexed struct {
	Line   int
	Fields []string
	Fault  error
}

func lex(src io.Reader, d dialect) (all []lexed, err error) {
	r := newRows(src, d)
	for more, err := r.next(); more; more, err = r.next() {
		row := lexed{Line: r.begin, Fault: err}
		for _, field := range r.fields {
			if err == nil {
				row.Fields = append(row.Fields, string(field))
			}
		}
		all = append(all, row)
	}
	if r.err != io.EOF {
		return all, r.err
	}
	return all, nil
}

func comma() dialect { return dialect{delimiter: ',', quote: '"'} }

// standard is what encoding/csv makes of text: its rows up to a fault.
func standard(text string) (all []lexed, fault bool) {
	r := stdcsv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, false
		}
		if err != nil {
			return all, true
		}
		line, _ := r.FieldPos(0)
		all = append(all, lexed{Line: line, Fields: fields})
	}
}

// Whatever the text, and however it comes in pieces: up to the first fault the
// rows are those of encoding/csv, and where it has a fault, so have we.
func checkAgainstStandard(t interface {
	Helper()
	Fatalf(string, ...any)
}, text string) {
	t.Helper()
	want, fault := standard(text)
	for name, src := range map[string]io.Reader{
		"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text)),
	} {
		got, err := lex(src, comma())
		if err != nil {
			t.Fatalf("lex(%q) %s: %v", text, name, err)
		}
		for i, row := range got {
			if row.Fault != nil {
				if !fault || i != len(want) {
					t.Fatalf("lex(%q) %s: row %d has fault %v; encoding/csv has %d rows, fault %v", text, name, i, row.Fault, len(want), fault)
				}
				return
			}
			if i >= len(want) {
				t.Fatalf("lex(%q) %s: more than the %d rows of encoding/csv", text, name, len(want))
			}
			if !cmp.Equal(row, want[i]) {
				t.Fatalf("lex(%q) %s: row %d = %+q; want %+q", text, name, i, row.Fields, want[i].Fields)
			}
		}
		if fault || len(got) != len(want) {
			t.Fatalf("lex(%q) %s = %d rows; want %d, fault %v", text, name, len(got), len(want), fault)
		}
	}
}

func TestRows_areThoseOfEncodingCSV(t *testing.T) {
	t.Parallel()
	pieces := []string{"a", "é", `"`, `""`, ",", "\n", "\r\n", "\r", " ", "x,y\n", `"a,b"`, "\"l1\nl2\"", `"say ""hi"""`, "\x00"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom(pieces)).Draw(t, "text"), "")
		checkAgainstStandard(t, text)
	})
}

func FuzzRows(f *testing.F) {
	for _, seed := range []string{
		"", "a,b\n1,2\n", "a,b\r\n\"1\r\n\",2", `"`, "\"a\"\r", "\"a\" ,b\n", "a\"b,c\n\"d\n", "\n\n,\n", "\"\"\"\"\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkAgainstStandard(t, text) })
}

// A stray quote must cost its own line, not those up to the next quote.
func TestRows_goOnInTheLineAfterABadOne(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxRow+10)
	for name, test := range map[string]struct {
		text string
		want []lexed
	}{
		"stray quote that swallows": {"1,\"Ann,x\n2,Bob,y\n3,\"Cy\",z\n", []lexed{
			{Line: 1, Fault: errBareQuote}, {Line: 2, Fields: []string{"2", "Bob", "y"}}, {Line: 3, Fields: []string{"3", "Cy", "z"}}}},
		"quote within a field": {"1,A\"nn\n2,Bob\n", []lexed{
			{Line: 1, Fault: errBareQuote}, {Line: 2, Fields: []string{"2", "Bob"}}}},
		"quote never closed": {"1,\"Ann\n2,Bob\n", []lexed{
			{Line: 1, Fault: errOpenQuote}, {Line: 2, Fields: []string{"2", "Bob"}}}},
		"quote never closed in a long text": {"1,\"Ann\n" + strings.Repeat("2,Bob\n", maxRow/6+1), append([]lexed{
			{Line: 1, Fault: errTooLong}}, repeat(lexed{Fields: []string{"2", "Bob"}}, 2, maxRow/6+1)...)},
		"line too long": {"1,Ann\n2," + long + "\n3,Cy\n", []lexed{
			{Line: 1, Fields: []string{"1", "Ann"}}, {Line: 2, Fault: errTooLong}, {Line: 3, Fields: []string{"3", "Cy"}}}},
		"lines counted through fields and blank lines": {"1,\"a\nb\r\nc\"\n\n\r\n2,x\n", []lexed{
			{Line: 1, Fields: []string{"1", "a\nb\nc"}}, {Line: 6, Fields: []string{"2", "x"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := lex(strings.NewReader(test.text), comma())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) })); diff != "" {
				t.Errorf("rows of %.60q (-want +got):\n%.2000s", test.text, diff)
			}
		})
	}
}

func repeat(row lexed, line, n int) (all []lexed) {
	for i := range n {
		row.Line = line + i
		all = append(all, row)
	}
	return all
}

func TestRows_otherDialects(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		dialect dialect
		text    string
		want    [][]string
	}{
		"semicolons and apostrophes": {dialect{delimiter: ';', quote: '\''}, "1;'a;b';\"c\n", [][]string{{"1", "a;b", `"c`}}},
		"no quotes":                  {dialect{delimiter: '\t'}, "1\t\"a\t'b\n", [][]string{{"1", `"a`, "'b"}}},
		"trimmed":                    {dialect{delimiter: ',', quote: '"', trim: true}, " 1 ,\" a \",\tb\n", [][]string{{"1", "a", "b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := lex(strings.NewReader(test.text), test.dialect)
			var got [][]string
			for _, row := range rows {
				if row.Fault != nil {
					t.Errorf("line %d: %v", row.Line, row.Fault)
				}
				got = append(got, row.Fields)
			}
			if !cmp.Equal(got, test.want) || err != nil {
				t.Errorf("lex(%q) = %q, %v; want %q", test.text, got, err, test.want)
			}
		})
	}
}

// What the disk says must not be taken for the end of the file.
func TestRows_aReadErrorIsNoEnd(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is broken")
	_, err := lex(io.MultiReader(strings.NewReader("1,2\n3,"), iotest.ErrReader(broken)), comma())
	if !errors.Is(err, broken) {
		t.Errorf("lex of a broken disk: %v; want %v", err, broken)
	}
}

// go test -run - -bench Rows ./plugins/csv, on one core of two of a small
// machine: ours 10.1 million rows/s of 10 columns and 113 bytes, encoding/csv
// with ReuseRecord 3.2 million.
func BenchmarkRows(b *testing.B) {
	line := []byte("10001234,Zoë,O'Brien,zoe.obrien@example.com,Research and Development,Senior Engineer,10000042,Berlin,2019-04-01,active\n")
	text := bytes.Repeat(line, 10_000)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			r := newRows(bytes.NewReader(text), comma())
			for more, err := r.next(); more && err == nil; more, err = r.next() {
			}
		}
		b.ReportMetric(float64(b.N*10_000)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("encoding/csv", func(b *testing.B) {
		for b.Loop() {
			r := stdcsv.NewReader(bytes.NewReader(text))
			r.ReuseRecord = true
			for _, err := r.Read(); err == nil; _, err = r.Read() {
			}
		}
		b.ReportMetric(float64(b.N*10_000)/b.Elapsed().Seconds(), "rows/s")
	})
}
