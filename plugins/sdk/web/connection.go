package web

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// A Connection is the part of a connector's settings that says how its server
// is reached; put it into the settings as `connection`.
type Connection struct {
	CA             string        `json:"ca" doc:"certificates to trust: path of a PEM file, or the PEM itself; default: those the host trusts" anchor:"true"`
	Certificate    string        `json:"certificate" doc:"certificate to show to the server: path of a PEM file, or the PEM itself; its key is the secret certificate_key"`
	Proxy          string        `json:"proxy" doc:"proxy to go through, http://HOST:PORT; none for none; default: what the host's environment says" anchor:"true"`
	ProxyUser      string        `json:"proxy_user" doc:"user name at the proxy; the password is the secret proxy_password"`
	ConnectTimeout time.Duration `json:"connect_timeout" doc:"for connecting and for TLS" default:"10s"`
	AnswerTimeout  time.Duration `json:"answer_timeout" doc:"a server that has not begun to answer for so long is taken as gone" default:"60s"`
	Parallel       int           `json:"parallel" doc:"connections at a time, at most; they are kept open" default:"64"`
}

// Secrets are the secrets that Connection and Auth need. A connector has those
// that it offers at the top of its settings, under the same names.
type Secrets struct {
	Token, Password, ClientSecret, PrivateKey, CertificateKey, ProxyPassword sealed.Secret
}

// Validate returns all faults that can be seen without a server.
func (c Connection) Validate() error {
	var faults []error
	if c.Proxy != "" && c.Proxy != "none" {
		if u, err := url.Parse(c.Proxy); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			faults = append(faults, fmt.Errorf("\"connection.proxy\" must be http://HOST:PORT without user and password, or none, not %q", c.Proxy))
		}
	}
	if c.ConnectTimeout <= 0 || c.AnswerTimeout <= 0 {
		faults = append(faults, errors.New("\"connection.connect_timeout\" and \"connection.answer_timeout\" must be longer than nothing"))
	}
	if c.Parallel < 1 || c.Parallel > 1024 {
		faults = append(faults, fmt.Errorf("\"connection.parallel\" must be from 1 to 1024, not %d", c.Parallel))
	}
	if _, err := c.trust(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (c Connection) transport(secrets Secrets) (*http.Transport, error) {
	trust, err := c.trust()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trust}
	if c.Certificate != "" {
		text, err := readPEM(c.Certificate)
		if err != nil {
			return nil, fmt.Errorf("\"connection.certificate\": %w", err)
		}
		own, err := tls.X509KeyPair(text, []byte(secrets.CertificateKey.Reveal()))
		if err != nil {
			return nil, errors.New("\"connection.certificate\" and the secret certificate_key do not fit together as PEM")
		}
		config.Certificates = []tls.Certificate{own}
	}
	dialer := &net.Dialer{Timeout: c.ConnectTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: c.proxy(secrets), DialContext: dialer.DialContext, TLSClientConfig: config, TLSHandshakeTimeout: c.ConnectTimeout,
		ResponseHeaderTimeout: c.AnswerTimeout, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 256 << 10,
		MaxConnsPerHost: c.Parallel, MaxIdleConnsPerHost: c.Parallel, MaxIdleConns: 2 * c.Parallel, IdleConnTimeout: 60 * time.Second,
	}, nil
}

func (c Connection) proxy(secrets Secrets) func(*http.Request) (*url.URL, error) {
	switch c.Proxy {
	case "":
		return http.ProxyFromEnvironment
	case "none":
		return nil
	}
	u, err := url.Parse(c.Proxy)
	if err == nil && c.ProxyUser != "" {
		u.User = url.UserPassword(c.ProxyUser, secrets.ProxyPassword.Reveal())
	}
	return func(*http.Request) (*url.URL, error) { return u, err }
}

func (c Connection) trust() (*x509.CertPool, error) {
	if c.CA == "" {
		return nil, nil
	}
	text, err := readPEM(c.CA)
	if err != nil {
		return nil, fmt.Errorf("\"connection.ca\": %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("\"connection.ca\" holds no certificate in PEM")
	}
	return pool, nil
}

// readPEM takes PEM as it is, or from the file that it names.
func readPEM(text string) ([]byte, error) {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		return []byte(text), nil
	}
	return os.ReadFile(text)
}

// CheckURL says what is wrong with the address of a server in the setting of
// that name: it must be https, for a password or token goes there. Only this
// very host may be spoken to without.
func CheckURL(setting, text string) error {
	_, err := checkURL(setting, text)
	return err
}

func checkURL(setting, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%q must be an address such as https://app.example/scim/v2, not %q", setting, redactURL(text))
	case u.User != nil:
		return nil, fmt.Errorf("%q must not hold a user name or password; they have settings of their own", setting)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q must end before ? and #", setting)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("%q must begin with https: what signs in would be sent for everybody to read", setting)
	}
	return u, nil
}

func redactURL(text string) string {
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		return "…" + text[i:]
	}
	return text
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
