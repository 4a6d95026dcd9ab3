// Package chaos is the fault rig: it plays an ordinary company on a whole
// Drawbridge of real processes while everything goes wrong that can, and then
// compares the directory with what the HR system says.
//
//	model ─► workers.csv ─► csv ─► agent ══ wire ══ relay ══ coordinator
//	   └─ compare ◄─ domain ══ wire ══ activedirectory ◄─┤
//	   └─ compare ◄─ app ◄─────────── moody ◄────────────┘
//
// A wire cuts and delays bytes; the relay speaks the protocol and plays a
// hostile coordinator, a hostile agent, and a link that loses and doubles frames.
//
// A round changes some people, does some faults while the changes are under
// way, lets the weather clear, approves what the thresholds held, and compares.
// Nothing may be lost, doubled or wrong, and every refusal must say its cause
// and what to do. The seed of a run gives the same changes and faults in the
// same order; only the moments differ, for processes are what they are.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/plugins/fake"
)

// Options say how much is to happen.
type Options struct {
	Bin    string        // Required. Folder of the built programs
	Dir    string        // Required. Folder for the stage
	Disk   string        // Optional. A small file system, mounted at the agent's data below Dir, that may be filled
	Domain string        // "double" (the default) or "samba"
	Seed   uint64        // the same seed, the same changes and faults
	Kills  int           // Required. So many kills, and what else happens meanwhile
	Until  time.Time     // Optional. No round begins after it, whatever the kills
	People int           // Required. Workers at the start
	Clocks bool          // the programs below Bin have clocks that can be set: see [Build]
	Log    func(string)  // Required. Told what happens, a line each
	Settle time.Duration // Required. Patience for a round to come to rest
}

// A Report is what a run did and what it found.
type Report struct {
	Seed     uint64         `json:"seed"`
	Kills    int            `json:"kills"`
	Cuts     int            `json:"cuts"` // of either wire, whatever the weather
	Rounds   int            `json:"rounds"`
	People   int            `json:"people"`
	Lost     int            `json:"lost"`
	Doubled  int            `json:"doubled"`
	Wrong    int            `json:"wrong"`
	Forged   int            `json:"forged"`   // jobs that nobody had planned, sent to the agent
	Denied   int            `json:"denied"`   // of them, those whose refusal came back
	Revived  int            `json:"revived"`  // times that a program had ended by itself and was started again, as a service is
	Refused  int            `json:"refused"`  // jobs that ended otherwise than done
	Mute     int            `json:"mute"`     // of them, those that do not say why and what to do
	Faults   map[string]int `json:"faults"`   // by name
	Points   map[string]int `json:"points"`   // kills by whom they hit and what was under way
	Weather  map[string]int `json:"weather"`  // by place and kind
	Seconds  float64        `json:"seconds"`  // in all
	Slowest  float64        `json:"slowest"`  // seconds that the slowest round took to come to rest
	Findings []string       `json:"findings"` // what was lost, doubled, wrong or mute
}

// Clean tells whether nothing was found.
func (r *Report) Clean() bool { return len(r.Findings) == 0 }

// A rig is a run under way.
type rig struct {
	Options
	stage           *stage.Stage
	model           *model
	link, directory *wire
	relay           *relay
	guarded         guarded
	clocks          clocks
	disk            string
	rnd             *rand.Rand
	report          Report
	judged          map[int64]bool // jobs that were looked at
	happened        []string       // in this round, with the time
	revived         atomic.Int64
}

// Run plays until the kills are done. The error tells what kept it from its
// end; what it found is in the report.
func Run(ctx context.Context, opt Options) (*Report, error) {
	r := &rig{Options: opt, disk: opt.Disk, clocks: clocks{on: opt.Clocks, dir: filepath.Join(opt.Bin, "clocks")}, rnd: rand.New(rand.NewPCG(opt.Seed, 1)), judged: map[int64]bool{},
		report: Report{Seed: opt.Seed, Faults: map[string]int{}, Points: map[string]int{}, Weather: map[string]int{}}}
	began := time.Now()
	err := r.run(ctx)
	r.report.Seconds, r.report.Revived = time.Since(began).Seconds(), int(r.revived.Load())
	return &r.report, err
}

func (r *rig) run(ctx context.Context) error {
	if err := r.set(ctx); err != nil {
		return err
	}
	defer r.stage.Close()
	defer r.relay.close()
	defer r.link.close()
	defer r.directory.close()
	ctx, cancel := context.WithCancelCause(ctx)
	var keeper sync.WaitGroup
	defer keeper.Wait()
	defer cancel(nil)
	keeper.Go(func() { cancel(r.keep(ctx)) })
	for r.report.Kills < r.Kills && (r.Until.IsZero() || time.Now().Before(r.Until)) {
		if err := r.round(ctx); err != nil {
			return fmt.Errorf("round %d: %w", r.report.Rounds, err)
		}
	}
	return nil
}

// set sets the stage, with a wire on either side of the agent, and has the
// company's first day pass in peace.
func (r *rig) set(ctx context.Context) (err error) {
	var wires []*wire
	r.stage, err = stage.Start(ctx, stage.Options{Bin: r.Bin, Dir: r.Dir, Domain: r.Domain, Connectors: map[string]string{"drawbridge-fake": fake.Moody}, Between: func(to string) (string, error) {
		w, err := newWire(to, r.Seed+uint64(len(wires)))
		if err != nil {
			return "", err
		}
		wires = append(wires, w)
		return w.address(), nil
	}})
	if err != nil {
		return err
	}
	r.link, r.directory = wires[0], wires[1]
	r.model = &model{file: r.stage.File, rnd: r.rnd}
	r.model.hire(r.People)
	if err := errors.Join(r.stage.File.Save(), r.stage.Furnish(), r.stage.Configure(ctx)); err != nil {
		return err
	}
	hr, _, err := r.stage.Documents()
	if err != nil {
		return err
	}
	if r.relay, err = newRelay(filepath.Join(r.stage.Dir, "coordinator"), r.link.leadsTo("")); err != nil {
		return err
	}
	r.link.leadsTo(r.relay.listener.Addr().String())
	r.stage.Agent.Kill() // it comes back by the relay
	if err := errors.Join(r.stage.Agent.Start(), r.guarded.look(r.stage.Domain)); err != nil {
		return err
	}
	// Files are taken as soon as they are there, so that there is always something under way.
	hr = strings.Replace(hr, "  delimiter: \";\"\n", "  delimiter: \";\"\n  settle: 50ms\n", 1)
	if err := errors.Join(r.stage.Apply(ctx, "hr.yaml", hr), r.installApp(ctx)); err != nil {
		return err
	}
	return r.calm(ctx)
}

// round changes people, makes trouble, and compares when it is over.
func (r *rig) round(ctx context.Context) error {
	r.report.Rounds++
	r.happened = nil
	for range 6 + r.rnd.IntN(6) {
		if r.rnd.IntN(4) > 0 { // else the fault meets what the last change left to do
			r.model.live()
			if err := r.stage.File.Save(); err != nil {
				return err
			}
		}
		r.wait(0, 250*time.Millisecond)
		f := r.pick()
		point := ""
		if f.kill {
			point = r.await(ctx)
		}
		switch err := f.do(r); {
		case errors.Is(err, errNotNow):
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", f.name, err)
		}
		r.report.Faults[f.name]++
		r.happened = append(r.happened, strings.TrimSpace(fmt.Sprintf("%s %s %s", time.Now().UTC().Format("15:04:05.000"), f.name, point)))
		if f.kill {
			r.report.Kills++
			who, _, _ := strings.Cut(f.name, " ")
			r.report.Points[who+": "+point]++
		}
	}
	began := time.Now()
	if err := r.calm(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	r.report.Slowest = max(r.report.Slowest, took.Seconds())
	r.Log(fmt.Sprintf("round %d: %d kills, %d people, at rest after %.1f s", r.report.Rounds, r.report.Kills, r.model.next, took.Seconds()))
	if err := errors.Join(r.attack(ctx), r.judge(ctx), r.unharmed()); err != nil {
		return err
	}
	return r.check()
}

// pick chooses a fault by weight.
func (r *rig) pick() fault {
	sum := 0
	for _, f := range faults {
		sum += f.weight
	}
	n := r.rnd.IntN(sum)
	for _, f := range faults {
		if n -= f.weight; n < 0 {
			return f
		}
	}
	panic("unreachable: the weights sum up")
}

// point tells what is under way.
func (r *rig) point(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	status, err := r.stage.Status(ctx)
	if err != nil {
		return "coordinator away"
	}
	for _, c := range status.Cycles {
		if c.State == "reading" {
			return "reading"
		}
	}
	switch {
	case status.Jobs["sent"] > 0:
		return "writing"
	case status.Jobs["queued"]+status.Jobs["waiting"] > 0:
		return "queueing"
	case status.Due > 0:
		return "planning"
	}
	return "idle"
}

// calm waits until everything has come to rest in fair weather: both systems
// read anew, and what the thresholds held approved.
func (r *rig) calm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.Settle)
	defer cancel()
	r.clocks.passed() // what was stored while a clock was ahead is not older than what comes now
	since := time.Now()
	for _, system := range []string{stage.HR, stage.AD, app} {
		if err := r.cli(ctx, "run", system); err != nil {
			return err
		}
	}
	for {
		// What stands behind a held job waits with it, so that rest comes only by approving.
		soon, cancel := context.WithTimeout(ctx, 2*time.Second)
		settled := r.stage.Settle(soon, since)
		cancel()
		if ctx.Err() != nil {
			return errors.Join(settled, r.unfinished())
		}
		var held []client.Held
		if err := r.stage.API.Items(ctx, "/v1/held", nil, &held); err != nil {
			return err
		}
		if len(held) == 0 && settled == nil {
			if rested, err := r.rested(ctx, since); err != nil || rested {
				return err
			}
			time.Sleep(50 * time.Millisecond)
		}
		for _, h := range held {
			if err := r.cli(ctx, "held", "approve", "--system", h.System, "--class", h.Class); err != nil {
				return err
			}
		}
	}
}

// rested tells whether every system was read after since (what was asked for
// while a read was open comes after that), and nobody is to be looked at again.
func (r *rig) rested(ctx context.Context, since time.Time) (bool, error) {
	status, err := r.stage.Status(ctx)
	if err != nil {
		return false, err
	}
	for _, s := range status.Systems {
		if s.Last == nil || s.Last.Began.Before(since.Truncate(time.Millisecond)) {
			return false, nil
		}
	}
	if status.Later == 0 {
		return true, nil
	}
	// Who is to be looked at again later may be as they should be already: what a
	// connector did and did not show is looked at in ten minutes.
	found, err := r.compare()
	return len(found) == 0, err
}

// cli runs the command line again and again until a coordinator that was just
// killed is back.
func (r *rig) cli(ctx context.Context, args ...string) error {
	for {
		_, err := r.stage.CLI(ctx, args...)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// judge looks whether every job that was refused since the last time says why,
// and what to do.
func (r *rig) judge(ctx context.Context) error {
	jobs, err := r.stage.Jobs(ctx, url.Values{"state": {"failed"}})
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if r.judged[j.ID] {
			continue
		}
		r.judged[j.ID] = true
		r.report.Refused++
		if j.Fault != nil {
			r.Log(fmt.Sprintf("refused: job %d of %s (%s) ended as %s: %s", j.ID, j.Person, j.Text, j.Outcome, j.Fault.Cause))
		}
		if j.Fault == nil || j.Fault.Cause == "" || j.Fault.NextStep == "" {
			r.report.Mute++
			r.report.Findings = append(r.report.Findings, fmt.Sprintf("mute: job %d (%s) ended as %s without a cause or a next step", j.ID, j.Text, j.Outcome))
		}
	}
	return nil
}

// compare looks at both targets.
func (r *rig) compare() ([]finding, error) {
	found, err := r.model.compare(r.stage.Domain)
	if err != nil {
		return nil, err
	}
	inApp, err := r.model.compareApp(r.appState())
	return append(found, inApp...), err
}

func (r *rig) check() error {
	found, err := r.compare()
	if err != nil {
		return err
	}
	r.report.People, r.report.Lost, r.report.Doubled, r.report.Wrong = r.model.next, 0, 0, 0
	for _, f := range found {
		switch f.kind {
		case "lost":
			r.report.Lost++
		case "doubled":
			r.report.Doubled++
		default:
			r.report.Wrong++
		}
		r.report.Findings = append(r.report.Findings, fmt.Sprintf("%s after round %d: %s", f.kind, r.report.Rounds, f.text))
	}
	r.report.Cuts = 0
	for _, n := range r.report.Weather {
		r.report.Cuts += n
	}
	if len(found) > 0 {
		return errors.New("the directory is not what the HR system says: " + found[0].text)
	}
	return nil
}
