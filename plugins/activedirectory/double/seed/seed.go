// Package seed fills a rig, the double or Samba, with containers and entries
// before its user comes: over LDAP, as anybody would.
package seed

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Address is the JSON line that ad-double and ad-samba print when they are up.
type Address struct {
	LDAPS    string `json:"ldaps"`
	LDAP     string `json:"ldap"`
	CA       string `json:"ca"` // path of a PEM file
	Base     string `json:"base"`
	Bind     string `json:"bind"` // DN
	Password string `json:"password"`
	UPN      string `json:"upn"`
	Realm    string `json:"realm,omitempty"`
	SPN      string `json:"spn,omitempty"`
	Krb5Conf string `json:"krb5_conf,omitempty"`
	Control  string `json:"control,omitempty"` // URL at which ad-double takes faults
}

// Print writes the line.
func (a Address) Print(w io.Writer) error { return json.NewEncoder(w).Encode(a) }

// Dial connects over TLS and binds.
func (a Address) Dial() (*ldap.Conn, error) {
	pem, err := os.ReadFile(a.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	conn, err := ldap.DialURL(a.LDAPS, ldap.DialWithTLSConfig(&tls.Config{RootCAs: pool}))
	if err != nil {
		return nil, err
	}
	if err := conn.Bind(a.Bind, a.Password); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Fill makes the OUs, each a name below the base ("Staff") or a path from the
// top ("Company/Staff"), and then the entries of the LDIF file, if there is
// one. What exists is left as it is.
func (a Address) Fill(ous []string, ldif string) error {
	if len(ous) == 0 && ldif == "" {
		return nil
	}
	conn, err := a.Dial()
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	defer conn.Close()
	for _, path := range ous {
		parent := a.Base
		for name := range strings.SplitSeq(path, "/") {
			parent = "OU=" + ldap.EscapeDN(name) + "," + parent
			req := ldap.NewAddRequest(parent, nil)
			req.Attribute("objectClass", []string{"top", "organizationalUnit"})
			if err := conn.Add(req); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists) {
				return fmt.Errorf("seed OU %s: %w", parent, err)
			}
		}
	}
	if ldif == "" {
		return nil
	}
	f, err := os.Open(ldif)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	defer f.Close()
	return readLDIF(f, func(line int, req *ldap.AddRequest) error {
		if err := conn.Add(req); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists) {
			return fmt.Errorf("%s line %d: add %s: %w", ldif, line, req.DN, err)
		}
		return nil
	})
}

// readLDIF hands over each content record (RFC 2849); change records other
// than add are refused.
func readLDIF(r io.Reader, add func(line int, req *ldap.AddRequest) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	var lines []string // of one record, unfolded
	start, n := 0, 0
	flush := func() error {
		if len(lines) == 0 {
			return nil
		}
		req, err := record(lines)
		lines = nil
		if err != nil {
			return fmt.Errorf("line %d: %w", start, err)
		}
		if req == nil {
			return nil
		}
		return add(start, req)
	}
	for sc.Scan() {
		n++
		switch line := sc.Text(); {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			if err := flush(); err != nil {
				return err
			}
		case line[0] == ' ' && len(lines) > 0:
			lines[len(lines)-1] += line[1:]
		default:
			if len(lines) == 0 {
				start = n
			}
			lines = append(lines, line)
		}
	}
	if err := sc.Err(); err != nil {
		return err
	}
	return flush()
}

func record(lines []string) (*ldap.AddRequest, error) {
	req := ldap.NewAddRequest("", nil)
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("no colon in %q", line)
		}
		if b64, is := strings.CutPrefix(value, ":"); is {
			raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(b64))
			if err != nil {
				return nil, fmt.Errorf("attribute %s: %w", name, err)
			}
			value = string(raw)
		} else {
			value = strings.TrimLeft(value, " ")
		}
		switch strings.ToLower(name) {
		case "version":
		case "dn":
			req.DN = value
		case "changetype":
			if value != "add" {
				return nil, fmt.Errorf("changetype %s: only add is taken", value)
			}
		default:
			i := slices.IndexFunc(req.Attributes, func(a ldap.Attribute) bool { return strings.EqualFold(a.Type, name) })
			if i < 0 {
				req.Attribute(name, []string{value})
			} else {
				req.Attributes[i].Vals = append(req.Attributes[i].Vals, value)
			}
		}
	}
	if req.DN == "" {
		if len(req.Attributes) == 0 {
			return nil, nil // only a version line
		}
		return nil, errors.New("record has no dn")
	}
	return req, nil
}
