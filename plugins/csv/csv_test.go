package csv_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/csv"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

const unavailable, conflict, done = connectorv1.Outcome_OUTCOME_UNAVAILABLE,
	connectorv1.Outcome_OUTCOME_CONFLICT, connectorv1.Outcome_OUTCOME_DONE

type settings map[string]any

// write writes a file that was left alone long ago and returns its path.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "workers.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	return path
}

// with returns the settings for a file of text, key "id" and more.
func with(t testing.TB, text string, more settings) settings {
	all := settings{"path": write(t, text), "key": "id"}
	for k, v := range more {
		all[k] = v
	}
	return all
}

func read(t testing.TB, s settings, attributes ...string) connkit.Reading {
	t.Helper()
	client := connkit.Open(t, csv.New(), s, nil)
	return connkit.Read(t, client, &connectorv1.ReadRequest{Classes: []string{"row"}, Attributes: attributes})
}

// texts shows each object as "id: name=value …".
func texts(r connkit.Reading) []string {
	var all []string
	for _, o := range r.Objects {
		text := o.GetId() + ":"
		for _, a := range o.GetAttributes() {
			text += " " + a.GetName() + "=" + strings.Join(a.GetValues(), "|")
		}
		all = append(all, text)
	}
	return all
}

func TestRead_rowsBecomeObjects(t *testing.T) {
	t.Parallel()
	r := read(t, with(t, "id,surname,given,title\n1,\"O'Brien, Jr. #1\",Zoë,\n2,Łuk,\"A \"\"B\"\"\",Dr\n", nil), "Surname", "title")
	row := func(id, surname string, title ...string) *connectorv1.Object {
		return &connectorv1.Object{Class: "row", Id: id, Address: "workers.csv", Attributes: []*connectorv1.Attribute{
			{Name: "surname", Values: []string{surname}}, {Name: "title", Values: title}}}
	}
	want := []*connectorv1.Object{row("1", "O'Brien, Jr. #1"), row("2", "Łuk", "Dr")}
	if diff := cmp.Diff(want, r.Objects, protocmp.Transform()); diff != "" || r.End.GetOutcome() != done {
		t.Errorf("read = %v (-want +got):\n%s", r.End, diff)
	}
}

// An inserted row moves all others down; they are still the same.
func TestRead_theLineIsNoPartOfTheObject(t *testing.T) {
	t.Parallel()
	before := read(t, with(t, "id,n\n2,b\n", nil), "n").Objects
	after := read(t, with(t, "id,n\n1,a\n2,b\n", nil), "n").Objects[1:]
	if diff := cmp.Diff(before, after, protocmp.Transform()); diff != "" {
		t.Errorf("the row has changed by another's being inserted (-before +after):\n%s", diff)
	}
}

func TestRead_encodings(t *testing.T) {
	t.Parallel()
	const text = "id,n\n1,Zoë €\n2,𝄞\n"
	utf16of := func(order binary.AppendByteOrder, mark bool) string {
		var b []byte
		if mark {
			b = order.AppendUint16(b, 0xFEFF)
		}
		for _, u := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, u)
		}
		return string(b)
	}
	le, be := binary.LittleEndian, binary.BigEndian
	for _, test := range []struct{ name, encoding, bytes string }{
		{"utf-8", "utf-8", text},
		{"utf-8 with its mark", "utf-8", "\xEF\xBB\xBF" + text},
		{"utf-16 little endian by its mark", "utf-16", utf16of(le, true)},
		{"utf-16 big endian by its mark", "utf-16", utf16of(be, true)},
		{"utf-16le without a mark", "utf-16le", utf16of(le, false)},
		{"utf-16be without a mark", "utf-16be", utf16of(be, false)},
		{"utf-16be with a mark", "utf-16be", utf16of(be, true)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, with(t, test.bytes, settings{"encoding": test.encoding}), "n")
			if want := []string{"1: n=Zoë €", "2: n=𝄞"}; !cmp.Equal(texts(got), want) {
				t.Errorf("read = %q, %v; want %q", texts(got), got.End, want)
			}
		})
	}
	t.Run("windows-1252", func(t *testing.T) {
		t.Parallel()
		got := read(t, with(t, "id,n\n1,Zo\xEB \x80\n2,\x81\n", settings{"encoding": "windows-1252"}), "n")
		if want := []string{"1: n=Zoë €"}; !cmp.Equal(texts(got), want) || len(got.Rejects) != 1 {
			t.Errorf("read = %q, %v; want %q and line 3 set aside", texts(got), got.Rejects, want)
		}
	})
	// Names garbled for everybody are worse than no read.
	for _, test := range []struct{ name, encoding, bytes, cause string }{
		{"utf-16 read as utf-8", "utf-8", utf16of(le, false), "utf-16le"},
		{"utf-8 with a mark read as windows-1252", "windows-1252", "\xEF\xBB\xBF" + text, "utf-8"},
		{"utf-16 in the other order", "utf-16be", utf16of(le, true), "utf-16le"},
		{"utf-16 without a mark in no order", "utf-16", "i,dnnn\n", "no byte order mark"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, with(t, test.bytes, settings{"encoding": test.encoding}), "n")
			if got.End.GetOutcome() != conflict || !strings.Contains(got.End.GetFault().GetCause(), test.cause) || len(got.Objects) > 0 {
				t.Errorf("read = %q, %v; want CONFLICT naming %s", texts(got), got.End, test.cause)
			}
		})
	}
}

// Characters on the border of two pieces of the file must not be torn.
func TestRead_utf16InManyPieces(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("id,n\n")
	for i := range 40_000 {
		fmt.Fprintf(&text, "%d,𝄞%sé\n", i, strings.Repeat("x", i%7))
	}
	b := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(text.String())) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	got := read(t, with(t, string(b), settings{"encoding": "utf-16"}), "n")
	for i, o := range got.Objects {
		if want := "𝄞" + strings.Repeat("x", i%7) + "é"; o.GetAttributes()[0].GetValues()[0] != want {
			t.Fatalf("row %d = %v; want %q", i, o, want)
		}
	}
	if len(got.Objects) != 40_000 || len(got.Rejects) > 0 {
		t.Errorf("read %d objects, %d rejects; want 40,000 and none", len(got.Objects), len(got.Rejects))
	}
}

func TestRead_badRowsAreSetAside(t *testing.T) {
	t.Parallel()
	text := "id,n,m\n" +
		"1,a,b\n" +
		"2,a\n" + // line 3
		"3,a\"x,b\n" + // line 4
		",a,b\n" + // line 5
		"5,\xff,b\n" + // line 6
		"6,\"l\n1\",b\n" +
		"7,d,1\n" + // line 9
		"8,z\x00,b\n" + // line 10
		"7,d,2\n" + // line 11
		"9,a,b\n7,d,3\n" // line 13
	got := read(t, with(t, text, nil), "n")
	if want := []string{"1: n=a", "6: n=l\n1", "9: n=a"}; !cmp.Equal(texts(got), want) || got.End.GetOutcome() != done {
		t.Errorf("read = %q, %v; want %q, DONE", texts(got), got.End, want)
	}
	wants := []struct{ place, reason, id string }{
		{"workers.csv line 3", "2 fields, the header has 3", "2"},
		{"workers.csv line 4", "quote", "3"},
		{"workers.csv line 5", `"id" is empty`, ""},
		{"workers.csv line 6", `"n" holds what is no text`, "5"},
		{"workers.csv line 9", "3 times, in lines 9, 11, 13;", "7"},
		{"workers.csv line 10", `"n" holds what is no text`, "8"},
		{"workers.csv line 11", "3 times, in lines 9, 11, 13;", "7"},
		{"workers.csv line 13", "3 times, in lines 9, 11, 13;", "7"},
	}
	if len(got.Rejects) != len(wants) {
		t.Fatalf("rejects = %v; want %d", got.Rejects, len(wants))
	}
	for i, want := range wants {
		r := got.Rejects[i]
		if r.GetPlace() != want.place || !strings.Contains(r.GetReason(), want.reason) || r.GetId() != want.id {
			t.Errorf("reject %d = %v; want %v", i, r, want)
		}
	}
}

// What is not whole, or not the usual file, is not taken: not one row of it.
func TestRead_aFileIsNotTaken(t *testing.T) {
	t.Parallel()
	many := "id,n\n" + strings.Repeat("1,a,b\n", 20) + "2,b\n"
	for _, test := range []struct {
		name, text string
		more       settings
		outcome    connectorv1.Outcome
		cause      string
	}{
		{"empty", "", nil, unavailable, "is empty"},
		{"last line cut off", "id,n\n1,a\n2,b", nil, unavailable, "no line end"},
		{"cut off within quotes", "id,n\n1,a\n2,\"b\nc", nil, unavailable, "quoted field that begins in line 3"},
		{"cut off within quotes at a line end", "id,n\n1,a\n2,\"b\n", nil, unavailable, "quoted field that begins in line 3"},
		{"cut off within quotes after more lines", "id,n\n1,a\n2,\"b\nc\nd\n", nil, unavailable, "quoted field that begins in line 3"},
		{"cut off within quotes before what is no row", "id,n\n1,a\n2,\"b\nc,d,e\n3,f\n", nil, unavailable, "quoted field that begins in line 3"},
		{"half a character of utf-16 at its end", "\xFF\xFEi\x00d\x00,\x00n\x00\n\x00\n", settings{"encoding": "utf-16"}, unavailable, "no line end"},
		{"no trailer", "id,n\n1,a\n", settings{"trailer": "#END"}, unavailable, "#END"},
		{"trailer of another count", "id,n\n1,a\n#END,2\n", settings{"trailer": "#END"}, unavailable, "counts 2 rows, but it has 1"},
		{"rows after the trailer", "id,n\n#END\n1,a\n", settings{"trailer": "#END"}, unavailable, "line 3 comes after"},
		{"no marker", "id,n\n1,a\n", settings{"done_marker": ".done"}, unavailable, "no marker .done"},
		{"declared column missing", "id,x\n1,a\n", settings{"columns": []string{"id", "n"}}, conflict, `column "n" is missing, column "x" is new`},
		{"declared columns in another order", "n,id\na,1\n", settings{"columns": []string{"id", "n"}}, conflict, "another order"},
		{"mapped column missing", "id,x\n1,a\n", nil, conflict, `column "n", which the mapping uses, is missing`},
		{"key column missing", "no,n\n1,a\n", nil, conflict, `key column "id" is missing`},
		{"column twice", "id,n,N\n1,a,b\n", nil, conflict, `columns 2 and 3 are both called "N"`},
		{"column without a name", "id,n,\n1,a,b\n", nil, conflict, "column 3 has no name"},
		{"other delimiter", "id;n\n1;a\n", nil, conflict, `key column "id" is missing`},
		{"mostly bad rows", many, nil, conflict, "20 of the 21 rows"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, with(t, test.text, test.more), "n")
			fault := got.End.GetFault()
			if got.End.GetOutcome() != test.outcome || !strings.Contains(fault.GetCause(), test.cause) || fault.GetNextStep() == "" {
				t.Errorf("read ended %v; want %v because of %q", got.End, test.outcome, test.cause)
			}
			if len(got.Objects)+len(got.Rejects) > 0 {
				t.Errorf("read %q, rejects %v; want nothing", texts(got), got.Rejects)
			}
		})
	}
}

func TestRead_aFileIsTaken(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		more       settings
	}{
		{"its last line may be open", "id,n\n1,a", settings{"open_end": true}},
		{"with its trailer and the right count", "id,n\n1,a\n#END 0001", settings{"trailer": "#END"}},
		{"with declared columns", "id,n\n1,a\n", settings{"columns": []string{"id", "n"}}},
		{"without a header", "1,a\n", settings{"columns": []string{"id", "n"}, "header": false}},
		{"with other delimiters", "id\tn\n1\t'a'\n", settings{"delimiter": "tab", "quote": "'"}},
		{"trimmed", "id,n\n 1, a \n", settings{"trim": true}},
		{"with an open quote in a file that goes on", "id,n\n9,\"\n1,a\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, with(t, test.text, test.more), "n")
			if want := []string{"1: n=a"}; !cmp.Equal(texts(got), want) || got.End.GetOutcome() != done {
				t.Errorf("read = %q, %v; want %q, DONE", texts(got), got.End, want)
			}
		})
	}
	t.Run("not with the marker of another day", func(t *testing.T) {
		t.Parallel()
		s := with(t, "id,n\n1,a\n", settings{"done_marker": ".done"})
		marker, old := s["path"].(string)+".done", time.Now().Add(-24*time.Hour)
		if err := errors.Join(os.WriteFile(marker, nil, 0o600), os.Chtimes(marker, old, old)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, "n"); got.End.GetOutcome() != unavailable {
			t.Errorf("read = %v; want UNAVAILABLE", got.End)
		}
	})
	t.Run("with its marker", func(t *testing.T) {
		t.Parallel()
		s := with(t, "id,n\n1,a\n", settings{"done_marker": ".done"})
		if err := os.WriteFile(s["path"].(string)+".done", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, "n"); got.End.GetOutcome() != done || len(got.Objects) != 1 {
			t.Errorf("read = %v; want DONE and one object", got.End)
		}
	})
}

// A writer that is still at it has touched the file just now, or does while
// the reader waits.
func TestRead_aFileBeingWrittenIsNotTaken(t *testing.T) {
	t.Parallel()
	s := with(t, "id,n\n1,a\n", settings{"settle": "10m"})
	if err := os.Chtimes(s["path"].(string), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	end := read(t, s, "n").End
	if wait := end.GetFault().GetRetryAfter().AsDuration(); end.GetOutcome() != unavailable || wait < 9*time.Minute || wait > 10*time.Minute {
		t.Errorf("read ended %v; want UNAVAILABLE for some 10 minutes", end)
	}

	s["settle"] = "400ms"
	stop, stopped := make(chan struct{}), make(chan error, 1)
	f, err := os.OpenFile(s["path"].(string), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	go func() {
		for i := 2; ; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			case <-time.After(20 * time.Millisecond):
				if _, err := fmt.Fprintf(f, "%d,a\n", i); err != nil {
					stopped <- err
					return
				}
			}
		}
	}()
	if _, err := f.WriteString("100000,b\n"); err != nil {
		t.Fatal(err)
	}
	if r := read(t, s, "n"); r.End.GetOutcome() != unavailable || len(r.Objects) > 0 {
		t.Errorf("read of a file being written = %q, %v; want UNAVAILABLE", texts(r), r.End)
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if r := read(t, s, "n"); r.End.GetOutcome() != done {
		t.Errorf("read after it was written = %v; want DONE", r.End)
	}
}

// What changed while it was read is not complete, so nothing may be taken as
// gone from it.
func TestRead_aFileChangedWhileItIsReadIsNotComplete(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("id,n\n")
	for i := range 100_000 { // far more than fits into the window
		fmt.Fprintf(&text, "%d,%0100d\n", i, i)
	}
	s := with(t, text.String(), nil)
	stream, err := connkit.Open(t, csv.New(), s, nil).Read(t.Context(), &connectorv1.ReadRequest{Classes: []string{"row"}, Attributes: []string{"n"}})
	if err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(s["path"].(string), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	for response.GetEnd() == nil {
		if response, err = stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if end := response.GetEnd(); end.GetOutcome() != unavailable || !strings.Contains(end.GetFault().GetCause(), "changed while it was read") {
		t.Errorf("read ended %v; want UNAVAILABLE, changed", end)
	}
}

func TestRead_aMissingFileIsUnavailable(t *testing.T) {
	t.Parallel()
	s := with(t, "", nil)
	if err := os.Remove(s["path"].(string)); err != nil {
		t.Fatal(err)
	}
	end := read(t, s, "n").End
	if end.GetOutcome() != unavailable || !strings.Contains(end.GetFault().GetCause(), "is not there") {
		t.Errorf("read ended %v; want UNAVAILABLE, not there", end)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	s := with(t, "id,n\n1,a\n2,b\n3,a\n4,c\n4,c\n", nil)
	client := connkit.Open(t, csv.New(), s, nil)
	find := func(attribute string, values ...string) *connectorv1.FindResponse {
		r, err := client.Find(t.Context(), &connectorv1.FindRequest{Class: "row", Attribute: attribute, Values: values, ReturnAttributes: []string{"n"}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := find("N", "a", "x"); len(r.GetRecords()) != 2 || r.GetRecords()[1].GetId() != "3" || r.GetOutcome() != done {
		t.Errorf("Find(n, a or x) = %v; want rows 1 and 3", r)
	}
	if r := find("id", "9"); len(r.GetRecords()) != 0 || r.GetOutcome() != done {
		t.Errorf("Find(id, 9) = %v; want nothing, DONE", r)
	}
	if r := find("id", "4"); r.GetOutcome() != conflict {
		t.Errorf("Find of a key that is there twice = %v; want CONFLICT", r)
	}
}

func TestSchemaAndProbe(t *testing.T) {
	t.Parallel()
	client := connkit.Open(t, csv.New(), with(t, "id,surname,given\n1,a,b\n1,a,b\n", settings{"class": "worker"}), nil)
	schema, err := client.Schema(t.Context(), &connectorv1.SchemaRequest{})
	if err != nil || len(schema.GetClasses()) != 1 {
		t.Fatalf("Schema() = %v, %v; want one class", schema, err)
	}
	var names []string
	for _, a := range schema.GetClasses()[0].GetAttributes() {
		names = append(names, a.GetName())
	}
	if want := []string{"given", "id", "surname"}; !cmp.Equal(names, want) || schema.GetClasses()[0].GetName() != "worker" {
		t.Errorf("Schema() = %v; want worker with %q", schema, want)
	}
	probe, err := client.Probe(t.Context(), &connectorv1.ProbeRequest{})
	if steps := probe.GetSteps(); err != nil || len(steps) != 3 || steps[2].GetDetail() != "2 rows, 0 of them bad, 1 keys there more than once" {
		t.Errorf("Probe() = %v, %v; want three steps", probe, err)
	}
}

// All faults of the settings at once, each with its name.
func TestOpen_faultsOfSettings(t *testing.T) {
	t.Parallel()
	client := connkit.Serve(t, csv.New())
	fault := connkit.OpenFault(t, client, settings{"path": "workers.csv", "kee": "id", "delimiter": ";;", "encoding": "latin1", "header": false}, nil)
	for _, want := range []string{`"key" is missing`, `"kee" is no setting of this connector; did you mean "key"?`, `"encoding" must be one of utf-8,`} {
		if !strings.Contains(fault.GetCause(), want) {
			t.Errorf("Open() = %q; want %s in it", fault.GetCause(), want)
		}
	}
	fault = connkit.OpenFault(t, client, settings{"path": "workers.csv", "key": "id", "delimiter": ";;", "quote": "", "header": false, "poll": "1ms", "done_marker": "a/b"}, nil)
	for _, want := range []string{`"path" must be a whole path`, `"delimiter" must be one`, `"quote" must be one`, `"columns" is missing`, `"poll" must be`, `"done_marker" is an ending`} {
		if !strings.Contains(fault.GetCause(), want) {
			t.Errorf("Open() = %q; want %s in it", fault.GetCause(), want)
		}
	}
}
