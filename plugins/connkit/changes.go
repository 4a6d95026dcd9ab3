package connkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// edits changes the system: n objects are made and deleted again.
func (k *kit) edits(ctx context.Context, n int) error {
	if needsCreate(k) != "" {
		return k.run(ctx, k.Edit)
	}
	for range n {
		_, done, err := k.make(ctx)
		if err != nil {
			return err
		}
		defer done()
	}
	return nil
}

// readsBeside is how many reads are made while the system is edited, at least,
// and editsBeside how often it is edited meanwhile.
const readsBeside, editsBeside = 5, 3

func readsWhileEdited(ctx context.Context, k *kit) error {
	before, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	if len(before.objects) <= maxRecords {
		k.notef("the system holds %d objects; more than a page of it would try this harder", len(before.objects))
	}
	// The reads are in a process of their own: the writer is somebody else.
	p, err := k.open(ctx, nil)
	if err != nil {
		return err
	}
	defer p.kill()
	stop, edited := make(chan struct{}), make(chan error, 1)
	var rounds atomic.Int64
	go func() {
		for {
			err := k.edits(ctx, 2)
			rounds.Add(1)
			if err != nil {
				edited <- err
				return
			}
			select {
			case <-stop:
				edited <- nil
				return
			default:
			}
		}
	}()
	var reads []*page
	for began := time.Now(); len(reads) < readsBeside || rounds.Load() < editsBeside && time.Since(began) < k.wait(); {
		var r *page
		if r, err = k.read(ctx, p, k.query(), nil); err != nil {
			break
		}
		if reads = append(reads, r); len(reads) > 2*readsBeside {
			reads = reads[1:] // quick reads of a slow system: the last ones count
		}
	}
	close(stop)
	if err := errors.Join(err, <-edited); err != nil {
		return err
	}
	after, err := k.readAll(ctx, k.p, k.query(), nil)
	if err != nil {
		return err
	}
	var faults []error
	for _, r := range reads {
		if r.end.GetOutcome() != sdk.OutcomeDone {
			k.notef("a read ended %v, as it may: nothing is taken as deleted then", r.end.GetOutcome())
			continue
		}
		for id := range before.objects {
			if after.objects[id] != nil && r.objects[id] == nil {
				faults = append(faults, fmt.Errorf("object %q was there before, during and after a read, and is not in it", id))
			}
		}
		for _, id := range r.twice {
			faults = append(faults, fmt.Errorf("object %q is in a read twice", id))
		}
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
		delta, err := k.read(ctx, k.p, q, nil)
		if err != nil {
			return err
		}
		if delta.end.GetResync() {
			return nil // it knows that something is gone and not what: a full read follows
		}
		if delta.end.GetOutcome() != sdk.OutcomeDone {
			return fmt.Errorf("a read ended %v: %s", delta.end.GetOutcome(), delta.end.GetFault().GetCause())
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

// watchWait is how soon a change must be noticed; a file on a network share is
// looked at every ten seconds.
const watchWait = 30 * time.Second

func watches(ctx context.Context, k *kit) error {
	ctx, cancel := context.WithTimeoutCause(ctx, watchWait, fmt.Errorf("nothing was noticed within %s of a change", watchWait))
	defer cancel()
	stream, err := k.p.Watch(ctx, &connectorv1.WatchRequest{})
	if err != nil {
		return fmt.Errorf("call Watch: %w", err)
	}
	noticed := make(chan error, 1)
	go func() { noticed <- hear(stream) }()
	// The call may need a moment to begin, so the change is repeated.
	for {
		if err := k.edits(ctx, 1); err != nil {
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
