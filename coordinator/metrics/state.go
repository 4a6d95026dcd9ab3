package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/drawbridge-id/drawbridge/coordinator/health"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const (
	// stateLife is how long what the store says is told again at least.
	stateLife = 10 * time.Second
	// share is the part of a processor that reading it may take, at most: one in so many.
	share = 20
	// patience is how long reading it may take.
	patience = 20 * time.Second
)

var (
	agents    = desc("agents", "Agents by state; asking are counted once more.", "tenant", "state")
	people    = desc("people", "People known.", "tenant")
	due       = desc("people_due", "People to be looked at now.", "tenant")
	open      = desc("jobs_open", "Jobs that have not ended, by state.", "tenant", "state")
	held      = desc("jobs_held", "Jobs that wait for approval.", "tenant", "system", "class")
	problems  = desc("problems", "Accounts that cannot be made as wanted, by kind.", "tenant", "kind")
	up        = desc("check_good", "Whether the last check of a system, from end to end, worked.", "tenant", "system")
	checkedAt = desc("check_good_timestamp_seconds", "When a check of a system, from end to end, last worked.", "tenant", "system")
	took      = desc("check_duration_seconds", "How long the last check of a system took, there and back.", "tenant", "system")
	readAt    = desc("read_timestamp_seconds", "When the last read of a system began.", "tenant", "system")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("drawbridge_"+name, help, labels, nil)
}

// state tells what is in the store.
type state struct {
	store   *store.Store
	checker *health.Checker
	log     *slog.Logger

	mu    sync.Mutex
	told  []prometheus.Metric
	until time.Time
}

// Describe implements prometheus.Collector.
func (s *state) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{agents, people, due, open, held, problems, up, checkedAt, took, readAt} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s *state) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if began := time.Now(); began.After(s.until) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.told = nil
		if err := s.store.Read(ctx, s.read); err != nil {
			s.log.ErrorContext(ctx, "Metrics not read", "err", err)
			s.told = nil
		}
		s.until = began.Add(max(stateLife, share*time.Since(began)))
	}
	for _, m := range s.told {
		out <- m
	}
}

func (s *state) set(d *prometheus.Desc, value float64, labels ...string) {
	s.told = append(s.told, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...))
}

func (s *state) read(tx *store.Tx) error {
	tenants, err := tx.Tenants()
	for _, t := range tenants {
		if err != nil {
			return err
		}
		err = s.tenant(tx, t.ID)
	}
	return err
}

func (s *state) tenant(tx *store.Tx, tenant string) error {
	n, err := tx.CountPeople(tenant)
	if err != nil {
		return err
	}
	now, _, err := tx.CountDue(tenant)
	if err != nil {
		return err
	}
	s.set(people, float64(n), tenant)
	s.set(due, float64(now), tenant)
	for _, counted := range []struct {
		desc *prometheus.Desc
		read func(string) ([]store.Count, error)
	}{{agents, tx.AgentCounts}, {open, tx.OpenJobCounts}, {problems, tx.ProblemKinds}} {
		counts, err := counted.read(tenant)
		if err != nil {
			return err
		}
		for _, c := range counts {
			s.set(counted.desc, float64(c.N), tenant, c.Name)
		}
	}
	classes, err := tx.HeldClasses(tenant)
	if err != nil {
		return err
	}
	for _, c := range classes {
		s.set(held, float64(c.Count), tenant, c.System, c.Class)
	}
	return s.systems(tx, tenant)
}

func (s *state) systems(tx *store.Tx, tenant string) error {
	list, err := s.checker.Verdicts(tx, tenant)
	if err != nil {
		return err
	}
	for _, v := range list {
		good := 0.0
		if v.State == "good" {
			good = 1
		}
		if v.State != "new" {
			s.set(up, good, tenant, v.System)
			s.set(took, v.Took, tenant, v.System)
		}
		if !v.Good.IsZero() {
			s.set(checkedAt, float64(v.Good.UnixMilli())/1000, tenant, v.System)
		}
		if last, err := tx.LastCycle(tenant, v.System); err == nil {
			s.set(readAt, float64(last.Began)/1000, tenant, v.System)
		}
	}
	return nil
}
