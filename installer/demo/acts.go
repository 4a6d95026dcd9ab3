package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// How many of the workers something special happens to.
const (
	joined    = 25 // had an account before Drawbridge came
	future    = 10 // begin in five days
	moving    = 12
	marrying  = 5
	leaving   = 8
	returning = 2
)

// A demo is the stage and what happened on it.
type demo struct {
	out     io.Writer
	watched bool // out is a terminal
	count   int
	stage   *stage.Stage
	began   time.Time // of the present act: when its HR file was saved
	tally   tally
	cases   []trace
}

func (d *demo) close() {
	if d.stage != nil {
		d.stage.Close()
	}
}

// set starts everything, and gives the directory a past: organizational units,
// groups, some people's accounts, and two accounts for one person.
func (d *demo) set(ctx context.Context, domain, bin, dir string) error {
	d.say("Starting a directory (%s), a coordinator, an agent with its connectors …", domain)
	s, err := stage.Start(ctx, stage.Options{Bin: bin, Dir: dir, Domain: domain})
	if err != nil {
		return err
	}
	d.stage = s
	if err := s.Furnish(); err != nil {
		return err
	}
	var past []stage.Existing
	for i := range joined {
		w := workers.At(40 + i)
		past = append(past, stage.Existing{Name: w.FirstName + " " + w.LastName + " " + w.EmployeeID, SAM: "old" + w.EmployeeID, EmployeeID: w.EmployeeID})
	}
	twin := workers.At(100)
	past = append(past, stage.Existing{Name: "Twin One", SAM: "twin1", EmployeeID: twin.EmployeeID},
		stage.Existing{Name: "Twin Two", SAM: "twin2", EmployeeID: twin.EmployeeID})
	if err := s.Seed(past...); err != nil {
		return err
	}
	return s.Configure(ctx)
}

// firstDay: the HR system exports everybody for the first time.
func (d *demo) firstDay(ctx context.Context) error {
	list := workers.List(d.count)
	for i := range future {
		list[d.count-1-i].HireDate = time.Now().AddDate(0, 0, 5).Format(time.DateOnly)
	}
	d.stage.File.Put(list...)
	if err := d.play(ctx, fmt.Sprintf("First day: the HR system exports %d workers", d.count)); err != nil {
		return err
	}
	d.follow("hired", d.stage.File.Get(workers.ID(7)))
	return d.approve(ctx)
}

// approve lets go what the thresholds hold of the first day: the accounts that
// were there before are many of those known, and all of them are to move.
func (d *demo) approve(ctx context.Context) error {
	status, err := d.stage.Status(ctx)
	if err != nil {
		return err
	}
	for _, held := range status.Held {
		d.say("  held: %d × %s in %s: %s", held.Count, held.Class, held.System, held.Reason)
		d.began = time.Now()
		out, err := d.stage.CLI(ctx, "held", "approve", "--system", held.System, "--class", held.Class)
		if err != nil {
			return err
		}
		d.say("  $ drawbridge held approve --system %s --class %s\n  %s", held.System, held.Class, strings.TrimSpace(string(out)))
	}
	if len(status.Held) == 0 {
		return nil
	}
	if err := d.stage.Settle(ctx, time.Time{}); err != nil {
		return err
	}
	return d.countAct(ctx)
}

// anotherDay: people move, marry, leave; some of those who left come back.
func (d *demo) anotherDay(ctx context.Context) error {
	file := d.stage.File
	each := func(from, n int, change func(*workers.Worker)) {
		for i := range n {
			w := file.Get(workers.ID(from + i))
			change(&w)
			file.Put(w)
		}
	}
	departments := workers.Departments()
	each(110, moving, func(w *workers.Worker) {
		for i, department := range departments {
			if department == w.Department {
				w.Department = departments[(i+1)%len(departments)]
				return
			}
		}
	})
	each(130, marrying, func(w *workers.Worker) { w.LastName = w.LastName + "-Lindgren" })
	each(140, leaving, func(w *workers.Worker) { w.Status = "T" })
	if err := d.play(ctx, fmt.Sprintf("Another day: %d change department, %d marry, %d leave", moving, marrying, leaving)); err != nil {
		return err
	}
	d.follow("moved", file.Get(workers.ID(110)))
	d.follow("left", file.Get(workers.ID(145)))
	each(140, returning, func(w *workers.Worker) { w.Status = "A" })
	return d.play(ctx, fmt.Sprintf("A week later: %d of the leavers come back", returning))
}

// badExport: a broken export loses 40 % of its rows. Nobody is touched.
func (d *demo) badExport(ctx context.Context) error {
	file := d.stage.File
	all := file.List()
	for _, w := range all[d.count*6/10:] {
		file.Remove(w.EmployeeID)
	}
	if err := d.play(ctx, fmt.Sprintf("A broken export: %d of %d rows are missing", d.count-d.count*6/10, d.count)); err != nil {
		return err
	}
	file.Put(all...)
	return d.play(ctx, "The export is whole again")
}

// play saves the HR file and shows what goes on until everything that follows is done.
func (d *demo) play(ctx context.Context, title string) error {
	d.say("\n%s", title)
	watching, stop := context.WithCancel(ctx)
	shown := make(chan struct{})
	d.began = time.Now()
	go func() {
		defer close(shown)
		d.progress(watching)
	}()
	err := d.stage.Export(ctx)
	took := time.Since(d.began)
	stop()
	<-shown
	if err != nil {
		return err
	}
	d.say("  done after %s", took.Round(10*time.Millisecond))
	return d.countAct(ctx)
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// farewell tells what is there to look at.
func (d *demo) farewell(ctx context.Context) error {
	s := d.stage
	var link client.SignInLink
	if err := s.API.Post(ctx, "/v1/sign-in-links", client.NewSignInLink{Name: "demo"}, &link); err != nil {
		return err
	}
	d.say(`
Everything goes on running until Ctrl-C. To look around, open this in a browser (it signs in once, within the hour):

  %s

or, in another terminal:

  export DRAWBRIDGE_URL=%s DRAWBRIDGE_TOKEN=%s
  build/bin/drawbridge status
  build/bin/drawbridge person show %s
  build/bin/drawbridge log -f

  HR file    %s   (edit it, save it, and see)
  directory  %s as %s, password %s, CA %s`,
		link.URL, s.URL, s.API.Token, workers.ID(110), s.File.Path, s.Domain.LDAPS, s.Domain.Bind, s.Domain.Password, s.Domain.CA)
	return nil
}
