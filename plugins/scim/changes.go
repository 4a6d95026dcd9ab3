package scim

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// ReadChanges gives what meta.lastModified says has changed. SCIM does not tell
// what was deleted, but how many objects there are: where that is not what the
// changes lead to, everything must be read. And membership changes the group,
// not the user, so that with memberOf every read is full.
func (s *System) ReadChanges(ctx context.Context, q sdk.Query, text []byte, out *sdk.Sink) ([]byte, error) {
	var since cookie
	if json.Unmarshal(text, &since) != nil || since.Version != cookieVersion || since.Query != queryKey(q) || since.Classes == nil {
		return nil, fmt.Errorf("it is none of ours or belongs to other attributes: %w", sdk.ErrResync)
	}
	known, err := s.known(ctx)
	if err != nil {
		return nil, err
	}
	if !s.tellsChanges(known) {
		return nil, fmt.Errorf("the server cannot tell changes any more: %w", sdk.ErrResync)
	}
	return s.readClasses(ctx, q, since, out)
}

// tellsChanges tells whether objects can be filtered by when they were changed.
func (s *System) tellsChanges(known *service) bool {
	return known.filter && s.dialect.Changes != "off" && s.dialect.Filter != "eq"
}

// A cookie says up to where each class was read.
type cookie struct {
	Version int
	Query   uint64 // classes and attributes
	Classes map[string]mark
}

const cookieVersion = 1

func newCookie(q sdk.Query) cookie {
	return cookie{Version: cookieVersion, Query: queryKey(q), Classes: map[string]mark{}}
}

func (c cookie) encode() ([]byte, error) { return json.Marshal(c) }

func queryKey(q sdk.Query) uint64 {
	classes, attributes := slices.Sorted(slices.Values(q.Classes)), slices.Sorted(slices.Values(q.Attributes))
	return hash(strings.ToLower(strings.Join(append(append(classes, ""), attributes...), "\x00")))
}

func hash(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

// A mark is the latest lastModified that was seen, by the server's clock, and
// what was seen shortly before it. The next read asks again for that stretch,
// for a server may show an object later than it dates it, and leaves out what
// it has had.
type mark struct {
	Since  string            `json:",omitempty"` // RFC 3339; empty: nothing was there
	Total  int               // objects that there were
	Recent map[uint64]uint64 `json:",omitempty"` // hash of native id: hash of its version, within stretch

	at       time.Time
	dates    map[uint64]time.Time
	unusable bool // an object does not say when it was changed
}

const (
	stretch    = 30 * time.Second
	mostRecent = 2000 // of which a cookie tells; what is beyond is given again
)

var lastModified = path.Path{Attr: "meta", Sub: "lastModified"}

func (m *mark) filter() string {
	at, err := time.Parse(time.RFC3339Nano, m.Since)
	if err != nil {
		return ""
	}
	return (&path.Filter{Op: "ge", Path: lastModified, Value: at.Add(-stretch).UTC().Format("2006-01-02T15:04:05.000Z")}).String()
}

func version(got resource) (date time.Time, key, of uint64, ok bool) {
	text := got.text("meta.lastModified")
	date, err := time.Parse(time.RFC3339Nano, text)
	return date, hash(got.id()), hash(text + "\x00" + got.text("meta.version")), err == nil
}

// has tells whether the last read had the object as it is.
func (m *mark) has(got resource) bool {
	_, key, of, _ := version(got)
	had, ok := m.Recent[key]
	return ok && had == of
}

// covers tells whether the object was changed late enough to pass the filter.
func (m *mark) covers(got resource) bool {
	date, _, _, ok := version(got)
	at, err := time.Parse(time.RFC3339Nano, m.Since)
	return ok && err == nil && !date.Before(at.Add(-stretch).Truncate(time.Millisecond))
}

// see notes an object that was read.
func (m *mark) see(got resource) {
	date, key, of, ok := version(got)
	if !ok {
		m.unusable = true
		return
	}
	if m.Recent == nil {
		m.Recent, m.dates = map[uint64]uint64{}, map[uint64]time.Time{}
	}
	if date.After(m.at) || m.Since == "" {
		m.at, m.Since = date, date.UTC().Format(time.RFC3339Nano)
	}
	if date.Before(m.at.Add(-stretch)) {
		return
	}
	m.Recent[key], m.dates[key] = of, date
	if len(m.Recent) > 2*mostRecent {
		m.forget()
	}
}

// fresh tells whether the object was made since the last read.
func (m *mark) fresh(got resource) bool {
	created, err := time.Parse(time.RFC3339Nano, got.text("meta.created"))
	since, sinceErr := time.Parse(time.RFC3339Nano, m.Since)
	if err != nil || sinceErr != nil || created.Before(since.Add(-stretch)) {
		return false
	}
	_, had := m.Recent[hash(got.id())]
	return !had
}

// forget drops what is before the stretch, and what is too many.
func (m *mark) forget() {
	for key, date := range m.dates {
		if date.Before(m.at.Add(-stretch)) || len(m.Recent) > mostRecent {
			delete(m.Recent, key)
			delete(m.dates, key)
		}
	}
}

// MarshalJSON leaves out what has fallen behind.
func (m mark) MarshalJSON() ([]byte, error) {
	m.forget()
	type plain mark
	return json.Marshal(plain(m))
}
