package update

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/control"
	"github.com/drawbridge-id/drawbridge/agent/host"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

const (
	maxStarts   = 3                // of a version on trial that do not end by an order
	restartWait = time.Second      // between them
	stopWait    = 18 * time.Second // for the agent to end when it is asked; systemd waits for 20
)

// Installed is what the installed version is called where a version must be named.
const Installed = "installed"

// SupervisedFlag is the flag of `run` that names the version to a process that
// the supervisor started. Such a process ends when its standard input does.
const SupervisedFlag = "supervised"

// An asked is the running agent, as the supervisor asks it.
type asked interface {
	Status(ctx context.Context) (control.Status, error)
	Probe(ctx context.Context, system string) (*connectorv1.ProbeResponse, error)
	Look(ctx context.Context) error
}

// A Supervisor starts the version that is to run, one process at a time, and
// goes back to the one before if it must. All fields are required.
type Supervisor struct {
	Folder    Folder
	Installed string // path of the installed executable
	Version   string // of the installed executable
	Keys      []ed25519.PublicKey
	Args      []string // of `run`, but for the version
	Output    io.Writer
	Agent     asked
	Reach     func(ctx context.Context) error // reaches the coordinator by its own means
	Aside     func(layout int) error          // sets the journal aside if its layout is newer
	Gate      time.Duration
	Settle    time.Duration
	Watch     time.Duration
	Log       *slog.Logger
}

// Run has the agent run until ctx ends, which is no error, or until a version
// ends that is not on trial: how is in the error, an [*exec.ExitError] perhaps.
func (s *Supervisor) Run(ctx context.Context) error {
	if err := os.MkdirAll(string(s.Folder), 0o700); err != nil {
		return err
	}
	if err := host.Contain(); err != nil {
		return err
	}
	for {
		state, path, err := s.choose()
		if err != nil {
			return err
		}
		broken, end := s.live(ctx, path, state.Current)
		if state, err = s.Folder.State(); err != nil { // the gate has written to it
			return err
		}
		switch {
		case broken != "":
			err = s.goBack(&state, broken)
		case ctx.Err() != nil || ordered(end):
			err = s.ended(&state, "")
		case state.Trial == nil:
			return end
		default:
			s.Log.Error("The version on trial ended", "version", state.Current, "end", end, "start", state.Trial.Starts)
			err = s.ended(&state, ending(end))
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
		if !ordered(end) {
			pause(ctx, restartWait)
		}
	}
}

// ordered tells whether the agent ended to have another version started.
func ordered(end error) bool {
	exit := (*exec.ExitError)(nil)
	return errors.As(end, &exit) && exit.ExitCode() == ExitSwitch
}

func ending(end error) string {
	if end == nil {
		return "exit status 0"
	}
	return end.Error()
}

// ended notes how a start of a version on trial ended; "" as it was asked to,
// which does not count.
func (s *Supervisor) ended(state *State, how string) error {
	if state.Trial == nil {
		return nil
	}
	if state.Trial.Ended = how; how == "" {
		state.Trial.Starts--
	}
	return s.Folder.setState(*state)
}

// choose carries out what is ordered, takes back what must be, counts the start
// that is about to be made, and gives the executable to start.
func (s *Supervisor) choose() (state State, path string, err error) {
	if state, err = s.Folder.State(); err != nil {
		return state, "", err
	}
	if state.Installed != s.Version { // somebody has installed another one
		if state.Current != "" && release.Newer(s.Version, state.Current) {
			s.Log.Info("The installed version is newer and takes over", "version", s.Version, "instead_of", state.Current)
			state = State{Began: time.Now().UTC()}
		}
		state.Installed = s.Version
		if err := s.Folder.setState(state); err != nil {
			return state, "", err
		}
	}
	if err := s.obey(&state); err != nil {
		return state, "", err
	}
	for {
		path, cause := s.runnable(&state)
		if cause != "" {
			if err := s.goBack(&state, cause); err != nil {
				return state, "", err
			}
			continue
		}
		if state.Trial != nil {
			state.Trial.Starts++
			err = s.Folder.setState(state)
		}
		return state, path, err
	}
}

// runnable gives the executable of the current version, or why it must not be started.
func (s *Supervisor) runnable(state *State) (path, cause string) {
	if state.Current == "" {
		return s.Installed, ""
	}
	v, err := s.Folder.Verify(state.Current, s.Keys)
	if err != nil {
		return "", err.Error()
	}
	if f, err := s.Folder.failure(state.Current); err == nil && f != nil { // it was being taken back when the power went
		return "", f.Cause
	}
	t := state.Trial
	if t == nil {
		return v.Agent, ""
	}
	if time.Since(t.Began) > s.Watch && !t.Settled.IsZero() {
		state.Trial = nil // proven; written with the next state, or found out again
		s.Log.Info("The version is proven", "version", state.Current)
		if err := s.Folder.setState(*state); err != nil {
			s.Log.Error("State not written", "err", err)
		}
		return v.Agent, ""
	}
	if t.Starts >= maxStarts {
		how := t.Ended
		if how == "" {
			how = "with the host, or its service"
		}
		return "", fmt.Sprintf("it ended %d times in its trial, the last time: %s", t.Starts, how)
	}
	return v.Agent, ""
}

// obey carries out an order. It may be repeated: what is done already is not done again.
func (s *Supervisor) obey(state *State) error {
	o, found, err := s.Folder.Order()
	if err != nil || !found {
		return err
	}
	switch {
	case o.Back && state.Previous != nil:
		if err := s.goBack(state, "taken back by "+o.By); err != nil {
			return err
		}
	case o.Back, o.Version == state.Current:
	default:
		if err := s.begin(state, o); err != nil {
			return err
		}
	}
	return s.Folder.dropOrder()
}

// begin puts a version on trial, unless it must not be started after all.
func (s *Supervisor) begin(state *State, o Order) error {
	if _, err := s.Folder.Verify(o.Version, s.Keys); err != nil { // noted, or the agent would order it again and again
		s.Log.Error("Version not started", "err", err)
		return s.Folder.fail(o.Version, err.Error()+"; if agent.yaml names other keys now, restart the service")
	}
	before, now := state.Current, time.Now().UTC()
	state.Current, state.Previous, state.Began = o.Version, &before, now
	state.Trial = &TrialMark{Began: now, Systems: o.Systems}
	s.Log.Info("A version begins its trial", "version", o.Version, "after", s.name(before))
	return s.Folder.setState(*state)
}

// goBack takes the current version back and has the one before in its place,
// the installed one where there is none. It may be repeated.
func (s *Supervisor) goBack(state *State, cause string) error {
	s.Log.Error("A version is taken back", "version", state.Current, "cause", cause)
	if f, err := s.Folder.failure(state.Current); err != nil {
		return err
	} else if f == nil {
		if err := s.Folder.fail(state.Current, cause); err != nil {
			return err
		}
	}
	before, layout := "", Spool().Writes
	if state.Previous != nil && *state.Previous != "" {
		if v, err := s.Folder.Verify(*state.Previous, s.Keys); err == nil {
			before, layout = v.Version, v.Spool.Writes
		}
	}
	if err := s.Aside(layout); err != nil {
		return err
	}
	state.Current, state.Previous, state.Trial, state.Began = before, nil, nil, time.Now().UTC()
	return s.Folder.setState(*state)
}

func (s *Supervisor) name(version string) string {
	if version == "" {
		return s.Version + " (installed)"
	}
	return version
}

// live starts a version and waits for its end; broken tells why it must be taken
// back, "" if it need not. When ctx ends it is asked to end.
func (s *Supervisor) live(ctx context.Context, path, version string) (broken string, end error) {
	cmd := exec.Command(path, append(s.Args, "--"+SupervisedFlag+"="+s.label(version))...)
	cmd.Stdout, cmd.Stderr = s.Output, s.Output
	cmd.WaitDelay = stopWait // a connector may hold its output
	host.Isolate(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Linux kills what a thread has started when the thread ends
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return "", fmt.Errorf("start %s: %w", path, err)
	}
	proving, stop := context.WithCancel(ctx)
	verdict, watched := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(watched)
		if broken := s.prove(proving, version); broken != "" {
			verdict <- broken
		}
	}()
	defer func() { // it writes to the state
		stop()
		<-watched
	}()
	select {
	case end = <-ended:
		return "", end
	case broken = <-verdict:
	case <-ctx.Done():
	}
	stdin.Close()
	select {
	case end = <-ended:
	case <-time.After(stopWait):
		host.KillAll(cmd.Process.Pid)
		end = <-ended
	}
	return broken, end
}

// label is what a process is told that it is: "installed", or a version.
func (s *Supervisor) label(version string) string {
	if version == "" {
		return Installed
	}
	return version
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
