package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A connector may pass on rows or objects: the agent must see no difference,
// or a new release of a connector would change every object.
func TestRows_asObjects(t *testing.T) {
	t.Parallel()
	m := &memory{}
	client := connkit.Open(t, connector(m), "", nil)
	text := rapid.OneOf(rapid.String(), rapid.StringN(100, 300, -1), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "mail", "Zoë", strings.Repeat("long", 40)}), 0, 5).Draw(rt, "names")
		if rapid.IntRange(0, 9).Draw(rt, "twice") > 0 {
			slices.Sort(names)
			names = slices.Compact(names)
			names = rapid.Permutation(names).Draw(rt, "order")
		}
		wanted := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"A", "mail", "zoë", strings.Repeat("long", 40)}), rapid.ID).Draw(rt, "wanted")
		class, address := text.Draw(rt, "class"), text.Draw(rt, "address")
		var objects []sdk.Object
		for range rapid.IntRange(1, 4).Draw(rt, "rows") {
			o := sdk.Object{Class: class, ID: text.Draw(rt, "id"), Address: address}
			for _, name := range names {
				a := sdk.Attribute{Name: name}
				if v := text.Draw(rt, "value"); v != "" {
					a.Values = []string{v}
				}
				o.Attributes = append(o.Attributes, a)
			}
			objects = append(objects, o)
		}
		asObjects := func(out *sdk.Sink) error {
			for i := range objects {
				if err := out.Object(&objects[i]); err != nil {
					return err
				}
			}
			return nil
		}
		asRows := func(out *sdk.Sink) error {
			rows, row := out.Rows(class, address, names), sdk.Row{}
			for _, o := range objects {
				row.Begin([]byte(o.ID))
				for _, a := range o.Attributes {
					row.Text = append(row.Text, strings.Join(a.Values, "")...)
					row.End()
				}
				if err := rows.Row(&row); err != nil {
					return err
				}
			}
			return nil
		}
		var got []*connectorv1.ReadResponse
		for _, read := range []func(*sdk.Sink) error{asObjects, asRows} {
			m.read = func(_ context.Context, _ sdk.Query, out *sdk.Sink) ([]byte, error) { return nil, read(out) }
			got = append(got, responses(rt, client, wanted)...)
		}
		if len(got) != 2 || !proto.Equal(got[0], got[1]) {
			rt.Fatalf("objects and rows differ:\n%s", cmp.Diff(got[0], got[1], protocmp.Transform()))
		}
		byID := func(a, b *connectorv1.Record) bool {
			return a.Id < b.Id || a.Id == b.Id && bytes.Compare(a.Object, b.Object) < 0
		}
		if diff := cmp.Diff(got[0], asTaken(rt, client, wanted), protocmp.Transform(), protocmp.SortRepeated(byID)); diff != "" {
			rt.Fatalf("objects, and rows that are sent as such (-want +got):\n%s", diff)
		}
	})
}

// asTaken reads once, as an agent that takes rows, and makes records of them.
func asTaken(t interface{ Fatal(...any) }, client connectorv1.ConnectorServiceClient, wanted []string) *connectorv1.ReadResponse {
	stream, err := client.Read(context.Background(), &connectorv1.ReadRequest{Attributes: wanted, Rows: true})
	if err != nil {
		t.Fatal(err)
	}
	all, batch := &connectorv1.ReadResponse{}, &sdk.Batch{}
	for all.End == nil {
		if err := stream.RecvMsg(batch); err != nil {
			t.Fatal(err)
		}
		for _, r := range batch.Response().Records { // what is not UTF-8 in a column that was not asked for
			all.Records = append(all.Records, proto.CloneOf(r))
		}
		all.Rejects, all.End = append(all.Rejects, batch.Response().Rejects...), batch.Response().End
		for _, row := range batch.Rows() {
			object, err := batch.Object(row)
			if err != nil {
				t.Fatal(err)
			}
			all.Records = append(all.Records, &connectorv1.Record{Id: row.Id, Object: object})
		}
	}
	return all
}

// Rows of several tables, and objects and rejects between them, arrive as what
// they are; only rows that are equal and of equal tables are equal.
func TestBatch_tables(t *testing.T) {
	t.Parallel()
	m := &memory{read: func(_ context.Context, _ sdk.Query, out *sdk.Sink) ([]byte, error) {
		tables := []*sdk.Rows{out.Rows("user", "hr.people", []string{"b", "a"}), out.Rows("user", "hr.old", []string{"b", "a"}), out.Rows("post", "hr.posts", []string{"b"})}
		var err error
		for i := range 1200 {
			row, table := sdk.Row{}, i/7%3
			row.Begin(fmt.Append(nil, i))
			for _, v := range []string{"one", "two"}[:2-table/2] {
				row.Text = append(row.Text, v...)
				row.End()
			}
			err = errors.Join(err, tables[table].Row(&row))
			if i%100 == 0 {
				err = errors.Join(err, out.Object(&sdk.Object{Class: "group", ID: fmt.Sprint("g", i)}), out.Gone(fmt.Sprint("x", i)), out.Reject("a place", "why", ""))
			}
		}
		return nil, err
	}}
	client := connkit.Open(t, connector(m), "", nil)
	stream, err := client.Read(t.Context(), &connectorv1.ReadRequest{Attributes: []string{"a", "b"}, Rows: true})
	if err != nil {
		t.Fatal(err)
	}
	batch, rows, others, commons := &sdk.Batch{}, 0, 0, map[string]bool{}
	for batch.Response().End == nil {
		if err := stream.RecvMsg(batch); err != nil {
			t.Fatal(err)
		}
		others += len(batch.Response().Records) + len(batch.Response().Rejects)
		for _, row := range batch.Rows() {
			object, err := batch.Object(row)
			if err != nil {
				t.Fatal(err)
			}
			var o connectorv1.Object
			if err := proto.Unmarshal(object, &o); err != nil {
				t.Fatal(err)
			}
			want := []*connectorv1.Object{
				{Class: "user", Address: "hr.people", Attributes: []*connectorv1.Attribute{{Name: "a", Values: []string{"two"}}, {Name: "b", Values: []string{"one"}}}},
				{Class: "user", Address: "hr.old", Attributes: []*connectorv1.Attribute{{Name: "a", Values: []string{"two"}}, {Name: "b", Values: []string{"one"}}}},
				{Class: "post", Address: "hr.posts", Attributes: []*connectorv1.Attribute{{Name: "b", Values: []string{"one"}}}},
			}[rows/7%3]
			want.Id = fmt.Sprint(rows)
			if diff := cmp.Diff(want, &o, protocmp.Transform()); diff != "" {
				t.Fatalf("row %d (-want +got):\n%s", rows, diff)
			}
			commons[string(batch.Common())] = true
			rows++
		}
	}
	if rows != 1200 || others != 36 || len(commons) != 3 {
		t.Errorf("%d rows of %d tables and %d others came; want 1200 of 3 and 36", rows, len(commons), others)
	}
}

// What no table has is refused in words for the connector's author.
func TestBatch_refuses(t *testing.T) {
	t.Parallel()
	row := func(values ...string) []byte {
		b, err := proto.Marshal(&connectorv1.Row{Id: "1", Values: values})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for want, r := range map[string]*connectorv1.ReadResponse{
		"has rows and no table":         {Rows: [][]byte{row("a")}},
		"not in ascending order":        {Rows: [][]byte{row("a", "b")}, Table: &connectorv1.Table{Attributes: []string{"b", "a"}}},
		"are not in ascending order":    {Table: &connectorv1.Table{Attributes: []string{"a", "a"}}},
		"not its first field":           {Rows: [][]byte{{0x12, 1, 'a', 0x0a, 1, '1'}}, Table: &connectorv1.Table{}},
		"has more values than the 1":    {Rows: [][]byte{row("a", "b")}, Table: &connectorv1.Table{Attributes: []string{"a"}}},
		"has 1 values, and its table 2": {Rows: [][]byte{row("a")}, Table: &connectorv1.Table{Attributes: []string{"a", "b"}}},
	} {
		batch, err := sdk.NewBatch(r)
		if err == nil && len(batch.Rows()) > 0 {
			_, err = batch.Object(batch.Rows()[0])
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v; want one with %q", r, err, want)
		}
	}
}

// responses reads once, by gRPC's own codec.
func responses(t interface{ Fatal(...any) }, client connectorv1.ConnectorServiceClient, wanted []string) (all []*connectorv1.ReadResponse) {
	stream, err := client.Read(context.Background(), &connectorv1.ReadRequest{Attributes: wanted})
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
}

// An agent that takes responses apart where they lie sees what gRPC would.
func TestBatch(t *testing.T) {
	t.Parallel()
	m := &memory{read: func(_ context.Context, _ sdk.Query, out *sdk.Sink) ([]byte, error) {
		o := sdk.Object{Class: "user", Attributes: []sdk.Attribute{{Name: "n", Values: []string{""}}}}
		for i := range 2000 {
			o.ID, o.Attributes[0].Values[0] = fmt.Sprint(i), strings.Repeat("x", i%300)
			err := out.Object(&o)
			if i%7 == 0 {
				err = errors.Join(err, out.Gone(fmt.Sprint("gone-", i)), out.Reject("line "+fmt.Sprint(i), "bad", ""))
			}
			if err != nil {
				return nil, err
			}
		}
		return []byte("cookie"), nil
	}}
	client := connkit.Open(t, connector(m), "", nil)
	want := responses(t, client, []string{"n"})
	stream, err := client.Read(t.Context(), &connectorv1.ReadRequest{Attributes: []string{"n"}})
	if err != nil {
		t.Fatal(err)
	}
	batch := &sdk.Batch{}
	for i := range want {
		if err := stream.RecvMsg(batch); err != nil {
			t.Fatal(err)
		}
		if got := batch.Response(); !proto.Equal(got, want[i]) {
			t.Fatalf("response %d: %s", i, cmp.Diff(want[i], got, protocmp.Transform()))
		}
	}
	if err := stream.RecvMsg(batch); !errors.Is(err, io.EOF) {
		t.Errorf("RecvMsg() at the end = %v; want EOF", err)
	}
}

// A connector may send anything: what protocol buffers do not take, a batch
// does not, and the rest it takes as they do.
func FuzzBatch(f *testing.F) {
	for _, r := range []*connectorv1.ReadResponse{
		{Records: []*connectorv1.Record{{Id: "1", Object: []byte("object")}, {Id: "é", Deleted: true}, {}}},
		{Table: &connectorv1.Table{Class: "user", Attributes: []string{"a", "b"}}, Rows: [][]byte{{0x0a, 1, '1', 0x12, 1, 'x', 0x12, 0}}},
		{Rejects: []*connectorv1.Reject{{Place: "line 1", Reason: "bad", Id: "1"}}},
		{End: &connectorv1.ReadEnd{Outcome: connectorv1.Outcome_OUTCOME_DONE, Cookie: []byte("c"), Fault: &connectorv1.Fault{Cause: "x"}}},
	} {
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x0a, 3, 0x0a, 1, 0xff})             // an id that is not UTF-8
	f.Add([]byte{0x0a, 2, 0x18, 0x00, 0x0b, 0x0c})    // a group
	f.Add([]byte{0x08, 1, 0x0a, 0x05, 'x'})           // other kinds, cut off
	f.Add([]byte{0x0a, 4, 0x08, 1, 0x12, 0, 0x0a, 0}) // an id of another kind
	batch := &sdk.Batch{}
	f.Fuzz(func(t *testing.T, wire []byte) {
		want := &connectorv1.ReadResponse{}
		wantErr := proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(wire, want)
		err := batch.Take(wire)
		if err != nil && wantErr == nil && (len(want.Rows) > 0 || want.Table != nil) {
			return // rows and table must fit each other, and there is one table at most
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("Take(%x) = %v; protocol buffers say %v", wire, err, wantErr)
		}
		if err != nil {
			return
		}
		for i, row := range batch.Rows() {
			var r connectorv1.Row
			object, err := batch.Object(row)
			if proto.Unmarshal(want.Rows[i], &r) != nil || err != nil {
				continue
			}
			var o connectorv1.Object
			if err := proto.Unmarshal(object, &o); err == nil && (len(o.Attributes) != len(r.Values) || o.Id != r.Id && bytes.Count(want.Rows[i], []byte{0x0a}) == 1) {
				t.Fatalf("Take(%x): row %v became %v", wire, &r, &o)
			}
		}
		want.Table, want.Rows = nil, nil
		if got := batch.Response(); !proto.Equal(got, want) {
			t.Fatalf("Take(%x): %s", wire, cmp.Diff(want, got, protocmp.Transform()))
		}
	})
}
