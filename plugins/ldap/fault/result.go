package fault

import (
	"fmt"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// judgement is the table of result codes, RFC 4511, appendix A.
func (w *Words) judgement(r *wire.Result, a About) *sdk.Error {
	could := "could not " + a.Doing + ": "
	switch r.Code {
	case wire.InvalidCredentials:
		return sdk.Denied("the service account "+w.Account+" is refused: wrong name or wrong password",
			"Give the right password with `drawbridge-agent secret set SYSTEM password`, or correct \"bind\".")
	case wire.InsufficientAccessRights:
		return w.Lacks(r, a)
	case wire.NoSuchObject:
		return sdk.NotFound(could+"the object is not in the directory", "Nothing: it is read and planned again.")
	case wire.EntryAlreadyExists:
		return Taken(sdk.Conflict(could+"another object has this name", "Another name is tried."))
	case wire.NoSuchAttribute, wire.AttributeOrValueExists, wire.AssertionFailed:
		return sdk.Conflict(could+"the attribute holds something else than expected", "Nothing: it is read and planned again.")
	case wire.ConstraintViolation:
		return sdk.Invalid(could+"the directory does not take the value of "+orAnAttribute(w.attribute(r)),
			"Correct the value in the source or the mapping; look at its length and form.")
	case wire.InvalidAttributeSyntax:
		return sdk.Invalid(could+"the value of "+orAnAttribute(w.attribute(r))+" has a form that the directory does not take",
			"Correct the value in the source or the mapping; an empty one must be left out.")
	case wire.UndefinedAttributeType:
		return sdk.Invalid(could+"the directory has no such attribute", "Correct the mapping, or extend the schema of the directory.")
	case wire.ObjectClassViolation:
		return sdk.Invalid(could+"an attribute does not belong to objects of this class, or one that they need is missing",
			"Correct the mapping.")
	case wire.InvalidDNSyntax, wire.NamingViolation:
		return sdk.Invalid(could+"the name or the container is none that the directory takes", "Correct the mapping.")
	case wire.NotAllowedOnNonLeaf:
		return sdk.Invalid(could+"there are objects below it", "Move or delete what lies below, then try again; trees are never deleted.")
	case wire.AffectsMultipleDSAs:
		return sdk.Invalid(could+"it would lead into another domain", "Correct the container in the mapping; objects are moved within one domain only.")
	case wire.Referral:
		return sdk.Unavailable(could+a.Server.URL+" is read-only or not in charge and names another server ("+list(r.Referrals)+")",
			"Nothing, if \"servers\" names a writable server: that is tried; else add one. Credentials are never sent to a server that is not in \"servers\".")
	case wire.Busy, wire.Unavailable:
		e := sdk.Unavailable(could+"the server is busy or not ready", "Nothing: another server is tried, then this one again.")
		e.RetryAfter = 5 * time.Second
		return e
	case wire.TimeLimitExceeded, wire.SizeLimitExceeded, wire.AdminLimitExceeded:
		return sdk.Unavailable(could+"a limit of the server was reached",
			"Narrow the search by \"base\" or \"filters\", index the attribute that is searched for, or raise the server's limit.")
	case wire.UnwillingToPerform:
		return sdk.Invalid(could+"the server is not willing to", "The server's own words are in raw; correct the mapping or the object.")
	case wire.UnavailableExtension, wire.AuthMethodNotSupported, wire.StrongerAuthRequired, wire.ConfidentialityRequired:
		return sdk.Invalid(could+"the server does not offer what is needed", "The server's own words are in raw; look at its version and settings.")
	}
	return sdk.Unavailable(could+"the server has a fault of its own", "It is tried again; the server's own words are in raw.")
}

// Lacks says which right the account lacks.
func (w *Words) Lacks(r *wire.Result, a About) *sdk.Error {
	right := a.Right
	if right == "" {
		right = "the right to " + a.Doing
	}
	where := a.Object
	if where == "" {
		where = "the object"
	}
	return sdk.Denied(fmt.Sprintf("the service account %s lacks %s on %s", w.Account, right, where),
		"Grant it there (README.md of the connector has the commands); a protected object leave, and take it out of scope.").At(w.attribute(r))
}
