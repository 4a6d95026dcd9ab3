package store

import "encoding/json"

// Kinds of deviations.
const (
	DeviationFound   = "found"   // somebody changed it at the system; the document has it put back
	DeviationLeft    = "left"    // the same, and the document has it left alone until somebody decides
	DeviationAdopted = "adopted" // what somebody wrote there stands
	DeviationUndone  = "undone"  // a change of ours was undone
)

// A Deviation is where an account is other than its rules want, and that is known.
type Deviation struct {
	Tenant    string
	Person    string
	System    string
	Attribute string // as the rule spells it; address, enabled, account; "group " and the native id of one
	Account   string // native id
	Kind      string
	Refused   string // what is not written, JSON list
	Found     string // what it is instead, JSON list
	At        Instant
	Who       string
	Job       int64 // that undid it
}

// TextList writes values as the lists of a [Deviation] are stored.
func TextList(values []string) string {
	if values == nil {
		values = []string{}
	}
	text, err := json.Marshal(values)
	if err != nil {
		return "[]"
	}
	return string(text)
}

// TextsOf reads what [TextList] has written; nil where it cannot be read.
func TextsOf(list string) []string {
	var values []string
	if json.Unmarshal([]byte(list), &values) != nil {
		return nil
	}
	return values
}

const deviationColumns = "tenant, person, system, attribute, account, kind, refused, found, at, who, job"

func (d *Deviation) fields() []any {
	return []any{&d.Tenant, &d.Person, &d.System, &d.Attribute, &d.Account, &d.Kind, &d.Refused, &d.Found, &d.At, &d.Who, &d.Job}
}

// PutDeviations stores deviations, each replacing that of its person, system and attribute.
func (tx *Tx) PutDeviations(rows []Deviation) error {
	return insert(tx, "deviation", deviationColumns, `ON CONFLICT (tenant, person, system, attribute) DO UPDATE SET account = excluded.account, kind = excluded.kind,
		refused = excluded.refused, found = excluded.found, at = excluded.at, who = excluded.who, job = excluded.job`, rows)
}

// DeviationsOf returns the deviations of people, by system and attribute.
func (tx *Tx) DeviationsOf(tenant string, people []string) ([]Deviation, error) {
	return query[Deviation](tx, "SELECT "+deviationColumns+" FROM deviation WHERE tenant = ? AND person IN (SELECT value FROM json_each(?)) ORDER BY person, system, attribute", tenant, list(people))
}

// Deviations returns up to limit deviations, the newest first; of a system and kind where these are not empty.
func (tx *Tx) Deviations(tenant, system, kind string, limit int) ([]Deviation, error) {
	w := filter{text: "tenant = ?", args: []any{tenant}}
	w.and("system = ?", system)
	w.and("kind = ?", kind)
	return query[Deviation](tx, "SELECT "+deviationColumns+" FROM deviation WHERE "+w.text+" ORDER BY at DESC, person, system, attribute LIMIT ?", append(w.args, limit)...)
}

// RemoveDeviations forgets deviations.
func (tx *Tx) RemoveDeviations(rows []Deviation) error {
	for _, d := range rows {
		if _, err := tx.exec("DELETE FROM deviation WHERE tenant = ? AND person = ? AND system = ? AND attribute = ?", d.Tenant, d.Person, d.System, d.Attribute); err != nil {
			return err
		}
	}
	return nil
}
