// Package update has the agent replace itself by a release that its host trusts,
// and takes the release back when it does not do its work. It fetches nothing by
// itself and decides nothing about who is to have what: bytes come by agent/link,
// the wish is the coordinator's, and leave is given by it to one agent of a site
// at a time. What may run is decided here, by the keys in agent.yaml.
//
//	installed executable          the service: the supervisor, which no update replaces
//	  └─ drawbridge-agent         the version that runs, a process of its own
//	       └─ connectors
//
//	versions/                     in the data folder
//	  state.json                  which version runs, what it came after, its trial; the supervisor's alone
//	  order.json                  the agent's or an admin's wish to the supervisor: start that one, go back
//	  hold                        the admin's freeze
//	  failed-VERSION.json         a release that was taken back, and why; it is not started again
//	  VERSION/release.json        the signed manifest, and the executables that it names
//	  VERSION.part/               being fetched; goes on after an interruption
//
// The way of a release, told to the coordinator by the same words (link.v1.Update):
//
//	offer ─► held, refused, failed ─┐ nothing happens
//	  └─► fetching ─► waiting (for its hours) ─► ready ─► leave ─► order.json, the agent ends
//	supervisor: state.json names the new version on trial ─► start ─► trial
//	  gate:   the OLD code asks the new process: is its version the one of the manifest, is it
//	          linked, does every system that answered before pass every step of a probe
//	  settle: it lives on for 15 min and passes once more ─► current; leave is given back
//	  watch:  it lives on for 24 h ─► proven
//
// What sends it back: the gate is not passed in time; a file is not what was
// signed; it was started three times in its trial without ending by an order.
// A start counts before it is made, so a power cut at any instruction, a
// binary that takes the supervisor or the host down with it, and one that
// cannot be executed count alike. While the supervisor itself cannot reach the
// coordinator the gate's clock stands still: a network that is away is no fault
// of a release. Going back to a version that does not know the layout of the
// journal sets the journal aside: the coordinator sends again what is open
// (see agent/spool). A release that changes any other layout is refused, because
// it could not be undone.
//
// Every file is replaced whole (agent/durable), and each step can be repeated.
package update

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/spool"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

// Data is the layout of what the agent keeps besides its journal: identity,
// vault, guard.db, and this package's own files. It rises with a change that the
// release before cannot read.
const Data = 1

// Spool is the layout of the journal that this release knows.
func Spool() release.Layout { return release.Layout{Reads: spool.Oldest, Writes: spool.Layout} }

// States of an update, as they are told.
const (
	Current  = "current"
	Held     = "held"
	Refused  = "refused"
	Fetching = "fetching"
	Waiting  = "waiting"
	Ready    = "ready"
	Trial    = "trial"
	Failed   = "failed"
)

// ErrSwitch is what [Updater.Run] ends with when the supervisor is to start
// another version; the process ends with [ExitSwitch].
var ErrSwitch = errors.New("another version is to be started")

// ExitSwitch is the exit status that the supervisor takes for [ErrSwitch].
const ExitSwitch = 10

// How long a release has to prove itself, and is watched.
const (
	DefaultGate   = 5 * time.Minute
	DefaultSettle = 15 * time.Minute
	DefaultWatch  = 24 * time.Hour
)

// Keys reads the public keys of agent.yaml.
func Keys(texts []string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for _, text := range texts {
		key, err := release.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("update.keys in agent.yaml: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
