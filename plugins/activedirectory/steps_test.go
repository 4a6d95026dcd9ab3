package activedirectory_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/ber"
)

// A server that takes no password within an add: the account is made disabled,
// gets its password and is enabled, in this order.
func TestCreate_inSteps(t *testing.T) {
	t.Parallel()
	d := startDouble(t, double.Windows)
	ou := d.ou(t, "Steps")
	proxy := refusePasswords(t, d)
	c := d.open(t, map[string]any{"servers": []string{"ldaps://" + proxy.address}, "ca": proxy.caFile})
	o := c.object(c.done(create(ou, "Ann", "ann")))
	if value(o, "enabled") != "true" {
		t.Errorf("the account is %v; want enabled", o)
	}
	// What cannot get its password is not left.
	proxy.modifiesToo.Store(true)
	wantFault(t, "no password at all", c.apply(create(ou, "Bea", "bea")), invalid, "not willing")
	if got := c.find("user", "sAMAccountName", []string{"bea"}, "name"); len(got) != 0 {
		t.Errorf("%v was left without a password", got)
	}
}

// A passwordRefuser passes everything on to a double but requests that set a
// password, which it refuses as a server would.
type passwordRefuser struct {
	address, caFile string
	modifiesToo     atomic.Bool
}

func refusePasswords(t *testing.T, d domain) *passwordRefuser {
	t.Helper()
	ca, caKey := newCA(t)
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	u, err := url.Parse(d.ldaps)
	if err != nil {
		t.Fatal(err)
	}
	p := &passwordRefuser{address: l.Addr().String(), caFile: writePEM(t, ca.Raw)}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: d.ca, ServerName: u.Hostname()})
			if err != nil {
				client.Close()
				return
			}
			go func() { _, _ = io.Copy(client, server); client.Close() }()
			go func() { p.forward(client, server); server.Close() }()
		}
	}()
	return p
}

func (p *passwordRefuser) forward(client, server net.Conn) {
	const add, modify = 0x68, 0x66
	r := bufio.NewReader(client)
	for {
		head, err := r.Peek(6) // the connector's messages all have such a head
		if err != nil {
			return
		}
		_, size, n, err := ber.Header(head)
		if err != nil || size == 0 {
			return
		}
		message := make([]byte, size+n)
		if _, err := io.ReadFull(r, message); err != nil {
			return
		}
		_, id, rest := ber.Next(message[size:])
		tag, _, _ := ber.Next(rest)
		refuse := tag == add || tag == modify && p.modifiesToo.Load()
		if !refuse || !bytes.Contains(message, []byte("unicodePwd")) {
			if _, err := server.Write(message); err != nil {
				return
			}
			continue
		}
		answer, at := ber.Open(nil, ber.Sequence)
		answer = ber.Text(answer, ber.Integer, id)
		answer, op := ber.Open(answer, tag+1)
		answer = ber.Int(answer, ber.Enumerated, 53)
		answer = ber.Text(ber.Text(answer, ber.OctetString, ""), ber.OctetString, "00000057: SvcErr: problem 5003 (WILL_NOT_PERFORM)")
		if _, err := client.Write(ber.Shut(ber.Shut(answer, op), at)); err != nil {
			return
		}
	}
}
