package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// titlesDocument keeps the titles of accounts that are there already: one
// change of one attribute for each. The connector is ldap: what is written by
// activedirectory must be an Active Directory, or the guardrail denies it.
const titlesDocument = `system: corp-ad
site: hq
connector: ldap
settings: {servers: [%q], ca: %q, base: %q, bind: %q, classes: {user: {object_classes: [user], naming: cn}}}
read: {every: 24h, full_every: 48h}
target:
  class: user
  match: {employeeID: employeeNumber}
  container: '"ou=Staff,%s"'
  name: '"Person " + employeeNumber'
  attributes:
    employeeID: employeeNumber
    title: title
` + allTitles

// allTitles lets the change of all titles at once pass without a person.
const allTitles = "  thresholds: {modify: 1000000}\n"

// selfTuning puts the throughput of changes of a title, at the concurrency that
// the agent found by itself in a warm-up, against the best of 1, 4 and 16 set in
// agent.yaml: on Samba, which works on one write at a time, and on OpenLDAP.
// The rates are taken from the ends of the jobs, from one tenth of them to nine
// tenths, so that reading and planning are no part of them.
func selfTuning(ctx context.Context, b *bench) ([]Figure, error) {
	samba, sambaErr := tuneSamba(ctx, b, 300)
	openLDAP, openLDAPErr := tuneOpenLDAP(ctx, b, 1000)
	return append(samba, openLDAP...), errors.Join(sambaErr, openLDAPErr)
}

func tuneSamba(ctx context.Context, b *bench, count int) ([]Figure, error) {
	s, err := b.stage(ctx, "samba", count)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := known(ctx, s); err != nil {
		return nil, err
	}
	d := s.Domain
	if err := s.Apply(ctx, "corp-ad.yaml", fmt.Sprintf(adDocument+allTitles, d.LDAPS, d.CA, d.Base, d.Bind, d.Base)); err != nil {
		return nil, err
	}
	if err := s.SetSecret(ctx, stage.AD, "password", d.Password); err != nil {
		return nil, err
	}
	return tune(ctx, b, s, "self_tuning_samba", count)
}

func tuneOpenLDAP(ctx context.Context, b *bench, count int) ([]Figure, error) {
	o, err := startOpenLDAP(ctx, b.dir+"/tuned", count)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	s, err := stage.Start(ctx, stage.Options{Bin: b.bin, Dir: b.dir + "/tuner"})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.File.Write(func(w io.Writer) error { return workers.WriteFirst(w, count) }); err != nil {
		return nil, err
	}
	if err := known(ctx, s); err != nil {
		return nil, err
	}
	if err := s.Apply(ctx, "corp-ad.yaml", fmt.Sprintf(titlesDocument, o.LDAPS, o.CA, o.Base, o.Bind, o.Base)); err != nil {
		return nil, err
	}
	if err := s.SetSecret(ctx, stage.AD, "password", o.Password); err != nil {
		return nil, err
	}
	return tune(ctx, b, s, "self_tuning_openldap", count)
}

// known has the HR file read.
func known(ctx context.Context, s *stage.Stage) error {
	if err := applyHR(ctx, s); err != nil {
		return err
	}
	return s.Settle(ctx, time.Time{})
}

// tune has the agent find its concurrency, which is its warm-up, then takes the
// rates at this and at the fixed ones, in turn, and the median of each.
func tune(ctx context.Context, b *bench, s *stage.Stage, name string, count int) ([]Figure, error) {
	const rounds = 5
	if err := waitForAccounts(ctx, s, count); err != nil {
		return nil, err
	}
	titles := &promotions{stage: s, count: count}
	found, err := learn(ctx, b, titles, name)
	if err != nil {
		return nil, err
	}
	fixed := []int{1, 4, 16}
	settings := fixed
	if !slices.Contains(fixed, found) {
		settings = append([]int{found}, fixed...)
	}
	rates := map[int][]float64{}
	for range rounds {
		for _, n := range settings {
			if err := fix(s, n); err != nil {
				return nil, err
			}
			rate, err := titles.change(ctx)
			if err != nil {
				return nil, err
			}
			rates[n] = append(rates[n], rate)
		}
	}
	fastest := 0.0
	for _, n := range settings {
		b.log("%s: %d at a time: %.0f/s", name, n, median(rates[n]))
		if slices.Contains(fixed, n) {
			fastest = max(fastest, median(rates[n]))
		}
	}
	return []Figure{against(name, median(rates[found]), "changes/s", fastest)}, nil
}

// learn gives the agent work for five rounds, and on until it has kept a
// concurrency through three, and returns that.
func learn(ctx context.Context, b *bench, titles *promotions, name string) (found int, err error) {
	const least, most, kept = 5, 12, 3
	for round, same := 0, 0; round < least || round < most && same < kept; round++ {
		if _, err := titles.change(ctx); err != nil {
			return 0, err
		}
		now := parallelOf(ctx, titles.stage)
		if same++; now != found {
			found, same = now, 1
		}
		b.log("%s: %d at a time after %d changes", name, found, (round+1)*titles.count)
	}
	return found, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// fix sets how many operations may run at a time, as an admin does: in agent.yaml.
func fix(s *stage.Stage, n int) error {
	path := filepath.Join(s.Dir, "agent.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	kept, _, _ := strings.Cut(string(text), "concurrency:")
	if err := os.WriteFile(path, fmt.Appendf(nil, "%sconcurrency: {%s: %d}\n", kept, stage.AD, n), 0o600); err != nil {
		return err
	}
	s.Agent.Stop()
	return s.Agent.Start()
}

// Promotions change the titles of everybody, there and back.
type promotions struct {
	stage    *stage.Stage
	count    int
	promoted bool
	last     int64 // number of the last job before
}

// change changes every title and returns the changes per second.
func (p *promotions) change(ctx context.Context) (float64, error) {
	each := 1
	if p.promoted {
		each = 0
	}
	p.promoted = !p.promoted
	if err := p.stage.File.Write(func(w io.Writer) error { return workers.WriteChanged(w, p.count, each) }); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for { // until all are done: the read that brings them may be an order's or the watcher's
		ended, last, err := p.ended(ctx)
		if err != nil {
			return 0, err
		}
		if len(ended) >= p.count {
			p.last = last
			slices.SortFunc(ended, time.Time.Compare)
			from, to := len(ended)/10, len(ended)*9/10
			return float64(to-from) / ended[to].Sub(ended[from]).Seconds(), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%d of %d titles changed: %w", len(ended), p.count, context.Cause(ctx))
		case <-time.After(time.Second):
		}
	}
}

// ended returns when the changes since the last time ended.
func (p *promotions) ended(ctx context.Context) (ended []time.Time, last int64, err error) {
	var jobs []client.Job
	query := url.Values{"system": {stage.AD}, "class": {"modify"}, "state": {"done"}, "limit": {strconv.Itoa(p.count)}}
	if err := p.stage.API.Items(ctx, "/v1/jobs", query, &jobs); err != nil {
		return nil, 0, err
	}
	for _, job := range jobs {
		if job.ID > p.last {
			ended, last = append(ended, job.Ended), max(last, job.ID)
		}
	}
	return ended, last, nil
}
