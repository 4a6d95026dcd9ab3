package forecast

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// ErrNoImages says that nothing is kept of what a cycle looked at. Test with [errors.Is].
var ErrNoImages = errors.New("nothing is kept of whom the cycle touched: it touched nobody, or is older than that is kept")

// Replay plans whom a cycle touched once more, as they and their accounts were
// then and at that instant, by the documents that were in force and by others,
// and tells what differs. Documents that are not given are those in force now.
//
// Where the document of a source is another, people are made of their records of
// then as it reads these; whose a record would be by it is not replayed, and the
// summary says of how many records that is in question. Names, groups and the accounts of those referred to are as they are now.
func Replay(ctx context.Context, tx *store.Tx, cycle store.Cycle, compile func(store.System) (*mapping.System, error), documents []*mapping.System) (client.Forecast, error) {
	first, err := tx.ImagesAfter(cycle.Tenant, cycle.ID, "", 1)
	if err != nil {
		return client.Forecast{}, err
	}
	if len(first) == 0 {
		return client.Forecast{}, ErrNoImages
	}
	f, err := looking(tx, cycle.Tenant, first[0].At, compile, documents)
	if err != nil {
		return client.Forecast{}, err
	}
	t := newTally(f)
	w := &walk{Forecaster: f, tally: t, foresight: f.foresee(list(f.present), list(f.next))}
	if len(f.sources) > 0 {
		w.moves = newMoves(f, t) // none moves
	}
	for last, more := "", true; more; {
		if err := context.Cause(ctx); err != nil {
			return client.Forecast{}, err
		}
		images, err := tx.ImagesAfter(cycle.Tenant, cycle.ID, last, page)
		if err != nil {
			return client.Forecast{}, err
		}
		if more = len(images) == page; len(images) > 0 {
			last = images[len(images)-1].Person
		}
		if err := w.images(images); err != nil {
			return client.Forecast{}, err
		}
	}
	out := t.result()
	if n := w.elsewhere; n > 0 {
		out.Summary = append(out.Summary, fmt.Sprintf("%d records say another key, or another value that their person is known by, and might be somebody else's: that is not replayed, each is taken to be whose it was", n))
	}
	return out, nil
}

// elsewheres counts the records that might be somebody else's by the new documents of their sources.
func (w *walk) elsewheres(records []store.Account) (n int) {
	for _, a := range records {
		was, is := recordOf(w.present[a.System], a, false), recordOf(w.next[a.System], a, false)
		if was == nil || is == nil {
			continue
		}
		before, err1 := was.Read(a.Object)
		after, err2 := is.Read(a.Object)
		if err1 == nil && err2 == nil && (directory.Fold(before.Key) != directory.Fold(after.Key) || directory.Fold(before.SameAs) != directory.Fold(after.SameAs)) {
			n++
		}
	}
	return n
}

// looking makes a forecaster that compares documents with those in force at an instant.
func looking(tx *store.Tx, tenant string, at store.Instant, compile func(store.System) (*mapping.System, error), documents []*mapping.System) (*Forecaster, error) {
	f, err := New(tx, tenant, compile, documents)
	if err != nil {
		return nil, err
	}
	f.changed, f.sources, f.targets = nil, nil, []string{}
	for name, row := range f.rows {
		v, err := tx.VersionAt(tenant, name, at)
		if errors.Is(err, store.ErrNone) { // it was not there yet
			delete(f.present, name)
			continue
		}
		if err != nil {
			return nil, err
		}
		then, err := mapping.Parse(name, []byte(v.Document))
		if err != nil {
			return nil, fmt.Errorf("revision %d of %s is not understood any more: %w", v.Revision, name, err)
		}
		var schema connectorv1.SchemaResponse
		if len(row.Schema) > 0 && proto.Unmarshal(row.Schema, &schema) == nil {
			then = then.WithSchema(&schema)
		}
		f.present[name] = then
	}
	for name, is := range f.next {
		was := f.present[name]
		if was == nil {
			was = &mapping.System{Name: name}
		}
		source, target := !mapping.SameSource(was, is), is.Target != nil && !mapping.SameTarget(was, is)
		if source {
			f.sources = append(f.sources, name)
		}
		if target {
			f.targets = append(f.targets, name)
		}
		if source || target {
			f.changed = append(f.changed, name)
		}
	}
	slices.Sort(f.changed)
	return f, nil
}

// images looks at people as they were.
func (w *walk) images(rows []store.Image) error {
	w.tally.out.People += len(rows)
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.Person
	}
	people, err := w.tx.People(w.tenant, ids)
	if err != nil {
		return err
	}
	shown := map[string]store.Person{}
	for _, p := range people {
		shown[p.ID] = p
	}
	byInstant := map[store.Instant][]plan.Subject{}
	for _, r := range rows {
		row, there := shown[r.Person]
		if !there {
			row = store.Person{ID: r.Person, Key: r.Person}
			shown[r.Person] = row
		}
		was, past, err := plan.PastOf(r, row.Key)
		if err != nil {
			return fmt.Errorf("image of %s: %w", row.Shown(), err)
		}
		subject := plan.Subject{ID: r.Person, Kind: row.Kind, As: []*directory.Person{&was, &was}, Systems: w.targets, Known: true, Past: past}
		if w.moves != nil && len(past.Records) > 0 {
			w.elsewhere += w.elsewheres(past.Records)
			is := was
			_, is.HasSource = w.moves.sourced(past.Records, r.Person)
			w.moves.anew(row, past.Records, &is, r.At.Time())
			if w.tally.directory(row, was, is) {
				subject.Systems = nil // whatever reads it
			}
			subject.As[1] = &is
		}
		if subject.Systems == nil || len(subject.Systems) > 0 {
			byInstant[r.At] = append(byInstant[r.At], subject)
		}
	}
	for at, subjects := range byInstant {
		w.foresight.At = at.Time()
		if err := w.plan(subjects, shown); err != nil {
			return err
		}
	}
	return nil
}
