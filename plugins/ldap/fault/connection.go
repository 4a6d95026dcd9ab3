package fault

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// step says why no server could be reached. Of several, the first
// that could not be is described, and all are in the text of the server.
func (w *Words) step(all error, step *dc.StepError) *sdk.Error {
	at := step.Server.URL
	switch step.Step {
	case "resolve":
		return sdk.Unavailable("the name of "+at+" cannot be resolved", "Correct \"servers\", or look at the host's DNS settings.").From(all)
	case "connect":
		return sdk.Unavailable("no connection to "+at, "Look whether the server runs and a firewall lets the agent's host through to this port.").From(all)
	case "TLS":
		return w.tls(step).From(all)
	case "bind":
		if refused, ok := errors.AsType[*wire.ResultError](step.Err); ok {
			return w.Refusal(&refused.Result, About{Server: step.Server, Doing: "sign in"})
		}
		if w.Kerberos {
			return sdk.Denied("Kerberos sign-in at "+at+" failed: "+step.Err.Error(),
				"Look at \"kerberos\" in the settings, the keytab or password, and the clocks: Kerberos allows 5 minutes of difference.").From(all)
		}
	}
	return sdk.Unavailable("no session with "+at+": "+step.Err.Error(), "It is tried again; the server's own words are in raw.").From(all)
}

// tls says what is wrong with a certificate, or with the clock. It is nothing of
// the job's: what is to be done waits until the server can be trusted again.
func (w *Words) tls(step *dc.StepError) *sdk.Error {
	at, err := step.Server.URL, step.Err
	trusted := "the certificates that the host trusts"
	if len(w.CANames) > 0 {
		trusted = strings.Join(w.CANames, "; ")
	}
	issuer := "unknown"
	if len(step.Peer) > 0 {
		issuer = step.Peer[len(step.Peer)-1].Issuer.String()
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		if issuer == "unknown" && unknown.Cert != nil {
			issuer = unknown.Cert.Issuer.String()
		}
		return sdk.Unavailable(fmt.Sprintf("the certificate of %s was issued by %s, which is not trusted; trusted is %s", at, issuer, trusted),
			"Put the certificate of the issuing CA into \"ca\"; if that issuer is none of yours, something intercepts the connection.")
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return sdk.Unavailable(fmt.Sprintf("the certificate of %s is for %s", at, strings.Join(namesOf(name.Certificate), ", ")),
			"Use one of these names in \"servers\", or issue the certificate for the name that is there.")
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		c := invalid.Cert
		return sdk.Unavailable(fmt.Sprintf("the certificate of %s is valid from %s to %s, and the agent's clock says %s", at,
			c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339)),
			"Renew the certificate; if the clock is wrong, set it.")
	}
	if strings.Contains(err.Error(), "negative serial number") { // crypto/x509 has no type for it
		return sdk.Unavailable("the certificate of "+at+" has a negative serial number, which RFC 5280 forbids and this agent refuses",
			"Issue the server's certificate anew; Samba makes another when tls/*.pem are removed, or takes one by \"tls certfile\".")
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, io.EOF) && !step.Server.StartTLS {
		return sdk.Unavailable(at+" does not speak TLS on this port, or has no certificate",
			"For port 389 write ldap://, which means StartTLS; ldaps:// is for 636. The server needs a certificate for either.")
	}
	return sdk.Unavailable("no TLS with "+at+": "+err.Error(), "Look whether the server has a certificate, and whether a firewall lets the connection through.")
}

func namesOf(c *x509.Certificate) []string {
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = append(names, c.Subject.String())
	}
	return names
}
