package ldap_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/openldap"
)

// A million people are read in bounded memory, with a reference of each and
// all that the ways of delta remember. To fill the directory takes a minute or
// two, so it is run by itself: make large.
func TestLarge(t *testing.T) {
	if os.Getenv("TEST_LARGE") == "" {
		t.Skip("a directory of a million people takes minutes to fill: make large")
	}
	const count = 1_000_000
	ldif := filepath.Join(t.TempDir(), "people.ldif")
	if err := writePeople(ldif, count); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s := server{openldap.StartTest(t, openldap.Options{Base: base, LDIF: ldif, Database: openldap.Standard, Wait: time.Minute})}
	t.Logf("filled in %v", time.Since(began).Round(time.Second))
	s.add(t, "cn=Kit,"+groups, "objectClass", "groupOfNames", "cn", "Kit", "member", "uid=p7,"+people)
	for _, changes := range []string{"syncrepl", "modify_timestamp", "none"} {
		t.Run(changes, func(t *testing.T) {
			connkit.Test(t, connkit.Config{
				Connector: "ldap", Settings: s.settings(map[string]any{"changes": changes}), Secrets: s.secrets(), Rules: []string{"memory"},
				Class: "user", Attributes: []string{"uid", "cn", "title", "mail", "manager"},
				Large: &connkit.Large{Objects: count},
			})
		})
	}
}

// writePeople writes what start does of few people.
func writePeople(path string, count int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	fmt.Fprintf(w, "dn: %s\nobjectClass: organizationalUnit\nou: people\n\ndn: %s\nobjectClass: organizationalUnit\nou: groups\n\n", people, groups)
	for i := range count {
		fmt.Fprintf(w, "dn: uid=p%[1]d,%[2]s\nobjectClass: inetOrgPerson\nuid: p%[1]d\ncn: Person %[1]d\nsn: Surname%[1]d\nemployeeNumber: %[1]d\ntitle: Clerk of rank %[3]d\nmail: p%[1]d@example.org\nmanager: uid=p%[4]d,%[2]s\n\n",
			i, people, i%7, i/10)
	}
	return errors.Join(w.Flush(), file.Close())
}
