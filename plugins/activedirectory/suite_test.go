package activedirectory_test

import (
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
)

// One suite, on the double in both of its flavors and on a real domain
// controller: that keeps the double honest. Every behaviour has an OU and
// names of its own, so that they run side by side in one domain.
func TestConnector(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) domain{
		"windows-double": func(t testing.TB) domain { return startDouble(t, double.Windows) },
		"samba-double":   func(t testing.TB) domain { return startDouble(t, double.Samba) },
		"samba":          startSamba,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t)
			for name, test := range map[string]func(*testing.T, domain){
				"name with every sign":       writeNameWithEverySign,
				"password is the sealed one": createPasswordIsTheSealedOne,
				"create repeated":            createRepeated,
				"create taken":               createTaken,
				"containers":                 createContainers,
				"checked against the schema": createCheckedAgainstTheSchema,
				"compare and swap":           modifyCompareAndSwap,
				"many values":                modifyManyValues,
				"enabled is one bit":         setEnabledTouchesOneBit,
				"membership":                 membershipOf,
				"many members at once":       manyMembersAtOnce,
				"rights compared":            rightsCompared,
				"moved meanwhile":            moveElsewhereMeanwhile,
				"delete":                     deleteLeaf,
				"read, then changes":         readThenChanges,
				"membership alone":           readMembershipAlone,
				"cookie refused":             readCookieRefused,
				"large group":                readLargeGroup,
				"find many":                  findManyValues,
				"schema":                     schemaOf,
				"probe":                      probeAll,
				"StartTLS":                   readByStartTLS,
				"unknown attribute":          readUnknownAttribute,
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, d)
				})
			}
			// By itself, before the others go on: they would read everything, too.
			t.Run("group deleted", func(t *testing.T) { readGroupDeleted(t, d) })
		})
	}
}
