package activedirectory_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory"
	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

const slapdSchema = `
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{256} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{1024} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.35 NAME 'employeeID' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{16} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.146 NAME 'company' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{64} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.141 NAME 'department' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{64} SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL MAY ( sAMAccountName $ userPrincipalName $ userAccountControl $ employeeID $ co $ company $ department ) )
`

var slapdAttributes = []string{
	"cn", "sn", "givenName", "displayName", "sAMAccountName", "userPrincipalName", "userAccountControl", "employeeID",
	"title", "department", "company", "mail", "telephoneNumber", "l", "co", "physicalDeliveryOfficeName",
}

// startSlapd runs an OpenLDAP with n users and returns its URL and its CA.
func startSlapd(t testing.TB, n int) (url, caFile string) {
	t.Helper()
	const slapd = "/usr/sbin/slapd"
	if _, err := os.Stat(slapd); err != nil {
		t.Skip("LEFT OUT: openldap: apt-get install --no-install-recommends slapd ldap-utils")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, caKey := newCA(t)
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "slapd"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	caFile = writePEM(t, ca.Raw)
	cert := write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	keyFile := write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})))
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := write("slapd.conf", fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include %s
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile %s
TLSCertificateFile %s
TLSCertificateKeyFile %s
sizelimit unlimited
database mdb
suffix "dc=corp"
rootdn "cn=admin,dc=corp"
rootpw secret
directory %s
maxsize 4294967296
dbnosync
index objectClass eq
index entryUUID eq
`, write("ad.schema", slapdSchema), caFile, cert, keyFile, filepath.Join(dir, "db")))
	var ldif bytes.Buffer
	ldif.WriteString("dn: dc=corp\nobjectClass: dcObject\nobjectClass: organization\no: corp\ndc: corp\n\n")
	for i := range n {
		fmt.Fprintf(&ldif, `dn: cn=Person %[1]d,dc=corp
objectClass: user
cn: Person %[1]d
sn: Surname%[1]d
givenName: Given%[1]d
displayName: Surname%[1]d, Given%[1]d
sAMAccountName: person%[1]d
userPrincipalName: person%[1]d@corp.example.test
userAccountControl: 512
employeeID: %[1]d
title: Senior Clerk of the %[2]dth Rank
department: Department %[2]d
company: Example Corporation
mail: person%[1]d@corp.example.test
telephoneNumber: +49 30 %[1]d
l: Berlin
co: Germany
physicalDeliveryOfficeName: Building %[2]d

`, i, i%97)
	}
	add := exec.Command("/usr/sbin/slapadd", "-q", "-f", conf)
	add.Stdin = &ldif
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // slapd cannot choose a port itself
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	server := exec.Command(slapd, "-d", "0", "-f", conf, "-h", "ldaps://"+address)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		nc, err := net.Dial("tcp", address)
		if err == nil {
			nc.Close()
			return "ldaps://" + address, caFile
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal(err)
		}
	}
}

func openSlapd(t testing.TB, url, caFile string) *client {
	t.Helper()
	c := connkit.Open(t, activedirectory.Connector(), map[string]any{"servers": []string{url}, "ca": caFile, "bind": "cn=admin,dc=corp"},
		map[string]string{"password": "secret"})
	return &client{t: t, ConnectorServiceClient: c}
}

// A server that is no Active Directory can be read: nothing of what only
// Active Directory has is needed.
func TestRead_openLDAP(t *testing.T) {
	t.Parallel()
	url, caFile := startSlapd(t, 2500)
	c := openSlapd(t, url, caFile)
	r := connkit.Read(t, c, &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: append([]string{"enabled", "objectClass"}, slapdAttributes...)})
	if r.End.GetOutcome() != done || len(r.Objects) != 2500 || len(r.Rejects) != 0 {
		t.Fatalf("read ends %v with %d objects, %d rejects; want DONE, 2500, 0", r.End, len(r.Objects), len(r.Rejects))
	}
	o := byName(t, r, "person7")
	if value(o, "displayName") != "Surname7, Given7" || value(o, "enabled") != "true" || len(o.GetId()) != 36 || o.GetAddress() != "cn=Person 7,dc=corp" {
		t.Errorf("person7 = %v", o)
	}
	if got := c.find("user", "employeeID", []string{"7", "8"}, "sn"); len(got) != 2 {
		t.Errorf("Find = %v; want two", got)
	}
	schema, err := c.Schema(t.Context(), &connectorv1.SchemaRequest{})
	if err != nil || len(schema.GetClasses()) == 0 {
		t.Fatal(schema, err)
	}
	for _, a := range schema.GetClasses()[0].GetAttributes() {
		if a.GetName() == "employeeID" && (a.GetMaxLength() != 16 || a.GetMulti()) {
			t.Errorf("employeeID = %v; want one value of 16 at most", a)
		}
	}
}

// BenchmarkRead reads everything through the connector, as an agent would, and
// by C ldapsearch, in turn; speed is ldapsearch's time over ours.
func BenchmarkRead(b *testing.B) {
	const entries = 100_000
	url, caFile := startSlapd(b, entries)
	c := openSlapd(b, url, caFile)
	var ours, theirs time.Duration
	for b.Loop() {
		began := time.Now()
		stream, err := c.Read(b.Context(), &connectorv1.ReadRequest{Classes: []string{"user"}, Attributes: slapdAttributes})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for {
			r, err := stream.Recv()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			n += len(r.GetRecords())
		}
		if ours += time.Since(began); n != entries {
			b.Fatalf("read %d entries; want %d", n, entries)
		}
		began = time.Now()
		search := exec.Command("ldapsearch", append([]string{"-LLL", "-x", "-H", url, "-D", "cn=admin,dc=corp", "-w", "secret", "-b", "dc=corp",
			"-E", "pr=1000/noprompt", "(objectClass=user)"}, slapdAttributes...)...)
		search.Env = append(os.Environ(), "LDAPTLS_CACERT="+caFile)
		out, err := search.Output()
		if err != nil {
			b.Fatal(err)
		}
		theirs += time.Since(began)
		if got := strings.Count(string(out), "\ndn: ") + 1; got != entries {
			b.Fatalf("ldapsearch read %d entries; want %d", got, entries)
		}
	}
	b.ReportMetric(float64(entries)*float64(b.N)/ours.Seconds(), "entries/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "speed/ldapsearch")
}
