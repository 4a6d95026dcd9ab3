// Command ad-double runs the Active Directory double until it is stopped. It
// prints one JSON line with its addresses, the same as ad-samba.
//
// With --control it takes orders over HTTP, all by POST:
//
//	/fail     {"do":"busy|unavailable|drop-before|drop-after","delay":"50ms","ops":["add"],"text":"CN=Ann","count":3}
//	/heal     no more faults
//	/away     stop listening, drop every connection
//	/back     listen again on the same ports
//	/grant    {"account":DN,"right":{"Under":DN,"Create":true,"Write":["*"]}}
//	/stats    answers {"operations":N,"objects":N}
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/seed"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "ad-double:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("ad-double", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var opt double.Options
	flags.StringVar(&opt.Listen, "listen", "127.0.0.1:0", "`address` for LDAPS")
	flags.StringVar(&opt.ListenPlain, "listen-plain", "", "`address` for LDAP with StartTLS; empty: same host, any port")
	flags.StringVar(&opt.Base, "base", "", "`DN` of the domain; empty: DC=corp,DC=example,DC=test")
	flags.StringVar(&opt.AdminPassword, "admin-password", "", "of CN=Administrator; empty: one is made")
	flags.StringVar(&opt.Dir, "dir", "", "`folder` for the certificates; empty: a temp folder")
	flags.StringVar(&opt.CertFile, "cert", "", "`file` of a server certificate to use, with --key and --ca")
	flags.StringVar(&opt.KeyFile, "key", "", "`file` of its key")
	flags.StringVar(&opt.CAFile, "ca", "", "`file` of the CA that signed it")
	flags.BoolVar(&opt.PlainBinds, "plain-binds", false, "take passwords without TLS")
	like := flags.String("like", "windows", "`windows` or samba, where they differ")
	control := flags.String("control", "", "`address` to take orders at by HTTP; empty: none")
	ldif := flags.String("ldif", "", "`file` of entries to start with")
	var ous []string
	flags.Func("ou", "`name` of an OU to start with, or a path A/B; may be repeated", func(v string) error {
		ous = append(ous, v)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch *like {
	case "windows":
	case "samba":
		opt.Flavor = double.Samba
	default:
		return fmt.Errorf("--like %s: want windows or samba", *like)
	}
	debug.SetGCPercent(200) // the directory is one big live heap

	srv, err := double.Start(opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	addr := seed.Address{
		LDAPS: srv.LDAPS, LDAP: srv.LDAP, CA: srv.CAFile, Base: srv.BaseDN,
		Bind: srv.AdminDN, Password: srv.AdminPassword, UPN: srv.AdminUPN,
	}
	if err := addr.Fill(ous, *ldif); err != nil {
		return err
	}
	if *control != "" {
		stop, url, err := serveControl(*control, srv)
		if err != nil {
			return err
		}
		defer stop()
		addr.Control = url
	}
	if err := addr.Print(stdout); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// serveControl opens the control interface and returns how to close it.
func serveControl(address string, srv *double.Server) (stop func(), url string, err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, "", fmt.Errorf("control: %w", err)
	}
	h := &http.Server{Handler: orders(srv), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Serve(l) // ends with Close
	}()
	return func() { _ = h.Close(); <-done }, "http://" + l.Addr().String(), nil
}

func orders(srv *double.Server) http.Handler {
	mux := http.NewServeMux()
	order := func(path string, do func(body []byte) (any, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
			var answer any
			if err == nil {
				answer, err = do(body)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			_ = json.NewEncoder(w).Encode(answer) // the asker may be gone
		})
	}
	ok := map[string]bool{"ok": true}
	order("/fail", func(body []byte) (any, error) {
		var f struct {
			double.Fault
			Delay string `json:"delay"`
		}
		if err := json.Unmarshal(body, &f); err != nil {
			return nil, err
		}
		if f.Delay != "" {
			delay, err := time.ParseDuration(f.Delay)
			if err != nil {
				return nil, err
			}
			f.Fault.Delay = delay
		}
		return ok, srv.Fail(f.Fault)
	})
	order("/heal", func([]byte) (any, error) { srv.Heal(); return ok, nil })
	order("/away", func([]byte) (any, error) { srv.Unlisten(); return ok, nil })
	order("/back", func([]byte) (any, error) { return ok, srv.Listen() })
	order("/grant", func(body []byte) (any, error) {
		var g struct {
			Account string
			Right   double.Right
		}
		if err := json.Unmarshal(body, &g); err != nil {
			return nil, err
		}
		return ok, srv.Grant(g.Account, g.Right)
	})
	order("/stats", func([]byte) (any, error) {
		return map[string]uint64{"operations": srv.Operations(), "objects": uint64(srv.Len())}, nil
	})
	return mux
}
