package identity_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/proto/identity"
)

// A certificate that names an agent names one that can be named so, and no
// bytes that are called one stop whoever looks at them.
func FuzzPeer(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x30, 0x82, 0x01, 0x00})
	a := seedAuthority(f)
	cert, err := a()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(cert.Certificate[0])
	f.Fuzz(func(t *testing.T, der []byte) {
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		caller, err := identity.Peer(tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
		if err != nil {
			return
		}
		if again, err := identity.ParseAgent(caller.Agent.String()); err != nil || again != caller.Agent {
			t.Errorf("Peer() = %+v, which is written as %q and read as %+v, %v", caller.Agent, caller.Agent, again, err)
		}
	})
}

// seedAuthority signs for the seeds, which must be whole certificates.
func seedAuthority(f *testing.F) func() (*tls.Certificate, error) {
	f.Helper()
	return newAuthority(f).agent(f, time.Now(), time.Hour)
}
