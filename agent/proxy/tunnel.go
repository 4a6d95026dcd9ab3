package proxy

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/go-ntlmssp"

	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// bodyBytes is how much of a refusal's text is read, so that the connection can be used again.
const bodyBytes = 1 << 20

// A tunnel is one CONNECT through a proxy, with what it takes to be let in.
type tunnel struct {
	proxy       *url.URL
	address     string
	credentials func() (Credentials, error)

	user  string
	tried string // scheme by which signing in was tried

	conn net.Conn
	in   *bufio.Reader
}

// open asks without credentials first: a proxy that wants none gets none.
func (t *tunnel) open(ctx context.Context) (conn net.Conn, err error) {
	defer func() {
		if err != nil && t.conn != nil {
			t.conn.Close()
		}
	}()
	answer, err := t.ask(ctx, "")
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusProxyAuthRequired {
		if answer, err = t.signIn(ctx, answer); err != nil {
			return nil, err
		}
	}
	if answer.StatusCode != http.StatusOK {
		return nil, t.refused(answer)
	}
	if t.in.Buffered() > 0 {
		return &early{t.conn, t.in}, nil
	}
	return t.conn, nil
}

// signIn goes by the best scheme that the answer offers, and returns what came of it.
func (t *tunnel) signIn(ctx context.Context, answer *http.Response) (*http.Response, error) {
	c, err := t.who()
	if err != nil {
		return nil, &Error{Proxy: t.proxy.Host, Status: answer.StatusCode, Err: err}
	}
	if t.user = c.User; t.user == "" {
		return answer, nil
	}
	offered := schemes(answer)
	if slices.Contains(offered, "NTLM") {
		t.tried = "NTLM"
		return t.ntlm(ctx, c)
	}
	if slices.Contains(offered, "BASIC") {
		t.tried = "Basic"
		return t.ask(ctx, "Basic "+base64.StdEncoding.EncodeToString([]byte(c.User+":"+c.Password.Reveal())))
	}
	return answer, nil
}

// who returns the credentials in the URL of the proxy, or those configured.
func (t *tunnel) who() (Credentials, error) {
	if u := t.proxy.User; u != nil {
		password, _ := u.Password()
		return Credentials{User: u.Username(), Password: sealed.New(password)}, nil
	}
	if t.credentials == nil {
		return Credentials{}, nil
	}
	return t.credentials()
}

// ntlm signs in by MS-NLMP over HTTP: two requests on one connection.
func (t *tunnel) ntlm(ctx context.Context, c Credentials) (*http.Response, error) {
	hello, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		return nil, err
	}
	answer, err := t.ask(ctx, "NTLM "+base64.StdEncoding.EncodeToString(hello))
	if err != nil || answer.StatusCode != http.StatusProxyAuthRequired {
		return answer, err
	}
	challenge := challengeOf(answer)
	if challenge == nil {
		return answer, nil
	}
	if t.conn == nil {
		return nil, t.broken(ctx, errors.New("it offers NTLM and closes the connection on which NTLM goes on"))
	}
	reply, err := ntlmssp.NewAuthenticateMessage(challenge, c.User, c.Password.Reveal(), nil)
	if err != nil {
		return nil, t.broken(ctx, err)
	}
	return t.ask(ctx, "NTLM "+base64.StdEncoding.EncodeToString(reply))
}

func challengeOf(answer *http.Response) []byte {
	for _, v := range answer.Header.Values("Proxy-Authenticate") {
		if len(v) > 5 && strings.EqualFold(v[:5], "NTLM ") {
			if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(v[5:])); err == nil {
				return raw
			}
		}
	}
	return nil
}

// ask sends CONNECT, on the connection that there is or a new one, and reads
// the answer. A connection that the proxy closes after a refusal is dropped.
func (t *tunnel) ask(ctx context.Context, authorization string) (*http.Response, error) {
	if t.conn == nil {
		conn, err := connect(ctx, t.proxy)
		if err != nil {
			return nil, t.broken(ctx, err)
		}
		t.conn, t.in = conn, bufio.NewReader(conn)
	}
	conn := t.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: t.address}, Host: t.address, Header: http.Header{}}
	request.Header.Set("User-Agent", "drawbridge-agent")
	request.Header.Set("Proxy-Connection", "Keep-Alive") // some proxies close after 407 without it
	if authorization != "" {
		request.Header.Set("Proxy-Authorization", authorization)
	}
	err := request.Write(conn)
	var answer *http.Response
	if err == nil {
		answer, err = http.ReadResponse(t.in, request)
	}
	if err == nil && answer.StatusCode != http.StatusOK {
		if n, readErr := io.Copy(io.Discard, io.LimitReader(answer.Body, bodyBytes)); readErr != nil || n == bodyBytes || answer.Close {
			conn.Close()
			t.conn, t.in = nil, nil
		}
	}
	if !stop() {
		err = errors.Join(err, context.Cause(ctx))
	}
	if err != nil {
		return nil, t.broken(ctx, err)
	}
	return answer, nil
}

// schemes returns, in capitals, by which ways the proxy lets users sign in.
func schemes(answer *http.Response) (list []string) {
	for _, v := range answer.Header.Values("Proxy-Authenticate") {
		if name, _, _ := strings.Cut(v, " "); name != "" {
			list = append(list, strings.ToUpper(name))
		}
	}
	return list
}

// early is a connection of which something was read already.
type early struct {
	net.Conn
	in *bufio.Reader
}

func (e *early) Read(p []byte) (int, error) { return e.in.Read(p) }
