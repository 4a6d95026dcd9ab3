// Package control is how commands on the host speak with the running agent:
// HTTP over a unix socket in the data folder, on Windows over a named pipe,
// which only the service and the host's administrators may open. Nothing
// listens on a port.
//
//	GET  /status                 what runs, how it is
//	GET  /systems                the systems as the coordinator configured them
//	GET  /systems/{name}         which secrets a system takes, and where they go
//	POST /systems/{name}/retry   try a system at once, as its secrets were given
//	POST /systems/{name}/probe   have its connector try every step to the system
//	POST /approve                let jobs pass that the guardrail has wait
//	POST /update                 look at what is ordered about updates
//	GET  /draft                  a guardrail drafted from what was seen
//
// What the answers hold is the agent's; no secret passes here.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	answerWait = 10 * time.Second
	probeWait  = 3 * time.Minute // a probe may wait for time limits on the way
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
	DiskFull    string    `json:"disk_full,omitempty"`  // why no new job is taken
	ClockOff    bool      `json:"clock_off,omitempty"`  // jobs go by the coordinator's clock: the host's was set by minutes
	CertEnds    time.Time `json:"certificate_ends"`
	Asking      string    `json:"asking,omitempty"`     // why an admin must approve this agent
	AskingKey   string    `json:"asking_key,omitempty"` // fingerprint of what is to be approved
	Results     int       `json:"results_unconfirmed"`
	Records     int64     `json:"record_bytes_unconfirmed"`
	Systems     []System  `json:"systems"`
	Guardrail   Guardrail `json:"guardrail"`
	Update      *Update   `json:"update,omitempty"` // none where the agent does not update itself
}

// An Update is how the update of an agent stands.
type Update struct {
	State    string `json:"state"`
	Version  string `json:"version,omitempty"` // that it is about
	Cause    string `json:"cause,omitempty"`
	Previous string `json:"previous,omitempty"` // that would be gone back to
}

// A Guardrail is the local policy in force.
type Guardrail struct {
	Mode    string                       `json:"mode"` // enforce, observe, built-in or broken
	File    string                       `json:"file"`
	Digest  string                       `json:"digest,omitempty"`
	Signed  bool                         `json:"signed"`
	Summary []string                     `json:"summary"`
	Cause   string                       `json:"cause,omitempty"` // why it is broken
	Denied  uint64                       `json:"denied"`
	Waiting []Waiting                    `json:"waiting,omitempty"`
	Spent   map[string]map[string][2]int `json:"spent,omitempty"` // by system and verb: in the last hour, in the last day
}

// Waiting is a job that the guardrail holds back.
type Waiting struct {
	Job    uint64    `json:"job"`
	System string    `json:"system"`
	Cause  string    `json:"cause"`
	Since  time.Time `json:"since"`
}

// An Approval lets jobs pass, or all that wait.
type Approval struct {
	Jobs []uint64 `json:"jobs"`
	All  bool     `json:"all"`
	By   string   `json:"by"` // for the log
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
	Rights      []string  `json:"rights_warnings,omitempty"` // what its account lacks, or has too much
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
	Approve(jobs []uint64, all bool, who string) (missing []uint64, err error)
	Draft() string
	LookForUpdate()
	Systems() *linkv1.Systems
}

// Serve answers commands until ctx ends; then it returns ctx's cause.
func Serve(ctx context.Context, data string, a agent) error {
	listener, err := listen(data)
	if err != nil {
		return fmt.Errorf("open control socket: %w", err)
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
	mux.HandleFunc("GET /systems", func(w http.ResponseWriter, _ *http.Request) {
		text, err := protojson.Marshal(a.Systems())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, json.RawMessage(text))
	})
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
	mux.HandleFunc("POST /approve", func(w http.ResponseWriter, r *http.Request) {
		var approval Approval
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&approval); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		missing, err := a.Approve(approval.Jobs, approval.All, approval.By)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, missing)
	})
	mux.HandleFunc("POST /update", func(w http.ResponseWriter, _ *http.Request) {
		a.LookForUpdate()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /draft", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.Draft()) })
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
				return dial(ctx, data)
			},
		},
	}}
}

// Status asks how the agent is. It returns [ErrNotRunning] if none answers.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.do(ctx, http.MethodGet, "/status", nil, &s)
}

// Secrets asks which secrets a system takes.
func (c *Client) Secrets(ctx context.Context, system string) (s Secrets, err error) {
	return s, c.do(ctx, http.MethodGet, "/systems/"+url.PathEscape(system), nil, &s)
}

// Systems asks for the systems as the coordinator configured them.
func (c *Client) Systems(ctx context.Context) (*linkv1.Systems, error) {
	var text json.RawMessage
	if err := c.do(ctx, http.MethodGet, "/systems", nil, &text); err != nil {
		return nil, err
	}
	systems := new(linkv1.Systems)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, systems); err != nil {
		return nil, fmt.Errorf("read the agent's answer: %w", err)
	}
	return systems, nil
}

// Retry has a system tried at once.
func (c *Client) Retry(ctx context.Context, system string) error {
	return c.do(ctx, http.MethodPost, "/systems/"+url.PathEscape(system)+"/retry", nil, nil)
}

// Approve lets jobs pass; it returns those that do not wait.
func (c *Client) Approve(ctx context.Context, approval Approval) (missing []uint64, err error) {
	return missing, c.do(ctx, http.MethodPost, "/approve", approval, &missing)
}

// Look has the agent look at what is ordered about its update.
func (c *Client) Look(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/update", nil, nil)
}

// Draft asks for a guardrail drafted from what was seen.
func (c *Client) Draft(ctx context.Context) (text string, err error) {
	return text, c.do(ctx, http.MethodGet, "/draft", nil, &text)
}

// Probe has a system's connector try every step to it.
func (c *Client) Probe(ctx context.Context, system string) (*connectorv1.ProbeResponse, error) {
	var text json.RawMessage
	if err := c.do(ctx, http.MethodPost, "/systems/"+url.PathEscape(system)+"/probe", nil, &text); err != nil {
		return nil, err
	}
	probe := new(connectorv1.ProbeResponse)
	if err := protojson.Unmarshal(text, probe); err != nil {
		return nil, fmt.Errorf("read the agent's answer: %w", err)
	}
	return probe, nil
}

// do asks with the JSON of body, which may be nil, and decodes the answer into what into points to.
func (c *Client) do(ctx context.Context, method, path string, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if errors.Is(err, ErrNotRunning) {
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
