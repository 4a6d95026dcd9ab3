package activedirectory_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// probeFault returns the fault of the step that failed.
func probeFault(t testing.TB, settings map[string]any, secrets map[string]string) (*connectorv1.ProbeStep, string) {
	t.Helper()
	c := connkit.Open(t, activedirectory.Connector(), settings, secrets)
	r, err := c.Probe(t.Context(), &connectorv1.ProbeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	last := r.GetSteps()[len(r.GetSteps())-1]
	return last, last.GetFault().GetCause() + " " + last.GetFault().GetNextStep()
}

// A certificate that does not serve is told by what is wrong with it, and makes
// the server one that is away: no job is refused for it.
func TestProbe_certificates(t *testing.T) {
	t.Parallel()
	ca, caKey := newCA(t)
	now := time.Now()
	for name, tt := range map[string]struct {
		template x509.Certificate
		trust    bool
		words    []string
	}{
		"other CA": {x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, false,
			[]string{"issued by CN=Corp CA", "trusted is CN=AD double"}},
		"other name": {x509.Certificate{DNSNames: []string{"dc9.corp.example.test"}}, true, []string{"is for dc9.corp.example.test"}},
		"expired": {x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: now.Add(-time.Hour)}, true,
			[]string{"is valid from", "the agent's clock says"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template := tt.template
			template.SerialNumber, template.NotBefore = big.NewInt(7), now.Add(-2*time.Hour)
			if template.NotAfter.IsZero() {
				template.NotAfter = now.Add(time.Hour)
			}
			template.Subject = pkix.Name{CommonName: "dc"}
			key := newKey(t)
			der, err := x509.CreateCertificate(rand.Reader, &template, ca, key.Public(), caKey)
			if err != nil {
				t.Fatal(err)
			}
			address := serveTLS(t, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
			trusted := startDouble(t, double.Windows).caFile
			if tt.trust {
				trusted = writePEM(t, ca.Raw)
			}
			step, text := probeFault(t, map[string]any{"servers": []string{"ldaps://" + address}, "ca": trusted, "bind": "x"}, map[string]string{"password": "x"})
			if step.GetOutcome() != connectorv1.Outcome_OUTCOME_UNAVAILABLE {
				t.Errorf("step %q = %v; want UNAVAILABLE", step.GetName(), step.GetOutcome())
			}
			for _, word := range tt.words {
				if !strings.Contains(text, word) {
					t.Errorf("step %q says %q; want it to name %q", step.GetName(), text, word)
				}
			}
		})
	}
}

// Samba's self-made certificates have this at times; Go refuses them.
func TestProbe_negativeSerialNumber(t *testing.T) {
	t.Parallel()
	ca, caKey := newCA(t)
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(0x7f0102), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	// CreateCertificate makes none such: the sign is set afterwards. The
	// signature is not looked at before the number is.
	der = []byte(strings.Replace(string(der), "\x02\x03\x7f\x01\x02", "\x02\x03\xff\x01\x02", 1))
	address := serveTLS(t, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	_, text := probeFault(t, map[string]any{"servers": []string{"ldaps://" + address}, "ca": writePEM(t, ca.Raw), "bind": "x"}, map[string]string{"password": "x"})
	if !strings.Contains(text, "negative serial number") || !strings.Contains(text, "anew") {
		t.Errorf("the probe says %q; want the negative serial number and the cure", text)
	}
}

func TestProbe_bindRefused(t *testing.T) {
	t.Parallel()
	d := startDouble(t, double.Windows)
	c, users := d.open(t), "CN=Users,"+d.base
	c.done(create(users, "svc", "svc.off"))
	off := c.find("user", "sAMAccountName", []string{"svc.off"})[0].GetId()
	c.done(enable(off, false))
	for bind, word := range map[string]string{d.adminUPN: "wrong password", "nobody@corp.example.test": "does not exist"} {
		step, text := probeFault(t, d.settings(map[string]any{"bind": bind}), map[string]string{"password": "Not-The-One-7"})
		if step.GetOutcome() != denied || !strings.Contains(text, word) || !strings.Contains(text, bind) {
			t.Errorf("bind as %s: %v, %q; want DENIED that says %q", bind, step.GetOutcome(), text, word)
		}
	}
	step, text := probeFault(t, d.settings(map[string]any{"servers": []string{strings.Replace(d.ldap, "ldap://", "ldaps://", 1)}}), d.secrets())
	if !strings.Contains(text, "StartTLS") {
		t.Errorf("TLS on the plain port: %q says %q; want the hint at ldap://", step.GetName(), text)
	}
}

func TestOpen_faultsOfSettings(t *testing.T) {
	t.Parallel()
	fault := connkit.OpenFault(t, connkit.Serve(t, activedirectory.Connector()), map[string]any{
		"servers": []string{"http://x"}, "bind": "svc", "base": "nonsense", "ca": "/nowhere/ca.pem", "filters": map[string]string{"user": "(x"},
		"page_size": 0,
	}, nil)
	for _, word := range []string{"http://x", `"base"`, "/nowhere/ca.pem", "filters.user", "page_size", `"password" is missing`} {
		if !strings.Contains(fault.GetCause(), word) {
			t.Errorf("Open says %q; want it to name %s", fault.GetCause(), word)
		}
	}
}

// A ticket by password and by keytab, with a krb5.conf and with a KDC alone.
func TestKerberos(t *testing.T) {
	t.Parallel()
	d := startSamba(t)
	keytab := filepath.Join(t.TempDir(), "admin.keytab")
	if err := d.samba.Keytab(t.Context(), "Administrator", keytab); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		kerberos map[string]any
		secrets  map[string]string
	}{
		"keytab and krb5.conf": {map[string]any{"keytab": keytab, "config": d.samba.Krb5Conf, "spn": d.samba.SPN, "realm": d.samba.Realm}, nil},
		"password and KDC":     {map[string]any{"kdc": d.samba.Address, "spn": d.samba.SPN, "realm": d.samba.Realm}, d.secrets()},
	} {
		t.Run(name, func(t *testing.T) {
			c := connkit.Open(t, activedirectory.Connector(), d.settings(map[string]any{
				"auth": "kerberos", "bind": "Administrator", "kerberos": tt.kerberos,
			}), tt.secrets)
			if got := (&client{t: t, ConnectorServiceClient: c}).find("user", "sAMAccountName", []string{"Administrator"}, "name"); len(got) != 1 {
				t.Errorf("Find = %v; want Administrator", got)
			}
		})
	}
	step, text := probeFault(t, d.settings(map[string]any{"auth": "kerberos", "bind": "Administrator",
		"kerberos": map[string]any{"kdc": d.samba.Address, "spn": d.samba.SPN, "realm": d.samba.Realm}}), map[string]string{"password": "Not-The-One-7"})
	if step.GetOutcome() != denied || !strings.Contains(text, "Kerberos sign-in") {
		t.Errorf("wrong password: %v, %q; want DENIED", step.GetOutcome(), text)
	}
}

func TestREADME_showsTheSettings(t *testing.T) {
	t.Parallel()
	connkit.README(t, "README.md", activedirectory.Connector().SettingsSchema())
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newCA(t testing.TB) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Corp CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-3 * time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return ca, key
}

func writePEM(t testing.TB, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveTLS shakes hands with whoever comes, and says nothing else.
func serveTLS(t testing.TB, cert tls.Certificate) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				_ = tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}}).HandshakeContext(t.Context())
			}()
		}
	}()
	return l.Addr().String()
}
