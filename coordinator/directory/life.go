package directory

import "time"

// Life is where in their employment somebody is.
type Life uint8

const (
	// Future: the start date is ahead.
	Future Life = iota + 1
	// Active: employed.
	Active
	// Left: after the end date, inactive, or in no source any more.
	Left
)

// String gives the word for people.
func (l Life) String() string {
	switch l {
	case Future:
		return "future"
	case Active:
		return "active"
	case Left:
		return "left"
	}
	return "unknown"
}

// Tenure is the employment that the person's dates tell of. A zero Start means
// since ever, a zero End until further notice.
type Tenure struct {
	Start, End time.Time
	// Earlier is the end of an employment before Start: an end date that
	// precedes the start date is that of somebody who comes back.
	Earlier time.Time
	// Ended tells that the person is gone whatever the dates say: in no source,
	// or inactive with a start that is not ahead.
	Ended bool
}

// TenureAt reads the person's startDate, endDate and active.
func (p Person) TenureAt(now time.Time) Tenure {
	t := Tenure{Start: p.Attributes.Time("startDate"), End: p.Attributes.Time("endDate")}
	if !t.End.IsZero() && t.End.Before(t.Start) {
		t.Earlier, t.End = t.End, time.Time{}
	}
	active, known := p.Attributes.Bool("active")
	t.Ended = !p.HasSource || known && !active && !now.Before(t.Start)
	return t
}

// LifeAt tells the person's life at an instant. The boundary itself belongs to
// what comes after it.
func (p Person) LifeAt(now time.Time) Life {
	t := p.TenureAt(now)
	switch {
	case t.Ended, !t.End.IsZero() && !now.Before(t.End):
		return Left
	case now.Before(t.Start):
		return Future
	}
	return Active
}
