package access

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Defaults of a Config.
const (
	DefaultIdle = time.Hour      // of a session that is not used
	DefaultLife = 12 * time.Hour // of a session, whatever is done with it
	DefaultRate = 200            // requests a second of one token or session
)

// A Config is what the operator decides about who gets in. The zero value lets
// in who has an API token or a one-time link.
type Config struct {
	PublicURL      string        `yaml:"public_url"`      // address that browsers use, such as https://id.corp.example; empty: that of the API
	SignIn         []Provider    `yaml:"sign_in"`         // OpenID Connect providers
	SessionIdle    time.Duration `yaml:"session_idle"`    // after which an unused session ends; 0: DefaultIdle
	SessionLife    time.Duration `yaml:"session_life"`    // after which every session ends; 0: DefaultLife
	TrustedProxies []string      `yaml:"trusted_proxies"` // addresses or networks whose X-Forwarded-For is believed
	RequireReason  []string      `yaml:"require_reason"`  // operations (operationId) that take a reason; "all": each that changes something
	APIRate        float64       `yaml:"api_rate"`        // requests a second of one token or session; 0: DefaultRate
}

// A Provider is an OpenID Connect provider at which people sign in.
type Provider struct {
	Name             string            `yaml:"name"`               // in the address to come back to: <public_url>/auth/oidc/<name>/callback
	Title            string            `yaml:"title"`              // on the button; empty: Name
	Issuer           string            `yaml:"issuer"`             // its address; what it says of itself is found below it
	ClientID         string            `yaml:"client_id"`          //
	ClientSecretFile string            `yaml:"client_secret_file"` // or the environment's DRAWBRIDGE_OIDC_SECRET_<NAME>; neither: a public client
	Scopes           []string          `yaml:"scopes"`             // besides openid; empty: profile and email
	Claim            string            `yaml:"claim"`              // that gives roles; a.b is b within a; empty: groups
	Roles            map[Role][]string `yaml:"roles"`              // values of the claim that give each role; "*" is everybody's
	Tenant           string            `yaml:"tenant"`             // whose people they are; empty: the coordinator's
	CAFile           string            `yaml:"ca_file"`            // authority of its certificate, PEM; empty: those the system trusts
}

var providerName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			fault("public_url: %q is no address of a site: write https://name", c.PublicURL)
		}
	} else if len(c.SignIn) > 0 {
		fault("public_url: a provider has to send people back: give the address that browsers use")
	}
	if c.SessionIdle < 0 || c.SessionLife < 0 || cmp.Or(c.SessionIdle, DefaultIdle) > cmp.Or(c.SessionLife, DefaultLife) {
		fault("session_idle: %s is not between 0 and session_life %s", cmp.Or(c.SessionIdle, DefaultIdle), cmp.Or(c.SessionLife, DefaultLife))
	}
	if c.APIRate < 0 {
		fault("api_rate: %g is no number of requests a second", c.APIRate)
	}
	if _, err := c.proxies(); err != nil {
		errs = append(errs, err)
	}
	for i, p := range c.SignIn {
		for _, err := range p.faults() {
			fault("sign_in %s: %w", cmp.Or(p.Name, fmt.Sprint("number ", i+1)), err)
		}
		if slices.ContainsFunc(c.SignIn[:i], func(q Provider) bool { return q.Name == p.Name }) {
			fault("sign_in %s: there are two of this name", p.Name)
		}
	}
	return errors.Join(errs...)
}

func (p Provider) faults() (errs []error) {
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !providerName.MatchString(p.Name) {
		fault("name: %q: use lower case letters, digits and hyphens", p.Name)
	}
	u, err := url.Parse(p.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		fault("issuer: %q is no address that begins with https://", p.Issuer)
	}
	if p.ClientID == "" {
		fault("client_id: give the one that the provider knows Drawbridge by")
	}
	if len(p.Roles) == 0 {
		fault("roles: nobody gets any: give values of the claim %s, as in administrator: [drawbridge-admins]", p.claim())
	}
	for r := range p.Roles {
		if !slices.Contains(roles[:], r) {
			fault("roles: there is no role %q: use %s", r, joined(roles[:]))
		}
	}
	return errs
}

func (p Provider) claim() string { return cmp.Or(p.Claim, "groups") }

// secret gives what the provider knows Drawbridge by, "" for a public client.
func (p Provider) secret(env func(string) string) (string, error) {
	if v := env("DRAWBRIDGE_OIDC_SECRET_" + strings.ToUpper(strings.ReplaceAll(p.Name, "-", "_"))); v != "" {
		return v, nil
	}
	if p.ClientSecretFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(p.ClientSecretFile)
	if err != nil {
		return "", fmt.Errorf("client_secret_file: %w", err)
	}
	if len(strings.TrimSpace(string(text))) == 0 {
		return "", fmt.Errorf("client_secret_file: %s is empty", p.ClientSecretFile)
	}
	return strings.TrimSpace(string(text)), nil
}

// proxies gives the networks whose word about the client is believed.
func (c Config) proxies() (list []netip.Prefix, err error) {
	for _, text := range c.TrustedProxies {
		if a, err := netip.ParseAddr(text); err == nil {
			list = append(list, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies: %q is neither an address nor a network such as 10.0.0.0/8", text)
		}
		list = append(list, p)
	}
	return list, nil
}
