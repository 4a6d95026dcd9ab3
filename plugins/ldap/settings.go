package ldap

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// Settings are what an admin configures; README.md explains them.
type Settings struct {
	Servers        []string                 `json:"servers" doc:"servers in the order to try: ldaps://HOST, or ldap://HOST for StartTLS" required:"true" anchor:"true"`
	CA             string                   `json:"ca" doc:"certificates to trust: path of a PEM file, or the PEM itself; default: those the host trusts" anchor:"true"`
	Plain          bool                     `json:"plain" doc:"speak to ldap:// servers without any encryption; no password is then ever set" default:"false" anchor:"true"`
	Auth           string                   `json:"auth" doc:"how to sign in" default:"simple" enum:"simple,kerberos,external"`
	Bind           string                   `json:"bind" doc:"service account: for simple its DN, for kerberos its name without realm" anchor:"true"`
	Password       sealed.Secret            `json:"password" doc:"password of the service account; not needed with a keytab or a certificate"`
	Kerberos       dc.KerberosSettings      `json:"kerberos" doc:"for auth kerberos"`
	Certificate    CertificateSettings      `json:"certificate" doc:"for auth external"`
	Base           string                   `json:"base" doc:"DN below which objects are read and looked up; default: the server's first naming context"`
	ID             string                   `json:"id" doc:"attribute that is the native id, or dn; default: the first that the server has of entryUUID, nsUniqueId and ipaUniqueID"`
	Classes        map[string]ClassSettings `json:"classes" doc:"what mappings call a class, and what that is in the directory"`
	Enabled        EnabledSettings          `json:"enabled" doc:"how an account is locked; without it accounts can be neither enabled nor disabled"`
	EmptyMember    string                   `json:"empty_member" doc:"DN that stands as a member of a group that has none, where the class demands one; default: the empty DN"`
	Changes        string                   `json:"changes" doc:"how to notice what changed" default:"auto" enum:"auto,syncrepl,modify_timestamp,none"`
	Referrals      string                   `json:"referrals" doc:"what to do with parts of the tree on other servers: report sets them aside, ignore says nothing, follow reads those on hosts that are in servers" default:"report" enum:"report,ignore,follow"`
	Binary         []string                 `json:"binary" doc:"attributes to take as bytes (base64), whatever the schema says"`
	PageSize       int                      `json:"page_size" doc:"entries a page of a search" default:"1000"`
	ConnectTimeout time.Duration            `json:"connect_timeout" doc:"for connecting and signing in to one server" default:"10s"`
	AnswerTimeout  time.Duration            `json:"answer_timeout" doc:"a server that owes an answer and is silent for this long is taken as gone" default:"60s"`
}

// CertificateSettings say which certificate the server is shown.
type CertificateSettings struct {
	File string `json:"file" doc:"path of the certificate in PEM" format:"path" anchor:"true"`
	Key  string `json:"key" doc:"path of its private key in PEM" format:"path" anchor:"true"`
}

// ClassSettings say what a class is in the directory.
type ClassSettings struct {
	ObjectClasses []string `json:"object_classes" doc:"object classes of new objects; the first tells which objects are of the class"`
	Naming        string   `json:"naming" doc:"attribute of the RDN"`
	Filter        string   `json:"filter" doc:"LDAP filter that objects must match as well"`
	Member        string   `json:"member" doc:"of a group: attribute that holds its members; memberUid holds their uid, any other their DN"`
}

// EnabledSettings say by which attribute an account is locked.
type EnabledSettings struct {
	Attribute string `json:"attribute" doc:"attribute, such as pwdAccountLockedTime, nsAccountLock, employeeType or loginShell"`
	Disabled  string `json:"disabled" doc:"value of a locked account, as the server writes it; default for pwdAccountLockedTime: 000001010000Z, for nsAccountLock: true"`
	Enabled   string `json:"enabled" doc:"value of one that is not; default: none, the attribute is removed"`
}

// disabledValue is the one set, or the one that the attribute's standard has
// (draft-behera-ldap-password-policy 5.3.3: locked for ever).
func (e EnabledSettings) disabledValue() string {
	if e.Disabled == "" {
		return map[string]string{"pwdaccountlockedtime": "000001010000Z", "nsaccountlock": "true"}[fold(e.Attribute)]
	}
	return e.Disabled
}

// Validate returns all faults that can be seen without a server.
func (s Settings) Validate() error {
	var faults []error
	faultf := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, text := range s.Servers {
		server, err := dc.ParseServer(text)
		if err != nil {
			faults = append(faults, err)
		} else if s.Plain && !server.StartTLS {
			faultf("\"plain\" is for ldap:// servers, not %s", text)
		}
	}
	for name, value := range map[string]string{"base": s.Base, "empty_member": s.EmptyMember} {
		if value != "" && !dn.Valid(value) {
			faultf("%q is no distinguished name: %q", name, value)
		}
	}
	for class, c := range s.Classes {
		if _, err := parseFilter(c.Filter); err != nil {
			faultf("\"classes.%s.filter\": %w", class, err)
		}
	}
	if e := s.Enabled; e.Attribute != "" && e.disabledValue() == "" {
		faultf("\"enabled.disabled\" is missing: the value of %s in a locked account", e.Attribute)
	} else if e.Attribute == "" && (e.Disabled != "" || e.Enabled != "") {
		faultf("\"enabled.attribute\" is missing")
	}
	if s.PageSize < 1 || s.PageSize > 100_000 {
		faultf("\"page_size\" must be from 1 to 100000, not %d", s.PageSize)
	}
	if s.ConnectTimeout <= 0 || s.AnswerTimeout <= 0 {
		faultf("\"connect_timeout\" and \"answer_timeout\" must be longer than nothing")
	}
	if _, _, err := dc.Trust(s.CA); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(append(faults, s.validateAuth())...)
}

func (s Settings) validateAuth() error {
	var faults []error
	if s.Bind == "" && s.Auth != "external" {
		faults = append(faults, errors.New("\"bind\" is missing: the service account"))
	}
	switch {
	case s.Auth == "simple" && s.Password.IsZero():
		faults = append(faults, errors.New("secret \"password\" is missing: without it a simple bind is anonymous; give it on the agent's host with `drawbridge-agent secret set SYSTEM password`"))
	case s.Auth == "kerberos":
		faults = append(faults, s.Kerberos.Validate(s.Password))
	case s.Auth == "external":
		if s.Plain {
			faults = append(faults, errors.New("auth external needs encryption: the certificate is shown within TLS"))
		}
		if _, err := tls.LoadX509KeyPair(s.Certificate.File, s.Certificate.Key); err != nil {
			faults = append(faults, fmt.Errorf("auth external needs \"certificate.file\" and \"certificate.key\": %w", err))
		}
	}
	return errors.Join(faults...)
}

// options are the settings as package dc takes them.
func (s Settings) options(log *slog.Logger) (dc.Options, error) {
	o := dc.Options{Bind: s.Bind, Password: s.Password, Plain: s.Plain, Dial: s.ConnectTimeout, Silence: s.AnswerTimeout, Log: log}
	for _, text := range s.Servers {
		server, err := dc.ParseServer(text)
		if err != nil {
			return o, err
		}
		o.Servers = append(o.Servers, server)
	}
	var err error
	if o.CA, o.CANames, err = dc.Trust(s.CA); err != nil {
		return o, err
	}
	switch s.Auth {
	case "kerberos":
		o.Kerberos = s.Kerberos.As(s.Bind)
	case "external":
		certificate, err := tls.LoadX509KeyPair(s.Certificate.File, s.Certificate.Key)
		if err != nil {
			return o, err
		}
		o.External = &certificate
	}
	return o, nil
}

// A class is what a mapping calls one, as it is in the directory.
type class struct {
	name          string
	objectClasses []string
	naming        string
	filter        filter.Filter
	member        string // of a group: attribute of its members
}

// is the object class that tells the objects of the class.
func (c class) is() string { return c.objectClasses[0] }

// standard are the classes that need no setting: first the names that
// mappings have for them everywhere, then those of RFC 4519, 2798 and 2307.
func standard() []class {
	return []class{
		{name: "user", objectClasses: []string{"inetOrgPerson"}, naming: "uid"},
		{name: "group", objectClasses: []string{"groupOfNames"}, naming: "cn", member: "member"},
		{name: "organizationalUnit", objectClasses: []string{"organizationalUnit"}, naming: "ou"},
		{name: "inetOrgPerson", objectClasses: []string{"inetOrgPerson"}, naming: "uid"},
		{name: "groupOfNames", objectClasses: []string{"groupOfNames"}, naming: "cn", member: "member"},
		{name: "groupOfUniqueNames", objectClasses: []string{"groupOfUniqueNames"}, naming: "cn", member: "uniqueMember"},
		{name: "posixGroup", objectClasses: []string{"posixGroup"}, naming: "cn", member: memberUID},
		{name: "posixAccount", objectClasses: []string{"account", "posixAccount"}, naming: "uid"},
	}
}

// classes are those set, then the standard ones whose names are left.
func (s Settings) classes() ([]class, error) {
	var list []class
	known := standard()
	of := func(name string) class {
		for _, c := range known {
			if fold(c.name) == fold(name) {
				return c
			}
		}
		return class{name: name, objectClasses: []string{name}, naming: "cn"}
	}
	for name, set := range s.Classes {
		c := of(name)
		c.name = name
		if len(set.ObjectClasses) > 0 {
			like := of(set.ObjectClasses[0])
			c.objectClasses, c.naming, c.member = set.ObjectClasses, like.naming, like.member
		}
		if set.Naming != "" {
			c.naming = set.Naming
		}
		if set.Member != "" {
			c.member = set.Member
		}
		var err error
		if c.filter, err = parseFilter(set.Filter); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	for _, c := range known {
		if !slices.ContainsFunc(list, func(other class) bool { return fold(other.name) == fold(c.name) }) {
			list = append(list, c)
		}
	}
	return list, nil
}

func parseFilter(text string) (filter.Filter, error) {
	if text == "" {
		return filter.Filter{}, nil
	}
	return filter.Parse(text)
}
