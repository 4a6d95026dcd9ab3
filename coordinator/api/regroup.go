package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// regrouper merges and splits people; it is intake's.
type regrouper interface {
	Merge(tx *store.Tx, from, into store.Person, who string) (store.Merge, error)
	Split(tx *store.Tx, p store.Person, refs []intake.Ref, who string) (store.Merge, error)
	UndoMerge(tx *store.Tx, tenant string, id int64, who string) (store.Merge, error)
}

func (s *Server) regroup(doc huma.API) {
	route(doc, "GET", "/v1/people/{key}/records", "list-belongings", "List the records and accounts of a person", access.Viewer, s.listBelongings)
	route(doc, "POST", "/v1/people/{key}/merge", "merge-person", "Make two people one, or see what that would change", access.Operator, s.mergePerson)
	route(doc, "POST", "/v1/people/{key}/split", "split-person", "Make a new person of records of somebody, or see what that would change", access.Operator, s.splitPerson)
	route(doc, "GET", "/v1/merges", "list-merges", "List who was merged and split, the latest first", access.Viewer, s.listMerges)
	route(doc, "POST", "/v1/merges/{id}/undo", "undo-merge", "Take a merge or a split back, or see what that would change", access.Operator, s.undoMerge)
}

func (s *Server) listBelongings(ctx context.Context, in *PersonPath) (*items[client.Belonging], error) {
	var list []client.Belonging
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		p, err := personRow(tx, who, in.Key)
		if err != nil {
			return err
		}
		r := regrouping{Server: s, tx: tx, who: who}
		list, err = r.belongings(p.ID)
		return err
	})
	return listed(list), err
}

type mergeInput struct {
	PersonPath
	Body client.MergeAsk
}

func (s *Server) mergePerson(ctx context.Context, in *mergeInput) (*body[client.Regrouped], error) {
	return s.regrouped(ctx, in.Body.Preview, func(r *regrouping) (store.Merge, []string, error) {
		from, err1 := personRow(r.tx, r.who, in.Key)
		into, err2 := personRow(r.tx, r.who, in.Body.Into)
		if err := cmp.Or(err1, err2); err != nil {
			return store.Merge{}, nil, err
		}
		access.About(ctx, from.Shown(), "into "+into.Shown())
		if err := r.before(from.ID, into.ID); err != nil {
			return store.Merge{}, nil, err
		}
		m, err := s.People.Merge(r.tx, from, into, r.who.name)
		return m, []string{into.ID}, err
	})
}

type splitInput struct {
	PersonPath
	Body client.SplitAsk
}

func (s *Server) splitPerson(ctx context.Context, in *splitInput) (*body[client.Regrouped], error) {
	return s.regrouped(ctx, in.Body.Preview, func(r *regrouping) (store.Merge, []string, error) {
		p, err := personRow(r.tx, r.who, in.Key)
		if err != nil {
			return store.Merge{}, nil, err
		}
		access.About(ctx, p.Shown(), "")
		refs := make([]intake.Ref, len(in.Body.Records))
		for i, b := range in.Body.Records {
			refs[i] = intake.Ref{System: b.System, ID: b.ID}
		}
		if err := r.before(p.ID); err != nil {
			return store.Merge{}, nil, err
		}
		m, err := s.People.Split(r.tx, p, refs, r.who.name)
		return m, []string{p.ID, m.Other}, err
	})
}

type unmergeInput struct {
	ID   int64 `path:"id" minimum:"1" doc:"Number of the merge"`
	Body client.UnmergeAsk
}

func (s *Server) undoMerge(ctx context.Context, in *unmergeInput) (*body[client.Regrouped], error) {
	return s.regrouped(ctx, in.Body.Preview, func(r *regrouping) (store.Merge, []string, error) {
		m, err := r.tx.Merge(r.who.tenant, in.ID)
		if err != nil {
			return m, nil, missing(err, "merge", in.ID, "see drawbridge person merges")
		}
		was, err := intake.ShiftOf(m)
		if err != nil {
			return m, nil, err
		}
		access.About(ctx, fmt.Sprintf("merge %d", m.ID), m.Kind+" of "+was.Person.Shown())
		if err := r.before(m.Person, m.Other); err != nil {
			return m, nil, err
		}
		r.out.Kind = "undo"
		m, err = s.People.UndoMerge(r.tx, r.who.tenant, in.ID, r.who.name)
		return m, []string{m.Person, m.Other}, err
	})
}

// A regrouping is a merge or split on its way.
type regrouping struct {
	*Server
	tx  *store.Tx
	who caller
	was map[string]directory.Attributes // by id
	had map[intake.Ref]client.Belonging
	out client.Regrouped
}

// errPreview ends the transaction of what is only looked at.
var errPreview = errors.New("only a preview")

// regrouped does something to who is whom and tells what it changes; as a preview it is not kept.
func (s *Server) regrouped(ctx context.Context, preview bool, do func(*regrouping) (store.Merge, []string, error)) (*body[client.Regrouped], error) {
	if preview {
		access.OnlyLooked(ctx)
	}
	r := &regrouping{Server: s}
	err := s.Store.Write(ctx, func(tx *store.Tx) error {
		*r = regrouping{Server: s, tx: tx, who: callerOf(ctx), was: map[string]directory.Attributes{}, had: map[intake.Ref]client.Belonging{}}
		m, people, err := do(r)
		if errors.Is(err, intake.ErrRegroup) {
			return problem(http.StatusConflict, err.Error(), "nothing was changed")
		}
		if err != nil {
			return err
		}
		if err := r.after(m, people); err != nil {
			return err
		}
		if r.out.Previews = preview; preview {
			r.out.ID = 0
			return errPreview
		}
		return nil
	})
	s.forget(callerOf(ctx).tenant)
	if errors.Is(err, errPreview) {
		err = nil
	}
	return answer(r.out), s.refuse(ctx, err)
}

// before notes what people are and have.
func (r *regrouping) before(ids ...string) error {
	rows, err := r.tx.People(r.who.tenant, ids)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if r.was[row.ID], err = directory.ParseAttributes(row.Attributes); err != nil {
			return err
		}
		list, err := r.belongings(row.ID)
		if err != nil {
			return err
		}
		for _, b := range list {
			r.had[intake.Ref{System: b.System, ID: b.ID}] = b
		}
	}
	return nil
}

// after tells what became of it.
func (r *regrouping) after(m store.Merge, people []string) error {
	shift, err := intake.ShiftOf(m)
	if err != nil {
		return err
	}
	r.out.ID, r.out.Kind, r.out.Keys = m.ID, cmp.Or(r.out.Kind, m.Kind), shift.Keys
	r.out.Moved, r.out.LetGo = r.named(shift.Accounts), r.named(shift.LetGo)
	rows, err := r.tx.People(r.who.tenant, people)
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b store.Person) int { return strings.Compare(a.Key, b.Key) })
	systems, err := r.compiled()
	if err != nil {
		return err
	}
	r.out.People = make([]client.RegroupedPerson, len(rows))
	for i, row := range rows {
		if r.out.People[i], err = r.person(row, systems); err != nil {
			return err
		}
	}
	return nil
}

func (r *regrouping) named(refs []intake.Ref) []client.Belonging {
	list := make([]client.Belonging, len(refs))
	for i, ref := range refs {
		list[i] = r.had[ref]
		list[i].System, list[i].ID = ref.System, ref.ID
	}
	return list
}

func (r *regrouping) compiled() ([]*mapping.System, error) {
	rows, err := r.tx.Systems(r.who.tenant)
	var list []*mapping.System
	for _, row := range rows {
		if system, err := r.systems.Get(row); err == nil {
			list = append(list, system)
		}
	}
	return list, err
}

// person tells what is new about somebody, and what the targets want for them.
func (r *regrouping) person(row store.Person, systems []*mapping.System) (client.RegroupedPerson, error) {
	out := client.RegroupedPerson{Key: row.Shown(), Display: row.Display, Changes: []client.AttributeChange{}, Steps: []client.RegroupStep{}}
	is, err := directory.ParseAttributes(row.Attributes)
	if err != nil {
		return out, err
	}
	was := r.was[row.ID]
	for _, path := range is.Changes(was) {
		out.Changes = append(out.Changes, client.AttributeChange{Path: path, Before: valuesOf(was, path), After: valuesOf(is, path)})
	}
	p := directory.Person{ID: row.ID, Key: row.Key, Attributes: is, Changed: row.Changed.Time()}
	seen, err := plan.Foresee(r.tx, r.who.tenant, systems).People([]plan.Subject{{ID: row.ID, As: []*directory.Person{&p}}})
	if err != nil {
		return out, err
	}
	for _, system := range systems {
		s, ok := seen[0][0][system.Name]
		if !ok {
			continue
		}
		if s.Problem != nil {
			out.Steps = append(out.Steps, client.RegroupStep{System: system.Name, Class: "problem", Text: s.Problem.Fault.GetCause()})
		}
		for _, op := range s.Ops {
			out.Steps = append(out.Steps, client.RegroupStep{System: system.Name, Class: op.Class, Text: history.Operation(op.Operation)})
		}
	}
	return out, nil
}

func valuesOf(a directory.Attributes, path string) []string {
	value, _ := a.Get(path)
	if value == nil {
		return []string{}
	}
	return mapping.Texts(value)
}

// belongings gives what is somebody's, by system and id.
func (r *regrouping) belongings(person string) ([]client.Belonging, error) {
	accounts, err := r.tx.AccountsOf(r.who.tenant, []string{person})
	if err != nil {
		return nil, err
	}
	systems, err := r.compiled()
	if err != nil {
		return nil, err
	}
	list := make([]client.Belonging, 0, len(accounts))
	for _, a := range accounts {
		b := client.Belonging{System: a.System, ID: a.ID, Place: a.Address, Kind: "account", Gone: a.Gone != 0}
		for _, system := range systems {
			if src := system.Source; system.Name == a.System && src != nil && !src.OfAccounts && a.Mirror == store.MirrorNone && strings.EqualFold(src.Class, a.Class) {
				b.Kind = "record"
				if record, err := src.Read(a.Object); err == nil {
					b.Key = record.Key
				}
			}
		}
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b client.Belonging) int {
		return cmp.Or(-strings.Compare(a.Kind, b.Kind), strings.Compare(a.System, b.System), strings.Compare(a.ID, b.ID))
	})
	return list, nil
}

func (s *Server) listMerges(ctx context.Context, in *Page) (*items[client.Merge], error) {
	var list []client.Merge
	before, err := in.number()
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.Merges(who.tenant, before, in.Limit)
		if err != nil {
			return err
		}
		var ids []string
		for _, m := range rows {
			ids = append(ids, m.Person, m.Other)
		}
		people, err := peopleByID(tx, who.tenant, ids)
		for _, m := range rows {
			shift, fault := intake.ShiftOf(m)
			if fault != nil {
				return fault
			}
			out := client.Merge{ID: m.ID, Kind: m.Kind, At: m.At.Time(), Who: m.Who, Person: m.Person, Other: shift.Person.Shown(),
				Moved: len(shift.Accounts), LetGo: len(shift.LetGo), Undone: m.Undone.Time(), UndoneBy: m.UndoneBy}
			if p, ok := people[m.Person]; shift.Stays != "" {
				out.Person = shift.Stays // what the records of both say now may be the other's
			} else if ok {
				out.Person = p.Shown()
			}
			list = append(list, out)
		}
		return err
	})
	return paged(list, in.Limit, func() string { return fmt.Sprint(list[len(list)-1].ID) }), err
}
