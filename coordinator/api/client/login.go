package client

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// A Login is what somebody needs to use a coordinator's API. The coordinator
// keeps one for its own host in a file that only its user can read.
type Login struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	// CA is the authority of the API's certificate, PEM; "" means those of the
	// operating system.
	CA string `json:"ca,omitempty"`
}

// ReadLogin reads a login file.
func ReadLogin(path string) (Login, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Login{}, err
	}
	var l Login
	if err := json.Unmarshal(text, &l); err != nil {
		return Login{}, fmt.Errorf("login file %s: %w", path, err)
	}
	return l, nil
}

// Write replaces the login file at path, readable by its owner alone.
func (l Login) Write(path string) error {
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".login-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("login file: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("login file %s: %w", path, err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("login file: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// Client makes a client of the login.
func (l Login) Client() (*Client, error) {
	c := &Client{URL: l.URL, Token: l.Token}
	if l.CA == "" {
		return c, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(l.CA)) {
		return nil, fmt.Errorf("authority of %s: no certificate in PEM form", l.URL)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	c.HTTP = &http.Client{Transport: transport}
	return c, nil
}
