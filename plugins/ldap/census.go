package ldap

import (
	"slices"
	"strings"
)

// A census is how many ids there are, and a sum that two sets of ids have in
// common only if they are the same, but for a chance of 2⁻⁶⁴.
type census struct {
	Count int    `json:"count"`
	Sum   uint64 `json:"sum"`
}

func weigh(id string) uint64 {
	x := uint64(0xcbf29ce484222325) // FNV-1a
	for _, c := range []byte(fold(id)) {
		x = (x ^ uint64(c)) * 0x100000001b3
	}
	// Its upper bits are weak; the finalizer of SplitMix64 spreads them.
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (c *census) add(id string)      { c.Count, c.Sum = c.Count+1, c.Sum+weigh(id) }
func (c *census) remove(id string)   { c.Count, c.Sum = c.Count-1, c.Sum-weigh(id) }
func (c *census) join(others census) { c.Count, c.Sum = c.Count+others.Count, c.Sum+others.Sum }

// A candidate is an object that changed, or is new.
type candidate struct {
	id      string
	created string // createTimestamp
}

// lost tells whether something of before is not there any more. What did not
// change is; of the changed, those that were there before are the oldest, as
// many as are missing from the count. If they do not make up the sum, something
// else was there. It may say so wrongly, where objects made in the same second
// cannot be told apart; it never overlooks a loss.
func (d *delta) lost(before census) bool {
	old := before.Count - d.present.Count
	if old < 0 || old > len(d.changed) {
		return true
	}
	changed := slices.SortedStableFunc(slices.Values(d.changed), func(a, b candidate) int { return strings.Compare(a.created, b.created) })
	now := d.present
	for _, c := range changed[:old] {
		now.add(c.id)
	}
	return now != before
}
