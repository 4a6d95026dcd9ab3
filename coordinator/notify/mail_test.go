package notify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/notify"
)

// A postOffice is a mail server that takes mail of one user, over TLS, and notes who came.
type postOffice struct {
	inbox
	users []string
	clear bool // somebody gave mail without TLS
}

type posting struct {
	*postOffice
	conn *smtp.Conn
}

func (p *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) { return &posting{p, c}, nil }
func (p *posting) AuthMechanisms() []string                         { return []string{sasl.Plain} }
func (p *posting) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "pa$$" {
			return errors.New("wrong password")
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.users = append(p.users, user)
		return nil
	}), nil
}

func (p *posting) Mail(string, *smtp.MailOptions) error {
	_, secure := p.conn.TLSConnectionState()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear = p.clear || !secure
	return nil
}

// certified gives a certificate of 127.0.0.1 and, as PEM, the authority that it is of, which is itself.
func certified(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Mail goes by STARTTLS or TLS to a server whose certificate is believed, with name and password, and else not at all.
func TestMail_encrypted(t *testing.T) {
	t.Parallel()
	certificate, ca := certified(t)
	_, others := certified(t)
	for _, test := range []struct {
		name, tls      string
		offers, atOnce bool   // STARTTLS; TLS from the first byte
		ca             []byte // that the sender believes
		fault          string // of the delivery; "" where the mail comes
	}{
		{"starttls", "", true, false, ca, ""},
		{"tls", "tls", false, true, ca, ""},
		{"starttls that the server does not know", "starttls", false, false, ca, "STARTTLS"},
		{"certificate of another authority", "starttls", true, false, others, "certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			office, secure := &postOffice{}, &tls.Config{Certificates: []tls.Certificate{certificate}}
			address := l.Addr().String()
			server := smtp.NewServer(office)
			if test.offers {
				server.TLSConfig = secure
			}
			if test.atOnce {
				l = tls.NewListener(l, secure)
			}
			go func() { _ = server.Serve(l) }()
			defer server.Close()
			b := newBench(t, notify.Mail{Server: address, From: "drawbridge@corp.example", User: "drawbridge", Password: "pa$$", TLS: test.tls, CA: test.ca})
			b.post("/v1/mail-receivers", client.NewMailReceiver{Address: "iam@corp.example"}, nil)
			b.post("/v1/mail-receivers/iam@corp.example/test", nil, nil)
			b.tell()
			notices := b.notices("mailto:iam@corp.example")
			office.mu.Lock()
			defer office.mu.Unlock()
			if office.clear {
				t.Error("mail was given in the clear")
			}
			if test.fault == "" {
				if len(office.mails) != 1 || len(office.users) != 1 || office.users[0] != "drawbridge" {
					t.Fatalf("%d mails of %v: %+v; want one of drawbridge", len(office.mails), office.users, notices)
				}
				return
			}
			if len(office.mails) != 0 || len(office.users) != 0 || notices[0].Done != 0 || !strings.Contains(notices[0].Detail, test.fault) {
				t.Errorf("%d mails of %v, detail %q; want none, and %q said", len(office.mails), office.users, notices[0].Detail, test.fault)
			}
		})
	}
}
