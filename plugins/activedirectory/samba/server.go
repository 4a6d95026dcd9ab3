package samba

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ca"
)

// prepare copies the template and fits it to this instance: address, paths,
// certificate, krb5.conf.
func (d *Domain) prepare(tmpl *template, opt Options) error {
	if err := tmpl.copyTo(d.Dir); err != nil {
		return err
	}
	domain := strings.ToLower(opt.Realm)
	ip := opt.Address
	if ip == "" {
		var err error
		if ip, err = freeAddress(); err != nil {
			return err
		}
	}
	d.Address = ip
	d.LDAP, d.LDAPS = "ldap://"+ip+":389", "ldaps://"+ip+":636"
	d.Host = "dc1." + domain
	d.Realm, d.NetBIOS = opt.Realm, netBIOS(opt.Realm)
	d.BaseDN = "DC=" + strings.ReplaceAll(domain, ".", ",DC=")
	d.AdminDN = "CN=Administrator,CN=Users," + d.BaseDN
	d.AdminUPN = "Administrator@" + domain
	d.AdminPassword = tmpl.adminPassword
	d.SPN = "ldap/" + d.Host
	d.Krb5Conf = filepath.Join(d.Dir, "krb5.conf")

	tlsDir := filepath.Join(d.Dir, "tls")
	if err := os.MkdirAll(tlsDir, 0o700); err != nil {
		return err
	}
	authority, _, err := ca.Write(tlsDir, "Samba rig", d.Host, ip)
	if err != nil {
		return err
	}
	d.CA, d.CAFile = authority.Pool(), filepath.Join(tlsDir, "ca.pem")
	if err := os.WriteFile(d.Krb5Conf, []byte(d.krb5Conf()), 0o600); err != nil {
		return err
	}
	for _, sub := range []string{"run", "run/ncalrpc", "run/winbindd", "log"} {
		if err := os.MkdirAll(filepath.Join(d.Dir, sub), 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(d.Dir, "etc", "smb.conf"), []byte(d.smbConf()), 0o600)
}

// smbConf leaves out file and print sharing, DNS and winbind: nobody asks
// this domain for them. Kerberos over TLS needs no signing on top, as on
// Windows; passwords still need TLS.
func (d *Domain) smbConf() string {
	return strings.ReplaceAll(`[global]
	netbios name = DC1
	realm = `+d.Realm+`
	workgroup = `+d.NetBIOS+`
	server role = active directory domain controller
	server services = ldap, cldap, kdc, drepl
	bind interfaces only = yes
	interfaces = `+d.Address+`/8
	private dir = DIR/private
	state directory = DIR/state
	cache directory = DIR/cache
	lock directory = DIR
	binddns dir = DIR/bind-dns
	pid directory = DIR/run
	ncalrpc dir = DIR/run/ncalrpc
	winbindd socket directory = DIR/run/winbindd
	log file = DIR/log/log.%m
	logging = file
	tls enabled = yes
	tls keyfile = DIR/tls/key.pem
	tls certfile = DIR/tls/cert.pem
	tls cafile = DIR/tls/ca.pem
	ldap server require strong auth = allow_sasl_over_tls
	idmap_ldb:use rfc2307 = yes

[sysvol]
	path = DIR/state/sysvol
	read only = no

[netlogon]
	path = DIR/state/sysvol/`+strings.ToLower(d.Realm)+`/scripts
	read only = no
`, "DIR", d.Dir)
}

func (d *Domain) krb5Conf() string {
	return `[libdefaults]
	default_realm = ` + d.Realm + `
	dns_lookup_realm = false
	dns_lookup_kdc = false
	dns_canonicalize_hostname = false
	rdns = false
	udp_preference_limit = 1

[realms]
	` + d.Realm + ` = {
		kdc = ` + d.Address + `
		kpasswd_server = ` + d.Address + `
	}

[domain_realm]
	.` + strings.ToLower(d.Realm) + ` = ` + d.Realm + `
	` + strings.ToLower(d.Realm) + ` = ` + d.Realm + `
`
}

// run starts the server in the foreground, in a process group of its own, and
// waits until LDAPS and the KDC answer.
func (d *Domain) run(ctx context.Context, wait time.Duration) error {
	prog, err := lookPath("samba")
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(d.Dir, "log", "samba.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	d.cmd = exec.Command(prog, "-i", "-s", filepath.Join(d.Dir, "etc", "smb.conf"), "--debug-stdout")
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.Env = append(os.Environ(), "KRB5_CONFIG="+d.Krb5Conf)
	ownGroup(d.cmd)
	if err := d.start(); err != nil {
		d.cmd = nil
		return fmt.Errorf("start samba: %w", err)
	}

	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("no answer within %s", wait))
	defer cancel()
	for {
		err := d.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-d.exited:
			return fmt.Errorf("samba ended while starting; its log ends:\n%s", d.logTail())
		case <-ctx.Done():
			return fmt.Errorf("samba: %w (last: %w); its log ends:\n%s", context.Cause(ctx), err, d.logTail())
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// answers reports nil when a TLS handshake and a connection to the KDC succeed.
func (d *Domain) answers(ctx context.Context) error {
	tlsDialer := tls.Dialer{Config: &tls.Config{RootCAs: d.CA, ServerName: d.Address}}
	conn, err := tlsDialer.DialContext(ctx, "tcp", d.Address+":636")
	if err != nil {
		return err
	}
	kdc, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.Address+":88")
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	return errors.Join(kdc.Close(), conn.Close())
}

func (d *Domain) logTail() []byte {
	data, err := os.ReadFile(filepath.Join(d.Dir, "log", "samba.log"))
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-20):], []byte("\n"))
}

// freeAddress picks a loopback address on which nobody serves LDAP. Two rigs
// that ask in the same instant get the same one with a chance of one in
// millions; the later then fails to start and says so.
func freeAddress() (string, error) {
	var last error
	for range 50 {
		ip := fmt.Sprintf("127.%d.%d.%d", 64+rand.IntN(64), rand.IntN(256), 1+rand.IntN(254))
		var l net.Listener
		if l, last = net.Listen("tcp", ip+":389"); last == nil {
			return ip, l.Close()
		}
	}
	return "", fmt.Errorf("no loopback address with a free port 389: %w", last)
}
