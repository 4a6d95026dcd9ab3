package dc

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// Trust reads the certificates to trust, which stand in the PEM file or the PEM
// text ca, and whom they belong to; nil means those of the host.
func Trust(ca string) (*x509.CertPool, []string, error) {
	if ca == "" {
		return nil, nil, nil
	}
	text, from := []byte(ca), "the text of \"ca\""
	if !strings.Contains(ca, "-----BEGIN") {
		var err error
		if text, err = os.ReadFile(ca); err != nil {
			return nil, nil, fmt.Errorf("\"ca\": %w", err)
		}
		from = ca
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

// KerberosSettings say where tickets come from.
type KerberosSettings struct {
	Realm  string `json:"realm" doc:"realm of the service account, in capitals" anchor:"true"`
	Keytab string `json:"keytab" doc:"path of a keytab, instead of the password" format:"path"`
	Config string `json:"config" doc:"path of a krb5.conf; or give kdc" format:"path" anchor:"true"`
	KDC    string `json:"kdc" doc:"host of a key distribution centre, where there is no krb5.conf" anchor:"true"`
	SPN    string `json:"spn" doc:"service principal of the controllers; default: ldap/ and the host of the server" anchor:"true"`
}

// Validate returns all faults that can be seen without a server.
func (k KerberosSettings) Validate(password sealed.Secret) error {
	var faults []error
	if k.Keytab == "" && password.IsZero() {
		faults = append(faults, errors.New("auth kerberos needs \"kerberos.keytab\" or the secret \"password\""))
	}
	if k.Config == "" && (k.KDC == "" || k.Realm == "") {
		faults = append(faults, errors.New("auth kerberos needs \"kerberos.config\", or \"kerberos.kdc\" and \"kerberos.realm\""))
	}
	return errors.Join(faults...)
}

// As returns how user signs in.
func (k KerberosSettings) As(user string) *Kerberos {
	return &Kerberos{User: user, Realm: k.Realm, Keytab: k.Keytab, Config: k.Config, KDC: k.KDC, SPN: k.SPN}
}
