package access

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// askWait is how long a provider may take for an answer.
const askWait = 15 * time.Second

// A provider is one that people sign in at. What it says of itself is asked for
// at the first sign-in, so that the coordinator starts without it.
type provider struct {
	Provider
	clientSecret string
	back         string // address it sends people back to
	http         *http.Client

	mu    sync.Mutex
	found *oidc.Provider
}

func newProvider(p Provider, publicURL string, env func(string) string) (*provider, error) {
	secret, err := p.secret(env)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if p.CAFile != "" {
		text, err := os.ReadFile(p.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca_file: %s holds no certificate in PEM form", p.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &provider{Provider: p, clientSecret: secret, back: strings.TrimSuffix(publicURL, "/") + "/auth/oidc/" + p.Name + "/callback",
		http: &http.Client{Transport: transport, Timeout: askWait}}, nil
}

func (p *provider) title() string { return cmp.Or(p.Title, p.Name) }

// discover gives what the provider says of itself. What was once heard stays; a failure does not.
func (p *provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	// Its keys are fetched again under this context for as long as the coordinator runs.
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.http), p.Issuer)
	if err != nil {
		return nil, err
	}
	p.found = found
	return found, nil
}

func (p *provider) oauth(found *oidc.Provider) *oauth2.Config {
	scopes := p.Scopes
	if len(scopes) == 0 {
		scopes = []string{"profile", "email"}
	}
	if !slices.Contains(scopes, oidc.ScopeOpenID) {
		scopes = append([]string{oidc.ScopeOpenID}, scopes...)
	}
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.clientSecret, Endpoint: found.Endpoint(), RedirectURL: p.back, Scopes: scopes}
}

// claims are what a provider says of somebody.
type claims map[string]any

// learn has the provider say who came back with the code. The claims of the ID
// token count; what it lacks is asked of userinfo, whose word counts for the
// same subject alone.
func (p *provider) learn(ctx context.Context, code string, t ticket) (claims, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("reach the provider: %w", err)
	}
	ctx = oidc.ClientContext(ctx, p.http)
	token, err := p.oauth(found).Exchange(ctx, code, oauth2.VerifierOption(t.verifier()))
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return nil, fmt.Errorf("the provider did not take the code: %s", strings.TrimSpace(cmp.Or(refused.ErrorCode, refused.Response.Status)+" "+refused.ErrorDescription))
	}
	if err != nil {
		return nil, fmt.Errorf("exchange the code: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := found.Verifier(&oidc.Config{ClientID: p.ClientID}).Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("the provider's ID token is not good: %w", err)
	}
	if id.Nonce != t.nonce() {
		return nil, errors.New("the provider's ID token is of another sign-in: its nonce differs")
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, fmt.Errorf("the provider's access token is not the ID token's: %w", err)
		}
	}
	said := claims{}
	if err := id.Claims(&said); err != nil {
		return nil, fmt.Errorf("read the ID token: %w", err)
	}
	if len(said.values(p.claim())) > 0 && said.text("email") != "" || found.UserInfoEndpoint() == "" {
		return said, nil
	}
	return said, p.ask(ctx, found, token, said)
}

// ask adds what userinfo says and the ID token did not.
func (p *provider) ask(ctx context.Context, found *oidc.Provider, token *oauth2.Token, said claims) error {
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return fmt.Errorf("ask the provider's userinfo: %w", err)
	}
	if info.Subject != said.text("sub") {
		return errors.New("the provider's userinfo is about somebody else than the ID token")
	}
	more := claims{}
	if err := info.Claims(&more); err != nil {
		return fmt.Errorf("read userinfo: %w", err)
	}
	for name, v := range more {
		if _, there := said[name]; !there {
			said[name] = v
		}
	}
	return nil
}

// values gives the texts of a claim; a.b is b within a, unless there is one named a.b.
func (c claims) values(name string) []string {
	v, ok := c[name]
	if !ok {
		outer, inner, nested := strings.Cut(name, ".")
		within, isMap := c[outer].(map[string]any)
		if !nested || !isMap {
			return nil
		}
		return claims(within).values(inner)
	}
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// rolesOf gives the roles that the claims give.
func (p *provider) rolesOf(said claims) (list []Role) {
	have := said.values(p.claim())
	for _, r := range roles {
		if slices.ContainsFunc(p.Roles[r], func(want string) bool { return want == "*" || slices.Contains(have, want) }) {
			list = append(list, r)
		}
	}
	return list
}

// principal makes who signed in of what the provider says. An e-mail address
// that it says is not verified could be anybody's, and is no name.
func (p *provider) principal(said claims) Principal {
	email := said.text("email")
	if verified, known := said["email_verified"]; known && verified != true && verified != "true" {
		email = ""
	}
	return Principal{Tenant: p.Tenant, Subject: p.Name + "#" + said.text("sub"), Email: email, Roles: p.rolesOf(said),
		Name: cmp.Or(email, said.text("preferred_username"), said.text("name"), said.text("sub"))}
}

// noRole says why somebody gets no role.
func (p *provider) noRole(said claims) string {
	have := said.values(p.claim())
	if sources, ok := said["_claim_names"].(map[string]any); ok && len(have) == 0 && sources[p.claim()] != nil {
		return "The provider left " + p.claim() + " out because you are in too many: have it send only the groups assigned to the application, or use app roles (claim: roles)."
	}
	if len(have) == 0 {
		return "The provider sent no claim " + p.claim() + ", or an empty one: have it send one, or name another with claim in the coordinator's configuration."
	}
	if len(have) > 20 {
		have = append(have[:20:20], "…")
	}
	return "Your " + p.claim() + ": " + strings.Join(have, ", ") + "."
}
