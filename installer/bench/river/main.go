// Command river works jobs that do nothing with River on a PostgreSQL database,
// for pg_queue to compare with. It is a module of its own, so that the product's
// go.mod does not name what it does not use:
//
//	go run -C installer/bench/river . postgres://user@host/database 100000
//
// It prints the seconds from when the client starts until every job is completed
// in the database, where River keeps it.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

const (
	chunk   = 5000 // jobs inserted at a time
	workers = 2000 // as River's own benchmark has it
)

type nothing struct {
	N int `json:"n"`
}

func (nothing) Kind() string { return "nothing" }

type worker struct {
	river.WorkerDefaults[nothing]
}

func (worker) Work(context.Context, *river.Job[nothing]) error { return nil }

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "river:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want the address of a database and a number of jobs, got %q", args)
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, args[0])
	if err != nil {
		return err
	}
	defer pool.Close()
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	registered := river.NewWorkers()
	river.AddWorker(registered, worker{})
	client, err := river.NewClient(driver, &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}, Workers: registered,
		FetchCooldown: 2 * time.Millisecond, FetchPollInterval: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return err
	}
	for at := 0; at < n; at += chunk {
		var jobs []river.InsertManyParams
		for i := at; i < min(n, at+chunk); i++ {
			jobs = append(jobs, river.InsertManyParams{Args: nothing{i}})
		}
		if _, err := client.InsertManyFast(ctx, jobs); err != nil {
			return err
		}
	}
	if _, err := pool.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		return err
	}
	completed, cancel := client.SubscribeConfig(&river.SubscribeConfig{Kinds: []river.EventKind{river.EventKindJobCompleted}, ChanSize: n}) // a full one loses events
	defer cancel()
	began := time.Now()
	if err := client.Start(ctx); err != nil {
		return err
	}
	for range n {
		<-completed
	}
	fmt.Println(time.Since(began).Seconds())
	return client.Stop(ctx)
}
