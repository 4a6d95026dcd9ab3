package activedirectory_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory"
	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/openldap"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

var slapdAttributes = []string{
	"cn", "sn", "givenName", "displayName", "sAMAccountName", "userPrincipalName", "userAccountControl", "employeeID",
	"title", "department", "company", "mail", "telephoneNumber", "l", "co", "physicalDeliveryOfficeName",
}

// startSlapd runs an OpenLDAP with n users and returns its URL and its CA.
func startSlapd(t testing.TB, n int) (url, caFile string) {
	t.Helper()
	var ldif bytes.Buffer
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
	path := filepath.Join(t.TempDir(), "people.ldif")
	if err := os.WriteFile(path, ldif.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openldap.StartTest(t, openldap.Options{Base: "dc=corp", LDIF: path})
	return s.LDAPS, s.CAFile
}

func openSlapd(t testing.TB, url, caFile string) *client {
	t.Helper()
	c := connkit.Open(t, activedirectory.Connector(), map[string]any{"servers": []string{url}, "ca": caFile, "bind": "cn=admin,dc=corp"},
		map[string]string{"password": openldap.Password})
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
		search := exec.Command("ldapsearch", append([]string{"-LLL", "-x", "-H", url, "-D", "cn=admin,dc=corp", "-w", openldap.Password, "-b", "dc=corp",
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
