package api

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// countedOpen is up to how many open jobs of a cycle are counted.
const countedOpen = 200_000

// cycleDetail tells of a cycle how far it is, and what it wants changed.
func cycleDetail(tx *store.Tx, row store.Cycle) (client.CycleDetail, error) {
	out := client.CycleDetail{Cycle: cycle(row)}
	counts, err := tx.CountsOf(row.Tenant, row.ID)
	if err != nil {
		return out, err
	}
	held, err := tx.HeldCountsOf(row.Tenant, row.ID)
	if err != nil {
		return out, err
	}
	came := int64(0)
	of := map[[2]string]*client.Difference{}
	at := func(system, class string) *client.Difference {
		if of[[2]string{system, class}] == nil {
			of[[2]string{system, class}] = &client.Difference{System: system, Class: class}
		}
		return of[[2]string{system, class}]
	}
	for _, c := range counts {
		class, what, _ := strings.Cut(c.Name, " ")
		switch what {
		case "":
			came += c.N
		case "planned":
			at(c.System, class).Planned = c.N
			out.Progress.Planned += c.N
		case store.JobDone:
			at(c.System, class).Done = c.N
		case store.JobFailed:
			at(c.System, class).Failed = c.N
		}
	}
	for _, h := range held {
		at(h.System, h.Class).Held = h.Count
	}
	out.Differences = make([]client.Difference, 0, len(of))
	out.Jobs = map[string]int64{}
	for _, d := range of {
		out.Differences = append(out.Differences, *d)
		for state, n := range map[string]int64{store.JobDone: d.Done, store.JobFailed: d.Failed, store.JobHeld: d.Held} {
			if n > 0 {
				out.Jobs[d.Class+"/"+state] += n
			}
		}
	}
	slices.SortFunc(out.Differences, func(a, b client.Difference) int {
		return cmp.Or(strings.Compare(a.System, b.System), strings.Compare(a.Class, b.Class))
	})
	if row.State == store.CycleHeld {
		if out.Held, err = heldRecords(tx, row); err != nil {
			return out, err
		}
	}
	return out, progress(tx, row, came, &out)
}

// shownRecords is how many records of a held cycle are shown.
const shownRecords = 200

// heldRecords gives what a held cycle would lose or change.
func heldRecords(tx *store.Tx, c store.Cycle) ([]client.HeldRecord, error) {
	staged, err1 := tx.HeldStaged(c.Tenant, c.System, "", shownRecords)
	missing, err2 := tx.MissingAccounts(c.Tenant, c.System, c.ID, shownRecords)
	why := map[string]string{}
	for _, s := range staged {
		why[s.ID] = s.Held
	}
	accounts, err3 := tx.Accounts(c.Tenant, c.System, slices.Collect(maps.Keys(why)))
	accounts = append(accounts, missing...)
	ids := make([]string, len(accounts))
	for i, a := range accounts {
		ids[i] = a.Person
	}
	people, err4 := peopleByID(tx, c.Tenant, ids)
	out := make([]client.HeldRecord, 0, len(accounts))
	for _, a := range accounts {
		p := people[a.Person] // nobody's: the key is empty
		out = append(out, client.HeldRecord{Record: cmp.Or(a.Address, a.Class+" "+a.ID), Person: p.Shown(), Why: cmp.Or(why[a.ID], "is gone")})
	}
	slices.SortFunc(out, func(a, b client.HeldRecord) int {
		return cmp.Or(strings.Compare(a.Person, b.Person), strings.Compare(a.Record, b.Record))
	})
	return out[:min(len(out), shownRecords)], errors.Join(err1, err2, err3, err4)
}

// progress fills how far a cycle is.
func progress(tx *store.Tx, row store.Cycle, came int64, out *client.CycleDetail) error {
	p := &out.Progress
	now := tx.Now.Time()
	if row.State == store.CycleReading {
		p.Phase, p.Seen = "reading", came
		like, err := tx.LikeCycle(row)
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		p.Expected = like.Changed // unchanged objects stay at the agent
		if strings.HasSuffix(row.Cause, "everything") && like.ID == 0 {
			p.Expected = 0
		}
		if jobs, err := tx.JobsBare(row.Tenant, []int64{row.ID}); err == nil && len(jobs) == 1 && jobs[0].Sent == 0 {
			p.Phase = "waiting"
		}
		p.Rate, p.Left = pace(came, p.Expected-came, now.Sub(row.Began.Time()).Seconds())
		return nil
	}
	p.Seen = row.Seen
	open, err := tx.OpenOfCycle(row.Tenant, row.ID, countedOpen)
	if err != nil {
		return err
	}
	due, err := tx.CountDueOf(row.Tenant, row.ID)
	if err != nil {
		return err
	}
	held := int64(0)
	for _, d := range out.Differences {
		held += d.Held
	}
	p.Ended = max(0, p.Planned-open)
	switch {
	case due > 0:
		p.Phase = "planning"
	case open > held:
		p.Phase = "writing"
	default:
		p.Phase = "over"
		return nil
	}
	p.Rate, p.Left = pace(p.Ended, open-held, now.Sub(row.Began.Time()).Seconds())
	return nil
}

// pace gives how fast something went, and how long the rest takes at that; 0 where that is not known.
func pace(done, rest int64, seconds float64) (rate, left float64) {
	if done <= 0 || seconds <= 0 {
		return 0, 0
	}
	rate = float64(done) / seconds
	if rest <= 0 {
		return rate, 0
	}
	return rate, float64(rest) / rate
}
