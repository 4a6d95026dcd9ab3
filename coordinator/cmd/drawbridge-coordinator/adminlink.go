package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

// adminLink has the coordinator that runs on this host make a link that signs in
// its admin. Who may read the data folder may do so.
func adminLink(ctx context.Context, conf config, stdout io.Writer) error {
	token, err := os.ReadFile(filepath.Join(conf.Data, "admin-token"))
	if err != nil {
		return fmt.Errorf("%w: run it on the coordinator's host, as a user who may read its data folder (--data)", err)
	}
	c := client.Client{URL: access.Address(conf.API, conf.APITLS), Token: strings.TrimSpace(string(token))}
	if conf.APITLS {
		if c.HTTP, err = trusting(filepath.Join(conf.Data, "authority.pem")); err != nil {
			return err
		}
	}
	var link client.SignInLink
	if err := c.Post(ctx, "/v1/sign-in-links", client.NewSignInLink{Name: "local admin"}, &link); err != nil {
		return fmt.Errorf("%w: the coordinator must be running, and --api and --api-tls be as it has them", err)
	}
	_, err = fmt.Fprintf(stdout, "This link signs in an administrator, once and until %s:\n  %s\n", link.Expires.Local().Format("15:04"), link.URL)
	return err
}

// trusting gives a client that knows the coordinator by its own authority.
func trusting(authority string) (*http.Client, error) {
	text, err := os.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", authority)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12} // every certificate of it names localhost
	return &http.Client{Transport: transport}, nil
}
