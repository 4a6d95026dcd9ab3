package intake

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Edits. Whoever's record, account or attributes change is made due by that
// change. A document that is edited changes none of these: here is found out
// whom it touches, by evaluating the rules that differ, old and new, over what
// is stored, so that an edit costs what it changes and not another evaluation
// of everybody.
//
//	applied ──► Evaluate   records of which the source makes something else; names and matches where they are found otherwise
//	   │                   (evaluated = revision)
//	   └─ read again only where more must be known of the system than was read (read_as = revision)
//	                └─► Touch    people for whom a rule of the target gives something else, and whoever has
//	                             an open job, a problem, a deviation, or waits: due (planned = revision)
//
// Several edits at once are one: touched is whom any of the documents since
// wanted otherwise than the present one. A process that ends in between begins
// again; to be due twice is to be planned once.

// Carry notes, where a document that takes the place of another needs no more
// of the system than was read by that, that it was read by this one as well, and
// what the system's accounts are where it goes both ways from now on. Who is out of
// its scope is forgotten where nothing is counted from that any more.
func Carry(tx *store.Tx, old store.System, before, after *mapping.System, revision int64) error {
	if err := turn(tx, old.Tenant, before, after); err != nil {
		return err
	}
	if t := after.Target; t == nil || !t.Lifecycle.CountsOutside() {
		if err := tx.ForgetOutside(old.Tenant, old.Name); err != nil {
			return err
		}
	}
	if old.ReadAs != old.Revision || !mapping.SameReading(before, after) {
		return nil
	}
	return tx.SetReadAs(old.Tenant, old.Name, revision)
}

// Evaluate evaluates what is stored of the systems that have another document since the last time.
func (in *Intake) Evaluate(ctx context.Context) error {
	return in.each(ctx, (*store.Tx).SystemsToEvaluate, in.evaluate)
}

// Touch makes those due whom the documents touch that were applied since the last time.
func (in *Intake) Touch(ctx context.Context) error {
	return in.each(ctx, (*store.Tx).SystemsToTouch, in.touch)
}

func (in *Intake) each(ctx context.Context, list func(*store.Tx) ([]store.System, error), do func(context.Context, store.System) error) error {
	var rows []store.System
	err := in.Store.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = list(tx)
		return err
	})
	for _, row := range rows {
		if err == nil {
			err = do(ctx, row)
		}
	}
	return err
}

// maxEdits is how many documents an edit is compared with; after more of them everybody is looked at.
const maxEdits = 5

// documents gives the present document of a system and those it took the place
// of, from a revision on; none of these where they are too many or not known.
func (in *Intake) documents(ctx context.Context, row store.System, from int64) (is *mapping.System, was []*mapping.System, err error) {
	if is, err = in.Systems.Get(row); err != nil {
		return nil, nil, nil // shown with the system; it does nothing
	}
	if from == 0 || row.Revision-from > maxEdits {
		return is, nil, nil
	}
	err = in.Store.Read(ctx, func(tx *store.Tx) error {
		for r := from; r < row.Revision; r++ {
			v, err := tx.Version(row.Tenant, row.Name, r)
			if errors.Is(err, store.ErrNone) {
				was = nil
				return nil
			}
			if err != nil {
				return err
			}
			old := row
			old.Revision, old.Document, old.Site, old.Connector = r, v.Document, "", ""
			system, err := in.Systems.Get(old)
			if err != nil {
				was = nil
				return nil
			}
			was = append(was, system)
		}
		return nil
	})
	return is, was, err
}

func (in *Intake) evaluate(ctx context.Context, row store.System) error {
	is, was, err := in.documents(ctx, row, row.Evaluated)
	if err != nil {
		return err
	}
	edits, renamed := make([]*mapping.EditOfSource, len(was)), len(was) == 0
	same := is != nil && !renamed
	for i, w := range was {
		edits[i] = mapping.EditOfRecords(w, is)
		same = same && edits[i].Nothing()
		renamed = renamed || !mapping.SameIdentity(w, is)
	}
	if same && !renamed {
		return in.Store.Write(ctx, func(tx *store.Tx) error { return tx.SetEvaluated(row.Tenant, row.Name, row.Revision) })
	}
	touched := func(a store.Account) bool {
		if renamed {
			return true
		}
		for _, e := range edits {
			if e.Touches(a.Object) {
				return true
			}
		}
		return false
	}
	for last, more := "", true; more; {
		if last, more, err = in.evaluateAfter(ctx, row, last, renamed, touched); err != nil {
			return err
		}
	}
	return nil
}

// evaluateAfter takes the next accounts of a system anew, those that are touched.
func (in *Intake) evaluateAfter(ctx context.Context, row store.System, from string, renamed bool, touched func(store.Account) bool) (last string, more bool, err error) {
	err = in.Store.Write(ctx, func(tx *store.Tx) error {
		last, more = from, false
		s, err := in.scope(tx, row.Tenant, row.Name)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		if last == "" && renamed {
			if err := s.keepNames(); err != nil {
				return err
			}
		}
		accounts, err := tx.AccountsAfter(row.Tenant, row.Name, last, atOnce)
		if err != nil {
			return err
		}
		if more = len(accounts) == atOnce; !more {
			if err := tx.SetEvaluated(row.Tenant, row.Name, row.Revision); err != nil {
				return err
			}
		}
		var again []store.Account
		for _, a := range accounts {
			if last = a.ID; a.Gone == 0 && touched(a) {
				again = append(again, a)
			}
		}
		return s.again(again)
	})
	return last, more, err
}

// again takes what is stored anew.
func (s *scope) again(accounts []store.Account) error {
	var changes []*change
	for i := range accounts {
		a := &accounts[i]
		c, err := s.change(a.ID, a.Object, a)
		if err != nil {
			return err
		}
		if c != nil {
			c.account.Missing = a.Missing
			changes = append(changes, c)
		}
	}
	return s.apply(changes)
}

// touch makes those due whom the document of a system touches.
func (in *Intake) touch(ctx context.Context, row store.System) error {
	is, was, err := in.documents(ctx, row, row.Planned)
	if err != nil || is == nil {
		return err
	}
	f := &toucher{Intake: in, row: row, why: fmt.Sprintf("revision %d of the document of %s", row.Revision, row.Name), began: time.Now()}
	everybody := len(was) == 0
	for _, w := range was {
		e := mapping.EditOfTarget(w, is)
		everybody = everybody || e.Everybody()
		if !e.Nobody() {
			f.olds = append(f.olds, w)
		}
	}
	f.is = is
	switch {
	case is.Target == nil:
	case everybody:
		return in.Store.Write(ctx, func(tx *store.Tx) error {
			return errors.Join(tx.MarkAllDue(row.Tenant, f.why, f.cycle(tx)), tx.SetPlanned(row.Tenant, row.Name, row.Revision))
		})
	case len(f.olds) > 0:
		if err := f.everybody(ctx); err != nil {
			return err
		}
	}
	return in.Store.Write(ctx, func(tx *store.Tx) error {
		people, err := tx.Unsettled(row.Tenant, row.Name)
		if err != nil {
			return err
		}
		return errors.Join(f.mark(tx, people), tx.SetPlanned(row.Tenant, row.Name, row.Revision))
	})
}

// A toucher looks whom an edit touches.
type toucher struct {
	*Intake
	row   store.System
	is    *mapping.System
	olds  []*mapping.System // that want something else of somebody
	why   string
	began time.Time
}

// cycle gives the read that was waited for, 0 where none was.
func (f *toucher) cycle(tx *store.Tx) int64 {
	c, err := tx.LastCycle(f.row.Tenant, f.row.Name)
	if err != nil || c.Began < f.row.Applied {
		return 0
	}
	return c.ID
}

func (f *toucher) mark(tx *store.Tx, people []string) error {
	return tx.MarkDueAs(store.Due{Tenant: f.row.Tenant, At: tx.Now, Why: f.why, Cycle: f.cycle(tx)}, people)
}

// everybody looks at all people, in as many parts as there are cores.
func (f *toucher) everybody(ctx context.Context) error {
	var ends []string
	err := f.Store.Read(ctx, func(tx *store.Tx) (err error) {
		ends, err = tx.DividePeople(f.row.Tenant, min(runtime.GOMAXPROCS(0), maxParts))
		return err
	})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	ends = append(ends, "")
	for i, end := range ends {
		begin := ""
		if i > 0 {
			begin = ends[i-1]
		}
		group.Go(func() error { return f.part(ctx, begin, end) })
	}
	return group.Wait()
}

// maxParts leaves connections to others that read.
const maxParts = 3

// part looks at the people after one id up to another.
func (f *toucher) part(ctx context.Context, from, to string) error {
	look := newLook(f.olds, f.is, f.began)
	for more := true; more; {
		var touched []string
		err := f.Store.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.SaidAfter(f.row.Tenant, from, to, walked)
			if err != nil {
				return err
			}
			more = len(rows) == walked
			for _, r := range rows {
				if from = r.ID; look.touches(r.Attributes) {
					touched = append(touched, r.ID)
				}
			}
			return nil
		})
		if err == nil && len(touched) > 0 {
			err = f.Store.Write(ctx, func(tx *store.Tx) error { return f.mark(tx, touched) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A look tells whom edits touch. What it found of somebody holds for everybody
// of whom the same is said, as far as the rules read it: departments and places
// are few, and so most people are told by comparing texts.
type look struct {
	edits []*mapping.Edit
	now   time.Time
	reads []string // paths
	key   []byte
	found map[string]bool // nil: hardly anybody is like another
	asked int
	known int
}

// maxFound bounds what a look remembers.
const maxFound = 10_000

func newLook(olds []*mapping.System, is *mapping.System, now time.Time) *look {
	l := &look{now: now, found: map[string]bool{}}
	for _, o := range olds {
		e := mapping.EditOfTarget(o, is)
		l.edits = append(l.edits, e)
		l.reads = append(l.reads, e.Reads()...)
	}
	return l
}

// touches tells whether any of the edits touches whoever this is said of.
func (l *look) touches(said string) bool {
	if l.found == nil {
		return l.evaluate(said)
	}
	l.key = l.key[:0]
	for _, path := range l.reads {
		l.key = append(append(l.key, directory.Stored(said, path)...), 0)
	}
	l.asked++
	if touched, known := l.found[string(l.key)]; known {
		l.known++
		return touched
	}
	touched := l.evaluate(said)
	switch {
	case len(l.found) < maxFound:
		l.found[string(l.key)] = touched
	case l.known < l.asked/2:
		l.found = nil
	}
	return touched
}

func (l *look) evaluate(said string) bool {
	attributes, err := directory.ParseAttributes(said)
	if err != nil {
		return true // who plans them says so
	}
	// The attributes share the memory of the text, which is the row's own.
	for _, e := range l.edits {
		if e.Touches(directory.Person{Attributes: attributes}, l.now) {
			return true
		}
	}
	return false
}
