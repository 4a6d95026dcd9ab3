package store

// An Image is what a person and their accounts were when a cycle had them planned.
type Image struct {
	Tenant     string
	Cycle      int64
	Person     string
	At         Instant
	Sourced    bool   // a source had a record of them
	Attributes string // JSON of directory.Attributes
	Accounts   string // JSON; coordinator/plan says what of
}

const imageColumns = "tenant, cycle, person, at, sourced, attributes, accounts"

func (i *Image) fields() []any {
	return []any{&i.Tenant, &i.Cycle, &i.Person, &i.At, &i.Sourced, &i.Attributes, &i.Accounts}
}

// AddImages stores images; the first of a person in a cycle stays.
func (tx *Tx) AddImages(rows []Image) error {
	return insert(tx, "image", imageColumns, "ON CONFLICT DO NOTHING", rows)
}

// ImagesAfter returns up to limit images of a cycle in the order of people's ids, those after the given id.
func (tx *Tx) ImagesAfter(tenant string, cycle int64, person string, limit int) ([]Image, error) {
	return query[Image](tx, "SELECT "+imageColumns+" FROM image WHERE tenant = ? AND cycle = ? AND person > ? ORDER BY person LIMIT ?", tenant, cycle, person, limit)
}

// Image returns the image of a person in a cycle, or [ErrNone].
func (tx *Tx) Image(tenant string, cycle int64, person string) (Image, error) {
	return one[Image](tx, "SELECT "+imageColumns+" FROM image WHERE tenant = ? AND cycle = ? AND person = ?", tenant, cycle, person)
}

// VersionAt returns the version of a system's document that was in force at an instant, or [ErrNone].
func (tx *Tx) VersionAt(tenant, system string, at Instant) (Version, error) {
	return one[Version](tx, "SELECT "+versionColumns+" FROM system_version WHERE tenant = ? AND system = ? AND applied <= ? ORDER BY revision DESC LIMIT 1", tenant, system, at)
}
