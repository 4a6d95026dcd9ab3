package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// People are found by the beginnings of words of key, name and mail, whatever
// accents they are written with, once they are indexed; a new name finds them
// at once, and the old one no more.
func TestSearchPeople(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		words := func(p store.Person) string { return strings.Join(directory.Words(p.Key+" "+p.Display), " ") }
		put := func(id, display string) {
			p := store.Person{Tenant: tenant, ID: id, Key: "k-" + id, Display: display, Attributes: "{}"}
			p.Words = words(p)
			write(t, s, func(tx *store.Tx) error { return tx.PutPeople([]store.Person{p}) })
		}
		find := func(text string) (ids []string) {
			t.Helper()
			for after, more := "", true; more; more = after != "" {
				write(t, s, func(tx *store.Tx) error {
					rows, next, err := tx.SearchPeople(tenant, directory.Words(text), after, 2)
					for _, p := range rows {
						ids = append(ids, p.ID)
					}
					after = next
					return err
				})
			}
			slices.Sort(ids)
			return ids
		}
		index := func() {
			write(t, s, func(tx *store.Tx) error {
				_, err := tx.IndexPeople(10, words)
				return err
			})
		}
		put("1", "Zoë Lovelace")
		put("2", "Ada Lovelace")
		put("3", "Ada O'Neil")
		write(t, s, func(tx *store.Tx) error { // as an earlier release stored it
			return tx.PutPeople([]store.Person{{Tenant: tenant, ID: "4", Key: "k-4", Display: "Lothar Löwe", Attributes: "{}"}})
		})
		write(t, s, func(tx *store.Tx) error { // somebody else's
			return tx.PutPeople([]store.Person{{Tenant: "other", ID: "5", Key: "k-5", Display: "Ada Lowe", Attributes: "{}", Words: "ada lowe"}})
		})
		index()
		put("3", "Ada Nobody")
		index()
		put("6", "Ada Late") // found before it is in the index
		for text, want := range map[string][]string{"lo": {"1", "2", "4"}, "ZOE love": {"1"}, "lowe": {"4"}, "ada": {"2", "3", "6"}, "neil": nil, "nobo": {"3"}, "k 6": {"6"}, "ovel": nil, "a": {"2", "3", "6"}} {
			if got := find(text); !slices.Equal(got, want) {
				t.Errorf("found for %q: %q; want %q", text, got, want)
			}
		}
	})
}

// Who is the only one of a name is found however many come before them.
func TestSearchPeople_behindMany(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		const many = 5_100
		people := make([]store.Person, many)
		for i := range people {
			people[i] = store.Person{Tenant: tenant, ID: fmt.Sprint("p", i), Key: fmt.Sprintf("k%05d", i), Display: "Ada Many", Attributes: "{}", Words: fmt.Sprintf("k%05d ada many", i)}
		}
		last := &people[many-1]
		last.Display, last.Words = "Unica Ada", last.Key+" unica ada"
		write(t, s, func(tx *store.Tx) error { return tx.PutPeople(people) })
		for words, want := range map[string]string{"unica": last.ID, "ada unica": last.ID, "ada": "p0"} {
			write(t, s, func(tx *store.Tx) error {
				found, _, err := tx.SearchPeople(tenant, strings.Fields(words), "", 3)
				if err == nil && (len(found) == 0 || found[0].ID != want) {
					t.Errorf("found for %q: %+v; want %s first", words, found, want)
				}
				return err
			})
		}
	})
}

// Counts add up in each span, and what is too old goes.
func TestCounts(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		jobs := []store.Job{{System: "ad", Class: "create", State: store.JobDone, Since: 1, Cycle: 7}, {System: "ad", Class: "create", State: store.JobDone, Cycle: 7},
			{System: "ad", Class: "modify", State: store.JobFailed}}
		for range 2 {
			write(t, s, func(tx *store.Tx) error { return tx.CountEnded(tenant, jobs) })
		}
		write(t, s, func(tx *store.Tx) error {
			got := map[string]int64{}
			rows, err := tx.Tallies(tenant, time.Hour, 0)
			for _, r := range rows {
				name := r.Name
				if took, is := store.LagOf(name); is {
					if real := tx.Now.Time().Sub(store.Instant(1).Time()); took < real*4/5 || took > real*5/4 {
						t.Errorf("kept as %v; it was %v", took, real)
					}
					name = "lag"
				}
				got[r.System+" "+name] += r.N
			}
			if diff := cmp.Diff(map[string]int64{"ad create done": 4, "ad modify failed": 2, "ad lag": 2}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			of, err2 := tx.CountsOf(tenant, 7)
			if len(of) != 1 || of[0].N != 4 || of[0].Name != "create done" {
				t.Errorf("of the cycle: %+v", of)
			}
			return errors.Join(err, err2, tx.ForgetTallies(tenant))
		})
	})
}

// Who watches a tenant is told what has changed once that is committed, each
// topic once, also by another coordinator; and nothing of other tenants.
func TestWatch(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		mine, other := s.Watch(tenant), s.Watch("other tenant")
		defer mine.Close()
		defer other.Close()
		write(t, s, func(tx *store.Tx) error {
			return tx.AddHistory([]store.History{{Tenant: tenant, Kind: "held", Text: "a"}, {Tenant: tenant, Kind: "written", Text: "b"}})
		})
		<-mine.Changed
		if got, want := mine.Take(), []string{"held", "jobs", "log"}; !slices.Equal(got, want) {
			t.Errorf("changed: %q; want %q", got, want)
		}
		if got := append(mine.Take(), other.Take()...); len(got) > 0 {
			t.Errorf("changed besides: %q", got)
		}
	})
	t.Run("another coordinator", func(t *testing.T) {
		t.Parallel()
		stores := two(t)
		watch := stores[1].Watch("some tenant")
		defer watch.Close()
		write(t, stores[0], func(tx *store.Tx) error {
			return tx.PutProblems([]store.Problem{{Tenant: "some tenant", Person: "p", System: "ad", Fault: "{}"}})
		})
		select {
		case <-watch.Changed:
			if got := watch.Take(); !slices.Equal(got, []string{"problems"}) {
				t.Errorf("changed: %q", got)
			}
		case <-time.After(10 * time.Second):
			t.Error("not told")
		}
	})
}

// A page that no index leads to looks through a bounded number of entries, and
// says where to go on though it has found nothing.
func TestPageHistory_bounded(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		write(t, s, func(tx *store.Tx) error {
			rows := make([]store.History, 50_010)
			for i := range rows {
				rows[i] = store.History{Tenant: tenant, Kind: "written", Text: "x"}
			}
			rows[0].Text = "needle"
			return tx.AddHistory(rows)
		})
		write(t, s, func(tx *store.Tx) error {
			f := store.LogFilter{Text: "needle"}
			rows, next, err := tx.PageHistory(tenant, f, 10)
			if err != nil || len(rows) != 0 || next == 0 {
				t.Errorf("first page: %d rows, next %d, %v", len(rows), next, err)
			}
			f.Before = next
			if rows, next, err = tx.PageHistory(tenant, f, 10); err != nil || len(rows) != 1 || next != 0 {
				t.Errorf("second page: %d rows, next %d, %v", len(rows), next, err)
			}
			return nil
		})
	})
}
