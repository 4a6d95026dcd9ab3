package connkit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

func outlivesCancelledWrites(ctx context.Context, k *kit) error {
	var faults []error
	for n := range 5 {
		op, anchor := k.create()
		callCtx, cancel := context.WithTimeout(ctx, time.Duration(n*n)*time.Millisecond)
		_, _ = k.apply(callCtx, k.p, op) // whatever comes of it
		cancel()
		r, err := k.applyAgain(ctx, op)
		if err != nil || r.GetOutcome() != sdk.OutcomeDone {
			faults = append(faults, fmt.Errorf("a create that was given up after %d ms, again: %s%s", n*n, said(r), also(err)))
			continue
		}
		faults = append(faults, k.madeOnce(ctx, anchor))
	}
	return errors.Join(faults...)
}

// applyAgain carries out an operation after one that was lost, as an agent
// does: while it cannot be known, or not be done now, it is tried again.
func (k *kit) applyAgain(ctx context.Context, op *connectorv1.Operation) (r *connectorv1.ApplyResponse, err error) {
	for range 5 {
		r, err = k.apply(ctx, k.p, op)
		if err != nil || r.GetOutcome() != sdk.OutcomeUnknown && r.GetOutcome() != sdk.OutcomeUnavailable {
			break
		}
		if err = pause(ctx, 200*time.Millisecond); err != nil {
			break
		}
	}
	return r, err
}

// madeOnce checks that there is one object with the anchor, and removes it.
func (k *kit) madeOnce(ctx context.Context, anchor string) error {
	all, err := k.with(ctx, k.p, anchor)
	for _, o := range all {
		k.remove(ctx, o.GetId())
	}
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("there are %d objects with %s=%q; want one", len(all), k.Create.Anchor, anchor)
	}
	return err
}

// outlivesKills kills the process ever later in a create, until a create is
// through before it; then once in each other call there is.
func outlivesKills(ctx context.Context, k *kit) error {
	var faults []error
	for n, wait := 0, time.Duration(0); n < 12; n, wait = n+1, wait*2+200*time.Microsecond {
		op, anchor := k.create()
		answered, err := k.killAt(ctx, wait, op)
		if err != nil {
			return err
		}
		if err := k.ready(ctx); err != nil {
			return fmt.Errorf("after a kill %v into a create, the next process: %w", wait, err)
		}
		r, err := k.applyAgain(ctx, op)
		if err != nil || r.GetOutcome() != sdk.OutcomeDone {
			return fmt.Errorf("killed %v into a create; the next process, asked again: %s%s", wait, said(r), also(err))
		}
		if answered && !r.GetUnchanged() {
			faults = append(faults, errors.New("a create was answered, the process killed, and the next made the object once more"))
		}
		if answered {
			faults = append(faults, k.killEach(ctx, r.GetObject().GetId()))
		}
		faults = append(faults, k.madeAtMostOnce(ctx, anchor))
		if answered {
			break
		}
	}
	return errors.Join(faults...)
}

// killEach kills the process in each call that the object can be asked for;
// the next process, asked the same, must bring it to its end.
func (k *kit) killEach(ctx context.Context, id string) error {
	var faults []error
	try := func(what string, op *connectorv1.Operation) {
		op.Class, op.Id = k.Class, id
		if _, err := k.killAt(ctx, time.Millisecond, op); err != nil {
			faults = append(faults, err)
			return
		}
		if err := k.ready(ctx); err != nil {
			faults = append(faults, fmt.Errorf("after a kill in %s, the next process: %w", what, err))
			return
		}
		// A change may be in conflict with what the first attempt has written.
		r, err := k.applyAgain(ctx, op)
		if err != nil || r.GetOutcome() != sdk.OutcomeDone && (op.GetModify() == nil || r.GetOutcome() != sdk.OutcomeConflict) {
			faults = append(faults, fmt.Errorf("killed in %s; the next process, asked again: %s%s", what, said(r), also(err)))
		}
	}
	if name, values, ok := k.sample(); ok && k.can(sdk.CanModify) {
		try("a change of "+name, modification("", "", &connectorv1.Change{Name: name, Want: values[0]}))
	}
	if k.can(sdk.CanSetPassword) {
		try("a set password", &connectorv1.Operation{Verb: &connectorv1.Operation_SetPassword{SetPassword: &connectorv1.SetPassword{Rule: &connectorv1.PasswordRule{Length: 24}}}})
	}
	if k.can(sdk.CanSetEnabled) {
		try("a disable", &connectorv1.Operation{Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{Enabled: false}}})
	}
	if k.can(sdk.CanRead) {
		faults = append(faults, k.killRead(ctx))
	}
	if k.can(sdk.CanDelete) {
		try("a delete", deletion("", ""))
	}
	return errors.Join(faults...)
}

// killRead kills the process in a read; the next reads everything.
func (k *kit) killRead(ctx context.Context) error {
	if err := k.ready(ctx); err != nil {
		return err
	}
	p := k.p
	k.p = nil
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = k.read(ctx, p, k.query(), nil) // it is killed
	}()
	err := pause(ctx, time.Millisecond)
	p.kill()
	<-done
	if err == nil {
		err = k.ready(ctx)
	}
	if err == nil {
		_, err = k.readAll(ctx, k.p, k.query(), nil)
	}
	if err != nil {
		return fmt.Errorf("after a kill in a read, the next process: %w", err)
	}
	return nil
}

func (k *kit) madeAtMostOnce(ctx context.Context, anchor string) error {
	all, err := k.with(ctx, k.p, anchor)
	for _, o := range all {
		k.remove(ctx, o.GetId())
	}
	if err == nil && len(all) > 1 {
		err = fmt.Errorf("after a kill there are %d objects with %s=%q", len(all), k.Create.Anchor, anchor)
	}
	return err
}

// killAt sends an operation and kills the process after wait. It tells whether
// the answer came before.
func (k *kit) killAt(ctx context.Context, wait time.Duration, op *connectorv1.Operation) (answered bool, err error) {
	if err := k.ready(ctx); err != nil {
		return false, err
	}
	p := k.p
	k.p = nil
	done := make(chan bool, 1)
	go func() {
		r, err := k.apply(ctx, p, op)
		done <- err == nil && r.GetOutcome() == sdk.OutcomeDone
	}()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case answered = <-done:
		p.kill()
	case <-t.C:
		p.kill()
		answered = <-done
	}
	return answered, nil
}

func slowsDown(ctx context.Context, k *kit) error {
	if err := k.run(ctx, k.Limited.Prepare); err != nil {
		return fmt.Errorf("prepare the system that says slow down: %w", err)
	}
	p, err := k.open(ctx, k.Limited.Settings)
	if err != nil {
		return err
	}
	defer p.kill()
	var faults []error
	slowed := 0
	judge := func(what string, outcome sdk.Outcome, f *connectorv1.Fault, took time.Duration) {
		switch asked := k.Limited.Pause; {
		case outcome == sdk.OutcomeUnavailable && asked > 0 && f.GetRetryAfter().AsDuration() < asked:
			faults = append(faults, fmt.Errorf("%s: the system asks for a pause of %v, the fault has retry_after %v", what, asked, f.GetRetryAfter().AsDuration()))
			slowed++
		case outcome == sdk.OutcomeUnavailable || took >= asked && asked > 0:
			slowed++
		case outcome != sdk.OutcomeDone:
			faults = append(faults, fmt.Errorf("%s: %v (%s); want UNAVAILABLE, or DONE after the pause", what, outcome, f.GetCause()))
		}
	}
	for range 4 {
		if k.can(sdk.CanRead) {
			began := time.Now()
			r, err := k.read(ctx, p, k.query(), nil)
			if err != nil {
				return err
			}
			judge("read", r.end.GetOutcome(), r.end.GetFault(), time.Since(began))
		}
		if needsCreate(k) == "" {
			op, _ := k.create()
			began := time.Now()
			r, err := k.apply(ctx, p, op)
			if err != nil {
				return err
			}
			judge("create", r.GetOutcome(), r.GetFault(), time.Since(began))
			k.remove(ctx, r.GetObject().GetId())
		}
	}
	if slowed == 0 {
		faults = append(faults, errors.New("no call was slowed down or refused: does the system of limited really limit?"))
	}
	return errors.Join(faults...)
}

func boundsMemory(ctx context.Context, k *kit) error {
	want, bound := k.Large.Objects, k.Large.Memory
	if want == 0 {
		want = 1_000_000
	}
	if bound == 0 {
		bound = 64
	}
	if err := k.run(ctx, k.Large.Prepare); err != nil {
		return fmt.Errorf("prepare very many objects: %w", err)
	}
	p, err := k.open(ctx, k.Large.Settings)
	if err != nil {
		return err
	}
	defer p.kill()
	k.watch.hush(true)
	defer k.watch.hush(false)
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Minute, errors.New("not read within ten minutes"))
	defer cancel()
	began := time.Now()
	stream, err := p.Read(ctx, k.query())
	if err != nil {
		return fmt.Errorf("call Read: %w", err)
	}
	objects := 0
	for {
		r, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("after %d objects: %w", objects, err)
		}
		objects += len(r.GetRecords())
		if end := r.GetEnd(); end != nil {
			if end.GetOutcome() != sdk.OutcomeDone {
				return fmt.Errorf("after %d objects the read ended %v: %s", objects, end.GetOutcome(), end.GetFault().GetCause())
			}
			break
		}
		// An agent is slower than a connector at times: what it does not take
		// must not pile up.
		if objects%200_000 < len(r.GetRecords()) {
			if err := pause(ctx, 100*time.Millisecond); err != nil {
				return err
			}
		}
	}
	peak, err := peakMemory(p.pid)
	if err != nil {
		return err
	}
	k.notef("%d objects in %v; the process took at most %d MiB", objects, time.Since(began).Round(time.Millisecond), peak>>20)
	var faults []error
	if objects < want {
		faults = append(faults, fmt.Errorf("the read gave %d objects; large of test.yaml says %d", objects, want))
	}
	if peak > bound<<20 {
		faults = append(faults, fmt.Errorf("reading %d objects took %d MiB of memory; want at most %d", objects, peak>>20, bound))
	}
	return errors.Join(faults...)
}

func (w *watch) hush(quiet bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.quiet = quiet
}

// peakMemory returns the most that a process has had in memory, in bytes.
func peakMemory(pid int) (int, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("look at the process's memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return kib << 10, err
		}
	}
	return 0, errors.New("/proc does not say how much memory the process had")
}

// endWait is how long an orphan may live.
const endWait = 30 * time.Second

func endsWithAgent(ctx context.Context, k *kit) error {
	p, err := k.open(ctx, nil)
	if err != nil {
		return err
	}
	defer p.kill()
	if err := p.conn.Close(); err != nil { // as the operating system does when the agent dies
		return err
	}
	for deadline := time.Now().Add(endWait); !p.plugin.Exited(); {
		if time.Now().After(deadline) {
			return fmt.Errorf("%v after its only connection ended, process %d still runs", endWait, p.pid)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func wordsFaults(_ context.Context, k *kit) error {
	k.watch.mu.Lock()
	defer k.watch.mu.Unlock()
	var faults []error
	for _, text := range slices.Sorted(maps.Keys(k.watch.faults)) {
		faults = append(faults, errors.New(text))
	}
	return few(faults)
}

// hidesSecrets looks at all that was said so far, and then at what a process
// says whose secrets are wrong: that is when libraries print them.
func hidesSecrets(ctx context.Context, k *kit) error {
	wrong := map[string]string{}
	for _, name := range secretsOf(k.description) {
		wrong[name] = "canary-" + rand.Text()
		k.watch.mu.Lock()
		k.watch.secrets[wrong[name]] = name
		k.watch.mu.Unlock()
	}
	if len(wrong) > 0 {
		if err := k.useWrong(ctx, wrong); err != nil {
			return err
		}
	}
	said := k.watch.said.bytes()
	k.watch.mu.Lock()
	defer k.watch.mu.Unlock()
	k.watch.leak("what it wrote to its log, standard output or standard error", said)
	var faults []error
	for _, text := range slices.Sorted(maps.Keys(k.watch.leaks)) {
		faults = append(faults, errors.New(text))
	}
	return errors.Join(faults...)
}

// useWrong makes every call with secrets that are wrong; what the calls answer
// is only looked at for the secrets.
func (k *kit) useWrong(ctx context.Context, wrong map[string]string) error {
	p, err := k.start()
	if err != nil {
		return err
	}
	defer p.kill()
	ctx, cancel := k.limit(ctx)
	defer cancel()
	_, _ = p.Open(ctx, &connectorv1.OpenRequest{Settings: k.settings(nil), Secrets: wrong})
	_, _ = p.Probe(ctx, &connectorv1.ProbeRequest{})
	_, _ = p.Schema(ctx, &connectorv1.SchemaRequest{})
	if k.can(sdk.CanFind) {
		_, _ = k.find(ctx, p, k.Attributes[0], "nobody has this value")
	}
	if k.can(sdk.CanRead) {
		_, _ = k.read(ctx, p, k.query(), nil)
	}
	// What was written last comes through a pipe.
	return pause(ctx, 300*time.Millisecond)
}
