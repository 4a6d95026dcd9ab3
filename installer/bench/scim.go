package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/drawbridge-id/drawbridge/agent/host"
	"github.com/drawbridge-id/drawbridge/installer/workers"
	"github.com/drawbridge-id/drawbridge/plugins/scim/scimmy"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// scimConns is how many creates are under way at a time, on either side.
const scimConns = 16

// scimWrite takes the creates per second that the scim connector, in its own
// process as an agent runs it, gets done by a SCIM server of other people. The
// other side is a bare HTTP client that posts the same bodies over as many
// connections to a new server of the same kind. They take turns; the best of
// each counts.
func scimWrite(ctx context.Context, b *bench) ([]Figure, error) {
	count := b.count(4000)
	var ours, bare float64
	for range 3 {
		rate, err := onScimmy(ctx, func(s *scimmy.Server) (time.Duration, error) { return b.scimConnector(ctx, s, count) })
		if err != nil {
			return nil, err
		}
		ours = max(ours, float64(count)/rate.Seconds())
		if rate, err = onScimmy(ctx, func(s *scimmy.Server) (time.Duration, error) { return scimBare(ctx, s, count) }); err != nil {
			return nil, err
		}
		bare = max(bare, float64(count)/rate.Seconds())
		b.log("best of each so far: %.0f/s, bare %.0f/s", ours, bare)
	}
	return []Figure{against("scim_write", ours, "creates/s", bare)}, nil
}

func onScimmy(ctx context.Context, do func(*scimmy.Server) (time.Duration, error)) (time.Duration, error) {
	s, err := scimmy.Start(ctx, scimmy.Options{})
	if err != nil {
		return 0, err
	}
	defer s.Stop()
	return do(s)
}

// scimConnector returns the time of count creates by the connector.
func (b *bench) scimConnector(ctx context.Context, s *scimmy.Server, count int) (time.Duration, error) {
	path := filepath.Join(b.bin, "drawbridge-connectors")
	sum, err := host.Sum(path)
	if err != nil {
		return 0, err
	}
	h, err := host.New(filepath.Join(b.dir, "run"), []host.Executable{{Path: path, SHA256: sum, Serves: []string{"scim"}}}, host.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	process, err := h.Start(ctx, "scim")
	if err != nil {
		return 0, err
	}
	defer process.Kill()
	settings, err := json.Marshal(map[string]any{"url": s.URL, "connection": map[string]any{"parallel": scimConns}})
	if err != nil {
		return 0, err
	}
	if fault, err := process.Open(ctx, string(settings), map[string]string{"token": s.Token}); err != nil || fault != nil {
		return 0, errors.Join(err, fmt.Errorf("open: %s", fault.GetCause()))
	}
	if _, err := process.Schema(ctx); err != nil { // the agent has it by then
		return 0, err
	}
	return inParallel(ctx, count, func(ctx context.Context, i int) error {
		p := workers.At(i)
		list := []*connectorv1.Attribute{
			{Name: "displayName", Values: []string{"Person " + p.EmployeeID}}, {Name: `emails[type eq "work"].value`, Values: []string{"p" + p.EmployeeID + "@corp.example"}},
			{Name: "externalId", Values: []string{p.EmployeeID}}, {Name: "name.familyName", Values: []string{"Person"}}, {Name: "name.givenName", Values: []string{"Number"}},
			{Name: "title", Values: []string{p.Title}}, {Name: "userName", Values: []string{"p" + p.EmployeeID + "@corp.example"}},
		}
		r, err := process.Apply(ctx, &connectorv1.Operation{Class: "User", ReturnAttributes: []string{"displayName", "enabled", "externalId", "title", "userName"},
			Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{Name: p.EmployeeID, Attributes: list, Anchor: list[2], Enabled: true}}})
		if err == nil && (r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || r.GetUnchanged()) {
			err = fmt.Errorf("create: %v", r)
		}
		return err
	})
}

// scimBare returns the time of count creates by net/http alone.
func scimBare(ctx context.Context, s *scimmy.Server, count int) (time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: scimConns, MaxIdleConnsPerHost: scimConns}}
	defer client.CloseIdleConnections()
	return inParallel(ctx, count, func(ctx context.Context, i int) error {
		p := workers.At(i)
		body := fmt.Appendf(nil, `{"active":true,"displayName":"Person %[1]s","emails":[{"type":"work","value":"p%[1]s@corp.example"}],"externalId":"%[1]s",`+
			`"name":{"familyName":"Person","givenName":"Number"},"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"title":%[2]q,"userName":"p%[1]s@corp.example"}`, p.EmployeeID, p.Title)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/Users", bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+s.Token)
		request.Header.Set("Content-Type", "application/scim+json")
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return err
		}
		if response.StatusCode != http.StatusCreated {
			return fmt.Errorf("create: %s", response.Status)
		}
		return nil
	})
}

// inParallel does something count times, scimConns at a time, and returns how
// long that took.
func inParallel(ctx context.Context, count int, do func(ctx context.Context, i int) error) (time.Duration, error) {
	var next atomic.Int64
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for range scimConns {
		group.Go(func() error {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= count {
					return nil
				}
				if err := do(ctx, i); err != nil {
					return err
				}
			}
			return context.Cause(ctx)
		})
	}
	err := group.Wait()
	return time.Since(began), err
}
