package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/seed"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/openldap"
)

// An openLDAP is a slapd with a schema like Active Directory's and people in it.
type openLDAP struct {
	stage.Domain
	server *openldap.Server
}

func (o *openLDAP) Close() { _ = o.server.Stop() }

// startOpenLDAP loads count people into a new slapd, offline, and starts it.
func startOpenLDAP(ctx context.Context, dir string, count int) (*openLDAP, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ldif := filepath.Join(dir, "people.ldif")
	if err := writeLDIF(ldif, count); err != nil {
		return nil, err
	}
	s, err := openldap.Start(ctx, openldap.Options{Base: "dc=corp,dc=example,dc=test", LDIF: ldif, Database: "index entryUUID eq\n"})
	if err != nil {
		return nil, err
	}
	return &openLDAP{server: s, Domain: stage.Domain{Address: seed.Address{
		LDAPS: s.LDAPS, CA: s.CAFile, Base: s.Base, Bind: s.AdminDN, Password: s.Password}}}, nil
}

func writeLDIF(path string, count int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	fmt.Fprint(w, "dn: ou=Staff,dc=corp,dc=example,dc=test\nobjectClass: top\nobjectClass: organizationalUnit\nou: Staff\n\n")
	for i := range count {
		p := workers.At(i)
		fmt.Fprintf(w, `dn: cn=Person %[1]s,ou=Staff,dc=corp,dc=example,dc=test
objectClass: top
objectClass: person
objectClass: organizationalPerson
objectClass: user
cn: Person %[1]s
sn: Person
givenName: Number
displayName: Person %[1]s
sAMAccountName: p%[1]s
userPrincipalName: p%[1]s@corp.example
mail: p%[1]s@corp.example
employeeID: %[1]s
userAccountControl: 512
title: %[2]s
department: %[3]s
telephoneNumber: %[4]s
l: Berlin

`, p.EmployeeID, p.Title, p.Department, p.Phone)
	}
	return errors.Join(w.Flush(), file.Close())
}

const ldapDocument = `system: hr
site: hq
connector: %s
settings: {servers: [%q], ca: %q, base: %q, bind: %q%s}
read: {every: 24h, full_every: 48h}
source:
  class: user
  key: employeeID
  attributes:
    employeeNumber: employeeID
    userName: sAMAccountName
    name.givenName: givenName
    name.familyName: sn
    displayName: displayName
    title: title
    department: department
    location: l
    phoneNumbers.work: telephoneNumber
    emails.work: mail
`

// ldapByAD and ldapByLDAP are the same measure of two connectors.
func ldapByAD(ctx context.Context, b *bench) ([]Figure, error) {
	return ldapRead(ctx, b, "ldap", "activedirectory", "")
}

func ldapByLDAP(ctx context.Context, b *bench) ([]Figure, error) {
	return ldapRead(ctx, b, "openldap", "ldap", ", classes: {user: {object_classes: [user], naming: cn}}")
}

// ldapRead reads 100,000 entries of OpenLDAP twice: the first time they are
// sent, stored and become people (…_import); the second time nothing has
// changed, so that it is the read through connector and agent alone. The other
// side is C ldapsearch reading the same attributes of the same entries by the
// same pages.
func ldapRead(ctx context.Context, b *bench, name, connector, settings string) ([]Figure, error) {
	const count = 100_000
	o, err := startOpenLDAP(ctx, b.dir+"/"+name, count)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	s, err := stage.Start(ctx, stage.Options{Bin: b.bin, Dir: b.dir + "/product-" + name})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.Apply(ctx, "ldap.yaml", fmt.Sprintf(ldapDocument, connector, o.LDAPS, o.CA, o.Base, o.Bind, settings)); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.SetSecret(ctx, stage.HR, "password", o.Password); err != nil {
		return nil, err
	}
	if err := s.Settle(ctx, time.Time{}); err != nil {
		return nil, err
	}
	imported := time.Since(began)
	var peak int64
	for _, pid := range append(stage.Children(s.Agent.PID()), s.Agent.PID()) {
		_, p := stage.Memory(pid)
		b.log("process %d: at most %.1f MiB while importing", pid, float64(p)/(1<<20))
		peak += p
	}
	if err := rest(ctx, s); err != nil {
		return nil, err
	}
	var read, search time.Duration
	for range 3 { // in turn; the best of each
		took, err := fullCycle(ctx, s, 0)
		if err != nil {
			return nil, err
		}
		read = best(read, took)
		if took, err = ldapsearch(ctx, o.Domain); err != nil {
			return nil, err
		}
		search = best(search, took)
	}
	return []Figure{
		against(name+"_read", count/read.Seconds(), "entries/s", count/search.Seconds()),
		against(name+"_import", count/imported.Seconds(), "entries/s", count/search.Seconds()),
		{Name: name + "_import_peak", Value: float64(peak) / (1 << 20), Unit: "MiB"},
	}, nil
}

func best(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

func ldapsearch(ctx context.Context, d stage.Domain) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "ldapsearch", "-LLL", "-x", "-H", d.LDAPS, "-D", d.Bind, "-w", d.Password, "-b", d.Base, "-E", "pr=1000/noprompt",
		"(objectClass=user)", "entryUUID", "employeeID", "sAMAccountName", "givenName", "sn", "displayName", "title", "department", "l", "telephoneNumber", "mail")
	cmd.Env = append(os.Environ(), "LDAPTLS_CACERT="+d.CA)
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("ldapsearch: %w", err)
	}
	return time.Since(began), nil
}
