// Package rehearsal plays agents and systems in memory against a real store,
// for tests of the coordinator's own half: planning, approval, explanation,
// API and command line. Everything of the coordinator is real; only the link
// and what lies behind it are not: reads are given by [World.Read], operations
// are carried out on a map. The whole path is tested in installer/e2e.
package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/schedule"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Tenant is whose everything is, Site where the systems are, Agent who serves it.
const (
	Tenant = "default"
	Site   = "hq"
	Agent  = "agent-1"
)

// Password is what every new account gets where somebody may open it.
const Password = "First-Word-4711"

// A World is a coordinator without link, and systems in memory. It is for one goroutine.
type World struct {
	Store    *store.Store
	Planner  *plan.Planner
	Schedule *schedule.Scheduler
	Intake   *intake.Intake
	Queue    *jobs.Queue
	// Objects are what the targets hold, by native id.
	Objects map[string]*connectorv1.Object
	// Refuse, where set, may refuse an operation: its fault and outcome are the result.
	Refuse func(*connectorv1.Operation) (connectorv1.Outcome, *connectorv1.Fault)
	// Strict has the systems refuse what stands against what they hold, as real ones do, and searches find.
	Strict bool
	// Lost, where set, tells of an operation that is carried out whether its answer is lost: then nobody knows.
	Lost func(*connectorv1.Operation) bool
	// Meanwhile, where set, happens while the agent has what Work carries out.
	Meanwhile func()
	// Since is when the agent has connected.
	Since store.Instant
	// Cycle is that of the next Read; 0 means 1.
	Cycle int64
	// Placed are jobs that Work has taken and that are not to be begun before an instant.
	Placed []*linkv1.Job

	t      testing.TB
	id     int
	fences map[string]uint64 // highest seen, by object, as an agent keeps them
}

// New makes a world whose store goes with the test.
func New(t testing.TB) *World {
	t.Helper()
	return NewOn(t, storetest.Open(t))
}

// NewOn makes a world on an empty store.
func NewOn(t testing.TB, st *store.Store) *World {
	t.Helper()
	w := on(t, st)
	w.Write(func(tx *store.Tx) error {
		if err := tx.PutTenant(Tenant); err != nil {
			return err
		}
		w.Since = tx.Now
		return tx.AddAgent(store.Agent{Tenant: Tenant, ID: Agent, Site: Site, Host: "dc-host", Version: "1.0.0", Enrolled: tx.Now,
			CertSerial: "1", CertExpires: tx.Now.Add(1e15), Connected: tx.Now, Seen: tx.Now,
			Connectors: `[{"name":"csv","version":"1.0.0"},{"name":"activedirectory","version":"1.0.0"}]`})
	})
	return w
}

// on makes a world on a store, whose agent has yet to come.
func on(t testing.TB, st *store.Store) *World {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w := &World{Store: st, Planner: plan.New(st, log), Objects: map[string]*connectorv1.Object{}, t: t, fences: map[string]uint64{}}
	w.Schedule = schedule.New(st, &w.Planner.Alarms, log)
	w.Intake = &intake.Intake{Store: st, Systems: plan.NewSystems(), Log: log}
	w.Queue = &jobs.Queue{Store: st, Intake: w.Intake, Systems: plan.NewSystems(), Log: log}
	return w
}

// Again makes a world on a store that another world, of an earlier release
// perhaps, has left, with the objects that it left.
func Again(t testing.TB, st *store.Store, objects map[string]*connectorv1.Object) *World {
	t.Helper()
	w := on(t, st)
	w.Objects, w.id = objects, len(objects)
	w.Write(func(tx *store.Tx) error {
		agent, err := tx.Agent(Tenant, Agent)
		w.Since = agent.Connected
		return err
	})
	return w
}

// Restart has the coordinator's process end and begin anew: what is not in the
// store is gone. The agent and the systems go on.
func (w *World) Restart() {
	fresh := on(w.t, w.Store)
	w.Planner, w.Schedule, w.Intake, w.Queue = fresh.Planner, fresh.Schedule, fresh.Intake, fresh.Queue
}

// Resend gives the jobs that the agent was sent and has not answered, as they
// come to one that has lost its journal.
func (w *World) Resend() []*linkv1.Job {
	w.t.Helper()
	jobs, err := w.Queue.Resend(context.Background(), Tenant, Agent, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return jobs
}

// Later has so much time gone by that whatever waits for its time, but for
// people's dates, is due: what is looked at again in a minute, and problems.
func (w *World) Later() {
	w.t.Helper()
	w.Write(func(tx *store.Tx) error {
		now := tx.Now
		tx.Now = now.Add(24 * time.Hour)
		due, err := tx.DuePeople(1_000_000)
		if tx.Now = now; err != nil {
			return err
		}
		people := make([]string, len(due))
		for i, d := range due {
			people[i] = d.Person
		}
		if err := tx.MarkDue(Tenant, now, "its time has come", people); err != nil {
			return err
		}
		_, err = tx.RetryNow(Tenant, "", "")
		return err
	})
}

// Write runs do in a transaction that must succeed.
func (w *World) Write(do func(*store.Tx) error) {
	w.t.Helper()
	if err := w.Store.Write(context.Background(), do); err != nil {
		w.t.Fatal(err)
	}
}

// Apply stores documents as systems that were read before, and found empty.
func (w *World) Apply(documents string) {
	w.t.Helper()
	systems, err := mapping.ParseFile("test.yaml", []byte(documents))
	if err != nil {
		w.t.Fatal(err)
	}
	w.Write(func(tx *store.Tx) error {
		for _, s := range systems {
			revision, err := tx.ApplySystem(store.System{Tenant: Tenant, Name: s.Name, Site: s.Site, Connector: s.Connector, Document: s.Document})
			if err != nil {
				return err
			}
			if err := tx.SetReadAs(Tenant, s.Name, revision); err != nil {
				return err
			}
		}
		return nil
	})
}

// Edit stores other documents for systems that are there, as somebody who applies
// them, and has those found whom they touch. Where they need more of a system
// than was read, that waits for the next read.
func (w *World) Edit(documents string) {
	w.t.Helper()
	systems, err := mapping.ParseFile("test.yaml", []byte(documents))
	if err != nil {
		w.t.Fatal(err)
	}
	w.Write(func(tx *store.Tx) error {
		for _, s := range systems {
			old, err := tx.System(Tenant, s.Name)
			if err != nil {
				return err
			}
			before, err := w.Intake.Systems.Get(old)
			if err != nil {
				return err
			}
			revision, err := tx.ApplySystem(store.System{Tenant: Tenant, Name: s.Name, Site: s.Site, Connector: s.Connector, Document: s.Document})
			if err != nil {
				return err
			}
			if err := intake.Carry(tx, old, before, s, revision); err != nil {
				return err
			}
		}
		return nil
	})
	w.Touch()
}

// Touch has what is stored evaluated by the documents in force, and those made due whom these touch.
func (w *World) Touch() {
	w.t.Helper()
	if err := errors.Join(w.Intake.Evaluate(context.Background()), w.Intake.Touch(context.Background())); err != nil {
		w.t.Fatal(err)
	}
}

// Read takes objects of a system, as if it had been read.
func (w *World) Read(system string, objects ...*connectorv1.Object) {
	w.t.Helper()
	records := make([]*connectorv1.Record, len(objects))
	for i, o := range objects {
		records[i] = record(o)
	}
	w.Write(func(tx *store.Tx) error {
		return w.Intake.Take(tx, intake.Batch{Tenant: Tenant, System: system, Cycle: cmp.Or(w.Cycle, 1), Records: records})
	})
}

// ReadWhole reads a system from beginning to end, as its agent does: what it
// says is judged before it is believed. It gives the cycle.
func (w *World) ReadWhole(system string, objects ...*connectorv1.Object) (cycle store.Cycle) {
	w.t.Helper()
	job := []store.Job{{Tenant: Tenant, Site: Site, System: system, Class: "read", State: store.JobSent}}
	w.Write(func(tx *store.Tx) error {
		if err := tx.AddJobs(job); err != nil {
			return err
		}
		return tx.PutCycle(store.Cycle{Tenant: Tenant, ID: job[0].ID, System: system, Cause: "schedule", Began: tx.Now, State: store.CycleReading})
	})
	before := w.Cycle
	w.Cycle = job[0].ID
	w.Read(system, objects...)
	w.Cycle = before
	w.Write(func(tx *store.Tx) (err error) {
		sum := &linkv1.ReadSummary{Seen: uint64(len(objects)), Changed: uint64(len(objects))}
		if err := w.Intake.EndRead(tx, job[0], &linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_DONE, Read: sum}); err != nil {
			return err
		}
		cycle, err = tx.Cycle(Tenant, job[0].ID)
		return err
	})
	return cycle
}

// EndRead ends a read of changes of a system that found nothing more.
func (w *World) EndRead(system string) {
	w.t.Helper()
	w.Write(func(tx *store.Tx) error {
		return w.Intake.EndRead(tx, store.Job{Tenant: Tenant, System: system, ID: 1, Made: tx.Now},
			&linkv1.Result{Outcome: connectorv1.Outcome_OUTCOME_DONE, Read: &linkv1.ReadSummary{}})
	})
}

// Plan plans whoever is due, and carries nothing out.
func (w *World) Plan() {
	w.t.Helper()
	for {
		n, err := w.Planner.Step(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// Settle plans and carries out until nothing is left to do. It returns how many operations were carried out.
func (w *World) Settle() (done int) {
	w.t.Helper()
	for range 100 {
		w.Plan()
		n := w.Work(1000)
		if n == 0 {
			return done
		}
		done += n
	}
	w.t.Fatal("there is always something left to do")
	return 0
}
