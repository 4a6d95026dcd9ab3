package runner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/drawbridge-id/drawbridge/agent/host"
	"github.com/drawbridge-id/drawbridge/agent/snapshot"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	batchBytes   = 120 << 10 // of records in one frame, which has room in a buffer of 128 KiB
	batchRecords = 500
)

// read runs a read: what the connector brings is compared with what is known,
// and only what changed goes into the spool. When the spool is full this
// waits, and with it, by flow control, the connector.
func (l *lane) read(ctx context.Context, t *task, p *host.Process, r *linkv1.Read) (*linkv1.Result, *putOff, error) {
	if !p.Can(connectorv1.Capability_CAPABILITY_READ) {
		return refuse(t.job, connectorv1.Outcome_OUTCOME_INVALID, &connectorv1.Fault{
			Cause:    fmt.Sprintf("connector %q cannot read", l.system.GetConnector()),
			NextStep: "Remove the read from the system's configuration.",
		}), nil, nil
	}
	known, err := l.snapshot(r)
	if err != nil {
		return nil, nil, err
	}
	defer known.Close()
	in := &intake{lane: l, job: t.job, allow: l.spare.take()}
	if l.Parent != nil {
		in.trace = l.Parent(ctx)
	}
	defer l.spare.give(in.allow)
	full := r.GetFull() || r.GetResend() || !p.Can(connectorv1.Capability_CAPABILITY_DELTA)
	end, err := in.run(ctx, p, known, r, full)
	if err == nil && end.GetResync() { // the connector cannot go on from the cookie
		l.Log.InfoContext(ctx, "Everything is read again, the cookie was refused", "system", l.system.GetName())
		end, err = in.run(ctx, p, known, r, true)
	}
	var disk *diskError
	switch {
	case errors.As(err, &disk) && (errors.Is(disk.err, spool.ErrFull) || errors.Is(disk.err, syscall.ENOSPC)):
		t.fault = diskFull(disk.err)
		return nil, &putOff{fault: t.fault}, nil
	case errors.As(err, &disk):
		return nil, nil, disk.err
	case err != nil:
		result, put := l.failed(ctx, t, err)
		if result != nil { // a read changes nothing: it is not unknown whether it happened
			result.Outcome = connectorv1.Outcome_OUTCOME_UNAVAILABLE
		}
		return result, put, nil
	case end.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE:
	default:
		if put := l.again(t, end.GetOutcome(), end.GetFault()); put != nil {
			return nil, put, nil
		}
	}
	return &linkv1.Result{Outcome: end.GetOutcome(), Fault: end.GetFault(), Read: in.summary}, nil, nil
}

// snapshot opens what is known of the classes of a read. Classes have
// snapshots of their own: reading one says nothing about what vanished of another.
func (l *lane) snapshot(r *linkv1.Read) (*snapshot.Snapshot, error) {
	dir := l.snapshots()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for snapshots: %w", err)
	}
	known, err := snapshot.Open(dir, name(r))
	if errors.Is(err, snapshot.ErrDamaged) {
		l.Log.Error("Snapshot was damaged; everything is sent again, what vanished meanwhile is not noticed", "system", l.system.GetName(), "err", err)
		known, err = snapshot.Open(dir, name(r))
	}
	return known, err
}

// name names a read, and its snapshot, by its classes.
func name(r *linkv1.Read) string {
	return strings.Join(slices.Sorted(slices.Values(r.GetClasses())), ",")
}

// snapshots is the folder of the system's snapshots.
func (l *lane) snapshots() string {
	return filepath.Join(l.Snapshots, snapshot.FileName(l.system.GetName()))
}

// An intake is one read on its way into the spool.
type intake struct {
	*lane
	job     *linkv1.Job
	allow   allowed
	summary *linkv1.ReadSummary
	batch   *linkv1.Records
	size    int
	trace   string // traceparent of the read
}

// diskError is an error of spool or snapshot, not of the connector.
type diskError struct{ err error }

func (d *diskError) Error() string { return d.err.Error() }

func onDisk(err error) error {
	if err == nil {
		return nil
	}
	return &diskError{err}
}

// run reads once, from the cookie unless full. What was forwarded of a read
// that broke off is remembered, so that it is not sent again.
func (in *intake) run(ctx context.Context, p *host.Process, known *snapshot.Snapshot, r *linkv1.Read, full bool) (*connectorv1.ReadEnd, error) {
	attributes := in.allow.among(r.GetAttributes())
	set := in.set(r, attributes)
	var cookie []byte
	if !full {
		cookie = known.Cookie(set)
		full = len(cookie) == 0
	}
	told, err := in.Spool.Told(ctx, in.system.GetName(), name(r))
	if err != nil {
		return nil, onDisk(err)
	}
	opt := snapshot.Options{Full: full, Resend: r.GetResend(), Told: told.Has}
	// What the others have told of is not known here: all that a delta names is sent, and where there are no deltas, all that they may have written.
	if in.severalAgents() && (!full || len(in.system.GetWrites()) > 0 && len(known.Cookie(set)) == 0) {
		opt.Told = func(string) bool { return true }
	}
	compare, err := known.Begin(set, opt)
	if err != nil {
		return nil, onDisk(err)
	}
	defer compare.Discard()
	in.summary = &linkv1.ReadSummary{Full: full}
	if full {
		in.summary.Known = uint64(compare.Known())
	}
	in.begin()
	end, err := p.Read(ctx, &connectorv1.ReadRequest{Classes: r.GetClasses(), Attributes: attributes, Cookie: cookie, Rows: true},
		func(batch *host.Batch) error { return in.take(ctx, compare, batch) })
	var disk *diskError
	if errors.As(err, &disk) {
		return nil, err
	}
	if err == nil && end.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
		err := in.complete(ctx, compare, full, end.GetCookie())
		if err == nil {
			err = in.Spool.TakeIn(ctx, in.system.GetName(), name(r), told)
		}
		return end, onDisk(err)
	}
	if flushErr := in.flush(ctx); flushErr == nil {
		if commitErr := compare.CommitPartial(); commitErr != nil {
			return nil, onDisk(commitErr)
		}
	}
	in.count(compare)
	return end, err
}

// set describes all that the cookie and the fingerprints are good for.
func (in *intake) set(r *linkv1.Read, attributes []string) []byte {
	text, _ := json.Marshal([]any{in.system.GetSettings(), slices.Sorted(slices.Values(r.GetClasses())), attributes}) // texts alone: cannot fail
	sum := sha256.Sum256(text)
	return sum[:]
}

// take forwards what is new in one response. The batch is the host's; what
// changed, which is seldom much, is kept.
func (in *intake) take(ctx context.Context, compare *snapshot.Read, batch *host.Batch) error {
	response := batch.Response()
	changed, err := compare.Filter(nil, response.GetRecords())
	if err != nil {
		return onDisk(err)
	}
	for _, r := range changed {
		if err := in.pass(ctx, &connectorv1.Record{Id: r.GetId(), Object: bytes.Clone(r.GetObject()), Deleted: r.GetDeleted()}); err != nil {
			return err
		}
	}
	if changed, err = compare.Filter(batch.Common(), batch.Rows()); err != nil {
		return onDisk(err)
	}
	for _, row := range changed {
		object, err := batch.Object(row)
		if err != nil {
			return err
		}
		if err := in.pass(ctx, &connectorv1.Record{Id: row.GetId(), Object: object}); err != nil {
			return err
		}
	}
	for _, reject := range response.GetRejects() {
		in.summary.Rejected++
		in.batch.Rejects = append(in.batch.Rejects, reject)
		in.size += len(reject.GetPlace()) + len(reject.GetReason()) + len(reject.GetId()) + 16
	}
	return in.flushFull(ctx)
}

// complete names what vanished and makes the read the known state, after all
// of it is in the spool.
func (in *intake) complete(ctx context.Context, compare *snapshot.Read, full bool, cookie []byte) error {
	if full {
		for id, err := range compare.Gone() {
			if err != nil {
				return err
			}
			if err := in.forward(ctx, &connectorv1.Record{Id: id, Deleted: true}); err != nil {
				return err
			}
		}
	}
	if err := in.flush(ctx); err != nil {
		return err
	}
	if err := compare.Commit(cookie); err != nil {
		return err
	}
	in.count(compare)
	return nil
}

func (in *intake) count(compare *snapshot.Read) {
	in.summary.Seen, in.summary.Changed, in.summary.Deleted =
		uint64(compare.Seen()), uint64(compare.Changed()), uint64(compare.Deleted())
}

func (in *intake) begin() {
	in.batch = &linkv1.Records{Job: in.job.GetId(), System: in.system.GetName(), Trace: in.trace}
	in.size = 0
}

// pass forwards a record, without what may not leave the site.
func (in *intake) pass(ctx context.Context, record *connectorv1.Record) error {
	if !in.permit(in.allow, record) {
		return nil
	}
	return in.forward(ctx, record)
}

func (in *intake) forward(ctx context.Context, record *connectorv1.Record) error {
	in.batch.Records = append(in.batch.Records, record)
	in.size += len(record.GetId()) + len(record.GetObject()) + 16
	return in.flushFull(ctx)
}

func (in *intake) flushFull(ctx context.Context) error {
	if in.size < batchBytes && len(in.batch.Records) < batchRecords {
		return nil
	}
	return in.flush(ctx)
}

// flush puts the batch into the spool.
func (in *intake) flush(ctx context.Context) error {
	if len(in.batch.Records)+len(in.batch.Rejects) == 0 {
		return nil
	}
	err := in.Spool.PutRecords(ctx, in.batch)
	if err != nil && ctx.Err() == nil {
		err = onDisk(err)
	}
	in.begin()
	return err
}

// diskFull is what people are told while the agent takes no new work.
func diskFull(err error) *connectorv1.Fault {
	return &connectorv1.Fault{Cause: "the disk of the agent's host is full: no new job is taken and nothing is read, what is under way is finished: " + err.Error(),
		NextStep: "Make room on that disk; the agent goes on by itself."}
}
