package proxy_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/proxy"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

const (
	user     = `CORP\svc-drawbridge`
	password = "Correct horse: 4711 ü"
)

// A door is a CONNECT proxy that lets in by the schemes that it is given; NTLM
// is verified by Samba's ntlm_auth, which knows nothing of this package.
type door struct {
	t       *testing.T
	address string
	schemes []string
	status  int  // of its answer to who is let in; 0: it connects
	hangsUp bool // after each refusal

	mu   sync.Mutex
	seen []string // schemes by which somebody tried
}

func newDoor(t *testing.T, d *door) *door {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.t, d.address = t, listener.Addr().String()
	var all sync.WaitGroup
	t.Cleanup(func() { listener.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				d.serve(conn)
			})
		}
	})
	return d
}

func (d *door) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	judge := &judge{}
	defer judge.close()
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		ok, challenge := d.letsIn(judge, request.Header.Get("Proxy-Authorization"))
		switch {
		case request.Method != http.MethodConnect:
			fmt.Fprint(conn, "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
		case !ok:
			text := "HTTP/1.1 407 Proxy Authentication Required\r\n"
			if challenge != "" {
				text += "Proxy-Authenticate: NTLM " + challenge + "\r\n"
			} else {
				for _, s := range d.schemes {
					text += "Proxy-Authenticate: " + s + "\r\n"
				}
			}
			if d.hangsUp && challenge == "" {
				text += "Connection: close\r\n"
			}
			fmt.Fprint(conn, text+"Content-Length: 6\r\n\r\ndenied")
			if d.hangsUp && challenge == "" {
				return
			}
		case d.status != 0:
			fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n\r\n", d.status, http.StatusText(d.status))
		default:
			d.connect(conn, in, request.Host)
			return
		}
	}
}

func (d *door) connect(conn net.Conn, in io.Reader, to string) {
	out, err := net.Dial("tcp", to)
	if err != nil {
		fmt.Fprint(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer out.Close()
	fmt.Fprint(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { io.Copy(out, in); out.Close() }()
	io.Copy(conn, out)
}

func (d *door) letsIn(j *judge, authorization string) (ok bool, challenge string) {
	if len(d.schemes) == 0 {
		return true, ""
	}
	scheme, blob, _ := strings.Cut(authorization, " ")
	d.mu.Lock()
	d.seen = append(d.seen, scheme)
	d.mu.Unlock()
	if !slices.ContainsFunc(d.schemes, func(s string) bool { return strings.HasPrefix(s, scheme) }) {
		return false, ""
	}
	switch scheme {
	case "Basic":
		raw, _ := base64.StdEncoding.DecodeString(blob)
		return string(raw) == user+":"+password, ""
	case "NTLM":
		return j.ask(d.t, blob)
	}
	return false, ""
}

func (d *door) tried() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Compact(slices.Clone(d.seen))
}

// A judge is ntlm_auth, which keeps its state for one connection.
type judge struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (j *judge) ask(t *testing.T, blob string) (ok bool, challenge string) {
	verb := "KK"
	if j.cmd == nil {
		verb = "YR"
		domain, name, _ := strings.Cut(user, `\`)
		j.cmd = exec.Command("ntlm_auth", "--helper-protocol=squid-2.5-ntlmssp", "--domain="+domain, "--username="+name, "--password="+password)
		j.in, _ = j.cmd.StdinPipe()
		out, _ := j.cmd.StdoutPipe()
		j.out = bufio.NewReader(out)
		if err := j.cmd.Start(); err != nil {
			t.Error(err)
			return false, ""
		}
	}
	fmt.Fprintf(j.in, "%s %s\n", verb, blob)
	line, err := j.out.ReadString('\n')
	if err != nil {
		t.Errorf("ntlm_auth: %v", err)
	}
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch word {
	case "TT":
		return false, rest
	case "AF":
		return true, ""
	}
	return false, ""
}

func (j *judge) close() {
	if j.cmd != nil {
		j.in.Close()
		_ = j.cmd.Wait()
	}
}

// needNTLM leaves the test out where Samba's ntlm_auth is not installed.
func needNTLM(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ntlm_auth"); err != nil {
		t.Skip("LEFT OUT: NTLM proxies, for which Samba's ntlm_auth is needed (package winbind)")
	}
}

// echo returns the address of a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(conn, conn); conn.Close() }()
		}
	}()
	return listener.Addr().String()
}

func as(name, secret string) func() (proxy.Credentials, error) {
	return func() (proxy.Credentials, error) {
		return proxy.Credentials{User: name, Password: sealed.New(secret)}, nil
	}
}

// works sends something there and back.
func works(t *testing.T, d *proxy.Dialer, to string) {
	t.Helper()
	conn, err := d.Dial(t.Context(), to)
	if err != nil {
		t.Fatalf("Dial = %v; want a connection", err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "hello\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "hello\n" {
		t.Errorf("through the proxy came %q, %v; want what was sent", line, err)
	}
}

func TestPain06_letInByBasicAndNTLM(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		door *door
		as   func() (proxy.Credentials, error)
		by   []string
	}{
		"open":                       {&door{}, nil, nil},
		"open, and a user is set":    {&door{}, as(user, password), nil},
		"Basic":                      {&door{schemes: []string{`Basic realm="corp"`}}, as(user, password), []string{"", "Basic"}},
		"Basic, closes after 407":    {&door{schemes: []string{`Basic realm="corp"`}, hangsUp: true}, as(user, password), []string{"", "Basic"}},
		"NTLM":                       {&door{schemes: []string{"NTLM"}}, as(user, password), []string{"", "NTLM"}},
		"NTLM, closes after 407":     {&door{schemes: []string{"NTLM"}, hangsUp: true}, as(user, password), []string{"", "NTLM"}},
		"NTLM before Basic":          {&door{schemes: []string{`Basic realm="corp"`, "Negotiate", "NTLM"}}, as(user, password), []string{"", "NTLM"}},
		"NTLM, name in another case": {&door{schemes: []string{"NTLM"}}, as(`corp\SVC-Drawbridge`, password), []string{"", "NTLM"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if slices.Contains(tt.door.schemes, "NTLM") {
				needNTLM(t)
			}
			d := newDoor(t, tt.door)
			works(t, &proxy.Dialer{URL: "http://" + d.address, Credentials: tt.as}, echo(t))
			if got := d.tried(); !slices.Equal(got, tt.by) {
				t.Errorf("the proxy saw attempts by %q; want %q", got, tt.by)
			}
		})
	}
}

// Whoever reads the error knows whose turn it is: the admin's, or the network team's.
func TestDial_refused(t *testing.T) {
	t.Parallel()
	to := echo(t)
	for name, tt := range map[string]struct {
		door   *door
		as     func() (proxy.Credentials, error)
		status int
		says   []string
	}{
		"no user":               {&door{schemes: []string{"NTLM", "Basic"}}, nil, 407, []string{"wants a user", "NTLM, BASIC", "secret set proxy password"}},
		"wrong password, Basic": {&door{schemes: []string{"Basic"}}, as(user, "wrong"), 407, []string{"by Basic", "secret set proxy password"}},
		"wrong password, NTLM":  {&door{schemes: []string{"NTLM"}}, as(user, "wrong"), 407, []string{"by NTLM", "svc-drawbridge"}},
		"Kerberos only":         {&door{schemes: []string{"Negotiate"}}, as(user, password), 407, []string{"only NEGOTIATE"}},
		"not let through":       {&door{status: 403}, nil, 403, []string{to, "403", "ask the network team", "CONNECT"}},
		"not reached":           {&door{status: 504}, nil, 504, []string{"504", "ask the network team"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if slices.Contains(tt.door.schemes, "NTLM") {
				needNTLM(t)
			}
			d := newDoor(t, tt.door)
			_, err := (&proxy.Dialer{URL: "http://" + d.address, Credentials: tt.as}).Dial(t.Context(), to)
			var refused *proxy.Error
			if !errors.As(err, &refused) || refused.Status != tt.status {
				t.Fatalf("Dial = %v; want an Error of %d", err, tt.status)
			}
			text := err.Error() + ": " + refused.Next()
			for _, w := range tt.says {
				if !strings.Contains(text, w) {
					t.Errorf("%q does not say %q", text, w)
				}
			}
			if strings.Contains(text, password) {
				t.Errorf("%q shows the password", text)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		_, err := (&proxy.Dialer{URL: "http://127.0.0.1:1"}).Dial(t.Context(), to)
		var refused *proxy.Error
		if !errors.As(err, &refused) || refused.Status != 0 || !strings.Contains(refused.Next(), "proxy.url") {
			t.Errorf("Dial = %v; want an Error that names proxy.url", err)
		}
	})
}

// A proxy that says nothing costs the time that the caller gives, no more.
func TestDial_silentProxy(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = (&proxy.Dialer{URL: "http://" + listener.Addr().String()}).Dial(ctx, "127.0.0.1:2")
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second {
		t.Errorf("Dial = %v after %s; want deadline exceeded", err, took)
	}
}

// agent.yaml goes before the environment, whose user and password serve.
func TestDialer_environment(t *testing.T) {
	d := newDoor(t, &door{schemes: []string{"Basic"}})
	other := newDoor(t, &door{status: 403})
	t.Setenv("HTTPS_PROXY", "http://CORP%5Csvc-drawbridge:Correct%20horse%3A%204711%20%C3%BC@"+d.address)
	t.Setenv("NO_PROXY", "inside.example")
	for _, tt := range []struct{ url, address, want string }{
		{"", "drawbridge.example.com:8443", d.address},
		{"", "inside.example:8443", ""},
		{proxy.None, "drawbridge.example.com:8443", ""},
		{"http://" + other.address, "inside.example:8443", other.address},
	} {
		u, err := (&proxy.Dialer{URL: tt.url}).Proxy(tt.address)
		got := ""
		if u != nil {
			got = u.Host
		}
		if err != nil || got != tt.want {
			t.Errorf("Proxy(%q) with %q = %q, %v; want %q", tt.address, tt.url, got, err, tt.want)
		}
	}
	// The environment's proxy is not used for loopback addresses, so it is named.
	works(t, &proxy.Dialer{URL: "http://CORP%5Csvc-drawbridge:Correct%20horse%3A%204711%20%C3%BC@" + d.address}, echo(t))
}
