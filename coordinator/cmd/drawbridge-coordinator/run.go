package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/drawbridge-id/drawbridge/coordinator"
	"github.com/drawbridge-id/drawbridge/coordinator/api"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const usage = `drawbridge-coordinator [run] [flags]   serve agents and the HTTP API
drawbridge-coordinator migrate [flags] bring the store to this release's schema, and end; run does so, too
drawbridge-coordinator admin-link      make a link that signs in an administrator, once; on the host of one that runs
drawbridge-coordinator openapi         print the API's OpenAPI document; needs no store
drawbridge-coordinator version         say which release this is
drawbridge-coordinator help            this

Each setting is taken from, the later winning: its default, the file given with
--config, the environment, the flag.

`

// Run does what args say until it is done or ctx ends. env looks up an environment variable.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, env func(string) string) error {
	verb := "run"
	if len(args) > 0 && len(args[0]) > 0 && args[0][0] != '-' {
		verb, args = args[0], args[1:]
	}
	switch verb {
	case "version":
		_, err := fmt.Fprintln(stdout, version)
		return err
	case "openapi":
		text, err := api.Description(version)
		if err == nil {
			_, err = fmt.Fprintf(stdout, "%s\n", text)
		}
		return err
	case "help":
		fmt.Fprint(stdout, usage)
		_, err := parse([]string{"-h"}, stdout, env)
		return err
	case "run", "migrate", "admin-link":
	default:
		return fmt.Errorf("there is no verb %q: see drawbridge-coordinator help", verb)
	}
	conf, err := parse(args, stderr, env)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if verb == "migrate" {
		return migrate(ctx, conf, stdout)
	}
	if verb == "admin-link" {
		return adminLink(ctx, conf, stdout)
	}
	log := conf.logger(stderr)
	_, err = os.Stat(filepath.Join(conf.Data, "admin-token"))
	first := errors.Is(err, os.ErrNotExist)
	opt := conf.options()
	opt.Env = env
	c, err := coordinator.New(ctx, opt, log)
	if err != nil {
		return err
	}
	if first {
		link, err := c.AdminLink(ctx)
		if err != nil {
			return errors.Join(err, c.Close())
		}
		scheme := "http"
		if conf.APITLS {
			scheme = "https"
		}
		fmt.Fprintf(stdout, `First start. Everything is kept in %s: back it up, above all authority.pem.

Sign in at a browser, once and within the hour (drawbridge-coordinator admin-link makes another link):
  %s
An API token for this host's admin is in %s; the command line takes it so:
  export DRAWBRIDGE_URL=%s://%s DRAWBRIDGE_TOKEN=$(cat %s)
  drawbridge status
Let the first agent in:
  drawbridge token create --site hq
`, conf.Data, link, filepath.Join(conf.Data, "admin-token"), scheme, c.API(), filepath.Join(conf.Data, "admin-token"))
	}
	return c.Run(ctx)
}

// migrate upgrades the store. Coordinators of the release before may run on it
// meanwhile, where it is in PostgreSQL: no step takes away what they use.
func migrate(ctx context.Context, conf config, stdout io.Writer) error {
	st, err := store.Open(ctx, cmp.Or(conf.Store, filepath.Join(conf.Data, "coordinator.db")))
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, "The store has the schema of this release.")
	return st.Close()
}

func (c config) logger(to io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: c.level()}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, opt))
	}
	return slog.New(slog.NewTextHandler(to, opt))
}
