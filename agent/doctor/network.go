package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/proxy"
	"github.com/drawbridge-id/drawbridge/proto/identity"
)

// network goes the way to the coordinator step by step, up to the first that fails.
func (e *examination) network() {
	steps := []struct {
		name string
		try  func(step string) bool
	}{{"name of coordinator", e.resolve}, {"TCP to coordinator", e.connect}, {"TLS to coordinator", e.handshake}, {"coordinator", e.ask}}
	for i, s := range steps {
		if s.try(s.name) {
			continue
		}
		for _, rest := range steps[i+1:] {
			e.leaveOut(rest.name, s.name+" failed")
		}
		return
	}
}

func (e *examination) resolve(step string) bool {
	host, _, err := net.SplitHostPort(e.config.Coordinator)
	if err != nil {
		e.fail(step, err.Error(), "write coordinator in agent.yaml as name:port")
		return false
	}
	by, err := e.dialer.Proxy(e.config.Coordinator)
	if err != nil {
		e.fail("proxy", err.Error(), "correct proxy.url in agent.yaml, or HTTPS_PROXY")
		return false
	}
	if by != nil {
		e.pass(step, "left to the proxy "+by.Host)
		return true
	}
	if net.ParseIP(host) != nil {
		e.pass(step, host+" is an address")
		return true
	}
	ctx, cancel := context.WithTimeout(e.ctx, stepWait)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		e.fail(step, err.Error(), "see that the name in agent.yaml is right and that this host's DNS resolves names outside")
		return false
	}
	e.pass(step, host+" is "+strings.Join(addresses, ", "))
	return true
}

func (e *examination) connect(step string) bool {
	began := time.Now()
	ctx, cancel := context.WithTimeout(e.ctx, stepWait)
	defer cancel()
	conn, err := e.dialer.Dial(ctx, e.config.Coordinator)
	var refused *proxy.Error
	if errors.As(err, &refused) {
		e.fail(step, err.Error(), refused.Next())
		return false
	}
	if err != nil {
		e.fail(step, err.Error(), "let TCP to "+e.config.Coordinator+" out through the firewall, and see that the coordinator runs")
		return false
	}
	defer conn.Close()
	e.pass(step, fmt.Sprintf("%s in %s", conn.RemoteAddr(), time.Since(began).Round(time.Millisecond)))
	return true
}

// handshake tells our coordinator from a proxy that opens connections, and both from a wrong clock.
func (e *examination) handshake(step string) bool {
	if e.self == nil {
		return e.meet(step)
	}
	ctx, cancel := context.WithTimeout(e.ctx, stepWait)
	defer cancel()
	conn, err := e.secure(ctx, e.self.TLS())
	var foreign *identity.AuthorityError
	var clock *identity.ClockError
	switch {
	case errors.As(err, &foreign):
		e.fail(step, fmt.Sprintf("the server's certificate was issued by %q, and not by our coordinator's authority %q (%s)",
			foreign.Issuer, e.self.Authority().Subject.String(), foreign.Reason),
			"if that is a proxy or firewall that inspects TLS, ask the network team to except "+e.config.Coordinator+
				" from inspection (it is mutual TLS 1.3 by a private authority, which cannot be inspected); else correct the address in agent.yaml")
	case errors.As(err, &clock):
		e.fail(step, clock.Error(), "set this host's clock, best by time service")
	case err != nil:
		e.fail(step, err.Error(), "see that "+e.config.Coordinator+" is the coordinator's port for agents, and that nothing between cuts TLS 1.3")
	default:
		e.pass(step, "our coordinator")
		conn.Close()
		return true
	}
	return false
}

// secure shakes hands with whoever answers.
func (e *examination) secure(ctx context.Context, cfg *tls.Config) (net.Conn, error) {
	raw, err := e.dialer.Dial(ctx, e.config.Coordinator)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// meet shakes hands before there is an identity: it can only say who answers.
func (e *examination) meet(step string) bool {
	ctx, cancel := context.WithTimeout(e.ctx, stepWait)
	defer cancel()
	issuer := ""
	look := &tls.Config{
		MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, //nolint:gosec // nothing is sent; it is only asked who answers
		VerifyConnection: func(state tls.ConnectionState) error {
			issuer = state.PeerCertificates[0].Issuer.String()
			return nil
		},
	}
	conn, err := e.secure(ctx, look)
	if err != nil {
		e.fail(step, err.Error(), "see that "+e.config.Coordinator+" is the coordinator's port for agents, and that nothing between cuts TLS 1.3")
		return false
	}
	conn.Close()
	e.warn(step, fmt.Sprintf("a server with a certificate of %q answers; whether it is ours, the join token will tell", issuer), "enrol")
	return false
}

// ask compares clocks, and learns whether the coordinator still knows the agent.
func (e *examination) ask(step string) bool {
	ctx, cancel := context.WithTimeout(e.ctx, stepWait)
	defer cancel()
	before := time.Now()
	clock, err := e.self.Ask(ctx, e.config.Coordinator)
	var refusal *identity.Refusal
	switch {
	case errors.As(err, &refusal) && refusal.Reason == identity.Revoked:
		e.fail(step, refusal.Error(), "ask who shut this agent out; to join anew, enrol with a new join token")
		return false
	case err != nil:
		e.fail(step, err.Error(), "look into the coordinator's log")
		return false
	}
	e.pass(step, "knows this agent")
	middle := before.Add(time.Since(before) / 2)
	if err := identity.CheckClock(middle, clock); err != nil {
		e.fail("clock", err.Error(), "set this host's clock, best by time service")
		return true
	}
	e.pass("clock", fmt.Sprintf("%s off the coordinator's", middle.Sub(clock).Abs().Round(time.Second)))
	return true
}
