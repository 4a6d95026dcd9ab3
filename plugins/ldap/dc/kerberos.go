package dc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-ldap/ldap/v3/gssapi"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// Kerberos is how to bind by a ticket (SASL GSSAPI, RFC 4752). The security
// layer is TLS; GSSAPI adds none.
type Kerberos struct {
	User   string // name of the principal, without realm
	Realm  string
	Keytab string // path; empty means the password
	Config string // path of a krb5.conf; empty means that KDC and Realm say all
	KDC    string // host[:port]
	SPN    string // service principal; empty means ldap/ and the server's host
}

func (k *Kerberos) bind(ctx context.Context, s Server, c *wire.Conn, password sealed.Secret) error {
	g, err := k.client(password)
	if err != nil {
		return err
	}
	defer func() { _ = g.DeleteSecContext(); _ = g.Close() }()
	spn := cmp.Or(k.SPN, "ldap/"+s.Host)
	token, more, err := g.InitSecContext(spn, nil)
	if err != nil {
		return fmt.Errorf("no ticket for %s: %w", spn, err)
	}
	for {
		answer, continues, err := c.BindSASL(ctx, "GSSAPI", token)
		if err != nil {
			return err
		}
		if !continues {
			return nil
		}
		switch {
		case more:
			token, more, err = g.InitSecContext(spn, answer)
		default:
			token, err = g.NegotiateSaslAuth(answer, "")
		}
		if err != nil {
			return fmt.Errorf("the server's answer to the ticket: %w", err)
		}
	}
}

func (k *Kerberos) client(password sealed.Secret) (*gssapi.Client, error) {
	conf, err := k.configuration()
	if err != nil {
		return nil, err
	}
	realm := cmp.Or(k.Realm, conf.LibDefaults.DefaultRealm)
	if realm == "" {
		return nil, errors.New("no realm: set kerberos.realm, or default_realm in krb5.conf")
	}
	fast := client.DisablePAFXFAST(true) // Active Directory does not know it
	if k.Keytab == "" {
		return &gssapi.Client{Client: client.NewWithPassword(k.User, realm, password.Reveal(), conf, fast)}, nil
	}
	keys, err := keytab.Load(k.Keytab)
	if err != nil {
		return nil, fmt.Errorf("keytab %s: %w", k.Keytab, err)
	}
	return &gssapi.Client{Client: client.NewWithKeytab(k.User, realm, keys, conf, fast)}, nil
}

func (k *Kerberos) configuration() (*config.Config, error) {
	if k.Config != "" {
		conf, err := config.Load(k.Config)
		if err != nil {
			return nil, fmt.Errorf("krb5.conf %s: %w", k.Config, err)
		}
		return conf, nil
	}
	kdc := k.KDC
	if _, _, err := net.SplitHostPort(kdc); err != nil {
		kdc = net.JoinHostPort(kdc, "88")
	}
	realm := strings.ToUpper(k.Realm)
	return config.NewFromString(fmt.Sprintf(`[libdefaults]
 default_realm = %[1]s
 dns_lookup_kdc = false
 dns_lookup_realm = false
 rdns = false
 udp_preference_limit = 1
[realms]
 %[1]s = {
  kdc = %[2]s
 }
`, realm, kdc))
}
