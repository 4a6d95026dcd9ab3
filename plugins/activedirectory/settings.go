package activedirectory

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// Settings are what an admin configures; README.md explains them.
type Settings struct {
	Servers        []string          `json:"servers" doc:"domain controllers in the order to try, ldaps://HOST or ldap://HOST for StartTLS" required:"true" anchor:"true"`
	CA             string            `json:"ca" doc:"certificates to trust: path of a PEM file, or the PEM itself; default: those the host trusts" anchor:"true"`
	Auth           string            `json:"auth" doc:"how to sign in" default:"simple" enum:"simple,kerberos"`
	Bind           string            `json:"bind" doc:"service account: for simple its DN or user principal name, for kerberos its name without realm" required:"true" anchor:"true"`
	Password       sealed.Secret     `json:"password" doc:"password of the service account; not needed with a keytab"`
	Kerberos       KerberosSettings  `json:"kerberos" doc:"for auth kerberos"`
	Base           string            `json:"base" doc:"DN below which objects are read and looked up; default: the whole domain"`
	Filters        map[string]string `json:"filters" doc:"for a class, an LDAP filter that its objects must match as well"`
	PageSize       int               `json:"page_size" doc:"entries a page of a search; Active Directory gives 1000 at most" default:"1000"`
	ConnectTimeout time.Duration     `json:"connect_timeout" doc:"for connecting and signing in to one controller" default:"10s"`
	AnswerTimeout  time.Duration     `json:"answer_timeout" doc:"a controller that owes an answer and is silent for this long is taken as gone" default:"60s"`
}

// KerberosSettings say where tickets come from.
type KerberosSettings struct {
	Realm  string `json:"realm" doc:"realm of the service account, in capitals" anchor:"true"`
	Keytab string `json:"keytab" doc:"path of a keytab, instead of the password" format:"path"`
	Config string `json:"config" doc:"path of a krb5.conf; or give kdc" format:"path" anchor:"true"`
	KDC    string `json:"kdc" doc:"host of a key distribution centre, where there is no krb5.conf" anchor:"true"`
	SPN    string `json:"spn" doc:"service principal of the controllers; default: ldap/ and the host of the server" anchor:"true"`
}

// Validate returns all faults that can be seen without a server.
func (s Settings) Validate() error {
	var faults []error
	faultf := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, text := range s.Servers {
		if _, err := dc.ParseServer(text); err != nil {
			faults = append(faults, err)
		}
	}
	if s.Base != "" && !dn.Valid(s.Base) {
		faultf("\"base\" is no distinguished name: %q", s.Base)
	}
	for class, text := range s.Filters {
		if _, err := filter.Parse(text); err != nil {
			faultf("\"filters.%s\": %w", class, err)
		}
	}
	if s.PageSize < 1 || s.PageSize > 10_000 {
		faultf("\"page_size\" must be from 1 to 10000, not %d", s.PageSize)
	}
	if s.ConnectTimeout <= 0 || s.AnswerTimeout <= 0 {
		faultf("\"connect_timeout\" and \"answer_timeout\" must be longer than nothing")
	}
	if _, _, err := s.trust(); err != nil {
		faults = append(faults, err)
	}
	if s.Auth == "simple" && s.Password.IsZero() {
		faultf("secret \"password\" is missing: without it a simple bind is anonymous; give it on the agent's host with `drawbridge-agent secret set SYSTEM password`")
	}
	if k := s.Kerberos; s.Auth == "kerberos" {
		if k.Keytab == "" && s.Password.IsZero() {
			faultf("auth kerberos needs \"kerberos.keytab\" or the secret \"password\"")
		}
		if k.Config == "" && (k.KDC == "" || k.Realm == "") {
			faultf("auth kerberos needs \"kerberos.config\", or \"kerberos.kdc\" and \"kerberos.realm\"")
		}
	}
	return errors.Join(faults...)
}

// trust returns the certificates to trust and whom they belong to; nil means
// those of the host.
func (s Settings) trust() (*x509.CertPool, []string, error) {
	if s.CA == "" {
		return nil, nil, nil
	}
	text, from := []byte(s.CA), "the text of \"ca\""
	if !strings.Contains(s.CA, "-----BEGIN") {
		var err error
		if text, err = os.ReadFile(s.CA); err != nil {
			return nil, nil, fmt.Errorf("\"ca\": %w", err)
		}
		from = s.CA
	}
	pool, names := x509.NewCertPool(), []string(nil)
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("\"ca\": %s: %w", from, err)
		}
		pool.AddCert(cert)
		names = append(names, cert.Subject.String())
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("\"ca\": there is no certificate in PEM form in %s", from)
	}
	return pool, names, nil
}

// options are the settings as package dc takes them.
func (s Settings) options(log *slog.Logger) (dc.Options, error) {
	o := dc.Options{Bind: s.Bind, Password: s.Password, Dial: s.ConnectTimeout, Silence: s.AnswerTimeout, Log: log}
	for _, text := range s.Servers {
		server, err := dc.ParseServer(text)
		if err != nil {
			return o, err
		}
		o.Servers = append(o.Servers, server)
	}
	var err error
	if o.CA, o.CANames, err = s.trust(); err != nil {
		return o, err
	}
	if s.Auth == "kerberos" {
		k := s.Kerberos
		o.Kerberos = &dc.Kerberos{User: s.Bind, Realm: k.Realm, Keytab: k.Keytab, Config: k.Config, KDC: k.KDC, SPN: k.SPN}
	}
	return o, nil
}
