package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/config"
	"github.com/drawbridge-id/drawbridge/agent/host"
	agentidentity "github.com/drawbridge-id/drawbridge/agent/identity"
	"github.com/drawbridge-id/drawbridge/agent/proxy"
	"github.com/drawbridge-id/drawbridge/agent/spool"
	"github.com/drawbridge-id/drawbridge/agent/vault"
)

// An examination is one run through the steps.
type examination struct {
	ctx      context.Context // of Examine, which this lives in
	config   *config.Config
	dialer   *proxy.Dialer
	self     *agentidentity.Identity // nil: none that can be used
	findings []Finding
}

func (e *examination) pass(step, detail string) {
	e.findings = append(e.findings, Finding{step, Passed, detail, ""})
}

func (e *examination) warn(step, detail, next string) {
	e.findings = append(e.findings, Finding{step, Warned, detail, next})
}

func (e *examination) fail(step, detail, next string) {
	e.findings = append(e.findings, Finding{step, Failed, detail, next})
}

func (e *examination) leaveOut(step, why string) {
	e.findings = append(e.findings, Finding{step, LeftOut, why, ""})
}

// dataFolder looks whether the agent's state can be kept, and whether others can read it.
func (e *examination) dataFolder() bool {
	const step = "data folder"
	dir := e.config.Data
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.fail(step, dir+" does not exist", "run `drawbridge-agent enroll`, which makes it; if it was there before, restore it from a backup")
		return false
	case err != nil:
		e.fail(step, err.Error(), "run doctor as the account of the service, or as administrator")
		return false
	case !info.IsDir():
		e.fail(step, dir+" is no folder", "name a folder as data in agent.yaml")
		return false
	}
	probe, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		e.fail(step, fmt.Sprintf("no file can be made there: %v", err), "let the account of the service write to "+dir+", and see that the disk is not full")
		return true
	}
	probe.Close()
	os.Remove(probe.Name())
	if open := openToOthers(dir); len(open) > 0 {
		e.fail(step, "other accounts can read or change "+strings.Join(open, ", "),
			"chmod 700 the folder and 600 the files; if someone may have read them, enrol again and change the systems' passwords")
		return true
	}
	e.pass(step, dir)
	return true
}

// openToOthers returns what holds secrets and has a mode that others can use.
// On Windows modes mean nothing: the installer sets the folder's ACL.
func openToOthers(dir string) (open []string) {
	if runtime.GOOS == "windows" {
		return nil
	}
	for _, p := range []string{"", "identity", "identity/current.pem", "vault.key", "vault.json", "spool.db"} {
		path := filepath.Join(dir, p)
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		shut := fs.FileMode(0o077)
		if p == "" {
			shut = 0o022 // others may see that there is an agent
		}
		if mode := info.Mode().Perm(); mode&shut != 0 {
			open = append(open, fmt.Sprintf("%s (mode %04o)", path, mode))
		}
	}
	return open
}

// identity looks at the certificate and how long it lives.
func (e *examination) identity() {
	const step = "identity"
	self, err := agentidentity.Load(e.config.Data)
	if errors.Is(err, agentidentity.ErrNotEnrolled) {
		e.fail(step, "this host has not joined", "make a join token with `drawbridge token create`, then run `drawbridge-agent enroll`")
		return
	}
	if err != nil {
		e.fail(step, err.Error(), "restore the file from a backup, or enrol again")
		return
	}
	self.Dial = e.dialer.Dial
	e.self = self
	cert, now := self.Certificate(), time.Now()
	left := cert.NotAfter.Sub(now).Round(time.Minute)
	if key, why := self.Asking(); key != "" {
		e.fail(step, fmt.Sprintf("an admin must approve this agent before it works again: %s", why),
			fmt.Sprintf("have it approved, if key %s is shown there, too: drawbridge agent show %s", key, self.Agent().ID))
		return
	}
	switch {
	case now.After(cert.NotAfter):
		e.fail(step, fmt.Sprintf("the certificate of %s ended %s ago, %s", self.Agent(), -left, stamp(cert.NotAfter)),
			"see that this host's clock is right, and start the agent: it renews by itself, or asks an admin of the coordinator to approve it")
	case now.Before(cert.NotBefore):
		e.fail(step, fmt.Sprintf("the certificate of %s begins in %s, %s", self.Agent(), cert.NotBefore.Sub(now).Round(time.Second), stamp(cert.NotBefore)),
			"set this host's clock, best by time service")
	case now.After(self.Due().Add(cert.NotAfter.Sub(self.Due()) / 2)):
		e.warn(step, fmt.Sprintf("%s; its certificate ends in %s and was to be renewed %s", self.Agent(), left, stamp(self.Due())),
			"see that the agent runs and reaches its coordinator: it renews by itself")
	default:
		e.pass(step, fmt.Sprintf("%s, certificate until %s", self.Agent(), stamp(cert.NotAfter)))
	}
}

// connectors compares each executable with its pin.
func (e *examination) connectors() {
	if len(e.config.Connectors) == 0 {
		e.warn("connectors", "none is configured", "name their executables under connectors in agent.yaml: without one no job is run")
	}
	for _, c := range e.config.Connectors {
		step := "connector " + strings.Join(c.Serves, ", ")
		sum, err := host.Sum(c.Path)
		switch {
		case err != nil:
			e.fail(step, err.Error(), "install the connector there, or correct its path in agent.yaml")
		case !strings.EqualFold(sum, c.SHA256):
			e.fail(step, fmt.Sprintf("%s has SHA-256 %s, agent.yaml pins %s: it will not be started", c.Path, sum, c.SHA256),
				"if it was updated on purpose, compare the new hash with the one published for the release and put it into agent.yaml; else find out who changed the file")
		default:
			e.pass(step, c.Path)
		}
	}
}

// spool looks whether the journal can be read and what waits in it.
func (e *examination) spool() {
	const step = "spool"
	path := filepath.Join(e.config.Data, "spool.db")
	if kept, _ := filepath.Glob(path + ".damaged-*"); len(kept) > 0 {
		e.warn(step, "an earlier spool was damaged and is kept as "+strings.Join(kept, ", "), "check the disk; remove the file when nobody wants to look at it")
	}
	if _, err := os.Stat(path + ".suspect"); err == nil {
		e.warn(step, "the spool gave cause to doubt it", "restart the agent: it reads all of the file before it trusts it again; check the disk")
		return // to open it would set it aside
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		e.pass(step, "none yet: the agent makes it")
		return
	}
	held, err := spool.Inspect(path)
	switch {
	case errors.Is(err, spool.ErrInUse):
		e.pass(step, "in use by the running agent; see `drawbridge-agent status`")
	case errors.Is(err, spool.ErrSchema):
		e.fail(step, err.Error(), "install the newer release again")
	case err != nil:
		e.fail(step, err.Error(), "start the agent: it keeps the file aside and has unfinished jobs sent again; check the disk")
	default:
		e.pass(step, fmt.Sprintf("%d jobs wait to be run, %d results to be sent", held.Jobs, held.Results))
	}
}

// vault looks whether the secrets can be unsealed.
func (e *examination) vault() {
	const step = "vault"
	if _, err := os.Stat(filepath.Join(e.config.Data, "vault.json")); errors.Is(err, fs.ErrNotExist) {
		e.pass(step, "no secret has been given")
		return
	}
	if _, err := vault.Open(e.config.Data); err != nil {
		e.fail(step, err.Error(), "restore vault.json and vault.key together from a backup, or remove both and give all secrets again")
		return
	}
	e.pass(step, "can be read")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
