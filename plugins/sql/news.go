package sql

import (
	"hash/fnv"
	"io"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// news passes on the objects that were not given the last time, and notes all.
type news struct {
	p       selection
	out     taker // nil: nothing is passed on
	had     map[uint64]bool
	missing map[string]bool // keys that were not met yet; nil: nobody asks
	seen    []uint64
}

// Object implements taker.
func (n *news) Object(o *sdk.Object) error {
	delete(n.missing, o.ID)
	hash := fingerprint(o)
	n.seen = append(n.seen, hash)
	if n.out == nil || n.had[hash] {
		return nil
	}
	return n.out.Object(o)
}

// Reject implements taker.
func (n *news) Reject(place, reason, id string) error {
	delete(n.missing, id)
	if n.out == nil {
		return nil
	}
	return n.out.Reject(place, reason, id)
}

// hashes are those of what was met; none where that is too much to remember.
func (n *news) hashes() []uint64 {
	if len(n.seen) > mostRecent {
		return nil
	}
	return n.seen
}

// fingerprint is a hash of an object's id and values.
func fingerprint(o *sdk.Object) uint64 {
	h := fnv.New64a()
	io.WriteString(h, o.ID)
	for _, a := range o.Attributes {
		io.WriteString(h, "\x00")
		for _, v := range a.Values {
			io.WriteString(h, "\x01")
			io.WriteString(h, v)
		}
	}
	return h.Sum64()
}

func setOf(hashes []uint64) map[uint64]bool {
	set := make(map[uint64]bool, len(hashes))
	for _, h := range hashes {
		set[h] = true
	}
	return set
}
