package store_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Who is in a pushed group is a row each; a record that is gone, or whose removal
// is held, is in none, and a group that goes tells whom it held.
func TestPushedGroups(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		const tenant, system = "t", "idp"
		account := func(id string) store.Account {
			return store.Account{Tenant: tenant, System: system, ID: id, Class: "User", Object: []byte{}}
		}
		write(t, s, func(tx *store.Tx) error {
			held := account("held")
			held.Missing = 7
			if err := tx.PutAccounts([]store.Account{account("ada"), account("bea"), account("g1"), account("g2"), held}); err != nil {
				return err
			}
			for _, id := range []string{"g1", "g2"} {
				if err := tx.PutPushedGroup(store.PushedGroup{Tenant: tenant, System: system, ID: id, Name: "staff"}); err != nil {
					return err
				}
			}
			return tx.ChangePushedMembers(tenant, system, "g1", []string{"ada", "bea", "g2", "held"}, []string{"bea"})
		})
		var got []string
		write(t, s, func(tx *store.Tx) error {
			rows, err := tx.PushedMembers(tenant, system, []string{"g1", "g2"})
			for _, m := range rows {
				got = append(got, m.Group+" has "+m.Member+" "+m.Kind)
			}
			groups, err2 := tx.PushedGroupsNamed(tenant, system, "staff")
			walked, err3 := tx.WalkPushedGroups(tenant, system, store.Walk{After: "g1", Limit: 9})
			people, err4 := tx.WalkAccounts(tenant, system, store.Walk{Limit: 9})
			n, err5 := tx.CountPushedGroupsSince(tenant, system, 1)
			among, err6 := tx.PushedMembersAmong(tenant, system, []string{"g1"}, []string{"ada", "bea", "held"})
			gone, err7 := tx.RemovePushedGroups(tenant, system, []string{"g1"})
			in, err8 := tx.PushedMembersOf(tenant, system, []string{"ada", "g2"})
			there, err9 := tx.AccountsThere(tenant, system, []string{"ada", "held", "nobody"})
			got = append(got, fmt.Sprint(len(groups), groups[0].Revision, groups[1].Revision, len(walked), len(people), n, len(among), gone, len(in), there))
			for _, e := range []error{err, err2, err3, err4, err5, err6, err7, err8, err9} {
				if e != nil {
					return e
				}
			}
			return nil
		})
		want := []string{"g1 has ada ", "g1 has g2 group", "2 2 1 1 2 2 1 [ada g2 held] 0 [ada]"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
