package doctor_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// An interceptor is a CONNECT proxy. Told to inspect, it opens the TLS that goes
// through: it shows a certificate of its own, made for the name that is asked
// for, and reads what it passes on.
type interceptor struct {
	url     string
	inspect bool
	key     *ecdsa.PrivateKey
	ca      *x509.Certificate
}

func newInterceptor(t *testing.T, inspect bool) *interceptor {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &interceptor{inspect: inspect, key: key, ca: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Contoso TLS Inspection CA", Organization: []string{"Contoso Security"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	i.url = "http://" + listener.Addr().String()
	var all sync.WaitGroup
	t.Cleanup(func() { listener.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer conn.Close(); i.serve(conn) })
		}
	})
	return i
}

func (i *interceptor) serve(conn net.Conn) {
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	fmt.Fprint(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	if !i.inspect {
		out, err := net.Dial("tcp", request.Host)
		if err == nil {
			pass(conn, out)
		}
		return
	}
	inside := tls.Server(conn, &tls.Config{NextProtos: []string{"h2"}, ClientAuth: tls.RequestClientCert,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return i.mint(hello.ServerName) }})
	if inside.Handshake() != nil {
		return
	}
	out, err := tls.Dial("tcp", request.Host, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err == nil {
		pass(inside, out)
	}
}

func (i *interceptor) mint(name string) (*tls.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: i.ca.NotBefore, NotAfter: i.ca.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, i.ca, i.key.Public(), i.key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: i.key}, err
}

func pass(in, out net.Conn) {
	go func() { io.Copy(out, in); out.Close() }()
	io.Copy(in, out)
	in.Close()
}
