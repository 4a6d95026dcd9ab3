package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// A tally counts what was done, by class of job, and what was not.
type tally struct {
	jobs    map[string]int
	counted map[int64]bool // jobs that are in it
	held    []string       // what waits for a person, in words
}

// A trace follows one worker from the row to the directory.
type trace struct {
	what   string
	worker workers.Worker
	saved  time.Time
}

func (d *demo) follow(what string, w workers.Worker) {
	d.cases = append(d.cases, trace{what, w, d.began})
}

// progress rewrites one line with how far things are, until ctx ends. Where
// nobody watches, nothing is printed.
func (d *demo) progress(ctx context.Context) {
	if !d.watched {
		return
	}
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			fmt.Fprint(d.out, "\r\033[K")
			return
		case <-ticker.C:
			s, err := d.stage.Status(ctx)
			if err != nil {
				continue
			}
			fmt.Fprintf(d.out, "\r\033[K  %4.1f s  people %d  accounts %d  to look at %d  jobs waiting %d, under way %d",
				time.Since(d.began).Seconds(), s.People, s.Accounts[stage.AD], s.Due, s.Jobs["queued"]+s.Jobs["waiting"], s.Jobs["sent"])
		}
	}
}

// countAct adds what came of the present act to the tally.
func (d *demo) countAct(ctx context.Context) error {
	if d.tally.jobs == nil {
		d.tally.jobs, d.tally.counted = map[string]int{}, map[int64]bool{}
	}
	jobs, err := d.stage.Jobs(ctx, url.Values{"system": {stage.AD}, "state": {"done"}, "limit": {"10000"}})
	if err != nil {
		return err
	}
	byClass := map[string]int{}
	for _, job := range jobs {
		if !d.tally.counted[job.ID] {
			d.tally.counted[job.ID] = true
			byClass[job.Class]++
			d.tally.jobs[job.Class]++
		}
	}
	var words []string
	for _, class := range []string{"create", "modify", "move", "membership", "disable", "enable", "delete"} {
		if n := byClass[class]; n > 0 {
			words = append(words, fmt.Sprintf("%s %d", class, n))
		}
	}
	if len(words) > 0 {
		d.say("  written: %s", strings.Join(words, ", "))
	}
	status, err := d.stage.Status(ctx)
	if err != nil {
		return err
	}
	for _, c := range status.Cycles {
		if c.State == "held" {
			d.say("  held: %s", c.Reason)
			d.tally.held = append(d.tally.held, c.Reason)
		}
	}
	return nil
}

// table prints what happened, and the traces.
func (d *demo) table(ctx context.Context) error {
	var matched []client.Entry
	if err := d.stage.API.Items(ctx, "/v1/log", url.Values{"kind": {"matched"}, "system": {stage.AD}, "limit": {"1000"}}, &matched); err != nil {
		return err
	}
	var problems []client.Obstacle
	if err := d.stage.API.Items(ctx, "/v1/problems", nil, &problems); err != nil {
		return err
	}
	d.say("\nWhat happened\n")
	w := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	for _, row := range []struct {
		what string
		n    int
		note string
	}{
		{"hired", d.tally.jobs["create"], "accounts made, with a password, each name given once"},
		{"joined", len(matched), "accounts that were there before and belong to somebody"},
		{"moved", d.tally.jobs["move"], "to another organizational unit, or renamed"},
		{"changed", d.tally.jobs["modify"], "attributes, written by compare and swap"},
		{"groups", d.tally.jobs["membership"], "memberships given or taken"},
		{"disabled", d.tally.jobs["disable"], "leavers: locked out, out of their groups, moved away"},
		{"enabled", d.tally.jobs["enable"], "returners, and people whose account was there before"},
		{"held", len(problems) + len(d.tally.held), "not done, and a person must decide:"},
	} {
		fmt.Fprintf(w, "  %s\t%6d\t%s\n", row.what, row.n, row.note)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range problems {
		d.say("              %s %s: %s", p.Person, p.Display, p.Fault.Cause)
	}
	for _, reason := range d.tally.held {
		d.say("              %s", reason)
	}
	d.say("\nThree of them, from the row to the directory")
	for _, c := range d.cases {
		if err := d.trace(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// trace prints the row, what was planned for it and when, and the entry as it is now.
func (d *demo) trace(ctx context.Context, c trace) error {
	jobs, err := d.stage.Jobs(ctx, url.Values{"system": {stage.AD}, "person": {c.worker.EmployeeID}, "limit": {"100"}})
	if err != nil {
		return err
	}
	found, err := d.stage.Domain.Search("(employeeID="+ldap.EscapeFilter(c.worker.EmployeeID)+")", "sAMAccountName", "userPrincipalName", "userAccountControl")
	if err != nil {
		return err
	}
	d.say("\n  %-6s %s", c.what, c.worker.Row())
	for i := len(jobs) - 1; i >= 0; i-- {
		job := jobs[i]
		if job.Made.Before(c.saved.Truncate(time.Millisecond)) || job.State != "done" {
			continue
		}
		d.say("         planned %-7s written %-7s %s", since(c.saved, job.Made), since(c.saved, job.Ended), job.Text)
	}
	for _, entry := range found {
		state := "disabled"
		if stage.Enabled(entry) {
			state = "enabled"
		}
		d.say("         %s\n         %s, %s, %s", entry.DN, entry.GetAttributeValue("sAMAccountName"), entry.GetAttributeValue("userPrincipalName"), state)
	}
	return nil
}

func since(from, to time.Time) string {
	return fmt.Sprintf("+%.2f s", to.Sub(from).Seconds())
}
