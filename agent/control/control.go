// Package control is how commands on the host speak with the running agent:
// HTTP over a unix socket in the data directory, which only the service and
// the host's administrators may open. Nothing listens on a port.
//
//	GET  /status                 what runs, how it is
//	GET  /systems/{name}         which secrets a system takes, and where they go
//	POST /systems/{name}/retry   try a system at once, as its secrets were given
//	POST /systems/{name}/probe   have its connector try every step to the system
//
// What the answers hold is the agent's; no secret passes here.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

const (
	longestPath = 100 // of a socket, on all systems
	answerWait  = 10 * time.Second
	probeWait   = 3 * time.Minute // a probe may wait for time limits on the way
)

// ErrNotRunning says that no agent answers on this host.
var ErrNotRunning = errors.New("the agent is not running")

// A Status is what `drawbridge-agent status` shows.
type Status struct {
	Version     string    `json:"version"`
	PID         int       `json:"pid"`
	Started     time.Time `json:"started"`
	Agent       string    `json:"agent"`
	Site        string    `json:"site"`
	Coordinator string    `json:"coordinator"`
	Connected   bool      `json:"connected"`
	Since       time.Time `json:"since"`                // of being connected, or not
	LinkError   string    `json:"link_error,omitempty"` // why the last connection ended
	CertEnds    time.Time `json:"certificate_ends"`
	Results     int       `json:"results_unconfirmed"`
	Records     int64     `json:"record_bytes_unconfirmed"`
	Systems     []System  `json:"systems"`
}

// A System is one of a [Status].
type System struct {
	Name        string    `json:"name"`
	Connector   string    `json:"connector"`
	Ready       bool      `json:"ready"`
	Cause       string    `json:"cause,omitempty"`
	NextStep    string    `json:"next_step,omitempty"`
	NextTry     time.Time `json:"next_try,omitzero"`
	Concurrency int       `json:"concurrency"`
	Waiting     int       `json:"waiting"`
}

// Secrets are what a system takes, and the settings they are bound to.
type Secrets struct {
	Names   []string          `json:"names"`
	Anchors map[string]string `json:"anchors"`
}

// An agent answers.
type agent interface {
	Status() Status
	Secrets(ctx context.Context, system string) (Secrets, error)
	Retry(system string)
	Probe(ctx context.Context, system string) (*connectorv1.ProbeResponse, error)
}

// Path returns where the socket is.
func Path(data string) string { return filepath.Join(data, "agent.sock") }

// Serve answers commands until ctx ends; then it returns ctx's cause.
func Serve(ctx context.Context, data string, a agent) error {
	path := Path(data)
	if len(path) > longestPath {
		return fmt.Errorf("the path of the data folder is too long for a socket: %s has %d characters, at most %d work; set data in agent.yaml to a shorter one", path, len(path), longestPath)
	}
	_ = os.Remove(path) // of a killed agent; the spool's lock says that no other runs
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("open control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return fmt.Errorf("protect control socket: %w", err)
	}
	server := &http.Server{Handler: handler(a), ReadHeaderTimeout: answerWait, IdleTimeout: answerWait}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err = server.Serve(listener)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("serve control socket: %w", err)
}

func handler(a agent) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.Status()) })
	mux.HandleFunc("GET /systems/{name}", func(w http.ResponseWriter, r *http.Request) {
		s, err := a.Secrets(r.Context(), r.PathValue("name"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		answer(w, s)
	})
	mux.HandleFunc("POST /systems/{name}/retry", func(w http.ResponseWriter, r *http.Request) {
		a.Retry(r.PathValue("name"))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /systems/{name}/probe", func(w http.ResponseWriter, r *http.Request) {
		probe, err := a.Probe(r.Context(), r.PathValue("name"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		text, err := protojson.Marshal(probe)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, json.RawMessage(text))
	})
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the caller may be gone
}

// A Client speaks with the agent whose data folder it was made for.
type Client struct{ http *http.Client }

// NewClient returns a client; it connects when it is used.
func NewClient(data string) *Client {
	return &Client{&http.Client{
		Timeout: probeWait,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", Path(data))
			},
		},
	}}
}

// Status asks how the agent is. It returns [ErrNotRunning] if none answers.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.do(ctx, http.MethodGet, "/status", &s)
}

// Secrets asks which secrets a system takes.
func (c *Client) Secrets(ctx context.Context, system string) (s Secrets, err error) {
	return s, c.do(ctx, http.MethodGet, "/systems/"+url.PathEscape(system), &s)
}

// Retry has a system tried at once.
func (c *Client) Retry(ctx context.Context, system string) error {
	return c.do(ctx, http.MethodPost, "/systems/"+url.PathEscape(system)+"/retry", nil)
}

// Probe has a system's connector try every step to it.
func (c *Client) Probe(ctx context.Context, system string) (*connectorv1.ProbeResponse, error) {
	var text json.RawMessage
	if err := c.do(ctx, http.MethodPost, "/systems/"+url.PathEscape(system)+"/probe", &text); err != nil {
		return nil, err
	}
	probe := new(connectorv1.ProbeResponse)
	if err := protojson.Unmarshal(text, probe); err != nil {
		return nil, fmt.Errorf("read the agent's answer: %w", err)
	}
	return probe, nil
}

func (c *Client) do(ctx context.Context, method, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, nil)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	var refused *net.OpError
	if errors.As(err, &refused) && !errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: start it with `drawbridge-agent start` or `drawbridge-agent run`", ErrNotRunning)
	}
	if err != nil {
		return fmt.Errorf("ask the running agent: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return errors.New(strings.TrimSpace(string(text)))
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}
