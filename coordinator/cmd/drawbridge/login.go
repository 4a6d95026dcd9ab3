package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

// loginWait is how long the browser may take.
const loginWait = 10 * time.Minute

func loginCommand(s *session) *cobra.Command {
	var noBrowser bool
	c := &cobra.Command{
		Use:   "login",
		Short: "Sign in through the browser; this command line then acts as you",
		Long: `Opens the coordinator's page in the browser, where you sign in and let this command line act as you,
with your roles, until your session's end. For programs make a token: drawbridge token create --api NAME.`,
		Example: `  drawbridge login --url https://id.corp.example`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			got, err := s.login(cmd.Context(), noBrowser)
			if err != nil {
				return err
			}
			in, err := readSignIn()
			if err != nil {
				return err
			}
			if in.Tokens == nil {
				in.Tokens = map[string]client.SignedIn{}
			}
			in.URL, in.Tokens[s.api.URL] = s.api.URL, got
			if err := in.keep(); err != nil {
				return fmt.Errorf("keep the sign-in: %w", err)
			}
			return s.show(map[string]any{"name": got.Name, "expires": got.Expires}, func() { s.printf("Signed in as %s until %s.", got.Name, stamp(got.Expires)) })
		},
	}
	c.Flags().BoolVar(&noBrowser, "no-browser", false, "only show the address to open")
	return c
}

// login waits for the browser to come back with a code, and exchanges it.
func (s *session) login(ctx context.Context, noBrowser bool) (out client.SignedIn, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return out, fmt.Errorf("listen for the browser: %w", err)
	}
	verifier, state, codes := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), make(chan string, 1)
	server := &http.Server{Handler: comesBack(state, codes), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Shutdown
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(last) // the page that says it is done is sent yet
	}()
	address := strings.TrimSuffix(s.api.URL, "/") + "/auth/cli?" + url.Values{"port": {strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)},
		"state": {state}, "challenge": {oauth2.S256ChallengeFromVerifier(verifier)}}.Encode()
	fmt.Fprintf(s.errOut, "Open this address in the browser of this computer:\n  %s\n", address)
	if !noBrowser {
		openBrowser(address)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, loginWait, fmt.Errorf("nobody came back from the browser within %s", loginWait))
	defer cancel()
	select {
	case <-ctx.Done():
		return out, context.Cause(ctx)
	case code := <-codes:
		return s.exchange(ctx, code, verifier)
	}
}

// comesBack takes the code that the browser brings, if it is of this very login.
func comesBack(state string, codes chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/" || q.Get("state") != state || q.Get("code") == "" {
			http.Error(w, "This address is of no drawbridge login that is under way.", http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, "The command line is signed in. You may close this page.\n")
		select {
		case codes <- q.Get("code"):
		default: // it has one
		}
	})
}

func (s *session) exchange(ctx context.Context, code, verifier string) (out client.SignedIn, err error) {
	form := url.Values{"code": {code}, "verifier": {verifier}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(s.api.URL, "/")+"/auth/cli/token", strings.NewReader(form.Encode()))
	if err != nil {
		return out, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	doer := s.api.HTTP
	if doer == nil {
		doer = http.DefaultClient
	}
	resp, err := doer.Do(req)
	if err != nil {
		return out, &client.Unreachable{URL: s.api.URL, Err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p := &client.Problem{Status: resp.StatusCode, Title: resp.Status}
		_ = json.NewDecoder(resp.Body).Decode(p) // a proxy's page leaves the status
		return out, p
	}
	return out, json.NewDecoder(resp.Body).Decode(&out)
}

// openBrowser tries to; the address is on the screen anyway.
func openBrowser(address string) {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	case "darwin":
		name = "open"
	}
	if cmd := exec.Command(name, args...); cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}

func logoutCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "End what drawbridge login began",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := readSignIn()
			if err != nil {
				return err
			}
			t, there := in.Tokens[s.api.URL]
			if !there {
				return s.show(map[string]bool{"signed_out": false}, func() { s.printf("Not signed in at %s.", s.api.URL) })
			}
			c := *s.api
			c.Token = t.Token
			ended := c.Post(cmd.Context(), "/v1/me/sign-out", nil, nil)
			delete(in.Tokens, s.api.URL)
			if err := in.keep(); err != nil {
				return fmt.Errorf("forget the sign-in: %w", err)
			}
			if exitCode(ended) == 4 { // it was over already
				ended = nil
			}
			if ended != nil {
				return &adviceError{fmt.Errorf("the token is forgotten here, but still good: %w", ended), "an administrator ends it with: drawbridge token revoke ID"}
			}
			return s.show(map[string]bool{"signed_out": true}, func() { s.printf("Signed out of %s.", s.api.URL) })
		},
	}
}
