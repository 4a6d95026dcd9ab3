package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ca"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/seed"
)

const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.3 NAME 'employeeID' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.4 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.5 NAME 'department' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.6 NAME 'displayName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'user' SUP organizationalPerson STRUCTURAL
  MAY ( givenName $ sAMAccountName $ userPrincipalName $ employeeID $ userAccountControl $ department $ displayName $ mail ) )
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/slapd.pid
TLSCACertificateFile %[1]s/ca.pem
TLSCertificateFile %[1]s/cert.pem
TLSCertificateKeyFile %[1]s/key.pem
sizelimit unlimited
database mdb
suffix "dc=corp,dc=example,dc=test"
rootdn "cn=admin,dc=corp,dc=example,dc=test"
rootpw secret
directory %[1]s/db
maxsize 4294967296
index objectClass,employeeID,sAMAccountName,entryUUID eq
`

// An openLDAP is a slapd with a schema like Active Directory's and people in it.
type openLDAP struct {
	stage.Domain
	process *exec.Cmd
}

func (o *openLDAP) Close() {
	_ = o.process.Process.Kill()
	_ = o.process.Wait()
}

// startOpenLDAP loads count people into a new slapd in dir, offline, and starts it.
func startOpenLDAP(ctx context.Context, dir string, count int) (*openLDAP, error) {
	if _, err := exec.LookPath("/usr/sbin/slapd"); err != nil {
		return nil, errors.New("slapd is not installed; `make rigs` installs it")
	}
	if err := os.MkdirAll(filepath.Join(dir, "db"), 0o700); err != nil {
		return nil, err
	}
	if _, _, err := ca.Write(dir, "bench", "127.0.0.1"); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "slapd.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, slapdConf, dir), 0o600); err != nil {
		return nil, err
	}
	ldif := filepath.Join(dir, "people.ldif")
	if err := writeLDIF(ldif, count); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "/usr/sbin/slapadd", "-q", "-f", conf, "-l", ldif).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("slapadd: %w\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	listener.Close()
	o := &openLDAP{Domain: stage.Domain{Address: seed.Address{LDAPS: "ldaps://" + address, CA: filepath.Join(dir, "ca.pem"), Base: "dc=corp,dc=example,dc=test",
		Bind: "cn=admin,dc=corp,dc=example,dc=test", Password: "secret"}}}
	o.process = exec.CommandContext(ctx, "/usr/sbin/slapd", "-d", "0", "-f", conf, "-h", o.LDAPS)
	if err := o.process.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := o.Dial()
		if err == nil {
			conn.Close()
			return o, nil
		}
		if time.Now().After(deadline) {
			o.Close()
			return nil, fmt.Errorf("slapd does not answer: %w", err)
		}
	}
}

func writeLDIF(path string, count int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	fmt.Fprint(w, "dn: dc=corp,dc=example,dc=test\nobjectClass: top\nobjectClass: domain\ndc: corp\n\n",
		"dn: ou=Staff,dc=corp,dc=example,dc=test\nobjectClass: top\nobjectClass: organizationalUnit\nou: Staff\n\n")
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
connector: activedirectory
settings: {servers: [%q], ca: %q, base: %q, bind: %q}
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

// ldapRead reads 100,000 entries of OpenLDAP twice: the first time they are
// sent, stored and become people (ldap_import); the second time nothing has
// changed, so that it is the read through connector and agent alone
// (ldap_read). The other side is C ldapsearch reading the same attributes of
// the same entries by the same pages.
func ldapRead(ctx context.Context, b *bench) ([]Figure, error) {
	const count = 100_000
	o, err := startOpenLDAP(ctx, b.dir+"/openldap", count)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	s, err := stage.Start(ctx, stage.Options{Bin: b.bin, Dir: b.dir + "/product"})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.Apply(ctx, "ldap.yaml", fmt.Sprintf(ldapDocument, o.LDAPS, o.CA, o.Base, o.Bind)); err != nil {
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
		peak += p
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
		against("ldap_read", count/read.Seconds(), "entries/s", count/search.Seconds()),
		against("ldap_import", count/imported.Seconds(), "entries/s", count/search.Seconds()),
		{Name: "ldap_import_peak", Value: float64(peak) / (1 << 20), Unit: "MiB"},
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
