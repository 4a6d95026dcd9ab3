package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) people(doc huma.API) {
	route(doc, "GET", "/v1/people", "list-people", "Find people by key or name", access.Viewer, s.listPeople)
	route(doc, "GET", "/v1/people/{key}", "explain-person", "Explain a person and every value of their accounts", access.Viewer, s.explainPerson)
}

type peopleQuery struct {
	Text  string `query:"q" doc:"Only whose key or name holds this"`
	After string `query:"after" doc:"Only with keys behind this one"`
	Limit int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"How many at most"`
}

func (s *Server) listPeople(ctx context.Context, in *peopleQuery) (*items[client.PersonLine], error) {
	var list []client.PersonLine
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.FindPeople(who.tenant, in.Text, directory.Fold(in.After), in.Limit)
		if err != nil {
			return err
		}
		list, err = s.lines(tx, who.tenant, rows)
		return err
	})
	return listed(list), err
}

// lines gives people for a list, with the systems that they have accounts in.
func (s *Server) lines(tx *store.Tx, tenant string, rows []store.Person) ([]client.PersonLine, error) {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	accounts, err := tx.AccountsOf(tenant, ids)
	if err != nil {
		return nil, err
	}
	systems, err := tx.Systems(tenant)
	if err != nil {
		return nil, err
	}
	targets, sources := map[string]string{}, map[string]string{} // class by system
	for _, row := range systems {
		if system, err := s.systems.Get(row); err == nil {
			if system.Target != nil {
				targets[row.Name] = system.Target.Class
			}
			if system.Source != nil && !system.Source.Joins {
				sources[row.Name] = system.Source.Class
			}
		}
	}
	in, has := map[string][]string{}, map[string]bool{}
	for _, a := range accounts {
		if a.Gone != 0 {
			continue
		}
		if targets[a.System] == a.Class {
			in[a.Person] = append(in[a.Person], a.System)
		}
		has[a.Person] = has[a.Person] || sources[a.System] == a.Class
	}
	list := make([]client.PersonLine, len(rows))
	for i, r := range rows {
		p := directory.Person{ID: r.ID, Key: r.Key, HasSource: has[r.ID], Changed: r.Changed.Time()}
		if p.Attributes, err = directory.ParseAttributes(r.Attributes); err != nil {
			return nil, err
		}
		list[i] = client.PersonLine{Key: r.Shown(), Display: r.Display, Life: p.LifeAt(tx.Now.Time()).String(), Changed: r.Changed.Time(), Accounts: in[r.ID]}
		if list[i].Accounts == nil {
			list[i].Accounts = []string{}
		}
	}
	return list, nil
}

type keyPath struct {
	Key string `path:"key" doc:"Key of the person, or their id"`
}

func (s *Server) explainPerson(ctx context.Context, in *keyPath) (*body[client.Person], error) {
	var out client.Person
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := personRow(tx, who, in.Key)
		if err != nil {
			return err
		}
		out, err = history.Explain(tx, s.systems.Get, row)
		return err
	})
	return answer(out), err
}
