package intake

import (
	"slices"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
)

// A Voice is one record that tells of a person.
type Voice struct {
	System string
	ID     string // of the record in the system
	Key    string // as the source spells it
	Source *mapping.Source
	directory.Attributes
}

// Together gives what records tell of their person, as [Intake] makes people of
// them, the key of the record that leads, and whether any of them makes people:
// where none does, what only adds to a person says nothing.
func Together(voices []Voice, now time.Time) (attributes directory.Attributes, key string, made bool) {
	records := make([]record, len(voices))
	for i, v := range voices {
		records[i] = record{v.System, v.ID, v.Key, v.Source, v.Attributes}
	}
	if !slices.ContainsFunc(records, func(r record) bool { return !r.source.Joins }) {
		return directory.Attributes{}, "", false
	}
	attributes, lead := merge(records, now)
	return attributes, lead.key, true
}
