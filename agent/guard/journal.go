package guard

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/drawbridge-id/drawbridge/agent/intact"
)

const (
	schema    = "2"
	unsummed  = "1" // the one before it
	fileName  = "guard.db"
	hour, day = 60, 24 * 60 // minutes
)

var (
	metaBucket     = []byte("meta")
	countsBucket   = []byte("counts")    // system 0 verb 0 minute → number
	approvedBucket = []byte("approvals") // system 0 job → SHA-256 of what it does
	seenBucket     = []byte("seen")      // system → JSON
	schemaKey      = []byte("schema")
	digestKey      = []byte("digest")
)

// A journal is what the guard must not forget. A file that is damaged is not begun
// anew, because budgets would be unused again: the agent does not start, and says
// what to do. What is found damaged later makes the guard deny.
//
// What is done counts on disk before it is done: a little more than needed is
// reserved at a time, so that a budget of thousands does not cost a sync for
// each, and after a crash what was reserved counts as done.
type journal struct {
	db *bbolt.DB

	mu      sync.Mutex
	tallies map[string]*tally // by system 0 verb
	seen    map[string]*seen  // by system
	digest  string
	dirty   map[string]bool // systems of which seen is to be written
}

// openJournal opens or makes guard.db.
func openJournal(dir string, now time.Time) (*journal, error) {
	path := filepath.Join(dir, fileName)
	db, err := intact.Open(path, time.Second)
	j := &journal{db: db, tallies: make(map[string]*tally), seen: make(map[string]*seen), dirty: make(map[string]bool)}
	if err == nil {
		if err = j.begin(minuteOf(now)); err != nil {
			err = errors.Join(err, db.Close())
		}
	}
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("open %s: held by another process", path)
	case errors.Is(err, errNewer):
		return nil, fmt.Errorf("open %s: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w; it holds what counts against the guardrail's budgets: restore it, or move it away to begin with unused budgets", path, err)
	}
	return j, os.Chmod(path, 0o600)
}

func (j *journal) begin(now int64) (err error) {
	defer intact.Recovered(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return j.db.Update(func(tx *bbolt.Tx) error { return j.load(tx, now) })
}

var errNewer = errors.New("it was written by a newer release")

// buckets makes those that are missing, and checksums where the file has none yet.
func buckets(tx *bbolt.Tx) error {
	all := [][]byte{countsBucket, approvedBucket, seenBucket}
	for _, name := range append(all, metaBucket) {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(metaBucket)
	got := string(meta.Get(schemaKey))
	switch got {
	case schema:
		return nil
	case "":
	case unsummed:
		for _, name := range all {
			if _, err := intact.AddSums(tx.Bucket(name)); err != nil {
				return err
			}
		}
		if digest := meta.Get(digestKey); digest != nil {
			if err := intact.Put(meta, digestKey, append([]byte(nil), digest...)); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("%w (schema %q, this one knows %q): install that again", errNewer, got, schema)
	}
	return meta.Put(schemaKey, []byte(schema))
}

func (j *journal) load(tx *bbolt.Tx, now int64) error {
	if err := buckets(tx); err != nil {
		return err
	}
	digest, err := intact.Get(tx.Bucket(metaBucket), digestKey)
	if err != nil {
		return err
	}
	j.digest = string(digest)
	counts := tx.Bucket(countsBucket)
	var old [][]byte
	err = counts.ForEach(func(k, v []byte) error {
		v, err := intact.WithoutSum(k, v)
		if err != nil {
			return err
		}
		if len(k) < 9 || len(v) != 8 {
			return fmt.Errorf("a count cannot be read: %x = %x", k, v)
		}
		minute, n := int64(binary.BigEndian.Uint64(k[len(k)-8:])), int64(binary.BigEndian.Uint64(v))
		if minute <= now-day {
			old = append(old, append([]byte(nil), k...))
			return nil
		}
		t := j.tally(string(k[:len(k)-9]))
		t.load(min(minute, now), n, now)
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range old {
		if err := counts.Delete(k); err != nil {
			return err
		}
	}
	return tx.Bucket(seenBucket).ForEach(func(k, v []byte) error {
		s := newSeen()
		v, err := intact.WithoutSum(k, v)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(v, s); err != nil {
			return fmt.Errorf("what was seen of %s cannot be read: %w", k, err)
		}
		j.seen[string(k)] = s
		return nil
	})
}

func (j *journal) tally(key string) *tally {
	if j.tallies[key] == nil {
		j.tallies[key] = &tally{}
	}
	return j.tallies[key]
}

// over returns the first budget that so many more would break.
func (j *journal) over(system, verb string, weight int, limits map[string]int, now time.Time) (which string, limit, done int) {
	if len(limits) == 0 {
		return "", 0, 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	t := j.tally(system + "\x00" + verb)
	t.advance(minuteOf(now))
	return t.over(weight, limits)
}

// charge counts what is about to be done. It is false where that would break a
// budget; then nothing was counted.
func (j *journal) charge(system, verb string, weight int, limits map[string]int, now time.Time) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := system + "\x00" + verb
	t := j.tally(key)
	t.advance(minuteOf(now))
	if which, _, _ := t.over(weight, limits); which != "" {
		return false, nil
	}
	if len(limits) > 0 && t.reserved < int64(weight) {
		spare := int64(256)
		for _, limit := range limits {
			spare = min(spare, int64(limit)/20)
		}
		reserve := int64(weight) + spare
		written := t.now() + t.reserved + reserve
		if err := j.db.Update(func(tx *bbolt.Tx) error { return putCount(tx, key, t.minute, written) }); err != nil {
			return false, err
		}
		t.reserved += reserve
	}
	t.add(int64(weight))
	t.reserved = max(0, t.reserved-int64(weight))
	t.dirty = true
	j.peak(system, verb, t)
	return true, nil
}

func putCount(tx *bbolt.Tx, key string, minute, n int64) error {
	k := binary.BigEndian.AppendUint64(append([]byte(key), 0), uint64(minute))
	return intact.Put(tx.Bucket(countsBucket), k, binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// flush writes what is only in memory: counts that no budget is for, what was
// reserved and not used in minutes that are over, and what was seen.
func (j *journal) flush(now time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(minuteOf(now), false)
}

func (j *journal) write(now int64, last bool) error {
	texts := make(map[string][]byte)
	for system := range j.dirty {
		text, err := json.Marshal(j.seen[system])
		if err != nil {
			return err
		}
		texts[system] = text
	}
	changed := false
	for _, t := range j.tallies {
		changed = changed || t.dirty
	}
	if len(texts) == 0 && !changed {
		return nil
	}
	err := j.db.Update(func(tx *bbolt.Tx) error {
		for system, text := range texts {
			if err := intact.Put(tx.Bucket(seenBucket), []byte(system), text); err != nil {
				return err
			}
		}
		for key, t := range j.tallies {
			if !t.dirty {
				continue
			}
			t.advance(now)
			if last {
				t.reserved = 0
			}
			for minute := max(t.flushed, t.minute-day+1); minute <= t.minute; minute++ {
				n := t.ring[minute%day]
				if minute == t.minute {
					n += t.reserved
				}
				if n == 0 && minute < t.minute {
					continue
				}
				if err := putCount(tx, key, minute, n); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil {
		clear(j.dirty)
		for _, t := range j.tallies {
			t.flushed, t.dirty = t.minute, false
		}
	}
	return err
}

func (j *journal) close(now time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.write(minuteOf(now), true), j.db.Close())
}

func (j *journal) knownDigest() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.digest
}

// setDigest keeps the digest of the policy that is in force: one that is gone
// later was taken away.
func (j *journal) setDigest(digest string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.digest == digest {
		return nil
	}
	err := j.db.Update(func(tx *bbolt.Tx) error { return intact.Put(tx.Bucket(metaBucket), digestKey, []byte(digest)) })
	if err == nil {
		j.digest = digest
	}
	return err
}

func (k heldKey) bytes() []byte {
	return binary.BigEndian.AppendUint64([]byte(k.system+"\x00"), k.job)
}

func (j *journal) approve(key heldKey, sum [32]byte) error {
	return j.db.Update(func(tx *bbolt.Tx) error { return intact.Put(tx.Bucket(approvedBucket), key.bytes(), sum[:]) })
}

// takeApproval says whether the job was approved as it is, and uses it up.
func (j *journal) takeApproval(key heldKey, sum [32]byte) (bool, error) {
	approved := false
	err := j.db.View(func(tx *bbolt.Tx) error {
		stored, err := intact.Get(tx.Bucket(approvedBucket), key.bytes())
		approved = string(stored) == string(sum[:])
		return err
	})
	if err != nil || !approved {
		return false, err
	}
	return true, j.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(approvedBucket).Delete(key.bytes()) })
}

// A tally counts one verb of one system over the last day.
type tally struct {
	ring     [day]int64 // by minute, modulo
	minute   int64      // the latest; time does not go back
	hours    int64      // in the last hour
	days     int64      // in the last day
	reserved int64      // on disk for the present minute, and not used
	flushed  int64      // minutes before it are on disk as they are
	dirty    bool
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

func (t *tally) load(minute, n, now int64) {
	t.advance(now)
	t.ring[minute%day] += n
	t.days += n
	if minute > now-hour {
		t.hours += n
	}
	t.flushed = now
}

// advance lets minutes pass.
func (t *tally) advance(now int64) {
	if t.minute == 0 || now-t.minute >= day {
		*t = tally{minute: now, flushed: now}
		return
	}
	for t.minute < now {
		t.minute++
		if t.reserved > 0 {
			t.reserved, t.dirty = 0, true
		}
		t.days -= t.ring[t.minute%day]
		t.ring[t.minute%day] = 0
		t.hours -= t.ring[(t.minute-hour)%day]
	}
}

func (t *tally) now() int64 { return t.ring[t.minute%day] }

func (t *tally) add(n int64) {
	t.ring[t.minute%day] += n
	t.hours += n
	t.days += n
}

func (t *tally) over(weight int, limits map[string]int) (which string, limit, done int) {
	for _, span := range []struct {
		name string
		done int64
	}{{"hour", t.hours}, {"day", t.days}} {
		if limit, there := limits[span.name]; there && span.done+int64(weight) > int64(limit) {
			return span.name, limit, int(span.done)
		}
	}
	return "", 0, 0
}

// Spent returns what was done in the last hour and day, by system and verb.
func (g *Guard) Spent() map[string]map[string][2]int {
	j, now := g.journal, minuteOf(g.opt.Now())
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make(map[string]map[string][2]int)
	for key, t := range j.tallies {
		t.advance(now)
		system, verb, _ := strings.Cut(key, "\x00")
		if all[system] == nil {
			all[system] = make(map[string][2]int)
		}
		all[system][verb] = [2]int{int(t.hours), int(t.days)}
	}
	return all
}
