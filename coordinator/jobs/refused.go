package jobs

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

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
		n.Attribute, n.Value = "address", directory.Fold(fault.GetObject())
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
			return a.GetName(), directory.Fold(a.GetValues()[0])
		}
	}
	for _, c := range op.GetModify().GetChanges() {
		if strings.EqualFold(c.GetName(), attribute) && len(c.GetWant()) > 0 {
			return c.GetName(), directory.Fold(c.GetWant()[0])
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
		s.add(record, j.Person)
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

type failure struct {
	job  store.Job
	kind string
	text string
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
