package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"filippo.io/age"
	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// Nothing that a full run writes anywhere (logs at their most talkative,
// databases, journal, snapshots, what the commands print) holds a secret that
// it used: in no form in which it could stand there.
func TestSecrets_areNowhere(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not quick; `make test` runs them")
	}
	t.Setenv("DRAWBRIDGE_LOG_LEVEL", "debug")
	s := set(t, "double")
	if err := s.Furnish(); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{"password of the bind account": s.Domain.Password, "password of the bind account, mistyped": "Mistyped-Nb7#kd92",
		"password at the proxy": "Pr0xy-w0rd&xyz=1"}
	var printed bytes.Buffer // by commands
	say := func(out []byte, err error) []byte {
		t.Helper()
		printed.Write(out)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}

	// The agent goes by a proxy that wants a password, and says everything.
	door := &door{user: "svc", password: secrets["password at the proxy"]}
	config := filepath.Join(s.Dir, "agent.yaml")
	extend(t, config, fmt.Sprintf("proxy: {url: %q, user: svc}\nlog: {level: debug}\n", door.open(t)))
	set := exec.CommandContext(t.Context(), filepath.Join(bin, "drawbridge-agent"), "secret", "set", "proxy", "password", "--config", config)
	set.Stdin = strings.NewReader(secrets["password at the proxy"] + "\n")
	say(set.CombinedOutput())
	s.Agent.Stop()
	if err := s.Agent.Start(); err != nil {
		t.Fatal(err)
	}

	// Somebody may open new passwords, and mistypes the bind account's first.
	desk, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	say(s.CLI(t.Context(), "recipient", "add", "service-desk", desk.Recipient().String()))
	hr, ad, err := s.Documents()
	if err != nil {
		t.Fatal(err)
	}
	if ad, err = withRecipients(ad, "service-desk"); err != nil {
		t.Fatal(err)
	}
	for name, document := range map[string]string{"hr.yaml": hr, "corp-ad.yaml": ad} {
		if err := s.Apply(t.Context(), name, document); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetSecret(t.Context(), stage.AD, "password", secrets["password of the bind account, mistyped"]); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, func() string {
		out, err := s.CLI(t.Context(), "status")
		printed.Write(out)
		return unless(err == nil && strings.Contains(strings.ToLower(string(out)), "password"), "nobody says that the password is wrong")
	})
	if err := s.SetSecret(t.Context(), stage.AD, "password", s.Domain.Password); err != nil {
		t.Fatal(err)
	}

	// People come, change and leave; another agent joins.
	s.File.Put(workers.List(30)...)
	export(t, s)
	gone := s.File.Get(workers.ID(3))
	gone.Status = "T"
	s.File.Put(gone)
	export(t, s)
	var token client.JoinToken
	out, err := s.CLI(t.Context(), "token", "create", "--site", "branch", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &token); err != nil {
		t.Fatal(err)
	}
	if err := s.EnrollAnother(t.Context(), filepath.Join(s.Dir, "branch"), token.Token); err != nil {
		t.Fatal(err)
	}
	secrets["join token"] = token.Token
	secrets["API token"] = s.API.Token
	secrets["key of the recipient"] = desk.String()

	// What the connector made can be opened by the recipient alone, and serves.
	var waiting []client.Password
	if err := json.Unmarshal(say(s.CLI(t.Context(), "password", "list", "-o", "json")), &waiting); err != nil {
		t.Fatal(err)
	}
	if len(waiting) != 30 {
		t.Errorf("%d passwords wait to be picked up; want 30", len(waiting))
	}
	open := func(p client.Password) string {
		var box client.SealedPassword
		if err := s.API.Post(t.Context(), fmt.Sprintf("/v1/passwords/%d/open", p.ID), nil, &box); err != nil {
			t.Fatal(err)
		}
		text, err := sealed.Unseal(box.Box, desk)
		if err != nil {
			t.Fatal(err)
		}
		return text.Reveal()
	}
	for _, p := range waiting {
		secrets["first password of "+p.Person] = open(p)
	}
	if len(waiting) > 0 {
		opens(t, s, waiting[0], secrets["first password of "+waiting[0].Person])
		say(s.CLI(t.Context(), "password", "new", waiting[0].Person))
		var another []client.Password
		if err := json.Unmarshal(say(s.CLI(t.Context(), "password", "list", waiting[0].Person, "-o", "json")), &another); err != nil || len(another) != 1 || another[0].ID == waiting[0].ID {
			t.Fatalf("passwords that wait: %+v, %v; want the new one alone", another, err)
		}
		secrets["second password"] = open(another[0])
		opens(t, s, another[0], secrets["second password"])
	}
	for _, words := range []string{"log -n 1000", "log -n 1000 -o json", "agent list -o json", "job list -o json", "system list -o json", "person show " + workers.ID(1),
		"problem list", "token list", "token list --api"} {
		say(s.CLI(t.Context(), strings.Fields(words)...))
	}
	doctor, _ := exec.CommandContext(t.Context(), filepath.Join(bin, "drawbridge-agent"), "doctor", "--config", config).CombinedOutput() // not all is well on a stage
	printed.Write(doctor)

	places := map[string][]byte{"what commands print": printed.Bytes()}
	pids := append(stage.Children(s.Agent.PID()), s.Agent.PID(), s.Coordinator.PID())
	for _, pid := range pids { // but the stage's own, which tests are given
		for _, of := range []string{"environ", "cmdline"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, of))
			if err == nil {
				places[fmt.Sprintf("%s of process %d", of, pid)] = text
			}
		}
	}
	s.Agent.Kill() // so that nothing is tidied away
	s.Coordinator.Kill()
	collect(t, s.Dir, places)
	// A search that finds nothing proves something only where it finds what is there.
	for _, there := range []string{"agent.log", "coordinator.log", "coordinator.db", "spool.db"} {
		if !slices.ContainsFunc(keys(places), func(name string) bool { return strings.Contains(name, there) && len(places[name]) > 0 }) {
			t.Errorf("nothing of %s was searched", there)
		}
	}
	if found(places, workers.ID(1)) == "" || found(places, "svc") == "" {
		t.Error("the search does not find what is no secret")
	}
	for what, secret := range secrets {
		for form, text := range forms(secret) {
			if place := found(places, text); place != "" {
				t.Errorf("%s stands in %s, as %s", what, place, form)
			}
		}
	}
	if door.passed == 0 {
		t.Error("nothing went by the proxy")
	}
	t.Logf("%d secrets searched for in %d places", len(secrets), len(places))
}

// forms gives the ways in which a text could stand in a file.
func forms(secret string) map[string]string {
	units := func(order func(uint16) [2]byte) (wide []byte) {
		for _, unit := range utf16.Encode([]rune(secret)) {
			b := order(unit)
			wide = append(wide, b[:]...)
		}
		return wide
	}
	little := units(func(u uint16) [2]byte { return [2]byte{byte(u), byte(u >> 8)} })
	big := units(func(u uint16) [2]byte { return [2]byte{byte(u >> 8), byte(u)} })
	inJSON, _ := json.Marshal(secret) // text always has a form
	all := map[string]string{"itself": secret, "UTF-16LE": string(little), "UTF-16BE": string(big), "JSON": strings.Trim(string(inJSON), `"`),
		"Go's quotes": strings.Trim(fmt.Sprintf("%q", secret), `"`), "a part of a URL": url.QueryEscape(secret), "a path of a URL": url.PathEscape(secret),
		"a list of bytes": strings.Trim(fmt.Sprint([]byte(secret)), "[]"), "a list of wide bytes": strings.Trim(fmt.Sprint(little), "[]")}
	for name, text := range map[string]string{"": secret, " of UTF-16LE": string(little)} {
		all["hex"+name] = hex.EncodeToString([]byte(text))
		all["HEX"+name] = strings.ToUpper(hex.EncodeToString([]byte(text)))
		for before := range 3 { // base64 of a text within another depends on where it stands
			padded := strings.Repeat("x", before) + text
			whole := base64.RawStdEncoding.EncodeToString([]byte(padded[:len(padded)/3*3]))
			part := whole[(before*8+5)/6:]
			all[fmt.Sprintf("base64%s, %d behind", name, before)] = part
			all[fmt.Sprintf("base64 for URLs%s, %d behind", name, before)] = strings.NewReplacer("+", "-", "/", "_").Replace(part)
		}
	}
	return all
}

// found names a place where text stands, "" for none.
func found(places map[string][]byte, text string) string {
	for name, content := range places {
		if bytes.Contains(content, []byte(text)) {
			return name
		}
	}
	return ""
}

// collect reads every file that the programs have written. What is left out is
// the directory's own data, and the file whose purpose is to hold the API token.
func collect(t *testing.T, dir string, places map[string][]byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil || name == "domain":
			return fs.SkipDir
		case !d.Type().IsRegular() || name == "domain.log" || name == filepath.Join("coordinator", "admin-token"):
			return nil
		}
		text, err := os.ReadFile(path)
		places[name] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func keys(places map[string][]byte) (names []string) {
	for name := range places {
		names = append(names, name)
	}
	return names
}

// opens signs in to the domain with a password that was picked up.
func opens(t *testing.T, s *stage.Stage, p client.Password, password string) {
	t.Helper()
	admin, err := s.Domain.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	err = admin.Bind(p.Account, password)
	// The first password must be changed (data 773); a wrong one is data 52e.
	if err != nil && !(ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) && strings.Contains(err.Error(), "data 773")) {
		t.Errorf("%s cannot sign in with the password that was picked up: %v", p.Account, err)
	}
}

// withRecipients has a document name who may open new passwords.
func withRecipients(document, names string) (string, error) {
	head, rest, found := strings.Cut(document, "\n  password:\n")
	if !found {
		return "", fmt.Errorf("the sample has no password rule")
	}
	var kept []string
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(strings.TrimSpace(line), "recipients:") {
			kept = append(kept, line)
		}
	}
	return head + "\n  password:\n    recipients: [" + names + "]\n" + strings.Join(kept, ""), nil
}

func extend(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A door is a CONNECT proxy that wants a password by Basic.
type door struct {
	user, password string
	passed         int // of connections; read when all has ended
}

func (d *door) open(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(d.serve)}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String()
}

func (d *door) serve(w http.ResponseWriter, r *http.Request) {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(d.user+":"+d.password))
	if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != want {
		w.Header().Set("Proxy-Authenticate", `Basic realm="stage"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	far, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		far.Close()
		return
	}
	d.passed++
	_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	go copyTo(near, bufio.NewReader(far), far)
	copyTo(far, buffered.Reader, near)
}

func copyTo(to net.Conn, from io.Reader, of net.Conn) {
	_, _ = io.Copy(to, from) // ends with either
	to.Close()
	of.Close()
}
