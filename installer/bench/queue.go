package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/plugins/sql/postgres"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	queueJobs   = 50_000
	queueWindow = 4096 // jobs that an agent has at most
	queueClaim  = 1024 // in one transaction
	queueAnswer = 2048 // results in one
	queueRounds = 2
)

// pgQueue compares the coordinator's queue on PostgreSQL with River's, on one
// server that syncs its disk, with nothing else between: changes of accounts are
// claimed by an agent, and their results stored with the account, the log and
// the tallies, all of which stays; River works jobs that do nothing, and keeps
// their rows. pg_queue_unchanged is the nearest to that which there is here:
// writes that find everything as it should be, so that no account changes and
// nobody is due. All have the jobs stored before the clock starts, and take turns.
func pgQueue(ctx context.Context, b *bench) ([]Figure, error) {
	server, err := postgres.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer server.Remove()
	if err := statements(ctx, server.URL("postgres"), "ALTER SYSTEM SET fsync = on", "ALTER SYSTEM SET full_page_writes = on",
		"ALTER SYSTEM SET shared_buffers = '512MB'", "ALTER SYSTEM SET max_wal_size = '4GB'"); err != nil {
		return nil, err
	}
	if err := errors.Join(server.Stop(), server.Start(ctx)); err != nil {
		return nil, err
	}
	n := b.count(queueJobs)
	river, err := buildRiver(ctx, b.dir)
	if err != nil {
		return nil, err
	}
	best := map[string]float64{}
	for round := range queueRounds {
		for _, kind := range []string{"product", "unchanged", "river"} {
			database := fmt.Sprintf("%s_%d", kind, round)
			if err := statements(ctx, server.URL("postgres"), "CREATE DATABASE "+database); err != nil {
				return nil, err
			}
			took, err := time.Duration(0), error(nil)
			if kind == "river" {
				took, err = workRiver(ctx, river, server.URL(database), n)
			} else {
				took, err = workQueue(ctx, server.URL(database), n, kind == "unchanged", b.log)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			rate := float64(n) / took.Seconds()
			best[kind] = max(best[kind], rate)
			b.log("%s: %.0f jobs a second", kind, rate)
		}
	}
	return []Figure{against("pg_queue", best["product"], "jobs/s", best["river"]),
		against("pg_queue_unchanged", best["unchanged"], "jobs/s", best["river"])}, nil
}

func statements(ctx context.Context, database string, all ...string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, statement := range all {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// buildRiver builds the module beside this one.
func buildRiver(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "river")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	cmd.Dir = filepath.Join("installer", "bench", "river")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build River's side, from the top of the source: %w\n%s", err, out)
	}
	return program, nil
}

func workRiver(ctx context.Context, program, database string, n int) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, program, database, strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return time.Duration(seconds * float64(time.Second)), err
}

// workQueue has an agent claim n changes and answer them: they were made, or there was nothing to do.
func workQueue(ctx context.Context, database string, n int, unchanged bool, log func(string, ...any)) (time.Duration, error) {
	st, err := store.Open(ctx, database)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	if err := fill(ctx, st, n, 1, log); err != nil {
		return 0, err
	}
	agent, since, objects, err := fillQueue(ctx, st, n, unchanged)
	if err != nil {
		return 0, err
	}
	if err := statements(ctx, database, "VACUUM ANALYZE"); err != nil {
		return 0, err
	}
	quiet := slog.New(slog.DiscardHandler)
	in := &intake.Intake{Store: st, Systems: plan.NewSystems(), Log: quiet}
	queue := &jobs.Queue{Store: st, Intake: in, Systems: plan.NewSystems(), Log: quiet}
	began := time.Now()
	answers := make(chan []*linkv1.Result, queueWindow/queueClaim)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(answers)
		for done := 0; done < n; {
			claimed, err := queue.Claim(ctx, filledTenant, "hq", agent, since, map[string]int{"corp-ad": queueClaim})
			if err != nil {
				return err
			}
			if len(claimed) == 0 {
				return fmt.Errorf("%d of %d jobs could be claimed", done, n)
			}
			done += len(claimed)
			results := make([]*linkv1.Result, len(claimed))
			for i, j := range claimed {
				results[i] = &linkv1.Result{Job: j.GetId(), Outcome: connectorv1.Outcome_OUTCOME_DONE, Server: "dc1.corp.example", Unchanged: unchanged,
					Object: &connectorv1.Record{Id: j.GetObject(), Object: objects[j.GetObject()]}}
			}
			select {
			case answers <- results:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	group.Go(func() error {
		for results := range answers {
			for more := true; more && len(results) < queueAnswer; {
				select {
				case next, open := <-answers:
					results, more = append(results, next...), open
				default:
					more = false
				}
			}
			if err := st.Take(ctx, filledTenant, func(tx *store.Tx) error {
				return queue.Finish(tx, filledTenant, jobs.Results{Site: "hq", Agent: agent, Results: results})
			}); err != nil {
				return err
			}
		}
		return nil
	})
	err = group.Wait()
	took := time.Since(began)
	return took, errors.Join(err, allDone(context.WithoutCancel(ctx), st, 2*n))
}

// allDone wants so many jobs to be done.
func allDone(ctx context.Context, st *store.Store, want int) error {
	return st.Read(ctx, func(tx *store.Tx) error {
		done, err := tx.CountJobs(filledTenant, store.JobDone)
		if err == nil && done != want {
			err = fmt.Errorf("%d jobs are done, want %d", done, want)
		}
		return err
	})
}

// fillQueue adds an agent that is connected, and a change for each account of n
// people; objects are the accounts as they are afterwards.
func fillQueue(ctx context.Context, st *store.Store, n int, unchanged bool) (agent string, since store.Instant, objects map[string][]byte, err error) {
	agent, objects = fmt.Sprintf("%032x", 0), map[string][]byte{}
	err = st.Write(ctx, func(tx *store.Tx) error {
		since = tx.Now
		_, err := tx.ConnectAgent(store.Agent{Tenant: filledTenant, ID: agent, Host: "dc1", Version: "1.0.0", Connectors: "[]", Counter: 1, Attempt: "1", Spool: "s"})
		return err
	})
	for at := 0; at < n && err == nil; at += fillSlice {
		err = st.Write(ctx, func(tx *store.Tx) error { return fillChanges(tx, at, min(n, at+fillSlice), unchanged, objects) })
	}
	return agent, since, objects, err
}

func fillChanges(tx *store.Tx, from, to int, unchanged bool, objects map[string][]byte) error {
	first, err := tx.ReserveJobs(to - from)
	if err != nil {
		return err
	}
	var ids []string
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprintf("guid-%016x", i*104729))
	}
	accounts, err := tx.Accounts(filledTenant, "corp-ad", ids)
	if err != nil {
		return err
	}
	var rows []store.Job
	for i, a := range accounts {
		work, err := proto.Marshal(&linkv1.Job{Work: &linkv1.Job_Apply{Apply: &connectorv1.Operation{Class: "user", Id: a.ID,
			Verb: &connectorv1.Operation_Modify{Modify: &connectorv1.Modify{Changes: []*connectorv1.Change{
				{Name: "department", Expect: []string{"Research"}, Want: []string{"Sales"}}}}}}}})
		if err != nil {
			return err
		}
		if objects[a.ID] = a.Object; !unchanged {
			if objects[a.ID], err = inSales(a.Object); err != nil {
				return err
			}
		}
		rows = append(rows, store.Job{ID: first + int64(i), Tenant: filledTenant, Site: "hq", System: "corp-ad", Object: a.ID, Person: a.Person,
			Class: "modify", State: store.JobQueued, Made: tx.Now, Work: work, Since: tx.Now, Settles: unchanged})
	}
	return tx.AddJobs(rows)
}

// inSales is an account once it has changed department.
func inSales(account []byte) ([]byte, error) {
	o := new(connectorv1.Object)
	if err := proto.Unmarshal(account, o); err != nil {
		return nil, err
	}
	for _, a := range o.GetAttributes() {
		if a.GetName() == "department" {
			a.Values = []string{"Sales"}
		}
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(o)
}
