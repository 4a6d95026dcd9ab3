package connkit

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// few keeps a list of faults readable.
func few(faults []error) error {
	if rest := len(faults) - 5; rest > 0 {
		faults = append(faults[:5:5], fmt.Errorf("and %d more", rest))
	}
	return errors.Join(faults...)
}

func readsValues(ctx context.Context, k *kit) error {
	r, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	if len(r.objects) == 0 {
		return fmt.Errorf("the read gives no object of class %q; the system of the test must hold some", k.Class)
	}
	var faults []error
	for _, id := range r.twice {
		faults = append(faults, fmt.Errorf("id %q came twice in one read", id))
	}
	for _, id := range slices.Sorted(maps.Keys(r.objects)) {
		faults = append(faults, k.form(r.objects[id])...)
	}
	unlike := map[string]int{}
	for _, o := range r.objects {
		for _, v := range valuesOf(o, k.Attributes[0]) {
			unlike[v]++
		}
	}
	if len(unlike) == 0 {
		faults = append(faults, fmt.Errorf("no object shows attribute %q, the first of those in test.yaml", k.Attributes[0]))
	}
	return few(faults)
}

var whole = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// form checks one object against the schema.
func (k *kit) form(o *connectorv1.Object) (faults []error) {
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("object %q: "+format, append([]any{o.GetId()}, args...)...))
	}
	if o.GetClass() != k.Class {
		bad("has class %q; asked was for %q", o.GetClass(), k.Class)
	}
	last := ""
	for _, a := range o.GetAttributes() {
		if a.GetName() <= last {
			bad("attribute %q comes after %q; want ascending names, each once", a.GetName(), last)
		}
		last = a.GetName()
		t := k.attribute(a.GetName())
		if t == nil {
			bad("attribute %q is not in the schema", a.GetName())
			continue
		}
		if !t.GetMulti() && len(a.GetValues()) > 1 {
			bad("attribute %q has %d values; the schema says one", a.GetName(), len(a.GetValues()))
		}
		for _, v := range a.GetValues() {
			if fault := misfit(t.GetType(), v); fault != "" {
				bad("value %.40q of attribute %q is %s", v, a.GetName(), fault)
			}
		}
	}
	return faults
}

// misfit says how a value is not as its type has it, or nothing.
func misfit(t connectorv1.Type, v string) string {
	switch t {
	case connectorv1.Type_TYPE_INTEGER:
		if !whole.MatchString(v) {
			return "no decimal integer"
		}
	case connectorv1.Type_TYPE_BOOLEAN:
		if v != "true" && v != "false" {
			return `neither "true" nor "false"`
		}
	case connectorv1.Type_TYPE_TIMESTAMP:
		if _, err := time.Parse(time.RFC3339Nano, v); err != nil || !strings.HasSuffix(v, "Z") {
			return "no time of RFC 3339 in UTC (…Z)"
		}
	case connectorv1.Type_TYPE_BINARY:
		if _, err := base64.StdEncoding.Strict().DecodeString(v); err != nil {
			return "no standard base64 with padding"
		}
	case connectorv1.Type_TYPE_REFERENCE:
		if v == "" {
			return "no native id"
		}
	}
	return ""
}

func readsTheSame(ctx context.Context, k *kit) error {
	a, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	b, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	var faults []error
	for id := range a.objects {
		switch {
		case b.objects[id] == nil:
			faults = append(faults, fmt.Errorf("object %q is in the first read and not in the second", id))
		case !bytes.Equal(a.encoded[id], b.encoded[id]):
			faults = append(faults, fmt.Errorf("object %q differs: first %.200s, then %.200s", id, a.objects[id], b.objects[id]))
		}
	}
	for id := range b.objects {
		if a.objects[id] == nil {
			faults = append(faults, fmt.Errorf("object %q is in the second read and not in the first", id))
		}
	}
	return few(faults)
}

func readsOnlyAsked(ctx context.Context, k *kit) error {
	asked := k.Attributes[0]
	r, err := k.readAll(ctx, k.p, k.query(strings.ToUpper(asked)), nil)
	if err != nil {
		return err
	}
	var faults []error
	some := false
	for id, o := range r.objects {
		for _, a := range o.GetAttributes() {
			if some = some || len(a.GetValues()) > 0; !strings.EqualFold(a.GetName(), asked) {
				faults = append(faults, fmt.Errorf("asked for %q alone, object %q shows %q", asked, id, a.GetName()))
			}
		}
	}
	if !some {
		faults = append(faults, fmt.Errorf("asked for %q, spelled %q, no object shows it; names are compared without regard to case", asked, strings.ToUpper(asked)))
	}
	strange := k.query()
	strange.Classes = []string{"no such class"}
	if r, err := k.read(ctx, k.p, strange, nil); err != nil {
		faults = append(faults, fmt.Errorf("a read of a class that is not there breaks: %w", err))
	} else if len(r.objects) > 0 {
		faults = append(faults, fmt.Errorf("a read of a class that is not there gives %d objects", len(r.objects)))
	}
	return few(faults)
}

// maxRecords in one response: "a few hundred", generously.
const maxRecords = 1000

func readsInBatches(ctx context.Context, k *kit) error {
	r, err := k.readAll(ctx, k.p, k.query(), nil)
	if err == nil && r.largest > maxRecords {
		err = fmt.Errorf("a response held %d records; want at most a few hundred", r.largest)
	}
	return err
}

// cancelWait is how long a read that was given up may go on.
const cancelWait = 10 * time.Second

func outlivesCancel(ctx context.Context, k *kit) error {
	for range 3 {
		callCtx, cancel := context.WithCancel(ctx)
		stream, err := k.p.Read(callCtx, k.query())
		if err == nil {
			_, err = stream.Recv()
		}
		cancel()
		for err == nil {
			_, err = stream.Recv()
		}
	}
	began := time.Now()
	if _, err := k.readAll(ctx, k.p, k.query(), nil); err != nil {
		return fmt.Errorf("after a read that was given up, the next fails: %w", err)
	}
	if took := time.Since(began); took > cancelWait {
		return fmt.Errorf("after reads that were given up, the next took %v", took)
	}
	return nil
}

// edits changes the system while its work goes on: objects are made and
// deleted. It returns the ids that came or went.
func (k *kit) edits(ctx context.Context, n int) (touched map[string]bool, err error) {
	touched = map[string]bool{}
	if needsCreate(k) != "" {
		return touched, k.run(ctx, k.Edit)
	}
	for i := range n {
		made, done, err := k.make(ctx)
		if err != nil {
			return touched, err
		}
		touched[made.id] = true
		if i%2 == 0 {
			done()
		} else {
			defer done()
		}
	}
	return touched, nil
}

func readsWhileEdited(ctx context.Context, k *kit) error {
	before, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	// The read is in a process of its own: the writer is somebody else.
	p, err := k.open(ctx, nil)
	if err != nil {
		return err
	}
	defer p.kill()
	edited, touched := false, map[string]bool{}
	r, err := k.read(ctx, p, k.query(), func(*page) (err error) {
		if !edited {
			edited = true
			touched, err = k.edits(ctx, 6)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !edited {
		if _, err := k.edits(ctx, 2); err != nil {
			return err
		}
		k.notef("all %d objects came in one response, so nothing could be edited in between; more than 1,000 objects would try this harder", len(r.objects))
	}
	if r.end.GetOutcome() != sdk.OutcomeDone {
		k.notef("the read ended %v, as it may: nothing is taken as deleted then", r.end.GetOutcome())
		return nil
	}
	after, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	var faults []error
	for id := range before.objects {
		if after.objects[id] != nil && r.objects[id] == nil && !touched[id] {
			faults = append(faults, fmt.Errorf("object %q was there before, during and after the read, and is not in it", id))
		}
	}
	for _, id := range r.twice {
		faults = append(faults, fmt.Errorf("object %q is in the read twice", id))
	}
	return few(faults)
}

func readsNoChanges(ctx context.Context, k *kit) error {
	full, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	if len(full.end.GetCookie()) == 0 {
		return errors.New("the full read gave no cookie to continue from")
	}
	q := k.query()
	q.Cookie = full.end.GetCookie()
	r, err := k.readAll(ctx, k.p, q, nil)
	if err != nil {
		return err
	}
	var faults []error
	if len(r.objects) > 0 || len(r.gone) > 0 {
		faults = append(faults, fmt.Errorf("nothing had changed, and the delta gave %d objects and %d deletions", len(r.objects), len(r.gone)))
	}
	if len(r.end.GetCookie()) == 0 {
		faults = append(faults, errors.New("the delta gave no cookie to continue from"))
	}
	for _, strange := range []string{"no cookie of yours", "\x00\xff\xfe", strings.Repeat("9", 4000)} {
		q.Cookie = []byte(strange)
		r, err := k.read(ctx, k.p, q, nil)
		if err != nil || !r.end.GetResync() || r.end.GetOutcome() != sdk.OutcomeConflict {
			faults = append(faults, fmt.Errorf("a read from the cookie %.20q ended %v, %v; want CONFLICT and resync", strange, r.ended(), err))
		}
	}
	return errors.Join(faults...)
}

func (r *page) ended() string {
	if r == nil {
		return "not at all"
	}
	return fmt.Sprintf("%v, resync %v", r.end.GetOutcome(), r.end.GetResync())
}

func readsChanges(ctx context.Context, k *kit) error {
	stays, gone, cleanUp, err := k.twoMore(ctx)
	if err != nil {
		return err
	}
	defer cleanUp()
	before, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	fresh, done, err := k.change(ctx, stays, gone)
	if err != nil {
		return err
	}
	defer done()
	q := k.query()
	q.Cookie = before.end.GetCookie()
	// A system may show a change to its delta a little later than to a read.
	deadline := time.Now().Add(10 * time.Second)
	for {
		delta, err := k.readAll(ctx, k.p, q, nil)
		if err != nil {
			return err
		}
		after, err := k.readAll(ctx, k.p, k.query(), nil)
		if err != nil {
			return err
		}
		faults := differs(before, delta, after)
		if fresh != "" && after.objects[fresh] == nil {
			faults = append(faults, fmt.Errorf("object %q was created and is not in a full read", fresh))
		}
		if len(faults) == 0 {
			return nil
		}
		if time.Now().After(deadline) || delta.end.GetCookie() == nil {
			return few(faults)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// twoMore makes, where it can, one object to change and one to delete.
func (k *kit) twoMore(ctx context.Context) (stays, gone item, done func(), err error) {
	done = func() {}
	if needsCreate(k) != "" {
		return stays, gone, done, nil
	}
	if stays, done, err = k.make(ctx); err == nil {
		gone, _, err = k.make(ctx)
	}
	return stays, gone, done, err
}

// change makes an object, changes one and deletes one; or edits from outside.
func (k *kit) change(ctx context.Context, stays, gone item) (fresh string, done func(), err error) {
	done = func() {}
	if needsCreate(k) != "" {
		return "", done, k.run(ctx, k.Edit)
	}
	made, done, err := k.make(ctx)
	if err != nil {
		return "", done, err
	}
	if name, values, ok := k.sample(); ok && k.can(sdk.CanModify) {
		o, err := k.one(ctx, stays, name)
		if err != nil {
			return "", done, err
		}
		want := values[0]
		if sameValues(want, valuesOf(o, name)) {
			want = values[1]
		}
		if _, err := k.want(ctx, modification(k.Class, stays.id, &connectorv1.Change{Name: name, Expect: valuesOf(o, name), Want: want}),
			"modify "+name, sdk.OutcomeDone, false); err != nil {
			return "", done, err
		}
	}
	k.remove(ctx, gone.id)
	return made.id, done, nil
}

// differs compares a delta with the full reads before and after it.
func differs(before, delta, after *page) (faults []error) {
	for id := range after.objects {
		changed := !bytes.Equal(before.encoded[id], after.encoded[id])
		switch got := delta.encoded[id]; {
		case changed && got == nil:
			faults = append(faults, fmt.Errorf("object %q has changed and is not in the delta", id))
		case got != nil && !bytes.Equal(got, after.encoded[id]):
			faults = append(faults, fmt.Errorf("object %q in the delta is not as a full read shows it: %.200s, and %.200s", id, delta.objects[id], after.objects[id]))
		}
		if slices.Contains(delta.gone, id) {
			faults = append(faults, fmt.Errorf("object %q is there, and the delta says it is gone", id))
		}
	}
	for id := range before.objects {
		if after.objects[id] == nil && !slices.Contains(delta.gone, id) {
			faults = append(faults, fmt.Errorf("object %q was deleted, and the delta does not say so", id))
		}
	}
	return faults
}

func finds(ctx context.Context, k *kit) error {
	r, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	name := k.Attributes[0]
	var faults []error
	tried := 0
	for _, id := range slices.Sorted(maps.Keys(r.objects)) {
		values := valuesOf(r.objects[id], name)
		if len(values) == 0 {
			continue
		}
		found, err := k.find(ctx, k.p, name, values[0], k.Attributes...)
		switch {
		case err != nil:
			return err
		case len(found) != 1 || found[0].GetId() != id:
			faults = append(faults, fmt.Errorf("%s=%q finds %d objects; a read shows %q to have it, and no other", name, values[0], len(found), id))
		case !sameObject(found[0], r.objects[id]):
			faults = append(faults, fmt.Errorf("object %q is %.200s as it is found, and %.200s as it is read", id, found[0], r.objects[id]))
		}
		if tried++; tried == 20 {
			break
		}
	}
	for _, value := range []string{"nobody has this value", `*)(x=*`, `\2a`, "*", "' OR '1'='1", "'; --", `" or true or "`, "%", "_"} {
		found, err := k.find(ctx, k.p, name, value, k.Attributes...)
		if err != nil {
			faults = append(faults, err)
		} else if len(found) > 0 {
			faults = append(faults, fmt.Errorf("%s=%q finds %d objects; want none", name, value, len(found)))
		}
	}
	return few(faults)
}

func sameObject(a, b *connectorv1.Object) bool {
	return slices.EqualFunc(a.GetAttributes(), b.GetAttributes(), func(a, b *connectorv1.Attribute) bool {
		return a.GetName() == b.GetName() && slices.Equal(a.GetValues(), b.GetValues())
	}) && a.GetId() == b.GetId() && a.GetClass() == b.GetClass()
}

// watchWait is how soon a change must be noticed; a file on a network share is
// looked at every ten seconds.
const watchWait = 30 * time.Second

func watches(ctx context.Context, k *kit) error {
	ctx, cancel := context.WithTimeoutCause(ctx, watchWait, fmt.Errorf("nothing was noticed within %s of a change", watchWait))
	defer cancel()
	stream, err := k.p.Watch(ctx, &connectorv1.WatchRequest{})
	if err != nil {
		return fmt.Errorf("Watch: %w", err)
	}
	noticed := make(chan error, 1)
	go func() { noticed <- hear(stream) }()
	// The call may need a moment to begin, so the change is repeated.
	for {
		if _, err := k.edits(ctx, 1); err != nil {
			return err
		}
		t := time.NewTimer(2 * time.Second)
		select {
		case err := <-noticed:
			t.Stop()
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		case <-t.C:
		}
	}
}

func hear(stream grpc.ServerStreamingClient[connectorv1.WatchResponse]) error {
	r, err := stream.Recv()
	if err == nil && r.GetNoticed() == nil {
		err = errors.New("a change was noticed without the time of it")
	}
	return err
}
