package main

import (
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/drawbridge-id/drawbridge/coordinator"
	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/health"
	"github.com/drawbridge-id/drawbridge/coordinator/notify"
	"github.com/drawbridge-id/drawbridge/coordinator/retention"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

// config is what users write.
type config struct {
	Data            string          `yaml:"data"`
	Link            string          `yaml:"link"`
	API             string          `yaml:"api"`
	APITLS          bool            `yaml:"api_tls"`
	Names           []string        `yaml:"names"`
	Tenant          string          `yaml:"tenant"`
	Store           string          `yaml:"store"`
	StoreFile       string          `yaml:"store_file"`
	CertificateLife time.Duration   `yaml:"certificate_life"`
	RenewalGrace    time.Duration   `yaml:"renewal_grace"`
	CheckEvery      time.Duration   `yaml:"check_every"`
	Drain           time.Duration   `yaml:"drain"`
	Metrics         string          `yaml:"metrics"`
	Traces          string          `yaml:"traces"`
	Mail            notify.Mail     `yaml:"mail"`
	Keep            retention.Rules `yaml:"keep"`
	ReleaseKeys     []string        `yaml:"release_keys"`
	LogLevel        string          `yaml:"log_level"`
	LogFormat       string          `yaml:"log_format"`
	access.Config   `yaml:",inline"`
}

var defaults = config{
	Data: "/var/lib/drawbridge/coordinator", Link: ":8443", API: "127.0.0.1:8080", Tenant: "default",
	CertificateLife: enroll.DefaultCertificateLife, RenewalGrace: enroll.DefaultRenewalGrace, CheckEvery: health.DefaultEvery, Keep: retention.Defaults(), LogLevel: "info", LogFormat: "text",
}

// minCertificateLife serves trials; in service it should span an outage of the coordinator.
const minCertificateLife = 5 * time.Second

// A setting can be given by environment and flag.
type setting struct {
	name, env, help string
	set             func(*config, string) error
}

var settings = []setting{
	{"data", "DRAWBRIDGE_DATA", "`folder` for everything that must survive (default " + defaults.Data + ")",
		func(c *config, v string) error { c.Data = v; return nil }},
	{"store", "DRAWBRIDGE_STORE", "`address` of a PostgreSQL database that several coordinators share, without its password: postgres://user@host/name (default: the file coordinator.db in data)",
		func(c *config, v string) error { c.Store = v; return nil }},
	{"store-file", "DRAWBRIDGE_STORE_FILE", "`file` that holds the address, with its password, readable by the coordinator alone",
		func(c *config, v string) error { c.StoreFile = v; return nil }},
	{"link", "DRAWBRIDGE_LINK", "`address` that agents dial (default " + defaults.Link + ")",
		func(c *config, v string) error { c.Link = v; return nil }},
	{"api", "DRAWBRIDGE_API", "`address` of the HTTP API (default " + defaults.API + ")",
		func(c *config, v string) error { c.API = v; return nil }},
	{"api-tls", "DRAWBRIDGE_API_TLS", "`true` serves the API with a certificate of the coordinator's own authority (default false)",
		func(c *config, v string) (err error) { c.APITLS, err = strconv.ParseBool(v); return err }},
	{"names", "DRAWBRIDGE_NAMES", "host `names` and addresses under which it is reached, with commas (default: this host's name)",
		func(c *config, v string) error { c.Names = strings.Split(v, ","); return nil }},
	{"tenant", "DRAWBRIDGE_TENANT", "`tenant` to make at the first start (default " + defaults.Tenant + ")",
		func(c *config, v string) error { c.Tenant = v; return nil }},
	{"certificate-life", "DRAWBRIDGE_CERTIFICATE_LIFE", "how `long` an agent's certificate is good (default 24h; less than an hour is for trials)",
		func(c *config, v string) (err error) { c.CertificateLife, err = time.ParseDuration(v); return err }},
	{"renewal-grace", "DRAWBRIDGE_RENEWAL_GRACE", "how `long` after its end it may be renewed without an admin's approval (default 720h)",
		func(c *config, v string) (err error) { c.RenewalGrace, err = time.ParseDuration(v); return err }},
	{"public-url", "DRAWBRIDGE_PUBLIC_URL", "`address` that browsers use, such as https://id.corp.example (default: that of the API)",
		func(c *config, v string) error { c.PublicURL = v; return nil }},
	{"session-idle", "DRAWBRIDGE_SESSION_IDLE", "how `long` a browser stays signed in without being used (default 1h)",
		func(c *config, v string) (err error) { c.SessionIdle, err = time.ParseDuration(v); return err }},
	{"session-life", "DRAWBRIDGE_SESSION_LIFE", "how `long` a browser stays signed in at most (default 12h)",
		func(c *config, v string) (err error) { c.SessionLife, err = time.ParseDuration(v); return err }},
	{"trusted-proxies", "DRAWBRIDGE_TRUSTED_PROXIES", "`addresses` or networks, with commas, whose X-Forwarded-For is believed (default: none)",
		func(c *config, v string) error { c.TrustedProxies = strings.Split(v, ","); return nil }},
	{"require-reason", "DRAWBRIDGE_REQUIRE_REASON", "`operations` (operationId), with commas, that take a reason, or all (default: none)",
		func(c *config, v string) error { c.RequireReason = strings.Split(v, ","); return nil }},
	{"api-rate", "DRAWBRIDGE_API_RATE", "`requests` a second that one token or session may make (default 200)",
		func(c *config, v string) (err error) { c.APIRate, err = strconv.ParseFloat(v, 64); return err }},
	{"check-every", "DRAWBRIDGE_CHECK_EVERY", "how `often` each system is checked from end to end (default 5m)",
		func(c *config, v string) (err error) { c.CheckEvery, err = time.ParseDuration(v); return err }},
	{"drain", "DRAWBRIDGE_DRAIN", "how `long` it goes on, once told to stop, while /readyz says so: what your load balancer takes to notice (default 0)",
		func(c *config, v string) (err error) { c.Drain, err = time.ParseDuration(v); return err }},
	{"metrics", "DRAWBRIDGE_METRICS", "`address` at which Prometheus scrapes /metrics, without sign-in (default: none)",
		func(c *config, v string) error { c.Metrics = v; return nil }},
	{"traces", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTLP `endpoint` (HTTP) that traces are sent to, such as http://collector:4318 (default: none)",
		func(c *config, v string) error { c.Traces = v; return nil }},
	{"keep", "DRAWBRIDGE_KEEP", "for how long what happened is kept, such as `jobs=400d,audit=ever` (default jobs=400d,answers=90d,history=400d,deliveries=30d,audit=ever)",
		func(c *config, v string) error { return c.Keep.Set(v) }},
	{"release-keys", "DRAWBRIDGE_RELEASE_KEYS", "public `keys`, with commas, one of which must have signed a release that is put in (default: any; each agent checks by its own)",
		func(c *config, v string) error { c.ReleaseKeys = strings.Split(v, ","); return nil }},
	{"mail-server", "DRAWBRIDGE_MAIL_SERVER", "`host:port` of the server that mail is sent by (default: none is sent)",
		func(c *config, v string) error { c.Mail.Server = v; return nil }},
	{"mail-from", "DRAWBRIDGE_MAIL_FROM", "`address` of the sender of mail",
		func(c *config, v string) error { c.Mail.From = v; return nil }},
	{"mail-user", "DRAWBRIDGE_MAIL_USER", "`name` to sign in with at the mail server (default: none)",
		func(c *config, v string) error { c.Mail.User = v; return nil }},
	{"mail-password-file", "DRAWBRIDGE_MAIL_PASSWORD_FILE", "`file` that holds the password of that name",
		func(c *config, v string) error { c.Mail.PasswordFile = v; return nil }},
	{"mail-tls", "DRAWBRIDGE_MAIL_TLS", "`starttls`, tls or none (default starttls)",
		func(c *config, v string) error { c.Mail.TLS = v; return nil }},
	{"mail-ca-file", "DRAWBRIDGE_MAIL_CA_FILE", "PEM `file` of the authorities that the mail server's certificate may be of (default: those of the operating system)",
		func(c *config, v string) error { c.Mail.CAFile = v; return nil }},
	{"log-level", "DRAWBRIDGE_LOG_LEVEL", "`debug`, info, warn or error (default info)",
		func(c *config, v string) error { c.LogLevel = v; return nil }},
	{"log-format", "DRAWBRIDGE_LOG_FORMAT", "`text` or json (default text)",
		func(c *config, v string) error { c.LogFormat = v; return nil }},
}

// password finds an address of a database with a password in it.
var password = regexp.MustCompile(`postgres(ql)?://([^@/]*:[^@]+@|.*[?&]password=)`)

// parse gives the settings that hold; the error names everything wrong with them.
func parse(args []string, out io.Writer, env func(string) string) (config, error) {
	c := defaults
	flags := flag.NewFlagSet("drawbridge-coordinator", flag.ContinueOnError)
	flags.SetOutput(out)
	file := flags.String("config", env("DRAWBRIDGE_CONFIG"), "YAML `file` with these settings, - written as _")
	var given []func(*config) error
	for _, s := range settings {
		flags.Func(s.name, s.help+" ["+s.env+"]", func(v string) error {
			given = append(given, func(c *config) error { return s.set(c, v) })
			return s.set(new(config), v)
		})
	}
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("%q is no flag: see drawbridge-coordinator help", flags.Arg(0))
	}
	if *file != "" {
		if err := c.read(*file); err != nil {
			return c, err
		}
	}
	var errs []error
	for _, s := range settings {
		if v := env(s.env); v != "" {
			if err := s.set(&c, v); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", s.env, err))
			}
		}
	}
	for _, set := range given {
		errs = append(errs, set(&c))
	}
	if len(c.Names) == 0 {
		if host, err := os.Hostname(); err == nil {
			c.Names = []string{host}
		}
	}
	for _, arg := range args { // a list of processes shows it to everybody on the host
		if password.MatchString(arg) {
			errs = append(errs, errors.New("store: a password does not belong on the command line: give the address by --store-file, DRAWBRIDGE_STORE or the configuration"))
		}
	}
	if c.StoreFile != "" {
		text, err := os.ReadFile(c.StoreFile)
		if err != nil {
			errs = append(errs, fmt.Errorf("store_file: %w", err))
		}
		c.Store = strings.TrimSpace(string(text))
	}
	if c.Mail.PasswordFile != "" {
		text, err := os.ReadFile(c.Mail.PasswordFile)
		if err != nil {
			errs = append(errs, fmt.Errorf("mail password_file: %w", err))
		}
		c.Mail.Password = strings.TrimSpace(string(text))
	}
	if c.Mail.CAFile != "" {
		text, err := os.ReadFile(c.Mail.CAFile)
		if err != nil {
			errs = append(errs, fmt.Errorf("mail ca_file: %w", err))
		}
		c.Mail.CA = text
	}
	return c, errors.Join(append(errs, c.validate()...)...)
}

// read takes the settings of a file; a key that it does not know is an error with its line.
func (c *config) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(text, c, yaml.Strict()); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	return nil
}

func (c *config) validate() (errs []error) {
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Data == "" {
		fault("data: give a folder")
	}
	if c.Store != "" && !strings.HasPrefix(c.Store, "postgres://") && !strings.HasPrefix(c.Store, "postgresql://") {
		fault("store: it does not begin with postgres://: write postgres://user@host/name")
	}
	for _, a := range []struct{ name, value string }{{"link", c.Link}, {"api", c.API}} {
		if _, _, err := net.SplitHostPort(a.value); err != nil {
			fault("%s: %q is no address: write host:port, or :port for every address of this host", a.name, a.value)
		}
	}
	if c.CheckEvery < 10*time.Second {
		fault("check_every: %s is shorter than 10s, in which no system could be checked in peace", c.CheckEvery)
	}
	if c.Drain < 0 {
		fault("drain: %s is no time", c.Drain)
	}
	errs = append(errs, c.Keep.Validate()...)
	if _, _, err := net.SplitHostPort(c.Metrics); c.Metrics != "" && err != nil {
		fault("metrics: %q is no address: write 127.0.0.1:9464, or leave it out", c.Metrics)
	}
	if c.CertificateLife < minCertificateLife {
		fault("certificate_life: %s is shorter than %s, in which no agent could renew in time", c.CertificateLife, minCertificateLife)
	}
	if err := new(slog.Level).UnmarshalText([]byte(c.LogLevel)); err != nil {
		fault("log_level: %q is not one of debug, info, warn, error", c.LogLevel)
	}
	if c.RenewalGrace <= 0 {
		fault("renewal_grace: %s is no time: an agent away for longer than its certificate lives needs an admin after it", c.RenewalGrace)
	}
	for _, key := range c.ReleaseKeys {
		if _, err := release.ParseKey(key); err != nil {
			fault("release_keys: %w", err)
		}
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		fault("log_format: %q is neither text nor json", c.LogFormat)
	}
	if err := c.Mail.Validate(); err != nil {
		errs = append(errs, err)
	}
	if err := c.Config.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

func (c config) level() slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(c.LogLevel)) // validated
	return l
}

func (c config) options() coordinator.Options {
	var keys []ed25519.PublicKey
	for _, text := range c.ReleaseKeys {
		if key, err := release.ParseKey(text); err == nil { // validated
			keys = append(keys, key)
		}
	}
	return coordinator.Options{Data: c.Data, Store: c.Store, Link: c.Link, API: c.API, APITLS: c.APITLS, Names: c.Names, Tenant: c.Tenant, CertificateLife: c.CertificateLife, RenewalGrace: c.RenewalGrace, CheckEvery: c.CheckEvery, Drain: c.Drain, Metrics: c.Metrics, Traces: c.Traces, Mail: c.Mail, Keep: c.Keep, Version: version, Access: c.Config, ReleaseKeys: keys}
}
