package ldap

import (
	"regexp"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// words says what goes wrong with the directory.
func words(settings Settings, caNames []string) *fault.Words {
	w := &fault.Words{Account: settings.Bind, CANames: caNames, Kerberos: settings.Auth == "kerberos", Attribute: attributeOf, Special: special}
	if settings.Auth == "external" {
		w.Account = "of the certificate " + settings.Certificate.File
	}
	return w
}

// attributeInMessage is where OpenLDAP and 389 Directory Server name the
// attribute: "employeeID: value #0 invalid per syntax", "attribute 'x' not
// allowed", "x: no equality matching rule".
var attributeInMessage = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*): |attribute '?"?([A-Za-z][A-Za-z0-9-]*)['"]`)

func attributeOf(r *wire.Result) string {
	if m := attributeInMessage.FindStringSubmatch(r.Message); m != nil && m[1] != "modify" {
		return m[1] + m[2]
	}
	return ""
}

// special is what these servers mean otherwise than the table of codes says.
func special(r *wire.Result, a fault.About) *sdk.Error {
	switch r.Code {
	case wire.SizeLimitExceeded, wire.AdminLimitExceeded:
		return sdk.Denied("could not "+a.Doing+": "+a.Server.URL+" gives the service account no more entries than its size limit",
			"Lift the limit for the service account (OpenLDAP: olcLimits: dn.exact=\"ACCOUNT\" size=unlimited; 389: nsSizeLimit: -1), or make \"page_size\" smaller if only the page is too large.")
	case wire.InvalidCredentials, wire.InappropriateAuthentication:
		return nil
	case wire.ConstraintViolation:
		if passwordWords.MatchString(r.Message) {
			return sdk.Invalid("the password does not meet the directory's password policy",
				"Make the generated password longer in the mapping, or look at the password policy.").At("userPassword")
		}
		if uniqueWords.MatchString(r.Message) {
			return fault.Taken(sdk.Conflict("could not "+a.Doing+": the value belongs to another object", "Another value is tried."))
		}
	}
	return nil
}

var (
	passwordWords = regexp.MustCompile(`(?i)password`)
	uniqueWords   = regexp.MustCompile(`(?i)unique|already exists`)
)
