// Package double is an LDAP server that behaves like an Active Directory
// domain controller, for tests, benchmarks and the demonstration: quick, in
// memory, and able to fail when told to.
//
//	message → conn (frames, TLS) → session (bind, rights) → directory (the database)
//	   ← result codes and diagnostic messages as Active Directory words them
//
// What may go wrong at each step is on purpose the same as on a domain
// controller: wrong password (49 with its data code), no rights (50), schema
// (16, 19, 20, 21, 65), names (32, 34, 64, 68), password policy (53), and what
// a [Fault] adds: busy, unavailable, a connection lost before or after the
// operation was done, delay.
//
// It is kept honest by package suite, whose tests run against it and against a
// Samba domain controller alike. Where Windows and Samba differ it is Windows,
// unless [Options.Flavor] says Samba:
//
//	                              Windows               Samba
//	password policy               53 0000052D           19 0000052D
//	enabled without a password    53 0000052D           taken
//	logon name taken              68 00000524           68 00002071
//	principal name taken          19 000021C7           19 0000202F
//	value too long                19 00002082           21 00000057
//	equality of text              case and diacritics   case
//	member removed from nobody    53 00000561           16 00002085
//	permissive control on member  obeyed                not obeyed
//	rename to other attribute     64 00002073           53 00002035
//	rename by <GUID=…>            done                  32 0000208D
//	bind of an unknown user       data 525              data 52e
//
// Windows is from Microsoft's documents and what is widely reported of it; Samba
// is from its own mouth.
//
// Not there: SASL, replication with other servers, fine-grained security
// descriptors (rights are granted by [Server.Grant]), group policy, VLV and
// sort controls, the global catalogue, persistence.
package double

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ca"
)

// A Flavor says whose behaviour to show where Windows and Samba differ.
type Flavor uint8

// The flavors.
const (
	Windows Flavor = iota
	Samba
)

// Options say what domain to play. The zero value is good for tests.
type Options struct {
	Base          string // "" means DC=corp,DC=example,DC=test
	AdminPassword string // "" means one made at start
	Listen        string // address for LDAPS; "" means 127.0.0.1:0
	ListenPlain   string // address for LDAP with StartTLS; "" means the same host, port 0
	Host          string // dnsHostName; "" means dc1. and the domain's name
	Dir           string // for ca.pem, cert.pem, key.pem; "" means a temp folder removed by Close
	CertFile      string // PEM; with KeyFile and CAFile, instead of making a CA
	KeyFile       string
	CAFile        string
	PlainBinds    bool // take passwords without TLS too; Active Directory's default is to refuse
	Flavor        Flavor
	Policy        Policy
	Log           *slog.Logger // nil means none
}

// A Server is a running double. Its exported fields are not to be changed.
type Server struct {
	LDAPS         string // ldaps://ADDRESS:PORT
	LDAP          string // ldap://ADDRESS:PORT
	CAFile        string
	CA            *x509.CertPool
	BaseDN        string
	AdminDN       string
	AdminUPN      string
	AdminPassword string

	opt     Options
	dir     *directory
	tls     *tls.Config
	tempDir string
	faults  faults
	rights  rights
	done    atomic.Uint64 // operations answered

	mu        sync.Mutex
	listeners []net.Listener
	conns     map[net.Conn]struct{}
	wg        sync.WaitGroup
}

// Start opens the listeners and serves until Close.
func Start(opt Options) (_ *Server, err error) {
	if opt.Base == "" {
		opt.Base = "DC=corp,DC=example,DC=test"
	}
	if opt.AdminPassword == "" {
		opt.AdminPassword = madePassword()
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case opt.Policy.MinLength == 0:
		opt.Policy.MinLength = 7
	case opt.Policy.MinLength < 0:
		opt.Policy.MinLength = 0
	}
	dir, err := newDirectory(opt)
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	if opt.Host == "" {
		opt.Host = "dc1." + dir.dnsName
	}
	if opt.Listen == "" {
		opt.Listen = "127.0.0.1:0"
	}
	if opt.ListenPlain == "" {
		host, _, err := net.SplitHostPort(opt.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen address: %w", err)
		}
		opt.ListenPlain = net.JoinHostPort(host, "0")
	}
	s := &Server{
		opt: opt, dir: dir, conns: map[net.Conn]struct{}{},
		BaseDN: dir.domain.rdn, AdminPassword: opt.AdminPassword,
		AdminDN:  "CN=Administrator,CN=Users," + dir.domain.rdn,
		AdminUPN: "Administrator@" + dir.dnsName,
	}
	if err := s.certificate(); err != nil {
		return nil, errors.Join(fmt.Errorf("certificate: %w", err), s.Close())
	}
	if err := s.Listen(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// certificate loads or makes what the server proves itself with.
func (s *Server) certificate() error {
	var pair tls.Certificate
	if s.opt.CertFile != "" {
		var err error
		if pair, err = tls.LoadX509KeyPair(s.opt.CertFile, s.opt.KeyFile); err != nil {
			return err
		}
		pem, err := os.ReadFile(s.opt.CAFile)
		if err != nil {
			return err
		}
		s.CA, s.CAFile = x509.NewCertPool(), s.opt.CAFile
		if !s.CA.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s holds no certificate", s.opt.CAFile)
		}
	} else {
		dir := s.opt.Dir
		if dir == "" {
			var err error
			if dir, err = os.MkdirTemp("", "ad-double-"); err != nil {
				return err
			}
			s.tempDir = dir
		} else if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		host, _, err := net.SplitHostPort(s.opt.Listen)
		if err != nil {
			return err
		}
		authority, made, err := ca.Write(dir, "AD double", s.opt.Host, host, "localhost", "127.0.0.1")
		if err != nil {
			return err
		}
		pair, s.CA, s.CAFile = made, authority.Pool(), filepath.Join(dir, "ca.pem")
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return nil
}

// Listen opens the listeners, after [Server.Unlisten] on the same addresses.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) > 0 {
		return nil
	}
	for _, l := range []struct {
		addr *string
		url  *string
		tls  bool
	}{{&s.opt.Listen, &s.LDAPS, true}, {&s.opt.ListenPlain, &s.LDAP, false}} {
		ln, err := net.Listen("tcp", *l.addr)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		*l.addr = ln.Addr().String() // keep the port for the next time
		scheme := "ldap://"
		if l.tls {
			scheme = "ldaps://"
		}
		*l.url = scheme + *l.addr
		s.listeners = append(s.listeners, ln)
		s.wg.Go(func() { s.accept(ln, l.tls) })
	}
	return nil
}

// Unlisten closes the listeners and every connection: the server is away.
func (s *Server) Unlisten() {
	s.mu.Lock()
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.listeners = nil
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
}

// Close stops serving, waits for its connections and removes a temp folder.
func (s *Server) Close() error {
	s.Unlisten()
	s.wg.Wait()
	if s.tempDir != "" {
		return os.RemoveAll(s.tempDir)
	}
	return nil
}

// Operations counts the operations answered since the start.
func (s *Server) Operations() uint64 { return s.done.Load() }

// Len counts the live objects of the domain.
func (s *Server) Len() int {
	s.dir.mu.RLock()
	defer s.dir.mu.RUnlock()
	n := 0
	for _, o := range s.dir.byGUID {
		if !o.deleted && o.head() == s.dir.domain {
			n++
		}
	}
	return n
}

// Name returns the domain's DNS name and its NetBIOS name.
func (s *Server) Name() (dns, netBIOS string) { return s.dir.dnsName, s.dir.netBIOS }

func (s *Server) accept(l net.Listener, sealed bool) {
	for {
		c, err := l.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.opt.Log.ErrorContext(context.Background(), "Accept", "err", err)
			}
			return
		}
		if !s.keep(c) {
			_ = c.Close()
			continue
		}
		s.wg.Go(func() {
			defer s.drop(c)
			if sealed {
				t := tls.Server(c, s.tls)
				if t.Handshake() != nil {
					return
				}
				s.serve(t, true)
				return
			}
			s.serve(c, false)
		})
	}
}

func (s *Server) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) == 0 {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) drop(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// splitLogon takes DOMAIN\user apart.
func splitLogon(name string) (domain, user string, ok bool) {
	return strings.Cut(name, `\`)
}
