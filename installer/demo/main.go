// Command demo shows Drawbridge's main job on one machine: an HR file of 1,000
// workers, a directory to write to, and what becomes of it, on the real
// programs. `make demo` builds them and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/term"
)

func main() {
	domain := flag.String("ad", "double", "the directory to write to: double, or samba for a real domain")
	once := flag.Bool("once", false, "end after the table")
	count := flag.Int("workers", 1000, "how many workers the HR file has; at least 200")
	bin := flag.String("bin", "build/bin", "folder of the built programs")
	dir := flag.String("dir", "build/demo", "folder for everything that the demonstration writes; emptied first")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *domain, *once, *count, *bin, *dir); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, domain string, once bool, count int, bin, dir string) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	d := &demo{out: os.Stdout, watched: term.IsTerminal(int(os.Stdout.Fd())), count: max(count, 200)}
	defer d.close()
	if err := d.set(ctx, domain, bin, dir); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{d.firstDay, d.anotherDay, d.badExport} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	if err := d.table(ctx); err != nil {
		return err
	}
	if once {
		return nil
	}
	if err := d.farewell(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	fmt.Fprintln(d.out, "\nStopping.")
	return nil
}
