package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const (
	shownPoints = 50        // of each kind
	oldAgent    = time.Hour // after which an agent that is away is bad
)

func (s *Server) home(doc huma.API) {
	route(doc, "GET", "/v1/home", "get-home", "Is everything all right, and what waits for somebody?", access.Viewer, s.getHome)
}

func (s *Server) getHome(ctx context.Context, _ *empty) (*body[client.Home], error) {
	total, err := s.total(ctx)
	if err != nil {
		return nil, err
	}
	out, err := s.homes.get(ctx, s, func(tx *store.Tx, tenant string) (client.Home, error) {
		h := &homeView{server: s, tx: tx, tenant: tenant, total: total}
		err := h.load()
		return h.out, err
	})
	return answer(out), err
}

// A homeView is what is looked at to say whether everything is all right.
type homeView struct {
	server *Server
	tx     *store.Tx
	tenant string
	total  totals
	out    client.Home
}

func (h *homeView) load() error {
	h.out = client.Home{Version: h.server.Version, Now: h.tx.Now.Time(), People: h.total.people, Due: h.total.due, Alarms: h.total.alarms,
		Points: []client.Point{}, Jobs: named(h.total.jobs), Today: []client.ChangeCount{}, Cycles: []client.Cycle{}}
	for _, part := range []func() error{h.agents, h.systems, h.held, h.cycles, h.problems, h.passwords, h.today} {
		if err := part(); err != nil {
			return err
		}
	}
	h.out.Verdict = "good"
	slices.SortStableFunc(h.out.Points, func(a, b client.Point) int { return strings.Compare(b.Level, a.Level) }) // bad before attention
	if len(h.out.Points) > 0 {
		h.out.Verdict = h.out.Points[0].Level
	}
	return nil
}

func named(counts []store.Count) []client.NamedCount {
	list := make([]client.NamedCount, len(counts))
	for i, c := range counts {
		list[i] = client.NamedCount{Name: c.Name, N: c.N}
	}
	return list
}

func (h *homeView) point(level, what, name, text, next string) {
	h.out.Points = append(h.out.Points, client.Point{Level: level, What: what, Name: name, Text: text, NextStep: next})
}

const (
	bad       = "bad"
	attention = "attention"
)

func (h *homeView) agents() error {
	counts, err := h.tx.AgentCounts(h.tenant)
	if err != nil {
		return err
	}
	for _, c := range counts {
		switch c.Name {
		case "connected":
			h.out.Agents.Connected = int(c.N)
		case "away":
			h.out.Agents.Away = int(c.N)
		case "asking":
			h.out.Agents.Asking, h.out.Waiting.Approvals = int(c.N), c.N
		}
	}
	h.out.Agents.All = h.out.Agents.Connected + h.out.Agents.Away
	rows, err := h.tx.NotedAgents(h.tenant, shownPoints)
	for _, row := range rows {
		h.agent(agent(row))
	}
	return err
}

func (h *homeView) agent(a client.Agent) {
	if a.Approval != nil && a.Approval.State == "waiting" {
		h.point(attention, "approval", a.ID, fmt.Sprintf("agent %s of site %s asks for approval: %s", a.Host, a.Site, a.Approval.Why), "compare the key with the host's, then approve or decline")
	} else if a.State == "away" {
		level, since := attention, a.Seen
		if since.IsZero() {
			since = a.Enrolled
		}
		if h.out.Now.Sub(since) > oldAgent {
			level = bad
		}
		h.point(level, "agent", a.ID, fmt.Sprintf("agent %s of site %s is away", a.Host, a.Site), "look at its host; its work waits for it. If it is gone for good, revoke it")
	}
	if a.Guardrail.Fault != nil {
		h.point(bad, "agent", a.ID, fmt.Sprintf("the guardrail of agent %s cannot be used, and everything is denied: %s", a.Host, a.Guardrail.Fault.Cause), a.Guardrail.Fault.NextStep)
	}
	switch u := a.Update; {
	case u == nil:
	case u.State == "failed":
		h.point(attention, "agent", a.ID, fmt.Sprintf("agent %s of site %s took release %s back: %s", a.Host, a.Site, u.Version, u.Cause),
			"move its ring to a release that works; to have this one tried again, run drawbridge-agent update release on its host and drawbridge ring set here")
	case u.State == "refused":
		h.point(attention, "agent", a.ID, fmt.Sprintf("agent %s of site %s refuses release %s: %s", a.Host, a.Site, u.Version, u.Cause), "move its ring to a release that its host takes; see drawbridge-agent update status there")
	}
	if n := a.Guardrail.Waiting; n > 0 {
		h.out.Waiting.Guardrail += int64(n)
		h.point(attention, "agent", a.ID, fmt.Sprintf("%d jobs wait at the guardrail of agent %s", n, a.Host), "approve them on that host with drawbridge-agent approve")
	}
}

func (h *homeView) systems() error {
	list, err := h.server.systemsOf(h.tx, h.tenant, h.total.accounts)
	for _, y := range list {
		h.out.Systems.All++
		switch y.State {
		case "ready":
			h.out.Systems.Ready++
		case "failing":
			h.out.Systems.Failing++
			text, next := y.Name+" cannot be reached or read", "look at the system's page"
			if y.Fault != nil {
				text, next = y.Name+": "+y.Fault.Cause, cmp.Or(y.Fault.NextStep, next)
			}
			h.point(bad, "system", y.Name, text, next)
		default:
			h.out.Systems.Waiting++
			h.point(attention, "system", y.Name, "no agent has told of "+y.Name+" yet", "let an agent join at site "+y.Site)
		}
	}
	return err
}

func (h *homeView) held() (err error) {
	h.out.Held, err = heldOf(h.tx, h.tenant)
	for _, c := range h.out.Held {
		h.out.Waiting.HeldJobs += c.Count
		h.point(attention, "held", c.System+"/"+c.Class, fmt.Sprintf("%d × %s in %s wait for approval: %s", c.Count, c.Class, c.System, c.Reason), "look at them, then approve or reject")
	}
	return err
}

func (h *homeView) cycles() error {
	for _, state := range []string{store.CycleReading, store.CycleHeld} {
		rows, err := h.tx.ListCycles(h.tenant, store.CycleFilter{State: state}, shownPoints)
		if err != nil {
			return err
		}
		for _, row := range rows {
			h.out.Cycles = append(h.out.Cycles, cycle(row))
			if state == store.CycleHeld {
				h.out.Waiting.HeldCycles++
				h.point(attention, "cycle", fmt.Sprint(row.ID), fmt.Sprintf("cycle %d of %s is held: %s", row.ID, row.System, row.Reason), "look at the source, then approve or reject the cycle")
			}
		}
	}
	return nil
}

func (h *homeView) problems() error {
	kinds, err := h.tx.ProblemKinds(h.tenant)
	h.out.Problems = named(kinds)
	for _, k := range kinds {
		h.out.Waiting.Problems += k.N
		text := fmt.Sprintf("%d accounts cannot be made as wanted: %s", k.N, k.Name)
		if k.N == 1 {
			text = "1 account cannot be made as wanted: " + k.Name
		}
		h.point(attention, "problem", k.Name, text, "each problem says its cause and what to do")
	}
	return err
}

func (h *homeView) passwords() (err error) {
	h.out.Waiting.Passwords, err = h.tx.CountPasswords(h.tenant)
	return err
}

// today counts changes since midnight UTC, and measures the delay of the last hour.
func (h *homeView) today() error {
	rows, err := h.tx.Tallies(h.tenant, time.Hour, store.InstantOf(h.out.Now.Truncate(24*time.Hour)))
	if err != nil {
		return err
	}
	sum := map[client.ChangeCount]int64{}
	for _, r := range rows {
		if class, outcome, ok := strings.Cut(r.Name, " "); ok && class != "lag" {
			sum[client.ChangeCount{System: r.System, Class: class, Outcome: outcome}] += r.N
		}
	}
	for c, n := range sum {
		c.N = n
		h.out.Today = append(h.out.Today, c)
	}
	slices.SortFunc(h.out.Today, func(a, b client.ChangeCount) int {
		return cmp.Or(strings.Compare(a.System, b.System), strings.Compare(a.Class, b.Class), strings.Compare(a.Outcome, b.Outcome))
	})
	late, err := h.tx.Tallies(h.tenant, 5*time.Minute, store.InstantOf(h.out.Now.Add(-time.Hour)))
	if d := delay(late); d.N > 0 {
		h.out.Delay = &d
	}
	return err
}

// delay measures what the tallies tell of how long changes took.
func delay(rows []store.Tally) client.Delay {
	type step struct {
		took time.Duration
		n    int64
	}
	var steps []step
	var out client.Delay
	for _, r := range rows {
		if took, is := store.LagOf(r.Name); is {
			steps = append(steps, step{took, r.N})
			out.N += r.N
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.took, b.took) })
	within := func(part float64) float64 {
		rank := int64(part*float64(out.N-1)) + 1
		for _, s := range steps {
			if rank -= s.n; rank <= 0 {
				return s.took.Seconds()
			}
		}
		return 0
	}
	out.Median, out.P95 = within(0.5), within(0.95)
	return out
}

// Points gives what is not as it should be for a tenant, the gravest first.
func (s *Server) Points(ctx context.Context, tenant string) ([]client.Point, error) {
	h := &homeView{server: s, tenant: tenant}
	err := s.Store.Read(ctx, func(tx *store.Tx) error {
		h.tx = tx
		return h.load()
	})
	return h.out.Points, err
}
