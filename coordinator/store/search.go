package store

import (
	"fmt"
	"strconv"
	"strings"
)

// A found person is one with the place in the order in which they were found.
type found struct {
	Person
	place int64
}

// lookedThrough is among how many people, in the order of keys, a page is looked for before the index is asked. What so
// many have that a page is full by then would be sorted whole out of it.
const lookedThrough = 5000

// SearchPeople returns up to limit people of whom every one of the words, as of
// directory.Words, begins some word: of their key, name or mail. after is "" or what was
// returned as next, which is "" when there are no more.
func (tx *Tx) SearchPeople(tenant string, words []string, after string, limit int) (people []Person, next string, err error) {
	if len(words) == 0 {
		return nil, "", nil
	}
	if tx.Shared() {
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = "'" + w + "':*"
		}
		wanted := strings.Join(quoted, " & ")
		people, err = query[Person](tx, "SELECT "+personColumns+" FROM (SELECT "+personColumns+`, word_index FROM person WHERE tenant = ? AND key > ? ORDER BY key LIMIT ?) AS next_ones
			WHERE word_index @@ CAST(? AS TSQUERY) ORDER BY key LIMIT ?`, tenant, after, lookedThrough, wanted, limit)
		if err == nil && len(people) < limit {
			people, err = query[Person](tx, "SELECT "+personColumns+` FROM person WHERE tenant = ? AND word_index @@ CAST(? AS TSQUERY) AND key > ?
				ORDER BY key LIMIT ?`, tenant, wanted, after, limit)
		}
		if len(people) == limit {
			next = people[limit-1].Key
		}
		return people, next, err
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = `"` + w + `"*`
	}
	from, _ := strconv.ParseInt(after, 10, 64)
	columns := "p." + strings.ReplaceAll(personColumns, ", ", ", p.")
	rows, err := queryAny(tx, func(scan scan, f *found) error { return scan(append(f.fields(), &f.place)...) },
		"SELECT "+columns+`, person_word.rowid FROM person_word JOIN person p ON p.rowid = person_word.rowid WHERE person_word MATCH ? AND person_word.rowid > ? AND p.tenant = ?
		ORDER BY person_word.rowid LIMIT ?`, strings.Join(quoted, " "), from, tenant, limit)
	if err == nil && len(rows) < limit {
		var more []found
		if more, err = tx.searchRest(tenant, words, from, limit-len(rows)); err == nil {
			rows = append(rows, more...)
		}
	}
	for _, r := range rows {
		people = append(people, r.Person)
	}
	if len(rows) == limit {
		next = fmt.Sprint(rows[limit-1].place)
	}
	return people, next, err
}

// searchRest looks through those who are not in the index yet, one by one.
func (tx *Tx) searchRest(tenant string, words []string, from int64, limit int) ([]found, error) {
	w := filter{text: "rowid > ? AND rowid > (SELECT coalesce(max(id), 0) FROM person_word_docsize) AND tenant = ?", args: []any{from, tenant}}
	for _, word := range words {
		w.text += " AND instr(' ' || words, ?) > 0"
		w.args = append(w.args, " "+word)
	}
	return queryAny(tx, func(scan scan, f *found) error { return scan(append(f.fields(), &f.place)...) },
		"SELECT "+personColumns+", rowid FROM person WHERE "+w.text+" ORDER BY rowid LIMIT ?", append(w.args, limit)...)
}

// NamesFrom returns up to limit names of a system's attribute that begin with the folded prefix.
func (tx *Tx) NamesFrom(tenant, system, attribute, prefix string, limit int) ([]Name, error) {
	return query[Name](tx, "SELECT "+nameColumns+" FROM name WHERE tenant = ? AND system = ? AND attribute = ? AND value >= ? AND value < ? ORDER BY value LIMIT ?",
		tenant, system, attribute, prefix, prefix+"\U0010ffff", limit)
}

// IndexPeople makes up to limit people found by their words who are not yet,
// and returns how many they were. Until then each search looks through them. words gives the words of somebody whose row has none yet.
func (tx *Tx) IndexPeople(limit int, words func(Person) string) (int, error) {
	if tx.Shared() { // people are found as soon as they are stored: only those of an earlier release are not
		rows, err := query[Person](tx, "SELECT "+personColumns+" FROM person WHERE words = '' LIMIT ?", limit)
		for _, p := range rows {
			if _, err := tx.exec("UPDATE person SET words = ? WHERE tenant = ? AND id = ?", words(p), p.Tenant, p.ID); err != nil {
				return 0, err
			}
		}
		return len(rows), err
	}
	rows, err := queryAny(tx, func(scan scan, f *found) error { return scan(append(f.fields(), &f.place)...) },
		"SELECT "+personColumns+`, rowid FROM person WHERE rowid > (SELECT coalesce(max(id), 0) FROM person_word_docsize) ORDER BY rowid LIMIT ?`, limit)
	if err != nil {
		return 0, err
	}
	for _, f := range rows {
		if f.Words == "" {
			f.Words = words(f.Person)
			if _, err := tx.exec("UPDATE person SET words = ? WHERE tenant = ? AND id = ?", f.Words, f.Tenant, f.ID); err != nil {
				return 0, err
			}
		}
		if _, err := tx.exec("INSERT INTO person_word (rowid, words) VALUES (?, ?)", f.place, f.Words); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// Unindexed tells whether there are people who are not found by their words yet.
func (tx *Tx) Unindexed() (bool, error) {
	if tx.Shared() {
		return value[bool](tx, "SELECT CASE WHEN EXISTS (SELECT 1 FROM person WHERE words = '') THEN 1 ELSE 0 END")
	}
	return value[bool](tx, "SELECT EXISTS (SELECT 1 FROM person WHERE rowid > (SELECT coalesce(max(id), 0) FROM person_word_docsize))")
}
