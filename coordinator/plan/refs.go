package plan

import (
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// refs implements reconcile.Refs for one target and batch.
type refs struct {
	batch    *batch
	target   target
	accounts map[string]string // native id by key of the person; nil until asked for
	readers  map[string]string // keys of recipients of passwords by folded name; nil until asked for
	grouped  map[string]string // native id by key of the group, as far as asked
	owned    map[string]bool   // by native id of groups: whether they are authoritative, as far as asked
	err      error             // of the store; every answer after it is ""
}

// Account gives the native id of the account that somebody has in the target.
// The first question loads the managers of the whole batch.
func (r *refs) Account(key string) string {
	if r.err != nil {
		return ""
	}
	key = directory.Fold(key)
	if r.accounts == nil {
		r.accounts = map[string]string{}
		keys := []string{key}
		for _, p := range r.batch.people {
			if m := p.person.Attributes.Text("manager"); m != "" {
				keys = append(keys, directory.Fold(m))
			}
		}
		r.load(keys)
	}
	if _, asked := r.accounts[key]; !asked {
		r.load([]string{key})
	}
	return r.accounts[key]
}

func (r *refs) load(keys []string) {
	found, err := r.batch.tx.AccountIDs(r.batch.tenant, r.target.row.Name, r.target.whole.Target.Class, keys)
	if err != nil {
		r.err = err
		return
	}
	for _, k := range keys {
		r.accounts[k] = found[k]
	}
}

// Group gives the native id of the group with the name.
func (r *refs) Group(name string) string {
	if r.err != nil {
		return ""
	}
	id, err := r.batch.planner.groups.find(r.batch.tx, r.target, name)
	r.err = err
	return id
}

// Recipient gives the key of a recipient of passwords. The first question loads
// those that the document names, and the managers of the whole batch.
func (r *refs) Recipient(name string) string {
	if r.err != nil {
		return ""
	}
	if r.readers == nil {
		r.readers = map[string]string{}
		names := []string{name}
		for _, p := range r.batch.people {
			if m := p.person.Attributes.Text("manager"); m != "" {
				names = append(names, directory.Fold(m))
			}
			names = append(names, directory.Fold(mapping.PickupOf(p.person.ID)))
		}
		for _, n := range r.target.system.Target.Password.Recipients {
			names = append(names, directory.Fold(n))
		}
		rows, err := r.batch.tx.RecipientsNamed(r.batch.tenant, names)
		if err != nil {
			r.err = err
			return ""
		}
		for _, row := range rows {
			r.readers[row.Name] = row.Public
		}
	}
	return r.readers[name]
}

// A groupCache knows the groups of targets by name. What it does not know it
// looks for in the store again, at most once a second for each system.
type groupCache struct {
	mu   sync.Mutex
	kept map[systemKey]knownGroups
}

type knownGroups struct {
	at  time.Time
	ids map[string]string // native id by folded name
}

func newGroupCache() *groupCache { return &groupCache{kept: map[systemKey]knownGroups{}} }

const (
	groupsFresh = time.Second // how often a name that is not known is looked for
	groupsKnown = time.Minute // how long a name that is known is believed
)

func (g *groupCache) find(tx *store.Tx, t target, name string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := systemKey{t.row.Tenant, t.row.Name}
	known, folded := g.kept[key], directory.Fold(name)
	age := time.Since(known.at)
	if id := known.ids[folded]; id != "" && age < groupsKnown || age < groupsFresh {
		return id, nil
	}
	rows, err := tx.Groups(t.row.Tenant, t.row.Name, t.whole.Target.Class)
	if err != nil {
		return "", err
	}
	known = knownGroups{at: time.Now(), ids: map[string]string{}}
	for _, row := range rows {
		for _, n := range groupNames(row) {
			if _, ok := known.ids[n]; !ok {
				known.ids[n] = row.ID
			}
		}
	}
	g.kept[key] = known
	return known.ids[folded], nil
}

// naming are the attributes that hold a group's name, the most telling first.
var naming = []string{"sAMAccountName", "cn", "name", "displayName"}

// groupNames gives the folded names that a group is known by.
func groupNames(row store.Account) []string {
	var object connectorv1.Object
	if proto.Unmarshal(row.Object, &object) != nil {
		return nil
	}
	names := []string{directory.Fold(row.ID), directory.Fold(row.Address)}
	if _, name, _, ok := mapping.SplitDN(row.Address); ok {
		names = append(names, directory.Fold(name))
	}
	for _, want := range naming {
		for _, a := range object.GetAttributes() {
			if directory.Fold(a.GetName()) == directory.Fold(want) {
				for _, v := range a.GetValues() {
					names = append(names, directory.Fold(v))
				}
			}
		}
	}
	return names
}
