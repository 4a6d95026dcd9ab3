package guard

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// accountBits are the bits of userAccountControl (MS-ADTS 2.2.16).
var accountBits = map[string]uint32{
	"accountdisable": 0x2, "homedir_required": 0x8, "lockout": 0x10, "passwd_notreqd": 0x20, "passwd_cant_change": 0x40,
	"encrypted_text_pwd_allowed": 0x80, "temp_duplicate_account": 0x100, "normal_account": 0x200, "interdomain_trust_account": 0x800,
	"workstation_trust_account": 0x1000, "server_trust_account": 0x2000, "dont_expire_password": 0x10000, "mns_logon_account": 0x20000,
	"smartcard_required": 0x40000, "trusted_for_delegation": 0x80000, "not_delegated": 0x100000, "use_des_key_only": 0x200000,
	"dont_req_preauth": 0x400000, "password_expired": 0x800000, "trusted_to_auth_for_delegation": 0x1000000,
	"no_auth_data_required": 0x2000000, "partial_secrets_account": 0x4000000, "use_aes_keys": 0x8000000,
}

// neverSet are the bits that nobody sets by provisioning: accounts without a
// password or with one that can be read or guessed off line, accounts that act
// for others, and accounts that are no person's.
const neverSet = 0x20 | 0x80 | 0x100 | 0x800 | 0x1000 | 0x2000 | 0x20000 | 0x80000 | 0x200000 | 0x400000 | 0x1000000 | 0x2000000 | 0x4000000

// forbidden are attributes of Active Directory that give rights, or another
// way in, to whoever can write them. One of them is written only where the
// policy names it.
var forbidden = map[string]bool{
	"serviceprincipalname": true, "sidhistory": true, "ntsecuritydescriptor": true, "scriptpath": true, "profilepath": true,
	"objectclass": true, "member": true, "memberof": true, "admincount": true, "primarygroupid": true, "altsecurityidentities": true,
	"msds-keycredentiallink": true, "msds-groupmsamembership": true, "msds-managedpasswordid": true, "msds-supportedencryptiontypes": true,
	"msds-assignedauthnpolicy": true, "msds-assignedauthnpolicysilo": true, "msds-hostserviceaccount": true, "msds-additionaldnshostname": true,
	"msds-additionalsamaccountname": true, "msds-delegatedmsastate": true, "msds-managedaccountprecededbylink": true, "msds-supersededmanagedaccountlink": true,
	"msds-revealondemandgroup": true, "msds-neverrevealgroup": true, "ms-ds-consistencyguid": true, "ms-ds-machineaccountquota": true,
	"gplink": true, "gpoptions": true, "dnshostname": true, "unicodepwd": true, "userpassword": true, "dbcspwd": true, "lmpwdhistory": true, "ntpwdhistory": true,
	"supplementalcredentials": true, "userparameters": true, "systemflags": true, "iscriticalsystemobject": true, "samaccounttype": true,
	"objectsid": true, "objectguid": true, "useraccountcontrolcomputed": true, "grouptype": true, "usercertificate": true,
	"mstsinitialprogram": true, "mstsworkdirectory": true, "msmqdigests": true, "ms-mcs-admpwd": true, "mslaps-password": true, "mslaps-encryptedpassword": true,
}

func isForbidden(attribute string) bool {
	return forbidden[attribute] || strings.HasPrefix(attribute, "msds-allowedto") || strings.HasPrefix(attribute, "mspki")
}

// writable are the classes of Active Directory that are touched where the
// policy does not name others.
var writable = []string{"user", "inetorgperson", "group", "contact", "organizationalunit"}

// guarded are the classes whose objects are never touched unless the policy
// names the class, whatever else they are: accounts of machines and services,
// trusts, and what holds the domain together.
var guarded = []string{"computer", "msds-managedserviceaccount", "msds-groupmanagedserviceaccount", "msds-delegatedmanagedserviceaccount",
	"trusteddomain", "domaindns", "builtindomain", "grouppolicycontainer", "secret", "foreignsecurityprincipal", "msds-shadowprincipal"}

// attributeName is how Active Directory writes names of attributes; others,
// such as an OID, are a second way to write the same.
var attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)

// verbOf names what an operation does, and how much it counts.
func verbOf(op *connectorv1.Operation) (verb string, weight int) {
	switch v := op.GetVerb().(type) {
	case *connectorv1.Operation_Create:
		return "create", 1
	case *connectorv1.Operation_Modify:
		return "modify", 1
	case *connectorv1.Operation_Move:
		return "move", 1
	case *connectorv1.Operation_SetEnabled:
		if v.SetEnabled.GetEnabled() {
			return "enable", 1
		}
		return "disable", 1
	case *connectorv1.Operation_ChangeMembership:
		return "membership", max(1, len(v.ChangeMembership.GetJoin())+len(v.ChangeMembership.GetLeave()))
	case *connectorv1.Operation_SetPassword:
		return "password", 1
	case *connectorv1.Operation_Delete:
		return "delete", 1
	}
	return "", 1
}

// sumOf is of what an operation does, not of what its answer shows.
func sumOf(op *connectorv1.Operation) [32]byte {
	only := &connectorv1.Operation{Class: op.GetClass(), Id: op.GetId(), Verb: op.GetVerb()}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(only)
	if err != nil { // only of text that is no UTF-8, which no job can hold
		return [32]byte{}
	}
	return sha256.Sum256(text)
}

// static returns what speaks against an operation by what it says itself.
func (s *System) static(op *connectorv1.Operation, verb string) (found []*denial) {
	add := func(d denial) { found = append(found, &d) }
	class := fold(op.GetClass())
	switch {
	case verb == "":
		add(denial{rule: builtIn("verbs"), builtIn: true, cause: "this release of the agent does not know the operation"})
		return found
	case s.Verbs != nil && !slices.Contains(s.Verbs, verb):
		add(denial{rule: s.rule("verbs"), cause: verb + " is not among the verbs"})
	}
	if s.Classes != nil && !slices.ContainsFunc(s.Classes, func(c string) bool { return fold(c) == class }) {
		add(denial{rule: s.rule("classes"), cause: fmt.Sprintf("class %q is not among the classes", op.GetClass())})
	} else if s.directory && s.Classes == nil && !slices.Contains(writable, class) {
		add(denial{rule: builtIn("classes"), builtIn: true, cause: fmt.Sprintf("objects of class %q are not touched unless classes names it", op.GetClass())})
	}
	switch v := op.GetVerb().(type) {
	case *connectorv1.Operation_Create:
		s.place(v.Create.GetContainer(), "created in", add)
		for _, a := range v.Create.GetAttributes() {
			s.attribute("create", a.GetName(), a.GetValues(), 0, add)
		}
		s.seal(v.Create.GetPassword(), add)
	case *connectorv1.Operation_Modify:
		for _, c := range v.Modify.GetChanges() {
			if i := s.withheld(c.GetName()); i >= 0 && len(c.GetExpect()) > 0 { // a conflict would tell whether it was guessed
				add(denial{rule: s.rule(fmt.Sprintf("withhold[%d]", i)), attribute: c.GetName(),
					cause: fmt.Sprintf("values of %s may not leave this site, so none can be expected", c.GetName())})
			}
			s.attribute("modify", c.GetName(), nil, 0, add) // its bits are judged against those that are set
		}
	case *connectorv1.Operation_Move:
		s.place(v.Move.GetContainer(), "moved to", add)
	case *connectorv1.Operation_SetPassword:
		s.seal(v.SetPassword.GetRule(), add)
	}
	return found
}

// place judges a container that an object would be put into.
func (s *System) place(container, doing string, add func(denial)) {
	bases, key := s.dests, "destinations"
	if bases == nil {
		bases, key = s.bases, "bases"
	}
	if bases != nil && !withinAny(container, bases, false) {
		add(denial{rule: s.rule(key), object: container, cause: fmt.Sprintf("objects may not be %s %s", doing, container)})
	}
	if !s.directory {
		return
	}
	if _, err := parseName(container); err != nil {
		add(denial{rule: builtIn("names"), builtIn: true, object: container, cause: fmt.Sprintf("the container %q cannot be understood: %v", container, err)})
	}
}

// attribute judges an attribute that would be written. current are the bits of
// an account that are set already.
func (s *System) attribute(verb, name string, values []string, current uint32, add func(denial)) {
	key := fold(name)
	list, limited := s.attributes[verb]
	switch {
	case limited && !list[key]:
		add(denial{rule: s.rule("attributes." + verb), attribute: name, cause: fmt.Sprintf("%s is not among the attributes of %s", name, verb)})
	case s.directory && !attributeName.MatchString(strings.TrimSpace(name)):
		add(denial{rule: builtIn("names"), builtIn: true, attribute: name, cause: fmt.Sprintf("%q is no attribute's plain name", name)})
	case s.directory && isForbidden(key) && !list[key]:
		add(denial{rule: builtIn("attributes"), builtIn: true, attribute: name,
			cause: fmt.Sprintf("%s can give rights, and is not written unless attributes.%s names it", name, verb)})
	}
	if key == "useraccountcontrol" && s.directory {
		s.bits(values, current, add)
	}
}

// bits judges the values of userAccountControl.
func (s *System) bits(values []string, current uint32, add func(denial)) {
	for _, text := range values {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < -1<<31 || n >= 1<<32 {
			add(denial{rule: builtIn("account-bits"), builtIn: true, attribute: "userAccountControl", cause: fmt.Sprintf("userAccountControl %q is no number of 32 bits", text)})
			continue
		}
		set := uint32(n) &^ current & s.neverSet
		for name, bit := range accountBits {
			if set&bit != 0 {
				rule, own := builtIn("account-bits"), neverSet&bit != 0
				if !own {
					rule = s.rule("never_set")
				}
				add(denial{rule: rule, builtIn: own, attribute: "userAccountControl",
					cause: fmt.Sprintf("the bit %s (0x%x) of userAccountControl would be set", strings.ToUpper(name), bit)})
			}
		}
	}
}

// seal judges to whom a generated password would be sealed. Without a policy
// for the system, that is the mapping's business.
func (s *System) seal(rule *connectorv1.PasswordRule, add func(denial)) {
	if s.path == "" {
		return
	}
	for _, r := range rule.GetRecipients() {
		if !slices.Contains(s.Recipients, r) {
			add(denial{rule: s.rule("recipients"), cause: fmt.Sprintf("passwords may not be sealed to %s", r)})
		}
	}
}
