package activedirectory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// about is what is known where an error comes up.
type about struct {
	server    dc.Server
	doing     string // such as "create the object"
	object    string // address or id
	right     string // the right that doing needs, such as "Create User objects", and where
	attribute string
}

// fault turns whatever went wrong into words for the person who must act. What
// is an [*sdk.Error] already stays as it is.
func (s *System) fault(err error, a about) error {
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		return e
	}
	if step, ok := errors.AsType[*dc.StepError](err); ok {
		return s.stepFault(err, step)
	}
	if refused, ok := errors.AsType[*wire.ResultError](err); ok {
		return s.refusal(&refused.Result, a)
	}
	if lost, ok := errors.AsType[*wire.LostError](err); ok {
		e := sdk.Unavailable("the connection to "+a.server.URL+" broke: "+lost.Err.Error(),
			"Nothing: it is tried again; if it stays so, look at the network and at the controller.")
		return e.From(err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sdk.Unavailable("given up: "+err.Error(), "Nothing: it is tried again.").From(err)
	}
	return err
}

// code is the Windows error at the head of a diagnostic message.
var code = regexp.MustCompile(`^([0-9A-Fa-f]{8}): `)

// bindReason is the reason for a refused bind within its message.
var bindReason = regexp.MustCompile(`data ([0-9a-fA-F]+),`)

// attributeInMessage is where a message names the attribute: "Att 90290 (userPrincipalName)".
var attributeInMessage = regexp.MustCompile(`Att [0-9a-fA-F]+ \(([A-Za-z0-9-]+)\)|attribute '?([A-Za-z0-9-]+)'?`)

func windowsCode(r *wire.Result) string {
	if m := code.FindStringSubmatch(r.Message); m != nil {
		return strings.ToUpper(m[1])
	}
	return ""
}

func attributeOf(r *wire.Result) string {
	if m := attributeInMessage.FindStringSubmatch(r.Message); m != nil {
		return m[1] + m[2]
	}
	return ""
}

// refusal is the table of what a server answers. Windows and Samba give some
// of them under different result codes, so the Windows code goes first.
func (s *System) refusal(r *wire.Result, a about) *sdk.Error {
	e := s.judgement(r, a)
	if e.Object == "" {
		e.Object = a.object
	}
	if e.Attribute == "" {
		if e.Attribute = attributeOf(r); e.Attribute == "" {
			e.Attribute = a.attribute
		}
	}
	return e.From(r.Err())
}

func (s *System) judgement(r *wire.Result, a about) *sdk.Error {
	switch windowsCode(r) {
	case "0000052D":
		return sdk.Invalid("the password does not meet the domain's password policy, or the account has none",
			"Make the generated password longer in the mapping, or look at the domain's password policy.").At("unicodePwd")
	case "0000001F":
		return sdk.Invalid("the server takes a password only over an encrypted connection, and does not see this one as such",
			"Use ldaps:// in \"servers\", and look whether something between agent and controller ends the encryption.").At("unicodePwd")
	case "00002098", "00000005", "00002186":
		return s.denied(r, a)
	case "00002028":
		return sdk.Denied("the server demands signing or a channel binding",
			"Use ldaps:// in \"servers\", or kerberos as \"auth\".")
	case "000020EF":
		return sdk.Invalid("the server takes only smaller answers", "Make \"page_size\" smaller.")
	}
	switch r.Code {
	case wire.InvalidCredentials:
		return s.badBind(r)
	case wire.InsufficientAccessRights:
		return s.denied(r, a)
	case wire.NoSuchObject:
		return sdk.NotFound("could not "+a.doing+": the object is not in the directory", "Nothing: it is read and planned again.")
	case wire.EntryAlreadyExists:
		return taken(sdk.Conflict("could not "+a.doing+": another object has this name", "Another name is tried."))
	case wire.NoSuchAttribute, wire.AttributeOrValueExists:
		return sdk.Conflict("could not "+a.doing+": the attribute holds something else than expected", "Nothing: it is read and planned again.")
	case wire.ConstraintViolation:
		if windowsCode(r) == "000021C7" || windowsCode(r) == "000021C8" || windowsCode(r) == "00000524" {
			return taken(sdk.Conflict("could not "+a.doing+": the value belongs to another object", "Another value is tried."))
		}
		return sdk.Invalid("could not "+a.doing+": the directory does not take the value of "+orAnAttribute(attributeOf(r)),
			"Correct the value in the source or the mapping; look at its length and form.")
	case wire.InvalidAttributeSyntax:
		return sdk.Invalid("could not "+a.doing+": the value of "+orAnAttribute(attributeOf(r))+" has a form that the directory does not take",
			"Correct the value in the source or the mapping; an empty one must be left out.")
	case wire.UndefinedAttributeType:
		return sdk.Invalid("could not "+a.doing+": the directory has no such attribute", "Correct the mapping, or extend the schema of the directory.")
	case wire.ObjectClassViolation:
		return sdk.Invalid("could not "+a.doing+": an attribute does not belong to objects of this class, or one that they need is missing",
			"Correct the mapping.")
	case wire.InvalidDNSyntax, wire.NamingViolation:
		return sdk.Invalid("could not "+a.doing+": the name or the container is none that the directory takes", "Correct the mapping.")
	case wire.NotAllowedOnNonLeaf:
		return sdk.Invalid("could not "+a.doing+": there are objects below it", "Move or delete what lies below, then try again; trees are never deleted.")
	case wire.AffectsMultipleDSAs:
		return sdk.Invalid("could not "+a.doing+": it would lead into another domain", "Correct the container in the mapping; objects are moved within one domain only.")
	case wire.Referral:
		return sdk.Unavailable("could not "+a.doing+": "+a.server.URL+" is read-only or not in charge and names another server ("+strings.Join(r.Referrals, ", ")+")",
			"Nothing, if \"servers\" names a writable controller: that is tried; else add one.")
	case wire.Busy, wire.Unavailable:
		e := sdk.Unavailable("could not "+a.doing+": the controller is busy or not ready", "Nothing: another controller is tried, then this one again.")
		e.RetryAfter = 5 * time.Second
		return e
	case wire.TimeLimitExceeded, wire.SizeLimitExceeded, wire.AdminLimitExceeded:
		return sdk.Unavailable("could not "+a.doing+": a limit of the server was reached",
			"Narrow the search by \"base\" or \"filters\", index the attribute that is searched for, or raise the server's limit.")
	case wire.UnwillingToPerform:
		return sdk.Invalid("could not "+a.doing+": the server is not willing to", "The server's own words are in raw; correct the mapping or the object.")
	case wire.UnavailableExtension, wire.AuthMethodNotSupported, wire.StrongerAuthRequired, wire.ConfidentialityRequired:
		return sdk.Invalid("could not "+a.doing+": the server does not offer what is needed", "The server's own words are in raw; look at its version and settings.")
	}
	return sdk.Unavailable("could not "+a.doing+": the server has a fault of its own", "It is tried again; the server's own words are in raw.")
}

func taken(e *sdk.Error) *sdk.Error { e.Taken = true; return e }

func orAnAttribute(name string) string {
	if name == "" {
		return "an attribute"
	}
	return name
}

func (s *System) denied(r *wire.Result, a about) *sdk.Error {
	right := a.right
	if right == "" {
		right = "the right to " + a.doing
	}
	where := a.object
	if where == "" {
		where = "the object"
	}
	return sdk.Denied(fmt.Sprintf("the service account %s lacks %s on %s", s.settings.Bind, right, where),
		"Grant it there (README.md of the connector has the commands); on a protected account (adminCount=1) leave it and take it out of scope.").At(attributeOf(r))
}

// badBind is the table of reasons that a domain controller gives for a refused bind.
func (s *System) badBind(r *wire.Result) *sdk.Error {
	reason := ""
	if m := bindReason.FindStringSubmatch(r.Message); m != nil {
		reason = strings.ToLower(m[1])
	}
	words := map[string][2]string{
		"525": {"does not exist", "Correct \"bind\" in the settings."},
		"52e": {"is refused: wrong name or wrong password", "Give the right password with `drawbridge-agent secret set SYSTEM password`, or correct \"bind\"."},
		"530": {"may not sign in at this hour", "Lift the limit on the account's logon hours."},
		"531": {"may not sign in from this host", "Lift the limit on the account's workstations."},
		"532": {"has a password that has expired", "Give the account a new password, then `drawbridge-agent secret set SYSTEM password`; let it not expire."},
		"533": {"is disabled", "Enable the account."},
		"701": {"has expired", "Extend the account."},
		"773": {"must change its password first", "Give the account a new password without \"must change\", then `drawbridge-agent secret set SYSTEM password`."},
		"775": {"is locked", "Unlock the account, and look who tries wrong passwords."},
	}
	w, known := words[reason]
	if !known {
		w = words["52e"]
	}
	return sdk.Denied("the service account "+s.settings.Bind+" "+w[0], w[1])
}

// stepFault says why no controller could be reached. Of several, the first
// that could not be is described, and all are in the text of the server.
func (s *System) stepFault(all error, step *dc.StepError) *sdk.Error {
	at := step.Server.URL
	switch step.Step {
	case "resolve":
		return sdk.Unavailable("the name of "+at+" cannot be resolved", "Correct \"servers\", or look at the host's DNS settings.").From(all)
	case "connect":
		return sdk.Unavailable("no connection to "+at, "Look whether the controller runs and a firewall lets the agent's host through to this port.").From(all)
	case "TLS":
		return s.tlsFault(step).From(all)
	case "bind":
		if refused, ok := errors.AsType[*wire.ResultError](step.Err); ok {
			return s.refusal(&refused.Result, about{server: step.Server, doing: "sign in"})
		}
		if s.options.Kerberos != nil {
			return sdk.Denied("Kerberos sign-in at "+at+" failed: "+step.Err.Error(),
				"Look at \"kerberos\" in the settings, the keytab or password, and the clocks: Kerberos allows 5 minutes of difference.").From(all)
		}
	}
	return sdk.Unavailable("no session with "+at+": "+step.Err.Error(), "It is tried again; the server's own words are in raw.").From(all)
}

func (s *System) tlsFault(step *dc.StepError) *sdk.Error {
	at, err := step.Server.URL, step.Err
	trusted := "the certificates that the host trusts"
	if len(s.options.CANames) > 0 {
		trusted = strings.Join(s.options.CANames, "; ")
	}
	issuer := "unknown"
	if len(step.Peer) > 0 {
		issuer = step.Peer[len(step.Peer)-1].Issuer.String()
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		if issuer == "unknown" && unknown.Cert != nil {
			issuer = unknown.Cert.Issuer.String()
		}
		return sdk.Denied(fmt.Sprintf("the certificate of %s was issued by %s, which is not trusted; trusted is %s", at, issuer, trusted),
			"Put the certificate of the issuing CA into \"ca\"; if that issuer is none of yours, something intercepts the connection.")
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return sdk.Denied(fmt.Sprintf("the certificate of %s is for %s", at, strings.Join(namesOf(name.Certificate), ", ")),
			"Use one of these names in \"servers\", or issue the certificate for the name that is there.")
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		c := invalid.Cert
		return sdk.Denied(fmt.Sprintf("the certificate of %s is valid from %s to %s, and the agent's clock says %s", at,
			c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339)),
			"Renew the certificate; if the clock is wrong, set it.")
	}
	if strings.Contains(err.Error(), "negative serial number") { // crypto/x509 has no type for it
		return sdk.Denied("the certificate of "+at+" has a negative serial number, which RFC 5280 forbids and this agent refuses",
			"Issue the controller's certificate anew; Samba makes another when tls/*.pem are removed, or takes one by \"tls certfile\".")
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, io.EOF) && !step.Server.StartTLS {
		return sdk.Unavailable(at+" does not speak TLS on this port, or has no certificate",
			"For port 389 write ldap://, which means StartTLS; ldaps:// is for 636. A controller needs a certificate for either.")
	}
	return sdk.Unavailable("no TLS with "+at+": "+err.Error(), "Look whether the controller has a certificate, and whether a firewall lets the connection through.")
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
