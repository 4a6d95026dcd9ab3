package intake

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Merging and splitting of people by an admin. Who is whom is told by keys,
// records and accounts, so that these change hands, with all that hangs on them:
// names in the ledger and those kept from others, deviations, passwords that wait,
// the jobs that tell what we have done to an account. People are then made anew of
// the records that they have, and planned as ever. The log is never changed:
// what it tells of somebody who was merged away is found by their former id.
//
//	merge   A's records, accounts and keys become B's. Where both have an account in a
//	        target, B's counts and A's is let go: nobody's, and left as it is.
//	split   chosen records and accounts, and the records' keys, become a new person's.
//	undo    what changed hands goes back where it is still as the change left it; a
//	        merge gives who was merged away their id again.
//
// Considered: to keep A beside B with a pointer. Everything that asks for a
// person would have to follow it, and a crash of that idea is a duplicate account.

// ErrRegroup is why people cannot be merged or split; the text says what to do. Test with [errors.Is].
var ErrRegroup = errors.New("cannot be done")

func cannot(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRegroup, fmt.Sprintf(format, args...))
}

// A Ref names an account or a record.
type Ref struct {
	System string `json:"system"`
	ID     string `json:"id"`
}

// A Shift is what changed hands in a merge or a split.
type Shift struct {
	Person   store.Person     `json:"person"`          // who was merged away, or was made
	Stays    string           `json:"stays,omitempty"` // key of the other, as it was; "": an earlier release did it
	Accounts []Ref            `json:"accounts"`
	LetGo    []Ref            `json:"let_go,omitempty"` // of who was merged away, nobody's now
	Keys     []string         `json:"keys"`
	Kept     []store.KeptName `json:"kept,omitempty"` // kept from others for who was merged away
}

// text says how much changed hands.
func (s Shift) text() string {
	text := fmt.Sprintf("%s changed hands, with %s %s", numbered(len(s.Accounts), "record or account", "records and accounts"), plural(len(s.Keys), "the key", "the keys"), strings.Join(s.Keys, ", "))
	if len(s.LetGo) > 0 {
		text += "; " + numbered(len(s.LetGo), "account beside theirs was let go", "accounts beside theirs were let go")
	}
	return text
}

func numbered(n int, one, many string) string { return fmt.Sprintf("%d %s", n, plural(n, one, many)) }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// ShiftOf gives what changed hands.
func ShiftOf(m store.Merge) (Shift, error) {
	var s Shift
	err := json.Unmarshal(m.Body, &s)
	return s, err
}

// Merge makes two people one: into stays. It returns [ErrRegroup] where that cannot be done now.
func (in *Intake) Merge(tx *store.Tx, from, into store.Person, who string) (store.Merge, error) {
	if from.ID == into.ID {
		return store.Merge{}, cannot("%s and %s are the same person already", from.Shown(), into.Shown())
	}
	if from.Kind != into.Kind || from.Kind != "" {
		return store.Merge{}, cannot("%s and %s are not both people: groups are not merged", from.Shown(), into.Shown())
	}
	s := in.regroup(tx, from.Tenant)
	if err := s.still(from, into); err != nil {
		return store.Merge{}, err
	}
	shift := Shift{Person: from, Stays: into.Shown()}
	accounts, err := tx.AccountsOf(s.tenant, []string{from.ID, into.ID})
	if err != nil {
		return store.Merge{}, err
	}
	targets, err := s.targets()
	if err != nil {
		return store.Merge{}, err
	}
	has := map[string]bool{} // targets in which who stays has an account
	for _, a := range accounts {
		if t := targets[a.System]; a.Person == into.ID && a.Gone == 0 && t.is(a) {
			has[a.System] = true
		}
	}
	for _, a := range accounts {
		switch ref := (Ref{a.System, a.ID}); {
		case a.Person != from.ID:
		case a.Gone == 0 && targets[a.System].is(a) && has[a.System]:
			shift.LetGo = append(shift.LetGo, ref)
		default:
			shift.Accounts = append(shift.Accounts, ref)
		}
	}
	if err := s.placed(shift.LetGo, from); err != nil {
		return store.Merge{}, err
	}
	if shift.Keys, err = s.keysOf(from); err != nil {
		return store.Merge{}, err
	}
	m := store.Merge{Tenant: s.tenant, Kind: store.Merged, Who: who, Person: into.ID, Other: from.ID}
	if err := s.give(shift, from.ID, into.ID, accounts, from.ID); err != nil {
		return m, err
	}
	if err := s.inherit(&shift, into.ID); err != nil {
		return m, err
	}
	text := fmt.Sprintf("%s %s was merged into %s by %s: %s", from.Shown(), from.Display, into.Shown(), who, shift.text())
	if err := s.keep(&m, shift, text, into.ID); err != nil {
		return m, err
	}
	return m, s.remake("merged by "+who, shift.Keys, into.ID)
}

// inherit gives what is left of somebody who is no more to who they were merged into.
func (s *scope) inherit(shift *Shift, into string) error {
	from := shift.Person.ID
	reserved, err1 := s.tx.NamesHeldBy(s.tenant, from) // for accounts that were not made
	kept, err2 := s.tx.KeptNamesOf(s.tenant, from)
	shift.Kept = kept
	return errors.Join(err1, err2, s.tx.RemoveNames(reserved), s.keepFor(kept, into), s.tx.RemovePerson(s.tenant, from),
		s.tx.AddFormers(s.tenant, into, []string{from}), s.takeKeys(into, shift.Keys))
}

func (s *scope) keepFor(kept []store.KeptName, holder string) error {
	rows := slices.Clone(kept)
	for i := range rows {
		rows[i].Holder = holder
	}
	return s.tx.KeepNamesUntil(rows)
}

// Split makes a new person of records of somebody, with the accounts that are named. It returns
// [ErrRegroup] where that cannot be done now.
func (in *Intake) Split(tx *store.Tx, p store.Person, refs []Ref, who string) (store.Merge, error) {
	s := in.regroup(tx, p.Tenant)
	if err := s.still(p); err != nil {
		return store.Merge{}, err
	}
	accounts, err := tx.AccountsOf(s.tenant, []string{p.ID})
	if err != nil {
		return store.Merge{}, err
	}
	shift := Shift{Accounts: refs, Stays: p.Shown()}
	for _, r := range refs {
		if !slices.ContainsFunc(accounts, func(a store.Account) bool { return a.System == r.System && a.ID == r.ID && a.Gone == 0 }) {
			return store.Merge{}, cannot("%s has no record or account %s in %s: drawbridge person records %s lists them", p.Shown(), r.ID, r.System, p.Shown())
		}
	}
	theirs, keys, err := s.divide(accounts, refs)
	if err != nil {
		return store.Merge{}, err
	}
	more, err := s.beside(accounts, keys, refs)
	if err != nil {
		return store.Merge{}, err
	}
	shift.Accounts = append(slices.Clone(refs), more...)
	for _, key := range keys {
		if slices.Contains(theirs, key) {
			return store.Merge{}, cannot("records on both sides have the key %s, so that they would be joined again with the next read: correct it in the source first", key)
		}
	}
	switch {
	case len(keys) == 0:
		return store.Merge{}, cannot("none of these is a record that makes a person: name at least one of a source")
	case len(theirs) == 0:
		return store.Merge{}, cannot("no record that makes a person would be left to %s: leave at least one", p.Shown())
	}
	shift.Person = store.Person{Tenant: s.tenant, ID: NewID(tx.Now.Time()), Key: keys[0], Spelled: keys[0], Attributes: "{}", Made: tx.Now, Changed: tx.Now}
	shift.Keys = keys
	m := store.Merge{Tenant: s.tenant, Kind: store.Split, Who: who, Person: p.ID, Other: shift.Person.ID}
	if err := s.part(shift, p, accounts, p.ID); err != nil {
		return m, err
	}
	text := fmt.Sprintf("%s was split off %s %s by %s: %s", keys[0], p.Shown(), p.Display, who, shift.text())
	if err := s.keep(&m, shift, text, p.ID, shift.Person.ID); err != nil {
		return m, err
	}
	return m, s.remake("split by "+who, keys, p.ID, shift.Person.ID)
}

// UndoMerge takes a merge or a split back. It returns [ErrRegroup] where that cannot be done now.
func (in *Intake) UndoMerge(tx *store.Tx, tenant string, id int64, who string) (store.Merge, error) {
	m, err := tx.Merge(tenant, id)
	if err != nil {
		return m, err
	}
	if m.Undone != 0 {
		return m, cannot("it was undone by %s", m.UndoneBy)
	}
	rows, err := tx.People(tenant, []string{m.Person, m.Other})
	if err != nil {
		return m, err
	}
	people := map[string]store.Person{}
	for _, p := range rows {
		people[p.ID] = p
	}
	stays, there := people[m.Person]
	other, split := people[m.Other]
	switch {
	case !there || split != (m.Kind == store.Split):
		return m, cannot("people were merged or split since: undo that first, see drawbridge person merges")
	case m.Kind == store.Split:
		if _, err := in.Merge(tx, other, stays, who); err != nil {
			return m, err
		}
	default:
		if err := in.apart(tx, m, stays, who); err != nil {
			return m, err
		}
	}
	m.Undone, m.UndoneBy = tx.Now, who
	return m, tx.PutMerge(&m)
}

// apart gives back what a merge gave.
func (in *Intake) apart(tx *store.Tx, m store.Merge, p store.Person, who string) error {
	s := in.regroup(tx, m.Tenant)
	if err := s.still(p); err != nil {
		return err
	}
	was, err := ShiftOf(m)
	if err != nil {
		return err
	}
	accounts, err := tx.AccountsOf(s.tenant, []string{p.ID})
	if err != nil {
		return err
	}
	back := Shift{Person: was.Person, Keys: was.Keys}
	for _, r := range was.Accounts {
		if slices.ContainsFunc(accounts, func(a store.Account) bool { return a.System == r.System && a.ID == r.ID }) {
			back.Accounts = append(back.Accounts, r)
		}
	}
	theirs, _, err := s.divide(accounts, back.Accounts)
	if err != nil {
		return err
	}
	more, err := s.beside(accounts, back.Keys, back.Accounts) // that came since
	if err != nil {
		return err
	}
	back.Accounts = append(back.Accounts, more...)
	for _, key := range theirs {
		if slices.Contains(back.Keys, key) {
			return cannot("a record of %s has the key %s by now: correct it in the source, or split the record off by hand", p.Shown(), key)
		}
	}
	if err := errors.Join(tx.RemoveFormers(s.tenant, p.ID, m.Other), s.part(back, p, accounts, m.Other), s.regain(was), s.keepFor(was.Kept, m.Other)); err != nil {
		return err
	}
	text := fmt.Sprintf("the merge of %s into %s was undone by %s: %s", was.Person.Shown(), cmp.Or(was.Stays, p.Shown()), who, back.text())
	if err := s.tell(text, p.ID, was.Person.ID); err != nil {
		return err
	}
	return s.remake("a merge was undone by "+who, was.Keys, p.ID, was.Person.ID)
}

// regroup is a scope of no system.
func (in *Intake) regroup(tx *store.Tx, tenant string) *scope {
	none := &mapping.System{}
	return &scope{Intake: in, tx: tx, tenant: tenant, name: theirSources, system: none, whole: none}
}

// still makes sure that no agent is about something of theirs, and drops what waits: it is planned anew.
func (s *scope) still(people ...store.Person) error {
	ids := make([]string, len(people))
	for i, p := range people {
		ids[i] = p.ID
	}
	open, err := s.tx.OpenJobsOf(s.tenant, ids)
	if err != nil {
		return err
	}
	var drop []int64
	for _, j := range open {
		switch {
		case j.Priority == store.PriorityPlaced:
		case j.State == store.JobSent || j.Class == "find":
			return cannot("an agent is changing something of theirs in %s just now (job %d): try again when that has ended", j.System, j.ID)
		default:
			drop = append(drop, j.ID)
		}
	}
	return s.tx.EndJobs(drop, store.JobDropped, "planned anew", "")
}

// placed makes sure that no lock-out is placed for an account that is let go.
func (s *scope) placed(letGo []Ref, p store.Person) error {
	open, err := s.tx.OpenJobsOf(s.tenant, []string{p.ID})
	for _, j := range open {
		if err == nil && slices.Contains(letGo, Ref{j.System, j.Object}) {
			return cannot("the lock-out of their account in %s is placed with an agent (job %d): remove the account there first, or wait until it is done", j.System, j.ID)
		}
	}
	return err
}
