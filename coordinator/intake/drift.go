package intake

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// drift notes what a read shows to be another in accounts of people than when
// last seen, of what rules speak of: somebody else wrote it, or what we wrote
// comes back before its result, which planning finds out. It is a candidate:
// the rules may want just that.
func (s *scope) drift(changes []*change) error {
	if s.write {
		return nil
	}
	var rows []store.Deviation
	ours, err := s.ours(changes)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if s.system.Target.BothWays && c.account.Mirror == store.MirrorNone {
			continue // a record: who writes there is right
		}
		if c.old == nil || c.old.Gone != 0 || c.account.Person == "" || c.old.Person != c.account.Person || c.account.Class != s.system.Target.Class ||
			string(c.old.Object) == string(c.account.Object) {
			continue
		}
		old, err := mapping.ReadObject(c.old.Object)
		if err != nil {
			continue
		}
		rows = append(rows, s.differences(c, old, ours)...)
	}
	if len(rows) == 0 {
		return nil
	}
	known, err := s.known(rows)
	if err != nil {
		return err
	}
	var log []store.History
	for i := range rows {
		d := &rows[i]
		if k, ok := known[d.Person+"\x00"+strings.ToLower(d.Attribute)]; ok { // what is refused stays refused, whoever writes what
			d.Refused, d.Kind, d.Who, d.Job = k.Refused, k.Kind, k.Who, k.Job
		}
		log = append(log, store.History{Tenant: s.tenant, Kind: history.Drift, System: s.name, Person: d.Person, Account: d.Account,
			Text: fmt.Sprintf("%s was changed at the system: %s", d.Attribute, policy[d.Kind])})
	}
	if err := s.tx.PutDeviations(rows); err != nil {
		return err
	}
	return s.tx.AddHistory(log)
}

var policy = map[string]string{store.DeviationFound: "what the rules want is put back", store.DeviationLeft: "it is left until somebody decides",
	store.DeviationAdopted: "it stands", store.DeviationUndone: "a change of ours was undone there, and stays so"}

// differences gives what of an account differs that rules speak of.
func (s *scope) differences(c *change, old mapping.Object, ours map[string][]string) (rows []store.Deviation) {
	add := func(attribute, kind string, was, is []string) {
		rows = append(rows, store.Deviation{Tenant: s.tenant, Person: c.account.Person, System: s.name, Attribute: attribute, Account: c.account.ID,
			Kind: kind, Refused: store.TextList(was), Found: store.TextList(is), At: s.tx.Now})
	}
	for _, r := range s.system.Target.Rules {
		if r.Apply != mapping.Always {
			continue
		}
		was, knewOld := old.Get(r.Attribute)
		is, knowsNew := c.object.Get(r.Attribute)
		if r.Keep == mapping.KeepAdditive { // what others write besides is theirs
			mine := ours[c.account.ID+"\x00"+strings.ToLower(r.Attribute)]
			was, is = only(was, mine), only(is, mine)
		}
		if knewOld && knowsNew && !slices.Equal(was, is) {
			kind := [...]string{mapping.Revert: store.DeviationFound, mapping.Adopt: store.DeviationAdopted, mapping.LeaveAlone: store.DeviationLeft}[r.Drift]
			add(r.Attribute, kind, was, is)
		}
	}
	if directory.Fold(old.Address) != directory.Fold(c.object.Address) {
		add(address, store.DeviationFound, []string{old.Address}, []string{c.object.Address})
	}
	return rows
}

// ours gives the values of additive rules that we added to the accounts, by account and folded attribute.
func (s *scope) ours(changes []*change) (map[string][]string, error) {
	if !s.system.Target.Adds() {
		return nil, nil
	}
	ids := make([]string, len(changes))
	for i, c := range changes {
		ids[i] = c.account.ID
	}
	rows, err := s.tx.AddedTo(s.tenant, s.name, ids)
	ours := make(map[string][]string, len(rows))
	for _, row := range rows {
		key := row.Account + "\x00" + row.Attribute
		ours[key] = append(ours[key], row.Value)
	}
	return ours, err
}

// only gives those of the values that are among some, in order.
func only(values, some []string) []string {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !directory.Among(some, v) })
	slices.Sort(values)
	return values
}

func (s *scope) known(rows []store.Deviation) (map[string]store.Deviation, error) {
	people := make([]string, len(rows))
	for i, d := range rows {
		people[i] = d.Person
	}
	slices.Sort(people)
	list, err := s.tx.DeviationsOf(s.tenant, slices.Compact(people))
	known := make(map[string]store.Deviation, len(list))
	for _, d := range list {
		if d.System == s.name {
			known[d.Person+"\x00"+strings.ToLower(d.Attribute)] = d
		}
	}
	return known, err
}

// preview has people whom the cycle makes due planned as a preview, where the cycle is one.
func (s *scope) preview(people []string) error {
	if s.cycle <= 0 || len(people) == 0 {
		return nil
	}
	is, err := s.tx.IsPreview(s.tenant, s.cycle)
	if err != nil || !is {
		return err
	}
	cause := fmt.Sprintf("cycle %d", s.cycle)
	rows := make([]store.Preview, 0, len(people))
	for _, p := range people {
		if p != "" {
			rows = append(rows, store.Preview{Tenant: s.tenant, Person: p, Cause: cause, Lapses: s.tx.Now.Add(previewLasts)})
		}
	}
	return s.tx.PutPreviews(rows)
}

// previewLasts is how long what a previewed cycle found waits for a decision; then it is planned as ever.
const previewLasts = 24 * time.Hour

// coolOff is how long a name of an attribute is kept from others.
func (s *scope) coolOff(attribute string) time.Duration {
	rules := s.system.Target.Rules
	if s.system.GroupTarget != nil {
		rules = slices.Concat(rules, s.system.GroupTarget.Rules)
	}
	for _, r := range rules {
		if r.Attribute == attribute {
			return r.CoolOff
		}
	}
	return 0
}

// free lets names be given to others: at once, or after the cool-off of their rules.
func (s *scope) free(names []store.Name) error {
	var kept []store.KeptName
	for _, n := range names {
		span := s.coolOff(n.Attribute)
		first := !slices.ContainsFunc(kept, func(k store.KeptName) bool { return k.Attribute == n.Attribute && k.Value == n.Value })
		if span > 0 && first { // the person's, before the account's own
			kept = append(kept, store.KeptName{Name: n, Until: s.tx.Now.Add(span)})
		}
	}
	if err := s.tx.KeepNamesUntil(kept); err != nil {
		return err
	}
	return s.tx.RemoveNames(names)
}
