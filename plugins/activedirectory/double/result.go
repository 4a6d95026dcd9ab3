package double

import (
	"fmt"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// A result is what an operation answers: an LDAP result code and Active
// Directory's diagnostic message. Its zero value is success.
type result struct {
	code    int
	matched string
	message string
}

// Result codes of RFC 4511 that the double answers.
const (
	success             = 0
	operationsError     = 1
	protocolError       = 2
	sizeLimitExceeded   = 4
	compareFalse        = 5
	compareTrue         = 6
	authNotSupported    = 7
	strongAuthRequired  = 8
	referral            = 10
	criticalExtension   = 12
	noSuchAttribute     = 16
	undefinedType       = 17
	constraintViolation = 19
	valueExists         = 20
	invalidSyntax       = 21
	noSuchObject        = 32
	invalidDNSyntax     = 34
	invalidCredentials  = 49
	insufficientAccess  = 50
	busy                = 51
	unavailable         = 52
	unwilling           = 53
	namingViolation     = 64
	classViolation      = 65
	notAllowedOnNonLeaf = 66
	notAllowedOnRDN     = 67
	entryExists         = 68
	other               = 80
)

// Messages carry the same identification everywhere; clients must not rely on
// it, for it changes with every build of Windows.
const dsid = "DSID-03100D81"

func ldapErr(code int, win uint32, comment string) result {
	return result{code: code, message: fmt.Sprintf("%08X: LdapErr: %s, comment: %s, data 0, v4563\x00", win, dsid, comment)}
}

func svcErr(code int, win uint32, problem string) result {
	return result{code: code, message: fmt.Sprintf("%08X: SvcErr: %s, problem %s, data 0\n\x00", win, dsid, problem)}
}

func updErr(code int, win uint32, problem string) result {
	return result{code: code, message: fmt.Sprintf("%08X: UpdErr: %s, problem %s, data 0\n\x00", win, dsid, problem)}
}

// attrErr names the attribute, as the AtrErr messages do.
func attrErr(code int, win uint32, problem string, def *schema.Attribute) result {
	return result{code: code, message: fmt.Sprintf("%08X: AtrErr: %s, #1:\n\t0: %08X: %s, problem %s, data 0, Att %x (%s)\n\x00",
		win, dsid, win, dsid, problem, 0x90000+def.ID, def.Name)}
}

const (
	constraint       = "1005 (CONSTRAINT_ATT_TYPE)"
	willNotPerform   = "5003 (WILL_NOT_PERFORM)"
	entryExistsName  = "6005 (ENTRY_EXISTS)"
	insufficientName = "4003 (INSUFF_ACCESS_RIGHTS)"
)

// noObject tells the best match, as Active Directory does in words and in
// matchedDN.
func noObject(best *object) result {
	dn := ""
	if best != nil {
		dn = best.dn()
	}
	return result{
		code: noSuchObject, matched: dn,
		message: fmt.Sprintf("0000208D: NameErr: %s, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'%s'\n\x00", dsid, dn),
	}
}

func denied() result {
	return result{code: insufficientAccess, message: "00002098: SecErr: " + dsid + ", problem " + insufficientName + ", data 0\n\x00"}
}

func badDN() result {
	return result{code: invalidDNSyntax, message: "0000208F: NameErr: " + dsid + ", problem 2006 (BAD_NAME), data 8350, best match of:\n\t''\n\x00"}
}

func conversion(code int) result {
	return ldapErr(code, 0x57, "Error in attribute conversion operation")
}

// bindRefused carries the sub-code by which clients tell the reasons apart.
func bindRefused(data string) result {
	return result{
		code:    invalidCredentials,
		message: fmt.Sprintf("80090308: LdapErr: %s, comment: AcceptSecurityContext error, data %s, v4563\x00", dsid, data),
	}
}

// passwordRefused is result 53 on Windows and 19 on Samba.
func (d *directory) passwordRefused() result {
	code := unwilling
	if d.flavor == Samba {
		code = constraintViolation
	}
	return svcErr(code, 0x52d, willNotPerform)
}
