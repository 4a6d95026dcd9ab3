package web

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Auth is the part of a connector's settings that says how to sign in; put it
// into the settings as `auth`, and the [Secrets] that it needs at their top.
type Auth struct {
	Method       string            `json:"method" doc:"how to sign in: token (a bearer token that the system gave), basic (user and password), or with OAuth2 client_credentials, jwt_bearer (RFC 7523) or saml_bearer (RFC 7522); none for a certificate alone" default:"token" enum:"token,basic,client_credentials,jwt_bearer,saml_bearer,none" anchor:"true"`
	User         string            `json:"user" doc:"user name for basic"`
	TokenURL     string            `json:"token_url" doc:"OAuth2: address that gives tokens" anchor:"true"`
	ClientID     string            `json:"client_id" doc:"OAuth2: our name at token_url"`
	ClientAuth   string            `json:"client_auth" doc:"OAuth2: how client_credentials proves who we are: header or body with the secret client_secret, or assertion signed with the secret private_key" default:"header" enum:"header,body,assertion"`
	Scopes       []string          `json:"scopes" doc:"OAuth2: scopes to ask for"`
	Parameters   map[string]string `json:"parameters" doc:"OAuth2: further parameters of the request for a token, such as audience or resource"`
	Issuer       string            `json:"issuer" doc:"assertions: who issues them; default: client_id"`
	Subject      string            `json:"subject" doc:"assertions: whom we act for; default: client_id"`
	Audience     string            `json:"audience" doc:"assertions: whom they are for; default: token_url"`
	KeyID        string            `json:"key_id" doc:"assertions: name of the key at the server"`
	Certificate  string            `json:"certificate" doc:"SAML assertions: certificate of the key, path of a PEM file or the PEM itself"`
	AssertionAge time.Duration     `json:"assertion_age" doc:"assertions: how long each is good for" default:"5m"`
}

// Validate returns all faults that can be seen without a server.
func (a Auth) Validate(s Secrets) error {
	var faults []error
	need := func(missing bool, what string) {
		if missing {
			faults = append(faults, fmt.Errorf("auth.method %s needs %s", a.Method, what))
		}
	}
	secret := func(name string) string {
		return fmt.Sprintf("the secret %s: give it on the agent's host with `drawbridge-agent secret set SYSTEM %s`", name, name)
	}
	switch a.Method {
	case "token":
		need(s.Token.IsZero(), secret("token"))
	case "basic":
		need(a.User == "", "\"auth.user\"")
		need(s.Password.IsZero(), secret("password"))
	case "client_credentials", "jwt_bearer", "saml_bearer":
		if err := CheckURL("auth.token_url", a.TokenURL); err != nil {
			faults = append(faults, err)
		}
		need(a.ClientID == "", "\"auth.client_id\"")
		if a.Method == "client_credentials" && a.ClientAuth != "assertion" {
			need(s.ClientSecret.IsZero(), secret("client_secret"))
		} else {
			need(s.PrivateKey.IsZero(), secret("private_key"))
		}
		need(a.Method == "saml_bearer" && a.Certificate == "", "\"auth.certificate\"")
	}
	return errors.Join(faults...)
}

// An authenticator gives the Authorization header.
type authenticator interface {
	header(ctx context.Context) (string, error)
	// forget drops what was refused; it tells whether another may be had.
	forget() bool
	cure() string
}

func (a Auth) authenticator(s Secrets, transport *http.Transport) (authenticator, error) {
	switch a.Method {
	case "basic":
		return fixed{"Basic " + base64.StdEncoding.EncodeToString([]byte(a.User+":"+s.Password.Reveal())),
			"Correct auth.user and the secret password."}, nil
	case "none":
		return fixed{"", "Set auth.method, or show a certificate that the server knows."}, nil
	case "", "token":
		return fixed{"Bearer " + s.Token.Reveal(),
			"Have a new token made in the system and give it on the agent's host with `drawbridge-agent secret set SYSTEM token`."}, nil
	}
	return a.oauth(s, transport)
}

type fixed struct{ text, next string }

func (f fixed) header(context.Context) (string, error) { return f.text, nil }
func (f fixed) forget() bool                           { return false }
func (f fixed) cure() string                           { return f.next }

// oauth gets tokens and keeps one until shortly before its end.
type oauth struct {
	config     clientcredentials.Config
	parameters func() (url.Values, error) // made anew for each token: assertions have an end
	client     *http.Client

	mu    sync.Mutex
	token *oauth2.Token
}

func (a Auth) oauth(s Secrets, transport *http.Transport) (*oauth, error) {
	o := &oauth{
		config: clientcredentials.Config{ClientID: a.ClientID, ClientSecret: s.ClientSecret.Reveal(), TokenURL: a.TokenURL, Scopes: a.Scopes,
			AuthStyle: oauth2.AuthStyleInHeader},
		// A token server that leads elsewhere is not followed: the request holds secrets.
		client: &http.Client{Transport: transport, Timeout: time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	if a.ClientAuth == "body" {
		o.config.AuthStyle = oauth2.AuthStyleInParams
	}
	assert, err := a.assertion(s)
	if err != nil {
		return nil, err
	}
	o.parameters = func() (url.Values, error) {
		v := url.Values{}
		for key, value := range a.Parameters {
			v.Set(key, value)
		}
		if assert == nil {
			return v, nil
		}
		text, err := assert(time.Now())
		if err != nil {
			return nil, err
		}
		switch a.Method {
		case "client_credentials":
			v.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			v.Set("client_assertion", text)
		case "jwt_bearer":
			v.Set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
			v.Set("assertion", text)
		case "saml_bearer":
			v.Set("grant_type", "urn:ietf:params:oauth:grant-type:saml2-bearer")
			v.Set("assertion", text)
		}
		return v, nil
	}
	if s.ClientSecret.IsZero() || a.ClientAuth == "assertion" {
		o.config.AuthStyle, o.config.ClientSecret = oauth2.AuthStyleInParams, ""
	}
	return o, nil
}

// early is how long before its end a token is replaced.
const early = 30 * time.Second

func (o *oauth) header(ctx context.Context) (string, error) {
	o.mu.Lock() // who comes meanwhile waits for the same token
	defer o.mu.Unlock()
	if o.token == nil || !o.token.Expiry.IsZero() && time.Until(o.token.Expiry) < early {
		parameters, err := o.parameters()
		if err != nil {
			return "", err
		}
		config := o.config
		config.EndpointParams = parameters
		// Others wait for it, too: who asked first may go.
		shared, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		token, err := config.Token(context.WithValue(shared, oauth2.HTTPClient, o.client))
		if err != nil {
			return "", err
		}
		o.token = token
	}
	return o.token.Type() + " " + o.token.AccessToken, nil
}

func (o *oauth) forget() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.token = nil
	return true
}

func (o *oauth) cure() string {
	return "The token of auth.token_url was refused: look at auth.scopes, and whether the client may use this interface."
}

// tokenFault says why there is no token.
func (c *Client) tokenFault(err error) *sdk.Error {
	o, isOAuth := c.auth.(*oauth)
	if !isOAuth {
		return sdk.Invalid("signing in cannot be prepared", "Correct the settings of signing in.").From(err)
	}
	host := o.config.TokenURL
	if u, parseErr := url.Parse(host); parseErr == nil {
		host = u.Host
	}
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		fault, _ := (&Client{base: &url.URL{Host: host}}).unreachable(plain(err))
		return fault.From(plain(err))
	}
	status := 0
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	cause := fmt.Sprintf("%s gives no token (%d %s)", host, status, refused.ErrorCode)
	raw := strings.TrimSpace(refused.ErrorCode + " " + refused.ErrorDescription)
	var e *sdk.Error
	switch {
	case status == http.StatusTooManyRequests || status >= 500:
		e = sdk.Unavailable(cause, "Nothing: it is tried again by itself.")
	case status >= 300 && status < 400:
		e = sdk.Invalid(fmt.Sprintf("%s sends us on to another address (%d); nothing was sent there", host, status), "Put the right address into auth.token_url.")
	case refused.ErrorCode == "invalid_scope":
		e = sdk.Invalid(cause, "Correct auth.scopes.")
	case refused.ErrorCode == "invalid_grant":
		e = sdk.Denied(cause, "Look at issuer, subject, audience and key of the assertion, and at the clock of this host.")
	default:
		e = sdk.Denied(cause, "Correct auth.client_id and its secret or key, and let the client use this grant.")
	}
	e.Raw = raw
	return e
}
