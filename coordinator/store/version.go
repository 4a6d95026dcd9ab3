package store

// A Version is a document that is or was in force for a system.
type Version struct {
	Tenant   string
	System   string
	Revision int64
	Document string // YAML as applied
	Applied  Instant
	Who      string // applied it; empty where that is not known
	Note     string // why, as they said
}

const versionColumns = "tenant, system, revision, document, applied, who, note"

func (v *Version) fields() []any {
	return []any{&v.Tenant, &v.System, &v.Revision, &v.Document, &v.Applied, &v.Who, &v.Note}
}

// addVersion keeps a document that comes into force, and gives its revision.
func (tx *Tx) addVersion(v Version) (int64, error) {
	last, err := value[int64](tx, "SELECT coalesce(max(revision), 0) FROM system_version WHERE tenant = ? AND system = ?", v.Tenant, v.System)
	if err != nil {
		return 0, err
	}
	v.Revision, v.Applied = last+1, tx.Now
	return v.Revision, insert(tx, "system_version", versionColumns, "", []Version{v})
}

// Versions returns up to limit versions of a system's document, the newest first, also of one that was removed.
func (tx *Tx) Versions(tenant, system string, limit int) ([]Version, error) {
	return query[Version](tx, "SELECT "+versionColumns+" FROM system_version WHERE tenant = ? AND system = ? ORDER BY revision DESC LIMIT ?",
		tenant, system, limit)
}

// Version returns a version of a system's document, or [ErrNone].
func (tx *Tx) Version(tenant, system string, revision int64) (Version, error) {
	return one[Version](tx, "SELECT "+versionColumns+" FROM system_version WHERE tenant = ? AND system = ? AND revision = ?", tenant, system, revision)
}
