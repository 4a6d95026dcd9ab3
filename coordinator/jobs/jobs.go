// Package jobs moves work between the store and agents: it claims queued jobs,
// gives what was sent once more, and takes results with all that follows from
// them. What is to be done is decided in plan, the streams are gateway's, and
// what objects mean is intake's.
//
//	held ──approve──► queued ──claim──► sent ──result──► done | failed
//	  └──reject──► dropped     waiting ──predecessor done──► queued
//	                           (predecessor not done, or planned anew) ──► dropped
//
// A result, the account it changed, the history entry and who is due are one
// transaction, the caller's. Its outcome decides:
//
//	DONE         account as returned; successors queued, or the person due
//	CONFLICT     account as returned; person due: planned from what is there
//	NOT_FOUND    account gone; person due
//	taken        name noted as somebody else's; person due: the next candidate
//	INVALID      problem, tried again after 6, 12, 24 hours; person due for the rest
//	DENIED       likewise
//	UNAVAILABLE  only after not-after: person due in a minute
//	UNKNOWN      a create is looked for by its anchor; all else is due again: repeating it is harmless
//
// Whatever failed takes its successors with it. A result of a job that has
// ended, or that nobody knows, changes nothing: the agent repeated it.
package jobs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// systems gives the compiled document of a row.
type systems interface {
	Get(store.System) (*mapping.System, error)
}

// A Queue is safe for concurrent use.
type Queue struct {
	Store   *store.Store
	Intake  *intake.Intake
	Systems systems
	Log     *slog.Logger
	// Ended, where set, is told of writes that end, with the state in which they do, before that is committed. It must not block.
	Ended func(now store.Instant, writes []store.Job)
}

// ErrSuperseded: the agent has connected anew since, or has gone.
var ErrSuperseded = errors.New("the agent has connected anew")

// Claim makes queued jobs of a site an agent's, up to so many of each system,
// and returns them in the order to be sent. They stay the agent's until their results come. since is
// when the stream that they are for was let in: one that the agent has left,
// here or at another coordinator, gets none but [ErrSuperseded], for what it
// claimed after its successor was sent everything once more, nobody would send.
func (q *Queue) Claim(ctx context.Context, tenant, site, agent string, since store.Instant, room map[string]int) ([]*linkv1.Job, error) {
	var rows []store.Job
	err := q.Store.Claim(ctx, tenant, func(tx *store.Tx) (err error) {
		if last, err := tx.Connected(tenant, agent, since); err != nil || !last {
			return cmp.Or(err, ErrSuperseded)
		}
		if rows, err = tx.ClaimJobs(tenant, site, agent, room); err != nil {
			return err
		}
		return resent(tx, rows)
	})
	if err != nil {
		return nil, err
	}
	return q.messages(ctx, rows)
}

// Resend returns up to limit jobs with ids above after that an agent was sent and has not ended, in the order to be sent.
func (q *Queue) Resend(ctx context.Context, tenant, agent string, after uint64, limit int) ([]*linkv1.Job, error) {
	var rows []store.Job
	err := q.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if rows, err = tx.SentJobs(tenant, agent, int64(after), limit); err != nil {
			return err
		}
		return resent(tx, rows)
	})
	if err != nil {
		return nil, err
	}
	return q.messages(ctx, rows)
}

// resent has an agent send everything of a read where another has read last:
// what it sent itself says nothing of what is known here.
func resent(tx *store.Tx, rows []store.Job) error {
	for i := range rows {
		j := &rows[i]
		if j.Class != "read" {
			continue
		}
		another, err := tx.ReadByAnother(j.Tenant, j.System, j.Agent)
		if err != nil {
			return err
		}
		work := &linkv1.Job{}
		if !another || proto.Unmarshal(j.Work, work) != nil {
			continue
		}
		if read := work.GetRead(); read != nil {
			read.Full, read.Resend = true, true
		}
		if j.Work, err = proto.Marshal(work); err != nil {
			return err
		}
	}
	return nil
}

// Waiting tells which systems have something to claim for a site.
func (q *Queue) Waiting(ctx context.Context, tenant, site string) (systems []string, err error) {
	err = q.Store.Read(ctx, func(tx *store.Tx) error {
		systems, err = tx.QueuedSystems(tenant, site)
		return err
	})
	return systems, err
}

// refusedPause is how long a job that an agent would not take waits.
const refusedPause = 10 * time.Second

// Refuse takes back jobs that an agent would not take; they are sent again a
// little later. From a stream that the agent has left it is [ErrSuperseded]: they
// were sent once more by the next, and may be under way.
func (q *Queue) Refuse(ctx context.Context, tenant, agent string, since store.Instant, ids []uint64) error {
	return q.Store.Write(ctx, func(tx *store.Tx) error {
		if last, err := tx.Connected(tenant, agent, since); err != nil || !last {
			return cmp.Or(err, ErrSuperseded)
		}
		rows := make([]int64, len(ids))
		for i, id := range ids {
			rows[i] = int64(id)
		}
		_, err := tx.RequeueJobs(tenant, agent, rows, tx.Now.Add(refusedPause))
		return err
	})
}

// messages makes rows into what is sent, while others write. A row whose work
// cannot be read fails and is left out.
func (q *Queue) messages(ctx context.Context, rows []store.Job) ([]*linkv1.Job, error) {
	out := make([]*linkv1.Job, 0, len(rows))
	var unreadable []int64
	for i := range rows {
		m, err := message(&rows[i])
		if err != nil {
			q.Log.ErrorContext(ctx, "Stored job cannot be read", "job", rows[i].ID, "err", err)
			unreadable = append(unreadable, rows[i].ID)
			continue
		}
		out = append(out, m)
	}
	if len(unreadable) == 0 {
		return out, nil
	}
	fault := faultText(&connectorv1.Fault{Cause: "the stored job cannot be read", NextStep: "report this; the person is planned anew"})
	return out, q.Store.Write(ctx, func(tx *store.Tx) error { return tx.EndJobs(unreadable, store.JobFailed, "INVALID", fault) })
}

// message is a row as it is sent: the row says more surely than the work what it knows as well.
func message(row *store.Job) (*linkv1.Job, error) {
	m := &linkv1.Job{}
	if err := proto.Unmarshal(row.Work, m); err != nil {
		return nil, err
	}
	m.Id, m.Fence = uint64(row.ID), uint64(cmp.Or(row.Fence, row.ID))
	m.System, m.Object, m.Priority, m.Trace = row.System, row.Object, uint32(row.Priority), row.Trace
	m.NotAfter = stamp(row.NotAfter) // that it is not to be sent before an instant is no concern of the agent's
	return m, nil
}

func stamp(i store.Instant) *timestamppb.Timestamp {
	if i == 0 {
		return nil
	}
	return timestamppb.New(i.Time())
}

// look is how often Run looks for jobs that went stale.
const look = 30 * time.Second

// Run drops jobs that went stale before an agent had them, and passwords that
// nobody wants, until ctx ends, and returns its cause.
func (q *Queue) Run(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if err := q.Expire(ctx); err != nil && ctx.Err() == nil {
			q.Log.ErrorContext(ctx, "Stale jobs not dropped", "err", err)
		}
		if err := q.Forget(ctx, time.Now()); err != nil && ctx.Err() == nil {
			q.Log.ErrorContext(ctx, "Old passwords not forgotten", "err", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// Expire drops jobs that no agent has taken before they were not to be begun
// any more; their people are due, their cycles failed.
func (q *Queue) Expire(ctx context.Context) error {
	return q.Store.Write(ctx, func(tx *store.Tx) error {
		stale, err := tx.StaleJobs(1000)
		if err != nil || len(stale) == 0 {
			return err
		}
		ids := make([]int64, len(stale))
		due := map[string][]string{}
		for i, j := range stale {
			ids[i] = j.ID
			if j.Person != "" {
				due[j.Tenant] = append(due[j.Tenant], j.Person)
			}
			if j.Class == "read" {
				if err := q.Intake.EndRead(tx, j, &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_UNAVAILABLE, Fault: &connectorv1.Fault{
					Cause: "no agent of site " + j.Site + " took the read in time", NextStep: "see whether an agent is connected: drawbridge agent list",
				}}); err != nil {
					return err
				}
			}
		}
		if _, err := tx.DropAfter(ids); err != nil {
			return err
		}
		if err := tx.EndJobs(ids, store.JobDropped, "stale", ""); err != nil {
			return err
		}
		for tenant, people := range due {
			if err := tx.MarkDue(tenant, tx.Now, "a job went stale", people); err != nil {
				return err
			}
		}
		return nil
	})
}

func faultText(f *connectorv1.Fault) string {
	if f == nil {
		return ""
	}
	text, err := protojson.Marshal(f)
	if err != nil {
		return `{"cause":"a fault that cannot be shown"}`
	}
	return string(text)
}
