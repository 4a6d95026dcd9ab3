package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Follow calls each for the entries of the log after number after that match
// the query, those to come included, until ctx ends, each fails, or the
// connection breaks.
func (c *Client) Follow(ctx context.Context, query url.Values, after int64, each func(Entry) error) error {
	query = cloned(query)
	query.Set("after", fmt.Sprint(after))
	resp, err := c.send(ctx, http.MethodGet, "/v1/log/events", query, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue
		}
		var e Entry
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if e.Seq == 0 { // keep-alive
			continue
		}
		if err := each(e); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := lines.Err(); err != nil {
		return &Unreachable{URL: c.URL, Err: err}
	}
	return &Unreachable{URL: c.URL, Err: fmt.Errorf("the coordinator ended the log")}
}

// Watch calls each for every event of the topics, all of them if none is given,
// until ctx ends, each fails, or the connection breaks. The first event of a
// new stream names no topic.
func (c *Client) Watch(ctx context.Context, topics []string, each func(Changed) error) error {
	query := url.Values{}
	if len(topics) > 0 {
		query.Set("topics", strings.Join(topics, ","))
	}
	resp, err := c.send(ctx, http.MethodGet, "/v1/events", query, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines, kind := bufio.NewScanner(resp.Body), ""
	for lines.Scan() {
		if k, ok := strings.CutPrefix(lines.Text(), "event:"); ok {
			kind = strings.TrimSpace(k)
			continue
		}
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok || kind != "changed" {
			continue
		}
		var changed Changed
		if err := json.Unmarshal([]byte(data), &changed); err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		if err := each(changed); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &Unreachable{URL: c.URL, Err: fmt.Errorf("the coordinator ended the stream")}
}

func cloned(q url.Values) url.Values {
	out := url.Values{}
	for k, v := range q {
		out[k] = v
	}
	return out
}
