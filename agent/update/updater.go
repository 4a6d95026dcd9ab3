package update

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

// again is when what cannot be done now is tried again.
const again = 30 * time.Second

// An Updater is the running agent's side: it brings what is offered to this host
// and orders it, when it is let. Fields without "Optional" are required.
type Updater struct {
	Folder  Folder
	Version string // that runs
	Keys    []ed25519.PublicKey
	Ring    string               // Optional. That agent.yaml names
	Hold    bool                 // Optional. agent.yaml freezes
	Open    func(time.Time) bool // whether versions may be switched at an instant
	Fetch   fetcher
	Systems func(ctx context.Context) []string // that answer now
	Report  func(*linkv1.Update)
	Log     *slog.Logger

	mu    sync.Mutex
	offer *linkv1.Release
	state *linkv1.Update
	once  sync.Once
	wake  chan struct{}
}

// Offer takes in which release the coordinator wants here. It is safe for concurrent use.
func (u *Updater) Offer(r *linkv1.Release) {
	u.mu.Lock()
	u.offer = r
	u.mu.Unlock()
	u.Look()
}

// Look has what is in the folder looked at anew. It is safe for concurrent use.
func (u *Updater) Look() {
	select {
	case u.woken() <- struct{}{}:
	default:
	}
}

func (u *Updater) woken() chan struct{} {
	u.once.Do(func() { u.wake = make(chan struct{}, 1) })
	return u.wake
}

// State is how the update stands. It is safe for concurrent use.
func (u *Updater) State() *linkv1.Update {
	u.mu.Lock()
	defer u.mu.Unlock()
	return proto.CloneOf(u.state)
}

// Run brings, waits and orders until ctx ends, or returns [ErrSwitch].
func (u *Updater) Run(ctx context.Context) error {
	for {
		order, err := u.step(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			u.Log.Error("The update cannot go on", "err", err, "retry_in", again)
		} else if order {
			return ErrSwitch
		}
		timer := time.NewTimer(again)
		select {
		case <-u.woken():
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// step does what can be done now, and tells whether another version is ordered.
func (u *Updater) step(ctx context.Context) (ordered bool, err error) {
	if o, found, err := u.Folder.Order(); err != nil || found {
		return found && (o.Back || o.Version != u.Version), err
	}
	u.mu.Lock()
	offer := u.offer
	u.mu.Unlock()
	state, err := u.Folder.State()
	if err != nil {
		return false, err
	}
	if state.Trial != nil && state.Trial.Settled.IsZero() {
		u.say(state, Trial, state.Current, "")
		return false, nil
	}
	switch offer.GetVersion() {
	case "":
		return false, u.idle(state)
	case u.Version:
		u.say(state, Current, u.Version, "")
		return false, nil
	}
	what, cause, manifest := u.judge(offer)
	if what != "" {
		u.say(state, what, offer.GetVersion(), cause)
		return false, nil
	}
	if _, err := u.Folder.Verify(manifest.Version, u.Keys); err != nil {
		u.say(state, Fetching, manifest.Version, "")
		u.Folder.sweep(manifest.Version, state.Current, deref(state.Previous))
		if err := u.Folder.fetch(ctx, manifest, offer.GetFile(), u.Fetch); err != nil {
			u.say(state, Fetching, manifest.Version, err.Error())
			return false, err
		}
		u.Log.InfoContext(ctx, "Release is here", "version", manifest.Version)
	}
	if !u.Open(time.Now()) {
		u.say(state, Waiting, manifest.Version, "for the hours that agent.yaml allows")
		return false, nil
	}
	u.mu.Lock()
	leave := u.offer == offer && offer.GetGo()
	u.mu.Unlock()
	if !leave {
		u.say(state, Ready, manifest.Version, "")
		return false, nil
	}
	return true, u.Folder.SetOrder(Order{Version: manifest.Version, Systems: u.Systems(ctx)})
}

// idle says, while nothing is offered, that there is nothing to do, or what was
// taken back last: the coordinator must hear of that before it gives others leave.
func (u *Updater) idle(state State) error {
	list, err := u.Folder.Failures()
	if err != nil {
		return err
	}
	if n := len(list); n > 0 && release.Newer(list[n-1].Version, u.Version) {
		u.say(state, Failed, list[n-1].Version, list[n-1].Cause)
		return nil
	}
	u.say(state, Current, u.Version, "")
	return nil
}

// judge tells why what is offered is not taken; "" if it is.
func (u *Updater) judge(offer *linkv1.Release) (what, cause string, m release.Manifest) {
	m, err := release.Open(offer.GetFile(), u.Keys)
	if err != nil {
		return Refused, err.Error(), m
	}
	hold, err := u.Folder.Held()
	if err != nil {
		return Refused, err.Error(), m
	}
	failed, err := u.Folder.failure(m.Version)
	if err != nil {
		return Refused, err.Error(), m
	}
	_, here := m.File(release.Agent, platform)
	switch {
	case m.Version != offer.GetVersion():
		return Refused, "what is offered as " + offer.GetVersion() + " is signed as " + m.Version, m
	case failed != nil:
		return Failed, failed.Cause, m
	case u.Hold:
		return Held, "agent.yaml of the host holds updates", m
	case hold != nil:
		return Held, fmt.Sprintf("held by %s since %s", cmp.Or(hold.By, "an admin"), hold.At.Format(time.RFC3339)), m
	case !release.Newer(m.Version, u.Version):
		return Refused, fmt.Sprintf("it is older than %s, which runs; an admin of the host can go back by `drawbridge-agent update rollback`", u.Version), m
	case !here:
		return Refused, "it has no agent for " + platform, m
	case m.Spool.Reads > Spool().Writes:
		return Refused, fmt.Sprintf("it cannot read this agent's journal (layout %d, it needs %d): update to a release between first", Spool().Writes, m.Spool.Reads), m
	case m.Data != Data:
		return Refused, fmt.Sprintf("it changes the layout of the agent's data (%d, here %d), which could not be undone: install it by hand", m.Data, Data), m
	}
	return "", "", m
}

// say tells how the update stands, if that is news. Leave is asked for anew
// after anything but readiness.
func (u *Updater) say(state State, what, version, cause string) {
	now := &linkv1.Update{State: what, Version: version, Cause: cause, Ring: u.Ring}
	if state.Previous != nil {
		now.Previous = cmp.Or(*state.Previous, state.Installed)
	}
	u.mu.Lock()
	news := !proto.Equal(now, u.state)
	u.state = now
	if what != Ready && u.offer.GetGo() {
		u.offer = proto.CloneOf(u.offer)
		u.offer.Go = false
	}
	u.mu.Unlock()
	if news {
		u.Log.Info("Update", "state", what, "version", version, "cause", cause)
		u.Report(now)
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
