// Package client is the Go side of the coordinator's HTTP API: the shapes of
// its requests and answers, which package api serves by, and a small client
// that the command line is made of. It knows nothing of the store; the API is
// described by itself at /openapi.json.
//
//	request ─► bearer token ─► JSON ─► answer, or a [Problem] that says what to do
//
// A coordinator that cannot be reached gives an [Unreachable].
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A Client talks to one coordinator. It is safe for concurrent use.
type Client struct {
	URL    string       // where the API is, such as https://drawbridge.example:8443
	Token  string       // API token
	Reason string       // why it is asked, for the audit; may be empty
	HTTP   *http.Client // nil means http.DefaultClient
}

// Unreachable says that no answer came.
type Unreachable struct {
	URL string
	Err error
}

func (e *Unreachable) Error() string { return fmt.Sprintf("no answer from %s: %v", e.URL, e.Err) }

// Unwrap gives the network's own error.
func (e *Unreachable) Unwrap() error { return e.Err }

// Get asks for path with the query and decodes the answer into out.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	return c.do(ctx, http.MethodGet, path, query, "", nil, out)
}

// most is how many items a page has at most.
const most = 1000

// Copy asks for path with the query and copies the answer as it is.
func (c *Client) Copy(ctx context.Context, path string, query url.Values, to io.Writer) error {
	resp, err := c.send(ctx, http.MethodGet, path, query, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(to, resp.Body); err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	return nil
}

// Items asks for the list at path, page by page, and decodes its items into
// out, a pointer to a slice: up to limit of the query, or all where it names none.
func (c *Client) Items(ctx context.Context, path string, query url.Values, out any) error {
	path, inPath, _ := strings.Cut(path, "?")
	query = cloned(query)
	if more, err := url.ParseQuery(inPath); err == nil {
		for k, v := range more {
			query[k] = v
		}
	}
	wanted, err := strconv.Atoi(query.Get("limit"))
	if err != nil {
		wanted = math.MaxInt
	}
	all := []json.RawMessage{}
	for next := "first"; next != "" && len(all) < wanted; {
		if query.Has("limit") || next != "first" {
			query.Set("limit", strconv.Itoa(min(most, wanted-len(all))))
		}
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next"`
		}
		if err := c.Get(ctx, path, query, &page); err != nil {
			return err
		}
		all, next = append(all, page.Items...), page.Next
		query.Set("cursor", next)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	return nil
}

// Post sends in as JSON (nil: nothing) and decodes the answer into out, which may be nil.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode request to %s: %w", path, err)
		}
	}
	return c.do(ctx, http.MethodPost, path, nil, "application/json", body, out)
}

// Apply stores the system documents in text; name is the file's, for faults.
// With dry set they are only checked.
func (c *Client) Apply(ctx context.Context, name string, text []byte, dry bool) (Applied, error) {
	query := url.Values{"name": {name}}
	if dry {
		query.Set("dry_run", "true")
	}
	var out Applied
	err := c.do(ctx, http.MethodPost, "/v1/systems", query, "application/yaml", text, &out)
	return out, err
}

// Put sends a part of something as it is.
func (c *Client) Put(ctx context.Context, path string, data []byte) error {
	return c.do(ctx, http.MethodPost, path, nil, "application/octet-stream", data, nil)
}

// Open asks for what is no JSON, such as an export. The caller closes it.
func (c *Client) Open(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, path, query, "", nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Call sends a body of JSON, or none, to any route and gives the answer as it comes. The caller closes it.
func (c *Client) Call(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	kind := ""
	if len(body) > 0 {
		kind = "application/json"
	}
	resp, err := c.send(ctx, method, path, nil, kind, body)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (c *Client) do(ctx context.Context, method, path string, query url.Values, kind string, body []byte, out any) error {
	resp, err := c.send(ctx, method, path, query, kind, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	return nil
}

// send gives a response of the 2xx kind, whose body the caller closes.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, kind string, body []byte) (*http.Response, error) {
	target := strings.TrimSuffix(c.URL, "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("address %s: %w", c.URL, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Accept", "application/json")
	if c.Reason != "" {
		req.Header.Set("X-Reason", url.PathEscape(c.Reason)) // headers hold ASCII alone
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	doer := c.HTTP
	if doer == nil {
		doer = http.DefaultClient
	}
	resp, err := doer.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &Unreachable{URL: c.URL, Err: err}
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, problemOf(resp)
}

// problemOf reads the problem of a refused request. An answer that is none,
// such as a proxy's page, becomes one.
func problemOf(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	var p Problem
	if json.Unmarshal(text, &p) != nil || p.Status == 0 {
		p = Problem{Status: resp.StatusCode, Title: resp.Status,
			Detail: "the answer is not one of a coordinator: check the address"}
	}
	return &p
}
