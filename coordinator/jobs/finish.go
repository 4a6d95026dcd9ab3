package jobs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	soon  = 5 * time.Second  // after which what may have happened is looked at again
	later = time.Minute      // after which a system that was away is tried again, or one that contradicts itself
	never = 10 * time.Minute // after which a write whose outcome was not shown is looked at again
)

// A finish is a batch of one tenant's results as it is taken.
type finish struct {
	*Queue
	tx     *store.Tx
	tenant string

	done     []int64              // jobs
	locked   []int64              // creates that found an account of an earlier time, which is disabled
	failed   []int64              // jobs whose successors go
	people   map[int64]string     // of done jobs that planned a person
	found    map[string]*findings // by system
	systems  map[string]*mapping.System
	object   mapping.Object // room to read one
	due      map[store.Instant][]string
	problems []failure
	history  []store.History
	find     []store.Job
	sealed   []store.Password
	writes   []store.Job // that have ended, with the state that they ended in
	answers  []store.Answer
}

// findings are what results tell of a system's objects.
type findings struct {
	records []*connectorv1.Record
	owners  map[string]string
	writers map[string]string // for whom an object was written or looked for, by native id
	gone    map[string]bool   // what was last told of an id
}

func (s *findings) add(r *connectorv1.Record, writer string) {
	s.records = append(s.records, r)
	s.writers[r.GetId()] = writer
	delete(s.gone, r.GetId())
}

// Results are what one agent has sent, in the order in which it did.
type Results struct {
	Site    string // Required. Of the agent
	Agent   string // Required. As its certificate says
	Results []*linkv1.Result
}

// Finish takes results of one tenant's jobs, in the order in which they came.
// Taking them again changes nothing. A result counts only where the job is the
// agent's that sends it, or nobody's and of its site: a store that was restored
// has given out jobs that it does not know of. What else comes is said, and
// changes nothing.
func (q *Queue) Finish(tx *store.Tx, tenant string, sent ...Results) error {
	f := &finish{Queue: q, tx: tx, tenant: tenant, people: map[int64]string{}, found: map[string]*findings{},
		systems: map[string]*mapping.System{}, due: map[store.Instant][]string{}}
	var endings []store.Ending
	told := map[teller]bool{}
	for _, s := range sent {
		for _, r := range s.Results {
			if t := (teller{int64(r.GetJob()), s.Agent}); !told[t] { // the first counts
				told[t] = true
				endings = append(endings, ending(s, r))
			}
		}
	}
	rows, err := tx.EndSent(tenant, endings)
	if err != nil {
		return err
	}
	ended := make(map[teller]store.Job, len(rows))
	for _, j := range rows {
		ended[teller{j.ID, j.Agent}] = j
	}
	for _, s := range sent {
		for _, r := range s.Results {
			t := teller{int64(r.GetJob()), s.Agent}
			j, ok := ended[t]
			if !ok {
				continue
			}
			delete(ended, t)
			delete(told, t)
			if err := f.take(j, r); err != nil {
				return fmt.Errorf("result of job %d: %w", j.ID, err)
			}
		}
	}
	if err := f.others(sent, told); err != nil {
		return err
	}
	return f.save()
}

// A teller is an agent that tells of a job.
type teller struct {
	job   int64
	agent string
}

// ending is how a job ends by its result.
func ending(from Results, r *linkv1.Result) store.Ending {
	e := store.Ending{ID: int64(r.GetJob()), Site: from.Site, Agent: from.Agent, State: store.JobDone, Outcome: word(r.GetOutcome())}
	if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
		e.State, e.Fault = store.JobFailed, faultText(r.GetFault())
	}
	e.Back = r.GetOutcome() == connectorv1.Outcome_OUTCOME_CONFLICT
	return e
}

// others says what agents have told of jobs that are not theirs. Most of what did not count only came once more.
func (f *finish) others(sent []Results, untaken map[teller]bool) error {
	var ids []int64
	for t := range untaken {
		ids = append(ids, t.job)
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := f.tx.JobsBare(f.tenant, ids)
	open := make(map[int64]store.Job, len(rows))
	for _, j := range rows {
		if j.Ended == 0 {
			open[j.ID] = j
		}
	}
	for _, s := range sent {
		var others []uint64
		for _, r := range s.Results {
			if _, ok := open[int64(r.GetJob())]; ok && untaken[teller{int64(r.GetJob()), s.Agent}] {
				others = append(others, r.GetJob())
			}
		}
		if len(others) > 0 {
			f.Log.Warn("Results refused: the jobs are not this agent's; if it was not just replaced, look at its host or revoke it",
				"tenant", f.tenant, "site", s.Site, "agent", s.Agent, "results", len(others), "job", others[0])
		}
	}
	return err
}

func (f *finish) take(j store.Job, r *linkv1.Result) error {
	if err := f.keep(j, r); err != nil {
		return err
	}
	if err := f.checked(j, r); err != nil {
		return err
	}
	if j.State == store.JobDone {
		f.done = append(f.done, j.ID)
	}
	switch j.Class {
	case "read":
		return errors.Join(f.Intake.EndRead(f.tx, j, r), f.tx.SetReader(j.Tenant, j.System, j.Agent))
	case "schema":
		return f.schema(j, r)
	case "probe":
		return f.probe(j, r)
	case "find":
		f.looked(j, r)
		return nil
	}
	return f.applied(j, r)
}

// word is an outcome as the store has it.
func word(o connectorv1.Outcome) string { return strings.TrimPrefix(o.String(), "OUTCOME_") }

func (f *finish) of(system string) *findings {
	s := f.found[system]
	if s == nil {
		s = &findings{owners: map[string]string{}, writers: map[string]string{}, gone: map[string]bool{}}
		f.found[system] = s
	}
	return s
}

// again makes the job's person due.
func (f *finish) again(j store.Job, in time.Duration) {
	if j.Person != "" {
		at := f.tx.Now.Add(in)
		f.due[at] = append(f.due[at], j.Person)
	}
}

// save stores all that came of the results.
func (f *finish) save() error {
	if err := f.release(); err != nil {
		return err
	}
	for _, system := range slices.Sorted(maps.Keys(f.found)) {
		s := f.found[system]
		if err := f.Intake.Take(f.tx, intake.Batch{Tenant: f.tenant, System: system, Records: s.records, Owners: s.owners, Writers: s.writers}); err != nil {
			return err
		}
		if err := f.Intake.Gone(f.tx, f.tenant, system, slices.Sorted(maps.Keys(s.gone))); err != nil {
			return err
		}
	}
	if len(f.failed) > 0 {
		if _, err := f.tx.DropAfter(f.failed); err != nil {
			return err
		}
	}
	if err := f.saveProblems(); err != nil {
		return err
	}
	if err := f.tx.AddJobs(f.find); err != nil {
		return err
	}
	if err := f.tx.AddPasswords(f.sealed); err != nil {
		return err
	}
	if err := f.tx.AddHistory(f.history); err != nil {
		return err
	}
	if err := f.tx.AddAnswers(f.answers); err != nil {
		return err
	}
	if err := f.tx.CountEnded(f.tenant, f.writes); err != nil {
		return err
	}
	if f.Ended != nil {
		f.Ended(f.tx.Now, f.writes)
	}
	for at, people := range f.due {
		if err := f.tx.MarkDue(f.tenant, at, "a job ended", people); err != nil {
			return err
		}
	}
	return nil
}

// release queues the successors of what is done, and makes due whose chain is at its end.
func (f *finish) release() error {
	if len(f.done) == 0 {
		return nil
	}
	if err := f.tx.SetFoundLocked(f.locked); err != nil {
		return err
	}
	had, err := f.tx.ReleaseAfter(f.done)
	if err != nil {
		return err
	}
	for _, id := range had {
		delete(f.people, id)
	}
	for _, id := range f.done {
		if p := f.people[id]; p != "" {
			f.due[f.tx.Now] = append(f.due[f.tx.Now], p)
		}
	}
	return nil
}
