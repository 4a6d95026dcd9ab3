// Package config holds agent.yaml: what the admin of the host decides. It
// reads the file strictly and says everything that is wrong with it at once,
// each fault with its line.
//
//	coordinator: drawbridge.example.com:8443
//	data: /var/lib/drawbridge-agent
//	connectors:                      # the only executables that are started
//	  - path: /usr/lib/drawbridge/drawbridge-connectors
//	    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//	    serves: [activedirectory, csv]
//	proxy: {url: "http://proxy.corp.example:3128", user: 'CORP\svc'}  # its password is in the vault
//	folders: [/srv/hr]               # the only places whose files a system may name
//	concurrency: {corp-ad: 4}        # operations at a time, where not to be found by measuring
//	guardrail: {key: MCow…}          # who must have signed guardrail.yaml (agent/guard)
//	update: {keys: [3SXl…]}          # who must have signed a release that is started here (agent/update)
//	log: {level: info, format: text}
//
// Which systems there are, and their settings, come from the coordinator;
// secrets are in agent/vault. Whether files and servers are really there is
// asked by agent/doctor.
package config

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/agent/proxy"
)

// A Config is the content of agent.yaml.
type Config struct {
	Coordinator string         `yaml:"coordinator"` // Required. host:port
	Data        string         `yaml:"data"`        // Optional. Folder of the agent's state; see [DefaultData]
	Proxy       Proxy          `yaml:"proxy"`       // Optional. By which the coordinator is reached
	Connectors  []Connector    `yaml:"connectors"`  // Optional. None: the agent runs no job
	Folders     []string       `yaml:"folders"`     // Optional. None: no system may name a file
	Concurrency map[string]int `yaml:"concurrency"` // Optional. Operations at a time by system; of others the agent finds the best by measuring
	Guardrail   Guardrail      `yaml:"guardrail"`   // Optional
	Update      Update         `yaml:"update"`      // Optional. Without keys the agent does not update itself
	Traces      string         `yaml:"traces"`      // Optional. OTLP endpoint (HTTP) that traces are sent to; none by default
	Metrics     string         `yaml:"metrics"`     // Optional. Address of loopback where Prometheus scrapes; none by default
	Log         Log            `yaml:"log"`         // Optional
}

// A Connector is an executable that may be started.
type Connector struct {
	Path   string   `yaml:"path"`   // Required. Absolute
	SHA256 string   `yaml:"sha256"` // Required. Of the executable, in hexadecimal
	Serves []string `yaml:"serves"` // Required. Names of connectors; each is started as `<path> <name>`
	// Release is Optional: this is the release's own executable, and after an update
	// the one that the signed manifest names is started in its place.
	Release bool `yaml:"release"`
}

// A Guardrail says where the domain admin's policy is, and who must have signed it.
type Guardrail struct {
	File string `yaml:"file"` // Optional. Absolute; guardrail.yaml beside agent.yaml by default
	Key  string `yaml:"key"`  // Optional. Public key (Ed25519, base64) without whose signature nothing is allowed
}

// A Proxy is an HTTP proxy that connections to the coordinator go by. Its
// password is never in the file: `drawbridge-agent secret set proxy password`.
type Proxy struct {
	URL  string `yaml:"url"`  // Optional. http://host:port; "none" for none; empty: as HTTPS_PROXY and NO_PROXY say
	User string `yaml:"user"` // Optional. DOMAIN\name or name, where the proxy wants one
}

// MostAtATime is the greatest concurrency that may be set for a system.
const MostAtATime = 64

// Log says what is logged, and how.
type Log struct {
	Level  string `yaml:"level"`  // Optional. debug, info (the default), warn or error
	Format string `yaml:"format"` // Optional. text (the default) or json
}

// SlogLevel is Level as log/slog knows it.
func (l Log) SlogLevel() slog.Level {
	var level slog.Level
	if level.UnmarshalText([]byte(cmp.Or(l.Level, "info"))) != nil {
		return slog.LevelInfo
	}
	return level
}

// DefaultPath is where the file is when nobody says otherwise.
func DefaultPath() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(programData(), "Drawbridge", "Agent", "agent.yaml")
	}
	return "/etc/drawbridge-agent/agent.yaml"
}

// DefaultData is where state is kept when the file does not say.
func DefaultData() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(programData(), "Drawbridge", "Agent", "data")
	}
	return "/var/lib/drawbridge-agent"
}

func programData() string { return cmp.Or(os.Getenv("ProgramData"), `C:\ProgramData`) }

// Load reads and checks the file at path. An error that is no [Faults] says
// that the file could not be read.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w; make the file, or name another with --config", err)
	}
	c, err := Parse(path, text)
	if err != nil {
		return nil, err
	}
	if c.Guardrail.File == "" {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
		c.Guardrail.File = filepath.Join(filepath.Dir(absolute), "guardrail.yaml")
	}
	return c, nil
}

// Parse checks text, calling it name in faults. An error is [Faults].
func Parse(name string, text []byte) (*Config, error) {
	c := new(Config)
	d := decode(name, text, c)
	if c.Data == "" {
		c.Data = DefaultData()
	}
	if !d.broken {
		c.check(d)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return c, nil
}

var connectorName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// check finds what is well-formed and yet cannot be.
func (c *Config) check(d *decoder) {
	switch host, port, err := net.SplitHostPort(c.Coordinator); {
	case c.Coordinator == "":
		d.faultAt("coordinator", "is missing: the coordinator's name and port, such as drawbridge.example.com:8443")
	case err != nil || host == "":
		d.faultAt("coordinator", "%q is not a name and port, such as drawbridge.example.com:8443", c.Coordinator)
	default:
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			d.faultAt("coordinator", "port %q is not a number from 1 to 65535", port)
		}
	}
	if c.Proxy.URL != "" {
		if err := proxy.Check(c.Proxy.URL); err != nil {
			d.faultAt("proxy.url", "%v", err)
		} else if u, err := url.Parse(c.Proxy.URL); err == nil && u.User != nil {
			d.faultAt("proxy.url", "holds a user or password: give the user as proxy.user, and the password with `drawbridge-agent secret set proxy password`")
		}
	}
	d.absolute("data", c.Data)
	for i, folder := range c.Folders {
		d.absolute(fmt.Sprintf("folders[%d]", i), folder)
	}
	if f := c.Guardrail.File; f != "" {
		d.absolute("guardrail.file", f)
	}
	if k := c.Guardrail.Key; k != "" {
		if raw, err := base64.StdEncoding.DecodeString(k); err != nil || len(raw) != 32 {
			d.faultAt("guardrail.key", "is no public key: 32 bytes in base64, as `drawbridge-agent guard key` prints it")
		}
	}
	for system, n := range c.Concurrency {
		if n < 1 || n > MostAtATime {
			d.faultAt("concurrency."+system, "%d is not a number from 1 to %d; leave the system out to have the agent find the best", n, MostAtATime)
		}
	}
	if c.Traces != "" && !strings.HasPrefix(c.Traces, "http://") && !strings.HasPrefix(c.Traces, "https://") {
		d.faultAt("traces", "%q is no endpoint, such as http://collector:4318", c.Traces)
	}
	if c.Metrics != "" {
		if host, _, err := net.SplitHostPort(c.Metrics); err != nil || host != "localhost" && !net.ParseIP(host).IsLoopback() {
			d.faultAt("metrics", "%q is no address of loopback, such as 127.0.0.1:9465: nothing connects to an agent from elsewhere", c.Metrics)
		}
	}
	if l := c.Log.Level; l != "" && !slices.Contains([]string{"debug", "info", "warn", "error"}, l) {
		d.faultAt("log.level", "%q is none of debug, info, warn, error", l)
	}
	if f := c.Log.Format; f != "" && f != "text" && f != "json" {
		d.faultAt("log.format", "%q is neither text nor json", f)
	}
	c.Update.check(d)
	served := make(map[string]string)
	for i, con := range c.Connectors {
		con.check(d, fmt.Sprintf("connectors[%d]", i), served)
	}
}

// check looks at one executable; served holds the names taken by those before.
func (c Connector) check(d *decoder, at string, served map[string]string) {
	if c.Path == "" {
		d.faultAt(at+".path", "is missing: the executable of the connector")
	} else {
		d.absolute(at+".path", c.Path)
	}
	sum, err := hex.DecodeString(c.SHA256)
	switch {
	case c.SHA256 == "":
		d.faultAt(at+".sha256", "is missing: print it with `drawbridge-agent doctor`, and compare it with the one published for the release")
	case err != nil || len(sum) != 32:
		d.faultAt(at+".sha256", "is not a SHA-256: 64 hexadecimal digits are needed")
	}
	if len(c.Serves) == 0 {
		d.faultAt(at+".serves", "is missing: the connectors in this executable, such as [activedirectory, csv]")
	}
	for j, name := range c.Serves {
		at := fmt.Sprintf("%s.serves[%d]", at, j)
		switch other, taken := served[name]; {
		case !connectorName.MatchString(name):
			d.faultAt(at, "%q is no connector's name: lower-case letters, digits and dashes", name)
		case taken:
			d.faultAt(at, "%q is already served by %s", name, other)
		default:
			served[name] = cmp.Or(c.Path, "another executable")
		}
	}
}

func (d *decoder) absolute(at, path string) {
	if !filepath.IsAbs(path) {
		d.faultAt(at, "%q is not an absolute path", path)
	}
}

// A Fault is one thing wrong with a file.
type Fault struct {
	File         string
	Line, Column int // from 1; 0 where the fault has no place
	Text         string
}

func (f Fault) Error() string {
	if f.Line == 0 {
		return f.File + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Text)
}

// Faults are all the faults of a file, in the order of their lines.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}
