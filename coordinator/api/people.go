package api

import (
	"context"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) people(doc huma.API) {
	route(doc, "GET", "/v1/people", "list-people", "Find people, as fast as one types", access.Viewer, s.listPeople)
	route(doc, "GET", "/v1/people/{key}", "explain-person", "Explain a person and every value of their accounts", access.Viewer, s.explainPerson)
	route(doc, "GET", "/v1/people/{key}/timeline", "list-steps", "What happened to a person, the latest first", access.Viewer, s.listSteps)
}

type peopleQuery struct {
	Text string `query:"q" maxLength:"200" doc:"Only people of whom each of these words begins a word of key, name, mail or user name" example:"ada lov"`
	Page
}

func (s *Server) listPeople(ctx context.Context, in *peopleQuery) (*items[client.PersonLine], error) {
	var list []client.PersonLine
	next := ""
	err := s.read(ctx, func(tx *store.Tx, who caller) (err error) {
		var rows []store.Person
		if strings.TrimSpace(in.Text) == "" {
			if rows, err = tx.PeopleFrom(who.tenant, in.Cursor, in.Limit); len(rows) == in.Limit {
				next = rows[len(rows)-1].Key
			}
		} else {
			rows, next, err = s.search(tx, who, in)
		}
		if err != nil {
			return err
		}
		list, err = s.lines(tx, who.tenant, rows)
		return err
	})
	out := listed(list)
	out.Body.Next = next
	return out, err
}

// namesShown is how many people are found by their user names besides.
const namesShown = 10

// search finds people. On the first page are, before the others, who has just
// this key and whose user name begins so; on later ones they may come again.
func (s *Server) search(tx *store.Tx, who caller, in *peopleQuery) (rows []store.Person, next string, err error) {
	if in.Cursor == "" {
		if rows, err = s.byName(tx, who, directory.Fold(in.Text)); err != nil {
			return nil, "", err
		}
	}
	text, _, _ := strings.Cut(in.Text, "@") // what stands behind it everybody has
	more, next, err := tx.SearchPeople(who.tenant, directory.Words(text), in.Cursor, in.Limit)
	for _, p := range more {
		if !slices.ContainsFunc(rows, func(r store.Person) bool { return r.ID == p.ID }) {
			rows = append(rows, p)
		}
	}
	return rows, next, err
}

// byName finds who has a key, and people with accounts whose unique names begin with the folded text.
func (s *Server) byName(tx *store.Tx, who caller, text string) ([]store.Person, error) {
	rows, err := tx.PeopleByKey(who.tenant, []string{text})
	if err != nil {
		return nil, err
	}
	systems, err := tx.Systems(who.tenant)
	if err != nil {
		return nil, err
	}
	var holders []string
	for _, row := range systems {
		system, err := s.systems.Get(row)
		if err != nil || system.Target == nil {
			continue
		}
		for _, r := range system.Target.Rules {
			if !r.Unique() || len(holders) >= namesShown {
				continue
			}
			names, err := tx.NamesFrom(who.tenant, row.Name, r.Attribute, text, namesShown-len(holders))
			if err != nil {
				return nil, err
			}
			for _, n := range names {
				if n.Holder != "" && !slices.Contains(holders, n.Holder) {
					holders = append(holders, n.Holder)
				}
			}
		}
	}
	if len(holders) == 0 {
		return rows, nil
	}
	more, err := tx.People(who.tenant, holders)
	slices.SortFunc(more, func(a, b store.Person) int { return strings.Compare(a.Display, b.Display) })
	for _, p := range more {
		if len(rows) == 0 || rows[0].ID != p.ID {
			rows = append(rows, p)
		}
	}
	return rows, err
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
	documents := map[string]*mapping.System{}
	for _, row := range systems {
		if system, err := s.systems.Get(row); err == nil {
			documents[row.Name] = system
		}
	}
	in, has := map[string][]string{}, map[string]bool{}
	made, err := tx.MadeAmong(tenant, rows)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		if a.Gone != 0 {
			continue
		}
		system := documents[a.System]
		if system == nil {
			continue
		}
		if system.TargetOf(a.Class) != nil {
			in[a.Person] = append(in[a.Person], a.System)
		}
		src := system.RecordOf(a.Class, a.Mirror != store.MirrorNone)
		has[a.Person] = has[a.Person] || src != nil && !src.Joins
	}
	list := make([]client.PersonLine, len(rows))
	for i, r := range rows {
		p := directory.Person{ID: r.ID, Key: r.Key, HasSource: has[r.ID] || made[r.Key], Changed: r.Changed.Time()}
		if p.Attributes, err = directory.ParseAttributes(r.Attributes); err != nil {
			return nil, err
		}
		list[i] = client.PersonLine{Key: r.Shown(), Display: r.Display, Kind: r.Kind, Life: p.LifeAt(tx.Now.Time()).String(), Changed: r.Changed.Time(), Accounts: in[r.ID]}
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
