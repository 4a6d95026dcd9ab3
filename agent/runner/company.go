package runner

import connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"

// mostTogether memberships are under way at a time where the connector writes
// those of a group together (CAPABILITY_MEMBERSHIP_TOGETHER).
const mostTogether = 256

// A company is the memberships of a lane that are under way and share one slot
// of the limiter: what a system does for a change of a group often grows with
// the group, so that many members at once cost little more than one. Each stays
// a job of its own, with its object, its fence, its guardrail and its result.
//
//	ready ─► the first takes a slot ─► others join it ─► the last gives it back
//	                                      └ at most mostTogether more once another
//	                                        write waits for the slot: it is next
type company struct {
	under  int  // under way
	begun  int  // since the slot was taken
	waited bool // another write was passed over meanwhile
}

// open says whether more may join those that have the slot.
func (c *company) open() bool {
	return c.under > 0 && c.under < mostTogether && (!c.waited || c.begun < mostTogether)
}

// join and leave give how many slots that takes and gives back: one or none.
func (c *company) join() int {
	c.under++
	c.begun++
	if c.under > 1 {
		return 0
	}
	return 1
}

func (c *company) leave() int {
	if c.under--; c.under > 0 {
		return 0
	}
	*c = company{}
	return 1
}

// inCompany says whether a task is one of those that share a slot.
func (l *lane) inCompany(t *task) bool {
	return t.kind == write && !t.suspect && t.job.GetApply().GetChangeMembership() != nil &&
		l.conn.process.Can(connectorv1.Capability_CAPABILITY_MEMBERSHIP_TOGETHER)
}

// room says whether a write may be begun: in a slot of its own, or in company.
func (l *lane) room(t *task) bool {
	free := l.writes < l.limit.limit()
	if l.inCompany(t) && l.company.under > 0 {
		return l.company.open()
	}
	l.company.waited = l.company.waited || !free && l.company.under > 0
	return free
}
