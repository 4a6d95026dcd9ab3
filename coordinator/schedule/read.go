package schedule

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Causes of a cycle. One that reads everything says so behind it.
const (
	Interval = "schedule"
	Changed  = "changed"
	OnDemand = "on demand"
)

const everything = ", everything"

// read begins the reads that are due, and sets when the next ones are.
func (s *Scheduler) read(tx *store.Tx) error {
	rows, err := tx.SystemsToRead()
	if err != nil {
		return err
	}
	for _, row := range rows {
		system, err := s.systems.Get(row)
		if err != nil { // a later release no longer takes the document: shown, and tried after a while
			s.log.Error("System is not read", "tenant", row.Tenant, "system", row.Name, "err", err)
			if err := tx.SetNextRead(row.Tenant, row.Name, tx.Now.Add(safety)); err != nil {
				return err
			}
			continue
		}
		if system.Pushed() { // nobody reads it
			if err := tx.SetNextRead(row.Tenant, row.Name, 0); err != nil {
				return err
			}
			continue
		}
		open, err := tx.OpenRead(row.Tenant, row.Name, "read")
		if err != nil {
			return err
		}
		if open != 0 {
			if err := tx.SetNextRead(row.Tenant, row.Name, tx.Now.Add(busy)); err != nil {
				return err
			}
			continue
		}
		full, err := tx.LastFull(row.Tenant, row.Name)
		if err != nil {
			return err
		}
		due := full == 0 || system.Read.FullEvery > 0 && tx.Now >= full.Add(system.Read.FullEvery)
		cause := s.cause(row.Tenant, row.Name)
		if row.Asked != store.AskedNothing {
			cause = OnDemand
		}
		if _, err := Start(tx, row, system, cause, due || row.Asked == store.AskedEverything); err != nil {
			return err
		}
		next := store.Instant(0)
		if system.Read.Every > 0 {
			next = tx.Now.Add(system.Read.Every)
		}
		if err := tx.SetNextRead(row.Tenant, row.Name, next); err != nil {
			return err
		}
	}
	return nil
}

// Demand has a system read because somebody asked for it: at once, or, while a
// read is open, which may be past what was just changed and may be of changes
// only, as soon as that has ended. It gives the id of the cycle that has begun,
// or of the one that is awaited.
func Demand(tx *store.Tx, row store.System, system *mapping.System, full bool) (id int64, awaited bool, err error) {
	id, err = tx.OpenRead(row.Tenant, row.Name, "read")
	if err != nil {
		return 0, false, err
	}
	if id == 0 {
		id, err = Start(tx, row, system, OnDemand, full)
		return id, false, err
	}
	what := store.AskedChanges
	if full {
		what = store.AskedEverything
	}
	return id, true, tx.AskRead(row.Tenant, row.Name, what)
}

// Start begins a cycle: it stores the read job and the cycle of the same id. If
// a read of the system is open it begins none, and gives that one's id.
func Start(tx *store.Tx, row store.System, system *mapping.System, cause string, full bool) (id int64, err error) {
	open, err := tx.OpenRead(row.Tenant, row.Name, "read")
	if err != nil || open != 0 {
		return open, err
	}
	last, err := tx.LastCycle(row.Tenant, row.Name)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return 0, err
	}
	// Another document may want attributes that were never sent, of objects that
	// have not changed; and what somebody did not believe to be gone is told
	// again only when everything is.
	resend := last.ID == 0 || last.Began < row.Applied && row.ReadAs != row.Revision || last.State == store.CycleRejected
	full = full || resend
	work, err := proto.Marshal(&linkv1.Job{System: row.Name, Work: &linkv1.Job_Read{Read: &linkv1.Read{
		Classes: Classes(system), Attributes: system.Attributes(), Full: full, Resend: resend,
	}}})
	if err != nil {
		return 0, err
	}
	jobs := []store.Job{{Tenant: row.Tenant, Site: row.Site, System: row.Name, Class: "read", State: store.JobQueued, Work: work, Priority: 5}}
	if err := errors.Join(tx.AddJobs(jobs), tx.AnswerRead(row.Tenant, row.Name)); err != nil {
		return 0, err
	}
	if full {
		cause += everything
	}
	id = jobs[0].ID
	return id, tx.PutCycle(store.Cycle{Tenant: row.Tenant, ID: id, System: row.Name, Cause: cause, Began: tx.Now, State: store.CycleReading})
}

// Classes gives the classes to read: with groups where rules speak of them.
func Classes(system *mapping.System) []string {
	list := system.Classes()
	if system.Target != nil && len(system.Target.Groups) > 0 && !directory.Among(list, "group") {
		list = append(slices.Clip(list), "group")
	}
	return list
}

// Find has one object of a system looked up by an attribute, ahead of everything else.
func Find(tx *store.Tx, row store.System, system *mapping.System, class, attribute, value string) (job int64, err error) {
	work, err := proto.Marshal(&linkv1.Job{System: row.Name, Priority: 30, Work: &linkv1.Job_Find{Find: &connectorv1.FindRequest{
		Class: class, Attribute: attribute, Values: []string{value}, ReturnAttributes: system.Attributes(),
	}}})
	if err != nil {
		return 0, err
	}
	jobs := []store.Job{{Tenant: row.Tenant, Site: row.Site, System: row.Name, Class: "find", State: store.JobQueued, Work: work, Priority: 30}}
	if err := tx.AddJobs(jobs); err != nil {
		return 0, fmt.Errorf("find in %s: %w", row.Name, err)
	}
	return jobs[0].ID, nil
}

// readSchemas has the schemas read that are not known, or not since the
// document changed. What was asked for in vain is asked for again after a while.
func (s *Scheduler) readSchemas(tx *store.Tx) error {
	return s.unread(tx, func(row store.System) error {
		work, err := proto.Marshal(&linkv1.Job{System: row.Name, Priority: 30, Work: &linkv1.Job_Schema{Schema: &linkv1.ReadSchema{}}})
		if err != nil {
			return err
		}
		s.asked[key{row.Tenant, row.Name}] = tx.Now
		return tx.AddJobs([]store.Job{{Tenant: row.Tenant, Site: row.Site, System: row.Name, Class: "schema", State: store.JobQueued,
			Work: work, Priority: 30}})
	})
}

func (s *Scheduler) schemaWanted(tx *store.Tx) (bool, error) {
	wanted := false
	err := s.unread(tx, func(store.System) error { wanted = true; return nil })
	return wanted, err
}

// unread calls do for the systems whose schema must be asked for.
func (s *Scheduler) unread(tx *store.Tx, do func(store.System) error) error {
	tenants, err := tx.Tenants()
	if err != nil {
		return err
	}
	for _, t := range tenants {
		rows, err := tx.Systems(t.ID)
		if err != nil {
			return err
		}
		for _, row := range rows {
			asked := s.asked[key{row.Tenant, row.Name}]
			if row.Connector == mapping.PushConnector || row.SchemaAt >= row.Applied || asked >= row.Applied && tx.Now < asked.Add(again) {
				continue
			}
			open, err := tx.OpenRead(row.Tenant, row.Name, "schema")
			if err != nil {
				return err
			}
			if open == 0 {
				if err := do(row); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Probe has the connection to a system tested, ahead of everything else. If a
// test of it is open it begins none, and gives that one's id.
func Probe(tx *store.Tx, row store.System) (job int64, err error) {
	open, err := tx.OpenRead(row.Tenant, row.Name, "probe")
	if err != nil || open != 0 {
		return open, err
	}
	work, err := proto.Marshal(&linkv1.Job{System: row.Name, Priority: 30, Work: &linkv1.Job_Probe{Probe: &linkv1.Probe{}}})
	if err != nil {
		return 0, err
	}
	jobs := []store.Job{{Tenant: row.Tenant, Site: row.Site, System: row.Name, Class: "probe", State: store.JobQueued, Work: work, Priority: 30}}
	if err := tx.AddJobs(jobs); err != nil {
		return 0, fmt.Errorf("probe %s: %w", row.Name, err)
	}
	return jobs[0].ID, nil
}
