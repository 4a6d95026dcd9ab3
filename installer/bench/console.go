package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/installer/stage"
)

const (
	consolePeople = 1_000_000
	consoleAgents = 10_000
	consoleTries  = 120 // requests of each kind
	dashboards    = 200 // open at a time
)

// apiLists measures what pages of the dashboard wait for: every kind of request
// that one makes, at a real coordinator with 1,000,000 people and 10,000 agents in
// its file, one after the other. The figure is the time within which 99 of 100 are
// answered of the slowest kind; what it compares with is the second that a page may take.
func apiLists(ctx context.Context, b *bench) ([]Figure, error) {
	c, err := openConsole(ctx, b, b.count(consolePeople))
	if err != nil {
		return nil, err
	}
	defer c.stop()
	took := map[string][]time.Duration{}
	var all []time.Duration
	for n := range consoleTries {
		for name, path := range c.pages(n) {
			began := time.Now()
			if err := c.get(ctx, path); err != nil {
				return nil, err
			}
			if d := time.Since(began); n > 0 { // the first of each warms up, as the first visitor of a day does
				took[name], all = append(took[name], d), append(all, d)
			} else {
				b.log("%-34s first %s", name, d.Round(time.Millisecond))
			}
		}
	}
	worst, which := time.Duration(0), ""
	for name, list := range took {
		p99 := within(list, .99)
		b.log("%-34s half %s, 99 of 100 %s", name, within(list, .5).Round(100*time.Microsecond), p99.Round(100*time.Microsecond))
		if p99 > worst {
			worst, which = p99, name
		}
	}
	b.log("slowest: %s", which)
	return []Figure{
		against("api_lists", worst.Seconds(), "s p99 of the slowest page", 1),
		against("api_lists_all", within(all, .99).Seconds(), "s p99 of all", 1),
		against("api_search", max(within(took["people search"], .99), within(took["people search, the worst"], .99)).Seconds(), "s p99", 1),
	}, nil
}

// dashboardsIdle measures what 200 open dashboards cost when nothing happens: the
// processor time of a coordinator over half a minute with as many streams of
// events, against that of the same one without; in parts of a core.
func dashboardsIdle(ctx context.Context, b *bench) ([]Figure, error) {
	c, err := openConsole(ctx, b, b.count(10_000))
	if err != nil {
		return nil, err
	}
	defer c.stop()
	const span = 30 * time.Second
	alone, err := c.share(ctx, span)
	if err != nil {
		return nil, err
	}
	streams, cancel := context.WithCancel(ctx)
	defer cancel()
	for range dashboards {
		req, err := c.request(streams, "/v1/events")
		if err != nil {
			return nil, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		go func() { _, _ = io.Copy(io.Discard, resp.Body) }()
	}
	open, err := c.share(ctx, span)
	if err != nil {
		return nil, err
	}
	b.log("without %.2f %%, with %d dashboards %.2f %% of a core", 100*alone, dashboards, 100*open)
	return []Figure{against("dashboards_idle", 100*open, "% of a core", 5)}, nil
}

// A console is a coordinator whose store was filled before it started.
type console struct {
	cmd   *exec.Cmd
	url   string
	token string
	n     int
}

func openConsole(ctx context.Context, b *bench, n int) (*console, error) {
	data := filepath.Join(cmp.Or(b.kept, b.dir), fmt.Sprintf("coordinator-%d", n))
	if b.store != "" {
		data += "-shared"
	}
	if err := fillFile(ctx, b, data, n); err != nil {
		return nil, err
	}
	address, link, err := freePorts()
	if err != nil {
		return nil, err
	}
	c := &console{url: "http://" + address, n: n, cmd: exec.CommandContext(ctx, filepath.Join(b.bin, "drawbridge-coordinator"), "--data", data, "--api", address, "--link", link,
		"--check-every", "24h", "--log-level", "warn", "--api-rate", "100000")}
	c.cmd.Stderr = os.Stderr
	if b.store != "" {
		c.cmd.Env = append(os.Environ(), "DRAWBRIDGE_STORE="+b.store)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	for range 600 {
		if resp, err := http.Get(c.url + "/readyz"); err == nil {
			_ = resp.Body.Close()
			text, err := os.ReadFile(filepath.Join(data, "admin-token"))
			c.token = strings.TrimSpace(string(text))
			return c, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.stop()
	return nil, errors.New("the coordinator did not start")
}

// fillFile fills the store below data, unless an earlier run has.
func fillFile(ctx context.Context, b *bench, data string, n int) error {
	whole := filepath.Join(data, "filled")
	if _, err := os.Stat(whole); err == nil {
		return nil
	}
	if err := errors.Join(os.RemoveAll(data), os.MkdirAll(data, 0o700)); err != nil {
		return err
	}
	st, err := store.Open(ctx, cmp.Or(b.store, filepath.Join(data, "coordinator.db")))
	if err != nil {
		return err
	}
	began := time.Now()
	if err := errors.Join(fill(ctx, st, n, consoleAgents, b.log), st.Close()); err != nil {
		return err
	}
	b.log("%d people and %d agents stored in %s", n, consoleAgents, time.Since(began).Round(time.Second))
	return os.WriteFile(whole, nil, 0o600)
}

func (c *console) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	_ = c.cmd.Wait()
}

func freePorts() (a, b string, err error) {
	one, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	two, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", errors.Join(err, one.Close())
	}
	return one.Addr().String(), two.Addr().String(), errors.Join(one.Close(), two.Close())
}

// share gives the part of a core that the coordinator takes over a while.
func (c *console) share(ctx context.Context, span time.Duration) (float64, error) {
	before, err := stage.ProcessorTime(c.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := sleep(ctx, span); err != nil {
		return 0, err
	}
	after, err := stage.ProcessorTime(c.cmd.Process.Pid)
	return float64(after-before) / float64(time.Since(began)), err
}

func (c *console) request(ctx context.Context, path string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err == nil {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req, err
}

func (c *console) get(ctx context.Context, path string) error {
	req, err := c.request(ctx, path)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s = %d %.200s", path, resp.StatusCode, text)
	}
	return err
}

// pages are the requests that pages of the dashboard make, with something else asked for each time.
func (c *console) pages(n int) map[string]string {
	g := rand.New(rand.NewPCG(7, uint64(n)))
	given, family := givens[g.IntN(20)], families[g.IntN(20)]
	key := fmt.Sprintf("e%07d", g.IntN(c.n))
	// The worst there is to look for: what everybody has, with what few have, or nobody.
	worst := []string{"e0", "e", key[:2] + "%20" + given[:1], "e00%20" + given, given[:1] + "%20" + family[:1], "e0%20nosuchname", given[:1] + "%20nosuchname", "nosuchname", given + "%20e0000", "a%20e%20o"}[n%10]
	typed := []string{given[:1], given[:2], given[:3], family[:2], given + "%20" + family[:1], given[:1] + "%20" + family, key, key[:5], family + endings[g.IntN(len(endings))], strings.ToLower(given[:1] + family)}[n%10]
	return map[string]string{
		"home": "/v1/home", "status": "/v1/status", "health": "/v1/health", "me": "/v1/me", "held": "/v1/held", "systems": "/v1/systems", "system": "/v1/systems/corp-ad",
		"schema": "/v1/systems/corp-ad/schema", "versions": "/v1/systems/corp-ad/versions", "sites": "/v1/sites", "connectors": "/v1/connectors", "cycles": "/v1/cycles",
		"changes": "/v1/series/changes?span=week", "delay": "/v1/series/delay?span=week", "webhooks": "/v1/webhooks", "problems": "/v1/problems", "audit": "/v1/audit",
		"agents": "/v1/agents", "agents of a site": fmt.Sprintf("/v1/agents?site=site-%03d", g.IntN(500)), "agents away": "/v1/agents?state=away", "agents by name": fmt.Sprintf("/v1/agents?q=host-%05d", g.IntN(consoleAgents)),
		"agent": fmt.Sprintf("/v1/agents/%032x", g.IntN(consoleAgents)), "people": "/v1/people", "people from the middle": "/v1/people?cursor=" + key,
		"people search": "/v1/people?q=" + typed, "people search, the worst": "/v1/people?q=" + worst, "person": "/v1/people/" + key, "time line": "/v1/people/" + key + "/timeline",
		"jobs": "/v1/jobs", "jobs failed": "/v1/jobs?state=failed", "jobs open": "/v1/jobs?state=open", "jobs of a class": "/v1/jobs?system=corp-ad&class=delete", "jobs of a person": "/v1/jobs?person=" + key,
		"job": fmt.Sprintf("/v1/jobs/%d", 1+g.IntN(c.n)), "log": "/v1/log", "log of a kind": "/v1/log?kind=written", "log of a rare kind": "/v1/log?kind=failed", "log of a system": "/v1/log?system=hr",
		"log of a person": "/v1/log?person=" + key, "log by text": "/v1/log?q=nosuchtext", "log since": "/v1/log?since=2020-01-01T00:00:00Z",
	}
}

func within(list []time.Duration, part float64) time.Duration {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[min(len(list)-1, int(part*float64(len(list))))]
}
