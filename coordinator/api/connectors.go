package api

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) connectors(doc huma.API) {
	route(doc, "GET", "/v1/sites", "list-sites", "List sites, with their agents and systems counted", access.Viewer, s.listSites)
	route(doc, "GET", "/v1/connectors", "list-connectors", "List connectors by site, with the schema of their settings", access.Viewer, s.listConnectors)
}

func (s *Server) listSites(ctx context.Context, _ *empty) (*items[client.Site], error) {
	var list []client.Site
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		agents, err := tx.AgentsBySite(who.tenant)
		if err != nil {
			return err
		}
		systems, err := tx.Systems(who.tenant)
		sites := map[string]*client.Site{}
		at := func(name string) *client.Site {
			if sites[name] == nil {
				sites[name] = &client.Site{Name: name}
			}
			return sites[name]
		}
		for _, a := range agents {
			at(a.Site).Agents, at(a.Site).Connected = a.Agents, a.Connected
		}
		for _, y := range systems {
			if y.Site != "" {
				at(y.Site).Systems++
			}
		}
		for _, site := range sites {
			list = append(list, *site)
		}
		slices.SortFunc(list, func(a, b client.Site) int { return strings.Compare(a.Name, b.Name) })
		return err
	})
	return listed(list), err
}

type connectorQuery struct {
	Site string `query:"site" doc:"Only of this site"`
}

func (s *Server) listConnectors(ctx context.Context, in *connectorQuery) (*items[client.Connector], error) {
	var list []client.Connector
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.ConnectorsBySite(who.tenant, in.Site)
		all := map[[2]string]*client.Connector{}
		for _, row := range rows {
			for _, c := range connectorsOf(store.Agent{Connectors: row.Text}) {
				key := [2]string{row.Site, c.Name}
				if all[key] == nil {
					all[key] = &client.Connector{Site: row.Site, Name: c.Name}
				}
				add(all[key], c, row.Agents)
			}
		}
		for _, c := range all {
			list = append(list, *c)
		}
		slices.SortFunc(list, func(a, b client.Connector) int {
			return cmp.Or(strings.Compare(a.Site, b.Site), strings.Compare(a.Name, b.Name))
		})
		return err
	})
	return listed(list), err
}

// add adds what some agents have of a connector. The settings are those of the latest release.
func add(to *client.Connector, c connector, agents int) {
	to.Agents += agents
	if !slices.Contains(to.Versions, c.Version) {
		to.Versions = append(to.Versions, c.Version)
		slices.SortFunc(to.Versions, compareVersions)
	}
	if to.Versions[len(to.Versions)-1] != c.Version && to.Settings != nil {
		return
	}
	to.Capabilities = []string{}
	for _, name := range c.Capabilities {
		to.Capabilities = append(to.Capabilities, strings.ToLower(strings.TrimPrefix(name, "CAPABILITY_")))
	}
	to.Settings = json.RawMessage("{}")
	if json.Valid([]byte(c.Settings)) {
		to.Settings = json.RawMessage(c.Settings)
	}
}

// compareVersions orders releases number by number.
func compareVersions(a, b string) int {
	x, y := strings.FieldsFunc(a, notDigit), strings.FieldsFunc(b, notDigit)
	for i := range min(len(x), len(y)) {
		m, _ := strconv.Atoi(x[i])
		n, _ := strconv.Atoi(y[i])
		if m != n {
			return cmp.Compare(m, n)
		}
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

func notDigit(r rune) bool { return r < '0' || r > '9' }
