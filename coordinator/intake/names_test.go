package intake_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A change does not note again what an account spoke for before. Whenever that
// is not noted as its holder's, it is: the account was gone, is another's now,
// or a rule has come to speak for an attribute.
func TestTake_namesAreNotedWhenNeeded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.take("hr", 1, worker(1, "Nurse"))
	person := b.person("e00001").ID
	held := func(when string, want ...string) {
		t.Helper()
		var got []string
		b.read(func(tx *store.Tx) error {
			rows, err := tx.AllNames(tenant, "ad")
			for _, n := range rows {
				got = append(got, n.Attribute+"="+n.Value+" "+strings.Replace(n.Holder, person, "person", 1))
			}
			return err
		})
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("names %s (-want +got):\n%s", when, diff)
		}
	}
	b.take("ad", 2, user("g1", "E00001", "w", "Nurse"))
	held("of nobody's account", "address=cn=w,ou=staff g1", "sAMAccountName=w g1")
	b.take("ad", 3, user("g1", "E00001", "w", "Matron"))
	held("after another title", "address=cn=w,ou=staff g1", "sAMAccountName=w g1")
	b.write(func(tx *store.Tx) error {
		return b.Take(tx, intake.Batch{Tenant: tenant, System: "ad", Records: []*connectorv1.Record{user("g1", "E00001", "w", "Doctor")}, Owners: map[string]string{"g1": person}})
	})
	held("once it is a person's", "address=cn=w,ou=staff person", "sAMAccountName=w person")
	b.write(func(tx *store.Tx) error { return b.Gone(tx, tenant, "ad", []string{"g1"}) })
	held("once it is gone")
	b.take("ad", 4, user("g1", "E00001", "w", "Nurse"))
	held("once it is back", "address=cn=w,ou=staff person", "sAMAccountName=w person")
	const rule = "    sAMAccountName: {value: firstUnique(lower(name.familyName)), apply: create}\n"
	for _, document := range []string{strings.Replace(adDocument, rule, "", 1), adDocument} {
		b.applyDocument(document)
		if err := b.Evaluate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	held("once the rule is there again", "address=cn=w,ou=staff person", "sAMAccountName=w person")
}
