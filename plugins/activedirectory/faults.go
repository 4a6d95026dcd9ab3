package activedirectory

import (
	"regexp"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// words says what goes wrong with a domain: Windows and Samba give some
// refusals under different result codes, so the Windows code goes first.
func words(settings Settings, caNames []string) *fault.Words {
	w := &fault.Words{Account: settings.Bind, CANames: caNames, Kerberos: settings.Auth == "kerberos", Attribute: attributeOf}
	w.Special = func(r *wire.Result, a fault.About) *sdk.Error { return special(w, r, a) }
	return w
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

// special is the table of what a domain controller answers in its own words.
func special(w *fault.Words, r *wire.Result, a fault.About) *sdk.Error {
	switch windowsCode(r) {
	case "0000052D":
		return sdk.Invalid("the password does not meet the domain's password policy, or the account has none",
			"Make the generated password longer in the mapping, or look at the domain's password policy.").At("unicodePwd")
	case "0000001F":
		return sdk.Invalid("the server takes a password only over an encrypted connection, and does not see this one as such",
			"Use ldaps:// in \"servers\", and look whether something between agent and controller ends the encryption.").At("unicodePwd")
	case "00002098", "00000005", "00002186":
		return w.Lacks(r, a)
	case "00002028":
		return sdk.Denied("the server demands signing or a channel binding",
			"Use ldaps:// in \"servers\", or kerberos as \"auth\".")
	case "000020EF":
		return sdk.Invalid("the server takes only smaller answers", "Make \"page_size\" smaller.")
	case "000021C7", "000021C8", "00000524":
		if r.Code == wire.ConstraintViolation {
			return fault.Taken(sdk.Conflict("could not "+a.Doing+": the value belongs to another object", "Another value is tried."))
		}
	}
	if r.Code == wire.InvalidCredentials {
		return badBind(w, r)
	}
	return nil
}

// badBind is the table of reasons that a domain controller gives for a refused bind.
func badBind(w *fault.Words, r *wire.Result) *sdk.Error {
	reason := ""
	if m := bindReason.FindStringSubmatch(r.Message); m != nil {
		reason = strings.ToLower(m[1])
	}
	reasons := map[string][2]string{
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
	told, known := reasons[reason]
	if !known {
		told = reasons["52e"]
	}
	return sdk.Denied("the service account "+w.Account+" "+told[0], told[1])
}
