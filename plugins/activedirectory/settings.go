package activedirectory

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/filter"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// Settings are what an admin configures; README.md explains them.
type Settings struct {
	Servers        []string            `json:"servers" doc:"domain controllers in the order to try, ldaps://HOST or ldap://HOST for StartTLS" required:"true" anchor:"true"`
	CA             string              `json:"ca" doc:"certificates to trust: path of a PEM file, or the PEM itself; default: those the host trusts" anchor:"true"`
	Auth           string              `json:"auth" doc:"how to sign in" default:"simple" enum:"simple,kerberos"`
	Bind           string              `json:"bind" doc:"service account: for simple its DN or user principal name, for kerberos its name without realm" required:"true" anchor:"true"`
	Password       sealed.Secret       `json:"password" doc:"password of the service account; not needed with a keytab"`
	Kerberos       dc.KerberosSettings `json:"kerberos" doc:"for auth kerberos"`
	Base           string              `json:"base" doc:"DN below which objects are read and looked up; default: the whole domain"`
	Filters        map[string]string   `json:"filters" doc:"for a class, an LDAP filter that its objects must match as well"`
	PageSize       int                 `json:"page_size" doc:"entries a page of a search; Active Directory gives 1000 at most" default:"1000"`
	ConnectTimeout time.Duration       `json:"connect_timeout" doc:"for connecting and signing in to one controller" default:"10s"`
	AnswerTimeout  time.Duration       `json:"answer_timeout" doc:"a controller that owes an answer and is silent for this long is taken as gone" default:"60s"`
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
	if _, _, err := dc.Trust(s.CA); err != nil {
		faults = append(faults, err)
	}
	if s.Auth == "simple" && s.Password.IsZero() {
		faultf("secret \"password\" is missing: without it a simple bind is anonymous; give it on the agent's host with `drawbridge-agent secret set SYSTEM password`")
	}
	if s.Auth == "kerberos" {
		faults = append(faults, s.Kerberos.Validate(s.Password))
	}
	return errors.Join(faults...)
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
	if o.CA, o.CANames, err = dc.Trust(s.CA); err != nil {
		return o, err
	}
	if s.Auth == "kerberos" {
		o.Kerberos = s.Kerberos.As(s.Bind)
	}
	return o, nil
}
