package web_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/golang-jwt/jwt/v5"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

func connection() web.Connection {
	return web.Connection{ConnectTimeout: 5 * time.Second, AnswerTimeout: 5 * time.Second, Parallel: 8, Proxy: "none"}
}

func newClient(t *testing.T, opt web.Options) *web.Client {
	t.Helper()
	if opt.Connection == (web.Connection{}) {
		opt.Connection = connection()
	}
	if opt.Auth.Method == "" {
		opt.Auth.Method, opt.Secrets.Token = "token", sealed.New("t0ken")
	}
	opt.Log = slog.New(slog.DiscardHandler)
	c, err := web.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func outcome(err error) sdk.Outcome {
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		return e.Outcome
	}
	return 0
}

// What has certainly not been done is repeated; what may have been is not.
func TestDo_lostAnswers(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		request web.Request
		calls   int32
		want    sdk.Outcome
	}{
		"a read":       {web.Request{Doing: "read"}, 4, sdk.OutcomeUnavailable},
		"a write":      {web.Request{Method: "POST", Body: []byte("{}"), Doing: "create", Object: "ada"}, 1, sdk.OutcomeUnknown},
		"a safe write": {web.Request{Method: "PUT", Body: []byte("{}"), Safe: true, Doing: "replace"}, 4, sdk.OutcomeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			s := serve(t, func(http.ResponseWriter, *http.Request) { calls.Add(1); panic(http.ErrAbortHandler) })
			_, err := newClient(t, web.Options{URL: s.URL}).Do(t.Context(), row.request)
			if outcome(err) != row.want || calls.Load() != row.calls {
				t.Errorf("Do() = %v after %d calls; want %v after %d", err, calls.Load(), row.want, row.calls)
			}
		})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close() // nobody is there: a write surely was not done
	_, err = newClient(t, web.Options{URL: "http://" + listener.Addr().String(), Limits: web.Limits{Tries: 2}}).
		Do(t.Context(), web.Request{Method: "POST", Body: []byte("{}"), Doing: "create"})
	if outcome(err) != sdk.OutcomeUnavailable {
		t.Errorf("a write that nobody got = %v; want UNAVAILABLE", err)
	}
}

// One answer of "slow down" holds back all requests, not only its own.
func TestDo_paceIsShared(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	c := newClient(t, web.Options{URL: s.URL})
	first := make(chan error, 1)
	began := time.Now()
	go func() {
		a, err := c.Do(context.Background(), web.Request{Method: "POST", Body: []byte("{}")})
		if err == nil {
			a.Close()
		}
		first <- err
	}()
	for calls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	a, err := c.Do(t.Context(), web.Request{})
	if took := time.Since(began); err != nil || took < 900*time.Millisecond {
		t.Errorf("another request = %v after %v; want it to wait a second", err, took)
	} else {
		a.Close()
	}
	if err := <-first; err != nil {
		t.Errorf("the request that was told to wait = %v; want it to be repeated", err)
	}
}

// What a server may send is bounded.
func TestAnswer_tooLong(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.Copy(w, io.LimitReader(zeros{}, 3<<20))
	})
	a, err := newClient(t, web.Options{URL: s.URL, Limits: web.Limits{Answer: 1 << 20}}).Do(t.Context(), web.Request{Doing: "read"})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := a.Bytes(); outcome(err) != sdk.OutcomeInvalid || len(b) > 0 {
		t.Errorf("Bytes() = %d bytes, %v; want INVALID", len(b), err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestPages_thatLeadNowhere(t *testing.T) {
	t.Parallel()
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := newClient(t, web.Options{URL: s.URL})
	same := web.Request{Path: "/list", Doing: "list"}
	err := c.Pages(t.Context(), same, func(*web.Answer) (*web.Request, error) { return &same, nil })
	if outcome(err) != sdk.OutcomeUnavailable || !strings.Contains(err.Error(), "leads back to itself") {
		t.Errorf("a page that leads to itself = %v; want UNAVAILABLE", err)
	}
	err = c.Pages(t.Context(), same, func(*web.Answer) (*web.Request, error) {
		return &web.Request{Path: "https://elsewhere.example/list"}, nil
	})
	if outcome(err) != sdk.OutcomeInvalid || !strings.Contains(err.Error(), "elsewhere.example") {
		t.Errorf("a page at another host = %v; want INVALID, naming it", err)
	}
}

// TLS is checked against the authority of the settings, and what is wrong is
// said with its cure.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	_, err := newClient(t, web.Options{URL: s.URL}).Do(t.Context(), web.Request{})
	if e, ok := errors.AsType[*sdk.Error](err); !ok || !strings.Contains(e.NextStep, "connection.ca") {
		t.Errorf("an authority that is not trusted = %v; want connection.ca named", err)
	}
	trusting := connection()
	trusting.CA = authority
	a, err := newClient(t, web.Options{URL: s.URL, Connection: trusting}).Do(t.Context(), web.Request{})
	if err != nil {
		t.Fatalf("with its authority: %v", err)
	}
	a.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	if _, err = newClient(t, web.Options{URL: "https://localhost:" + port, Connection: trusting}).Do(t.Context(), web.Request{}); err == nil || !strings.Contains(err.Error(), "another name") {
		t.Errorf("a certificate for another name = %v; want that said", err)
	}
	if err := web.CheckURL("url", "http://app.example/scim"); err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("an address without TLS = %v; want it refused", err)
	}
}

// A proxy is gone through, signed in to, and said to be the one that refuses.
func TestProxy(t *testing.T) {
	t.Parallel()
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("svc:s3cret"))
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Proxy-Authorization") != want:
			w.WriteHeader(http.StatusProxyAuthRequired)
		case r.URL.Host != "127.0.0.9:81" || r.Header.Get("Authorization") != "Bearer t0ken":
			w.WriteHeader(http.StatusTeapot)
		}
	})
	through := connection()
	through.Proxy, through.ProxyUser = proxy.URL, "svc"
	auth, secrets := web.Auth{Method: "token"}, web.Secrets{Token: sealed.New("t0ken"), ProxyPassword: sealed.New("s3cret")}
	a, err := newClient(t, web.Options{URL: "http://127.0.0.9:81/x", Connection: through, Auth: auth, Secrets: secrets}).Do(t.Context(), web.Request{})
	if err != nil || a.Status != 200 {
		t.Fatalf("through the proxy = %v, %v; want 200", a, err)
	}
	a.Close()
	secrets.ProxyPassword = sealed.New("wrong")
	_, err = newClient(t, web.Options{URL: "http://127.0.0.9:81/x", Connection: through, Auth: auth, Secrets: secrets}).Do(t.Context(), web.Request{})
	if outcome(err) != sdk.OutcomeDenied || !strings.Contains(err.Error(), "proxy") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with a wrong password = %v; want DENIED by the proxy, without the password", err)
	}
}

// Tokens are got by each grant, kept, got anew when refused, and checked here as
// the RFCs want a server to.
func TestOAuth(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificatePEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
	checkJWT := func(audience, text string) error {
		token, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return &key.PublicKey, nil }, jwt.WithAudience(audience), jwt.WithIssuer("drawbridge"),
			jwt.WithExpirationRequired(), jwt.WithValidMethods([]string{"RS256"}))
		if err == nil && token.Header["kid"] != "k1" {
			err = fmt.Errorf("kid %v", token.Header["kid"])
		}
		return err
	}
	checkSAML := func(audience, text string) error {
		xml, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return err
		}
		document := etree.NewDocument()
		if err := document.ReadFromBytes(xml); err != nil {
			return err
		}
		parsed, err := x509.ParseCertificate(certificate)
		if err != nil {
			return err
		}
		validation := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{parsed}})
		valid, err := validation.Validate(document.Root())
		if err != nil {
			return err
		}
		if got := valid.FindElement("./Conditions/AudienceRestriction/Audience"); got == nil || got.Text() != audience {
			return errors.New("wrong audience")
		}
		return nil
	}
	for name, row := range map[string]struct {
		auth    web.Auth
		secrets web.Secrets
		check   func(at string, r *http.Request, form url.Values) error
	}{
		"client credentials": {web.Auth{Method: "client_credentials", Scopes: []string{"a", "b"}, Parameters: map[string]string{"audience": "x"}}, web.Secrets{ClientSecret: sealed.New("s3cret")},
			func(_ string, r *http.Request, form url.Values) error {
				user, password, _ := r.BasicAuth()
				if user != "drawbridge" || password != "s3cret" || form.Get("scope") != "a b" || form.Get("audience") != "x" || form.Get("grant_type") != "client_credentials" {
					return fmt.Errorf("%v, %s", form, user)
				}
				return nil
			}},
		"secret in the body": {web.Auth{Method: "client_credentials", ClientAuth: "body"}, web.Secrets{ClientSecret: sealed.New("s3cret")},
			func(_ string, r *http.Request, form url.Values) error {
				if _, _, basic := r.BasicAuth(); basic || form.Get("client_secret") != "s3cret" || form.Get("client_id") != "drawbridge" {
					return fmt.Errorf("%v", form)
				}
				return nil
			}},
		"client assertion": {web.Auth{Method: "client_credentials", ClientAuth: "assertion", KeyID: "k1"}, web.Secrets{PrivateKey: sealed.New(private)},
			func(at string, _ *http.Request, form url.Values) error {
				if form.Get("grant_type") != "client_credentials" || form.Get("client_assertion_type") == "" {
					return fmt.Errorf("%v", form)
				}
				return checkJWT(at, form.Get("client_assertion"))
			}},
		"JWT bearer": {web.Auth{Method: "jwt_bearer", KeyID: "k1", Subject: "svc"}, web.Secrets{PrivateKey: sealed.New(private)},
			func(at string, _ *http.Request, form url.Values) error {
				if form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
					return fmt.Errorf("%v", form)
				}
				return checkJWT(at, form.Get("assertion"))
			}},
		"SAML bearer": {web.Auth{Method: "saml_bearer", Certificate: certificatePEM, Audience: "hr"}, web.Secrets{PrivateKey: sealed.New(private)},
			func(_ string, _ *http.Request, form url.Values) error {
				if form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:saml2-bearer" {
					return fmt.Errorf("%v", form)
				}
				return checkSAML("hr", form.Get("assertion"))
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tokens, calls atomic.Int32
			var at string
			giver := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				form, err := url.ParseQuery(string(body))
				if err == nil {
					err = row.check(at, r, form)
				}
				w.Header().Set("Content-Type", "application/json")
				if err != nil {
					t.Errorf("the request for a token is wrong: %v", err)
					w.WriteHeader(400)
					fmt.Fprint(w, `{"error":"invalid_grant"}`)
					return
				}
				_ = json.NewEncoder(w).Encode(map[string]any{"access_token": fmt.Sprintf("token%d", tokens.Add(1)), "token_type": "Bearer", "expires_in": 3600})
			})
			at = giver.URL + "/token"
			system := serve(t, func(w http.ResponseWriter, r *http.Request) {
				// The first token is revoked after two calls.
				if n := calls.Add(1); n > 2 && r.Header.Get("Authorization") != "Bearer token2" || n <= 2 && r.Header.Get("Authorization") != "Bearer token1" {
					w.WriteHeader(401)
				}
			})
			row.auth.TokenURL, row.auth.ClientID, row.auth.AssertionAge = at, "drawbridge", time.Minute
			if err := row.auth.Validate(row.secrets); err != nil {
				t.Fatal(err)
			}
			c := newClient(t, web.Options{URL: system.URL, Auth: row.auth, Secrets: row.secrets})
			for i := range 5 {
				a, err := c.Do(t.Context(), web.Request{Method: "POST", Body: []byte("{}")})
				if err != nil {
					t.Fatalf("call %d: %v", i, err)
				}
				a.Close()
			}
			if tokens.Load() != 2 {
				t.Errorf("%d tokens were got; want one, and another when it was refused", tokens.Load())
			}
		})
	}
}

// A token server that refuses is the one that is named, and no secret is shown.
func TestOAuth_refused(t *testing.T) {
	t.Parallel()
	giver := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":"invalid_client","error_description":"unknown client"}`)
	})
	c := newClient(t, web.Options{URL: giver.URL, Auth: web.Auth{Method: "client_credentials", ClientID: "x", TokenURL: giver.URL}, Secrets: web.Secrets{ClientSecret: sealed.New("s3cret")}})
	err := c.SignIn(t.Context())
	if outcome(err) != sdk.OutcomeDenied || !strings.Contains(err.Error(), "unknown client") || !strings.Contains(err.Error(), "gives no token") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("SignIn() = %v; want DENIED by the token server", err)
	}
}

func TestAuth_validate(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{"token": "secret token", "basic": "auth.user", "client_credentials": "client_secret", "jwt_bearer": "private_key", "saml_bearer": "auth.certificate"} {
		if err := (web.Auth{Method: method}).Validate(web.Secrets{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate(%s without anything) = %v; want %s named", method, err, want)
		}
	}
}
