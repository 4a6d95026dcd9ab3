// Package coordinator puts the parts of a coordinator together: [New] is the
// only place where they meet, [Coordinator.Run] runs them. What each does is
// said in its package; DESIGN.md shows how they work together.
//
// The data folder holds everything that must survive:
//
//	coordinator.db   the store, with its -wal and -shm beside it
//	authority.pem    the authority of all certificates, with its key; lost, every agent must enrol anew
//	admin-token      an API token for the admin of this host
package coordinator

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api"
	"github.com/drawbridge-id/drawbridge/coordinator/dashboard"
	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/gateway"
	"github.com/drawbridge-id/drawbridge/coordinator/health"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/metrics"
	"github.com/drawbridge-id/drawbridge/coordinator/notify"
	"github.com/drawbridge-id/drawbridge/coordinator/pickup"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/retention"
	"github.com/drawbridge-id/drawbridge/coordinator/schedule"
	"github.com/drawbridge-id/drawbridge/coordinator/scim"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/tracing"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// stopWait is how long a stopping coordinator waits for agents and requests.
const stopWait = 5 * time.Second

// Options say where a coordinator is and what it serves.
type Options struct {
	Data            string        // folder; made if absent
	Store           string        // address of a PostgreSQL database, where it is not the file coordinator.db in Data
	Link            string        // address that agents dial, such as ":8443"
	API             string        // address of the HTTP API, such as "127.0.0.1:8080"
	APITLS          bool          // the API is served with the authority's certificate
	Names           []string      // host names and addresses under which it is reached, for its certificate
	Tenant          string        // made at the first start
	CertificateLife time.Duration // of agents; 0 means a day
	RenewalGrace    time.Duration // after its end, in which a certificate may be renewed; 0 means 30 days
	Version         string        // of the coordinator, SemVer

	CheckEvery  time.Duration       // how often each system is checked from end to end; 0 means 5 minutes
	Drain       time.Duration       // for how long Run goes on after its context has ended, while /readyz says that it stops
	Metrics     string              // address at which Prometheus scrapes; empty for none
	Traces      string              // OTLP endpoint (HTTP) that traces are sent to; empty for none
	Mail        notify.Mail         // how e-mail is sent
	Access      access.Config       // who gets in to the API, and how
	ReleaseKeys []ed25519.PublicKey // one of them must have signed a release that is put in; none: any
	Keep        retention.Rules     // for how long what happened is kept; the zero value keeps everything
	Env         func(string) string // looks up an environment variable; nil: none is set
}

// A Coordinator holds its store and its two listeners.
type Coordinator struct {
	version string
	tenant  string // made at the first start
	apiTLS  bool
	drain   time.Duration
	log     *slog.Logger
	store   *store.Store

	gate     *access.Gate
	gateway  *gateway.Gateway
	intake   *intake.Intake
	queue    *jobs.Queue
	planner  *plan.Planner
	schedule *schedule.Scheduler

	link     net.Listener
	linkServ *grpc.Server
	console  *api.Server
	health   *health.Checker
	notifier *notify.Notifier
	keeper   *retention.Keeper
	metrics  *metrics.Metrics
	tracer   *tracing.Tracer // nil where nothing is traced
	ended    []func(store.Instant, []store.Job)
	scraped  net.Listener // nil where metrics are not told
	api      net.Listener
	apiServ  *http.Server
}

// New opens the data folder and both listeners. [Coordinator.Run] must follow, or Close: they release them.
func New(ctx context.Context, opt Options, log *slog.Logger) (_ *Coordinator, err error) {
	if err := os.MkdirAll(opt.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	c := &Coordinator{version: opt.Version, tenant: opt.Tenant, apiTLS: opt.APITLS, drain: opt.Drain, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.release())
		}
	}()
	authority, err := enroll.OpenAuthority(filepath.Join(opt.Data, "authority.pem"))
	if err != nil {
		return nil, err
	}
	if c.link, err = net.Listen("tcp", opt.Link); err != nil {
		return nil, fmt.Errorf("listen for agents: %w", err)
	}
	if c.api, err = net.Listen("tcp", opt.API); err != nil {
		return nil, fmt.Errorf("listen for the API: %w", err)
	}
	if opt.Metrics != "" {
		if c.scraped, err = net.Listen("tcp", opt.Metrics); err != nil {
			return nil, fmt.Errorf("listen for Prometheus: %w", err)
		}
	}
	if c.store, err = store.Open(ctx, cmp.Or(opt.Store, filepath.Join(opt.Data, "coordinator.db"))); err != nil {
		return nil, err
	}
	err = c.store.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.PutTenant(opt.Tenant), tx.DisconnectAll())
	})
	if err != nil {
		return nil, err
	}
	if err := access.LocalToken(ctx, c.store, opt.Tenant, filepath.Join(opt.Data, "admin-token")); err != nil {
		return nil, err
	}

	systems := plan.NewSystems()
	enrolment := &enroll.Service{Store: c.store, Authority: authority, CertificateLife: opt.CertificateLife, RenewalGrace: opt.RenewalGrace, Log: log}
	c.intake = &intake.Intake{Store: c.store, Systems: systems, Log: log}
	if opt.Traces != "" {
		if c.tracer, err = tracing.New(ctx, opt.Traces, opt.Version); err != nil {
			return nil, err
		}
		c.intake.Follow = c.tracer.Record
	}
	c.queue = &jobs.Queue{Store: c.store, Intake: c.intake, Systems: systems, Log: log}
	c.planner = plan.New(c.store, log)
	c.schedule = schedule.New(c.store, &c.planner.Alarms, log)
	c.gateway = gateway.New(gateway.Parts{
		Store: c.store, Queue: c.queue, Intake: c.intake, Systems: systems, Changes: c.schedule, Version: opt.Version, Log: log,
	})

	certificate := enroll.NewServer(authority, opt.Names)
	c.linkServ = grpc.NewServer(append(gateway.ServerOptions(),
		grpc.Creds(credentials.NewTLS(identity.ServerTLS(certificate.Current, authority.Pool()))))...)
	linkv1.RegisterEnrollmentServiceServer(c.linkServ, enrolment)
	linkv1.RegisterLinkServiceServer(c.linkServ, c.gateway)
	if opt.Env == nil {
		opt.Env = func(string) string { return "" }
	}
	if c.gate, err = access.New(c.store, opt.Tenant, opt.Access, opt.Env, log); err != nil {
		return nil, err
	}
	c.health = &health.Checker{Store: c.store, Every: opt.CheckEvery, Log: log}
	server := &api.Server{Health: c.health, Keep: opt.Keep, Releases: opt.ReleaseKeys, Store: c.store, Enroll: enrolment, Schedule: c.schedule, Cycles: c.intake, People: c.intake, Plans: c.planner, Version: opt.Version, Link: reachable(c.link.Addr(), opt.Names), Access: c.gate, Log: log}
	c.console = server
	c.keeper = &retention.Keeper{Store: c.store, Rules: opt.Keep, Log: log}
	c.notifier = &notify.Notifier{Store: c.store, Points: server.Points, Mail: opt.Mail, PublicURL: opt.Access.PublicURL, Log: log}
	people := &scim.Server{Store: c.store, Intake: c.intake, Systems: systems, Log: log}
	served := http.NewServeMux()
	answers := server.Handler()
	served.Handle("/v1/", answers)
	served.Handle("/", dashboard.New(answers))
	served.Handle(scim.Base+"/", people.Handler())
	pages := (&pickup.Server{Store: c.store, Log: log, Address: c.gate.Address}).Handler()
	served.Handle(pickup.Path, pages)
	served.Handle(pickup.Path+"/", pages)
	c.health.Handle(served)
	entrance := c.gate.Handler(served)
	if c.scraped != nil {
		c.metrics = metrics.New(c.store, c.health, opt.Version, log)
		c.ended = append(c.ended, c.metrics.Ended)
		entrance = c.metrics.Requests(entrance)
	}
	if c.tracer != nil {
		c.ended = append(c.ended, c.tracer.Ended)
	}
	c.queue.Ended = func(now store.Instant, writes []store.Job) {
		for _, tell := range c.ended {
			tell(now, writes)
		}
	}
	c.apiServ = &http.Server{Handler: entrance, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	c.apiServ.RegisterOnShutdown(server.Depart)
	c.apiServ.RegisterOnShutdown(c.health.Stop)
	if opt.APITLS {
		c.api = tls.NewListener(c.api, &tls.Config{
			MinVersion:     tls.VersionTLS12,
			NextProtos:     []string{"h2", "http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate.Current() },
		})
	}
	return c, nil
}

// reachable gives the address by which others reach a listener: its own, or that
// of the first name where it listens on every address of the host.
func reachable(addr net.Addr, names []string) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && len(names) > 0 && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort(names[0], port)
	}
	return addr.String()
}

// release gives back what New has opened.
func (c *Coordinator) release() error {
	var errs []error
	for _, l := range []net.Listener{c.link, c.api, c.scraped} {
		if l != nil {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if c.tracer != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopWait)
		defer cancel()
		if err := c.tracer.Close(ctx); err != nil {
			c.log.Warn("The last traces were not sent", "err", err)
		}
	}
	if c.store != nil {
		errs = append(errs, c.store.Close())
	}
	return errors.Join(errs...)
}

// Close releases everything where Run is not called.
func (c *Coordinator) Close() error { return c.release() }

// Link is the address that agents dial, API that of the HTTP API.
func (c *Coordinator) Link() net.Addr { return c.link.Addr() }

// API is the address of the HTTP API.
func (c *Coordinator) API() net.Addr { return c.api.Addr() }

// AdminLink makes a link that signs an administrator in at a browser, once and within the hour.
func (c *Coordinator) AdminLink(ctx context.Context) (string, error) {
	return c.gate.AdminLink(ctx, c.tenant, access.Address(c.API().String(), c.apiTLS))
}

// Run serves until ctx ends, and for as long as it drains, or a part fails, and releases everything. Agents
// are asked to come back; requests under way are finished.
func (c *Coordinator) Run(ctx context.Context) error {
	working, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	group, failed := errgroup.WithContext(working)
	for _, loop := range []func(context.Context) error{c.gate.Run, c.gateway.Run, c.intake.Run, c.intake.Tidy, c.queue.Run, c.planner.Run, c.schedule.Run, c.console.Run, c.health.Run, c.notifier.Run, c.keeper.Run} {
		group.Go(func() error { return loop(failed) })
	}
	if c.scraped != nil {
		group.Go(func() error { return c.metrics.Serve(failed, c.scraped) })
	}
	group.Go(func() error {
		if err := c.linkServ.Serve(c.link); !errors.Is(err, grpc.ErrServerStopped) { // stopped before it had begun
			return err
		}
		return nil
	})
	group.Go(func() error {
		if err := c.apiServ.Serve(c.api); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	c.log.InfoContext(ctx, "Coordinator started", "version", c.version, "link", c.Link().String(), "api", c.API().String())
	select {
	case <-ctx.Done():
		c.leave(failed)
	case <-failed.Done():
	}
	c.stop(ctx)
	stop(errStopped)
	err := group.Wait()
	if errors.Is(err, errStopped) {
		err = nil
	}
	return errors.Join(err, c.release())
}

var errStopped = errors.New("the coordinator was stopped")

// leave gives whoever sends people here the time to send them elsewhere.
func (c *Coordinator) leave(failed context.Context) {
	if c.drain <= 0 {
		return
	}
	c.health.Stop()
	c.apiServ.SetKeepAlivesEnabled(false)
	timer := time.NewTimer(c.drain)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-failed.Done():
	}
}

// stop ends both servers: what is under way is finished as long as stopWait allows.
func (c *Coordinator) stop(ctx context.Context) {
	c.log.InfoContext(ctx, "Coordinator stops")
	c.gateway.Depart()
	gone := make(chan struct{})
	go func() {
		c.linkServ.GracefulStop()
		close(gone)
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	if err := c.apiServ.Shutdown(ctx); err != nil {
		_ = c.apiServ.Close() // the rest is cut
	}
	select {
	case <-gone:
	case <-ctx.Done():
		c.linkServ.Stop()
		<-gone
	}
}
