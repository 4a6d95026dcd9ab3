package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
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
	gone    map[string]bool // what was last told of an id
}

func (s *findings) add(r *connectorv1.Record) {
	s.records = append(s.records, r)
	delete(s.gone, r.GetId())
}

type failure struct {
	job  store.Job
	kind string
	text string
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
	var ids []int64
	for _, s := range sent {
		for _, r := range s.Results {
			ids = append(ids, int64(r.GetJob()))
		}
	}
	rows, err := tx.Jobs(tenant, ids)
	if err != nil {
		return err
	}
	open := make(map[int64]store.Job, len(rows))
	for _, j := range rows {
		if j.State == store.JobSent || j.State == store.JobQueued || j.State == store.JobRescinding {
			open[j.ID] = j
		}
	}
	for _, s := range sent {
		var others []uint64
		for _, r := range s.Results {
			j, ok := open[int64(r.GetJob())]
			if !ok {
				continue
			}
			if j.Site != s.Site || j.Agent != "" && j.Agent != s.Agent {
				others = append(others, r.GetJob())
				continue
			}
			delete(open, j.ID)
			if err := f.take(j, r); err != nil {
				return fmt.Errorf("result of job %d: %w", j.ID, err)
			}
		}
		if len(others) > 0 {
			q.Log.Warn("Results refused: the jobs are not this agent's; if it was not just replaced, look at its host or revoke it",
				"tenant", tenant, "site", s.Site, "agent", s.Agent, "results", len(others), "job", others[0])
		}
	}
	return f.save()
}

func (f *finish) take(j store.Job, r *linkv1.Result) error {
	if err := f.keep(j, r); err != nil {
		return err
	}
	if err := f.checked(j, r); err != nil {
		return err
	}
	switch j.Class {
	case "read":
		return errors.Join(f.end(j, r), f.Intake.EndRead(f.tx, j, r), f.tx.SetReader(j.Tenant, j.System, j.Agent))
	case "schema":
		return errors.Join(f.end(j, r), f.schema(j, r))
	case "probe":
		return errors.Join(f.end(j, r), f.probe(j, r))
	case "find":
		f.looked(j, r)
		return f.end(j, r)
	}
	return f.applied(j, r)
}

// end ends a job that has no successors, as done or failed.
func (f *finish) end(j store.Job, r *linkv1.Result) error {
	if r.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
		f.done = append(f.done, j.ID)
		return nil
	}
	return f.tx.EndJobs([]int64{j.ID}, store.JobFailed, word(r.GetOutcome()), faultText(r.GetFault()))
}

// checked notes a result that shows whether a system can be reached from end to end.
func (f *finish) checked(j store.Job, r *linkv1.Result) error {
	if j.Class != "read" && j.Class != "probe" && j.Class != "schema" {
		return nil
	}
	c := store.Checked{Tenant: f.tenant, System: j.System, At: f.tx.Now, What: j.Class, Took: int64(f.tx.Now - j.Made), Job: j.ID}
	if r.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
		c.Good = f.tx.Now
	} else if c.Fault = faultText(r.GetFault()); c.Fault == "" {
		c.Fault = faultText(&connectorv1.Fault{Cause: "it ended with " + word(r.GetOutcome()), NextStep: "Test the connection for its steps."})
	}
	return f.tx.PutChecked(c)
}

// keep keeps what came back as it came, but for what is secret and what is kept elsewhere.
func (f *finish) keep(j store.Job, r *linkv1.Result) error {
	kept := &linkv1.Result{Job: r.GetJob(), Outcome: r.GetOutcome(), Fault: r.GetFault(), Began: r.GetBegan(), Finished: r.GetFinished(), Object: r.GetObject(),
		Unchanged: r.GetUnchanged(), Server: r.GetServer(), Found: r.GetFound(), Read: r.GetRead(), Steps: r.GetSteps()}
	text, err := proto.Marshal(kept)
	if err != nil {
		return err
	}
	f.answers = append(f.answers, store.Answer{Tenant: f.tenant, ID: j.ID, Answer: text})
	return nil
}

// word is an outcome as the store has it.
func word(o connectorv1.Outcome) string { return strings.TrimPrefix(o.String(), "OUTCOME_") }

func (f *finish) of(system string) *findings {
	s := f.found[system]
	if s == nil {
		s = &findings{owners: map[string]string{}, gone: map[string]bool{}}
		f.found[system] = s
	}
	return s
}

// applied takes the outcome of a write.
func (f *finish) applied(j store.Job, r *linkv1.Result) error {
	var work linkv1.Job
	if err := proto.Unmarshal(j.Work, &work); err != nil {
		f.Log.Error("Stored job cannot be read", "job", j.ID, "err", err)
	}
	op := work.GetApply()
	if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
		r.Fault = complete(r.GetOutcome(), r.GetFault(), op) // what came is kept as it came
	}
	if record := r.GetObject(); record != nil && !record.GetDeleted() && len(record.GetObject()) > 0 {
		s := f.of(j.System)
		s.add(record)
		if j.Class == "create" && r.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
			s.owners[record.GetId()] = j.Person
		}
	}
	if j.State == store.JobRescinding && r.GetOutcome() == connectorv1.Outcome_OUTCOME_CONFLICT {
		f.again(j, 0)
		return f.tx.EndJobs([]int64{j.ID}, store.JobDropped, "taken back", "")
	}
	f.tell(j, r, &work)
	ended := j
	if ended.State = store.JobFailed; r.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
		ended.State = store.JobDone
	}
	f.writes = append(f.writes, ended)
	if r.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
		f.done = append(f.done, j.ID)
		if err := f.added(j, op, r.GetObject().GetId()); err != nil {
			return err
		}
		f.password(j, r, op)
		switch {
		case j.Class == "delete":
			f.of(j.System).gone[op.GetId()] = true
			f.people[j.ID] = j.Person
		case r.GetObject() == nil:
			f.Log.Warn("Connector did not show what it wrote", "system", j.System, "job", j.ID)
			f.again(j, never)
		default:
			settled, err := f.settled(j, r, op)
			if err != nil {
				return err
			}
			if !settled {
				f.people[j.ID] = j.Person
			}
		}
		return nil
	}
	f.failed = append(f.failed, j.ID)
	if err := f.tx.EndJobs([]int64{j.ID}, store.JobFailed, word(r.GetOutcome()), faultText(r.GetFault())); err != nil {
		return err
	}
	return f.refused(j, r, op)
}

// settled tells whether nothing can follow a job that was done: the plan said
// so, and the object is just as it was wanted.
func (f *finish) settled(j store.Job, r *linkv1.Result, op *connectorv1.Operation) (bool, error) {
	if !j.Settles {
		return false, nil
	}
	s, err := f.system(j.System)
	if err != nil || s == nil || s.Target == nil {
		return false, err
	}
	err = f.object.Read(r.GetObject().GetObject())
	return err == nil && reconcile.Left(s.Target, op.GetCreate(), &f.object), nil
}

// system gives a system compiled; nil where there is none, or none that can be used.
func (f *finish) system(name string) (*mapping.System, error) {
	if s, known := f.systems[name]; known {
		return s, nil
	}
	row, err := f.tx.System(f.tenant, name)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return nil, err
	}
	var s *mapping.System
	if err == nil {
		s, _ = f.Systems.Get(row) // it was said when it was applied
	}
	f.systems[name] = s
	return s, nil
}

// refused decides how to go on after a write that was not done.
func (f *finish) refused(j store.Job, r *linkv1.Result, op *connectorv1.Operation) error {
	fault := r.GetFault()
	if fault.GetTaken() {
		noted, err := f.taken(j, fault, op)
		if err != nil {
			return err
		}
		if noted {
			f.again(j, 0)
			return nil
		}
		return f.problem(j, "taken", lastCandidate(fault))
	}
	switch r.GetOutcome() {
	case connectorv1.Outcome_OUTCOME_CONFLICT:
		news, err := f.news(j, r)
		if err != nil {
			return err
		}
		stale := j.NotAfter != 0 && j.NotAfter < f.tx.Now
		if news || stale {
			f.again(j, 0)
		} else {
			f.again(j, later)
		}
	case connectorv1.Outcome_OUTCOME_NOT_FOUND:
		if op.GetId() == "" || j.Class == "membership" { // what is missing is a container or a group
			return f.problem(j, "invalid", fault)
		}
		f.of(j.System).gone[op.GetId()] = true
		f.again(j, 0)
	case connectorv1.Outcome_OUTCOME_INVALID:
		return f.problem(j, "invalid", fault)
	case connectorv1.Outcome_OUTCOME_DENIED:
		return f.problem(j, "denied", fault)
	case connectorv1.Outcome_OUTCOME_UNKNOWN:
		if anchor := op.GetCreate().GetAnchor(); len(anchor.GetValues()) > 0 {
			return f.lookFor(j, op, anchor)
		}
		f.again(j, soon)
	default:
		f.again(j, max(later, fault.GetRetryAfter().AsDuration()))
	}
	return nil
}

// lastCandidate is the fault for a person. What a connector says of the next
// step is for a rule that has another candidate.
func lastCandidate(fault *connectorv1.Fault) *connectorv1.Fault {
	f, rule := proto.CloneOf(fault), "the rule"
	if f.GetAttribute() != "" {
		rule += " of " + f.GetAttribute()
	}
	f.NextStep = "Nothing else is tried: give " + rule + " another candidate, or change what it reads in the source; if both are the same person, have the mapping match that account."
	return f
}

// again makes the job's person due.
func (f *finish) again(j store.Job, in time.Duration) {
	if j.Person != "" {
		at := f.tx.Now.Add(in)
		f.due[at] = append(f.due[at], j.Person)
	}
}

// news tells whether a conflict has shown the object, and other than it was
// known when the job was planned: a read may have brought the same meanwhile.
func (f *finish) news(j store.Job, r *linkv1.Result) (bool, error) {
	if r.GetObject() == nil {
		return false, nil
	}
	rows, err := f.tx.Accounts(f.tenant, j.System, []string{r.GetObject().GetId()})
	return len(rows) == 0 || rows[0].Changed > j.Made || string(rows[0].Object) != string(r.GetObject().GetObject()), err
}

// taken notes that a name is somebody else's, so that the next candidate is
// taken. It is not noted where that would change nothing: the rule has no
// other candidates, or it was noted before.
func (f *finish) taken(j store.Job, fault *connectorv1.Fault, op *connectorv1.Operation) (bool, error) {
	n := store.Name{Tenant: f.tenant, System: j.System}
	n.Attribute, n.Value = wanted(op, fault.GetAttribute())
	if n.Value == "" { // the place itself
		n.Attribute, n.Value = "address", fold(fault.GetObject())
	} else if unique, err := f.unique(j.System, n.Attribute); err != nil || !unique {
		return false, err
	}
	if n.Value == "" {
		return false, nil
	}
	held, err := f.tx.Names(n.Tenant, n.System, n.Attribute, []string{n.Value})
	if err != nil || len(held) == 1 && held[0] == n {
		return false, err
	}
	return true, f.tx.PutNames([]store.Name{n})
}

// wanted gives the attribute as the operation spells it, and the folded value it should get.
func wanted(op *connectorv1.Operation, attribute string) (name, value string) {
	for _, a := range op.GetCreate().GetAttributes() {
		if strings.EqualFold(a.GetName(), attribute) && len(a.GetValues()) > 0 {
			return a.GetName(), fold(a.GetValues()[0])
		}
	}
	for _, c := range op.GetModify().GetChanges() {
		if strings.EqualFold(c.GetName(), attribute) && len(c.GetWant()) > 0 {
			return c.GetName(), fold(c.GetWant()[0])
		}
	}
	return "", ""
}

// unique tells whether the rule of an attribute has other candidates.
func (f *finish) unique(system, attribute string) (bool, error) {
	s, err := f.system(system)
	if err != nil || s == nil || s.Target == nil {
		return false, err
	}
	for _, r := range s.Target.Rules {
		if strings.EqualFold(r.Attribute, attribute) {
			return r.Unique(), nil
		}
	}
	return false, nil
}

// lookFor queues a search for what a create may have made.
func (f *finish) lookFor(j store.Job, op *connectorv1.Operation, anchor *connectorv1.Attribute) error {
	work, err := proto.Marshal(&linkv1.Job{System: j.System, Work: &linkv1.Job_Find{Find: &connectorv1.FindRequest{
		Class: op.GetClass(), Attribute: anchor.GetName(), Values: anchor.GetValues(), ReturnAttributes: op.GetReturnAttributes(),
	}}})
	if err != nil {
		return err
	}
	f.find = append(f.find, store.Job{Tenant: j.Tenant, Site: j.Site, System: j.System, Object: j.Object, Person: j.Person, Cycle: j.Cycle,
		Class: "find", State: store.JobQueued, Priority: j.Priority, Work: work})
	return nil
}

// looked takes what a search has found: one object is the person's.
func (f *finish) looked(j store.Job, r *linkv1.Result) {
	if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
		f.again(j, later)
		return
	}
	s := f.of(j.System)
	for _, record := range r.GetFound() {
		s.add(record)
	}
	if len(r.GetFound()) == 1 && j.Person != "" {
		s.owners[r.GetFound()[0].GetId()] = j.Person
	}
	f.again(j, 0)
}

// problem notes what a person must see to. The rest of what they should have is planned at once.
func (f *finish) problem(j store.Job, kind string, fault *connectorv1.Fault) error {
	f.problems = append(f.problems, failure{j, kind, faultText(fault)})
	f.again(j, 0)
	return nil
}

// tell writes the log's entry about a write. It names attributes, never values.
func (f *finish) tell(j store.Job, r *linkv1.Result, work *linkv1.Job) {
	h := store.History{Tenant: j.Tenant, System: j.System, Person: j.Person, Job: j.ID, Account: r.GetObject().GetId(), Text: history.Describe(work)}
	switch {
	case r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE:
		h.Kind = history.Failed
		h.Text += ": " + r.GetFault().GetCause()
		if next := r.GetFault().GetNextStep(); next != "" {
			h.Text += "; " + next
		}
	case r.GetUnchanged():
		h.Kind = history.Unchanged
	default:
		h.Kind = history.Written
	}
	if at := work.GetNotBefore(); at != nil && r.GetOutcome() == connectorv1.Outcome_OUTCOME_DONE {
		h.Text += fmt.Sprintf(", %.3f s after the instant it was placed for, %s", r.GetFinished().AsTime().Sub(at.AsTime()).Seconds(), at.AsTime().UTC().Format(time.RFC3339))
	}
	body, err := json.Marshal(struct {
		Server   string `json:"server,omitempty"`
		Began    string `json:"began,omitempty"`
		Finished string `json:"finished,omitempty"`
	}{r.GetServer(), instant(r.GetBegan().AsTime()), instant(r.GetFinished().AsTime())})
	if err == nil {
		h.Body = body
	}
	f.history = append(f.history, h)
}

func instant(t time.Time) string {
	if t.Unix() == 0 {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// save stores all that came of the results.
func (f *finish) save() error {
	for _, system := range slices.Sorted(maps.Keys(f.found)) {
		s := f.found[system]
		if err := f.Intake.Take(f.tx, intake.Batch{Tenant: f.tenant, System: system, Records: s.records, Owners: s.owners}); err != nil {
			return err
		}
		if err := f.Intake.Gone(f.tx, f.tenant, system, slices.Sorted(maps.Keys(s.gone))); err != nil {
			return err
		}
	}
	if err := f.release(); err != nil {
		return err
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

// release ends what is done, queues its successors, and makes due whose chain is at its end.
func (f *finish) release() error {
	if len(f.done) == 0 {
		return nil
	}
	if err := f.tx.EndJobs(f.done, store.JobDone, word(connectorv1.Outcome_OUTCOME_DONE), ""); err != nil {
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

// pauses are how long to wait before a problem is tried again by itself.
var pauses = [...]time.Duration{6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

func (f *finish) saveProblems() error {
	if len(f.problems) == 0 {
		return nil
	}
	people := make([]string, len(f.problems))
	for i, p := range f.problems {
		people[i] = p.job.Person
	}
	old, err := f.tx.ProblemsOf(f.tenant, people)
	if err != nil {
		return err
	}
	rows := make([]store.Problem, 0, len(f.problems))
	for _, p := range f.problems {
		row := store.Problem{Tenant: f.tenant, Person: p.job.Person, System: p.job.System, At: f.tx.Now, Kind: p.kind, Fault: p.text, Tries: 1, Job: p.job.ID}
		for _, o := range old {
			if o.Person == row.Person && o.System == row.System && o.Kind == row.Kind {
				row.At, row.Tries = o.At, o.Tries+1
			}
		}
		row.Retry = f.tx.Now.Add(pauses[min(row.Tries, int64(len(pauses)))-1])
		rows = append(rows, row)
	}
	return f.tx.PutProblems(rows)
}

// schema stores a system's schema and what of its document does not fit it.
func (f *finish) schema(j store.Job, r *linkv1.Result) error {
	fault := r.GetFault()
	if fault == nil {
		fault = r.GetSchema().GetFault()
	}
	if r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || fault != nil {
		return nil // the job shows it
	}
	text, err := proto.Marshal(r.GetSchema())
	if err != nil {
		return err
	}
	if err := f.tx.SetSchema(f.tenant, j.System, text); errors.Is(err, store.ErrNone) {
		return nil
	} else if err != nil {
		return err
	}
	row, err := f.tx.System(f.tenant, j.System)
	if err != nil {
		return err
	}
	return f.checkSchema(row, r.GetSchema())
}

func (f *finish) checkSchema(row store.System, schema *connectorv1.SchemaResponse) error {
	s, err := f.Systems.Get(row)
	if err != nil {
		return nil // it was said when it was applied
	}
	faults := s.CheckSchema(schema)
	if len(faults) == 0 {
		return f.tx.RemoveProblems(f.tenant, row.Name, []string{""})
	}
	return f.tx.PutProblems([]store.Problem{{Tenant: f.tenant, System: row.Name, At: f.tx.Now, Kind: "schema", Tries: 1,
		Fault: faultText(&connectorv1.Fault{Cause: faults.Error(), Object: row.Name, NextStep: "correct the document and apply it again"})}})
}

// probe keeps the steps of a probe in the log.
func (f *finish) probe(j store.Job, r *linkv1.Result) error {
	h := store.History{Tenant: f.tenant, Kind: "probe", System: j.System, Job: j.ID, Text: fmt.Sprintf("probe: %d steps, the last %s", len(r.GetSteps()), word(r.GetOutcome()))}
	body, err := protojson.Marshal(&connectorv1.ProbeResponse{Steps: r.GetSteps()})
	if err == nil {
		h.Body = body
	}
	f.history = append(f.history, h)
	return nil
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
