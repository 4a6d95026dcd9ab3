package guard

import (
	"errors"
	"slices"
	"strconv"
	"time"
	_ "time/tzdata" // Windows has no zones that Go can read
)

// hours are Hours made ready.
type hours struct {
	zone     *time.Location
	days     [7]bool
	from, to int // minutes of the day
	except   []string
}

// compile returns nil for always, and for hours that have faults.
func (h Hours) compile() *hours {
	from, err := clock(h.From)
	to, err2 := clock(h.To)
	zone, err3 := time.LoadLocation(h.Zone)
	if errors.Join(err, err2, err3) != nil {
		return nil
	}
	c := &hours{zone: zone, from: from, to: to, except: h.Except}
	if h.Except == nil {
		c.except = []string{"disable"}
	}
	for i, day := range days {
		c.days[i] = h.Days == nil || slices.Contains(h.Days, day)
	}
	return c
}

// open says whether a verb may be done now.
func (s *System) open(verb string, now time.Time) bool {
	h := s.opening
	if h == nil || slices.Contains(h.except, verb) {
		return true
	}
	at := now.In(h.zone)
	minute := 60*at.Hour() + at.Minute()
	return h.days[at.Weekday()] && minute >= h.from && minute < h.to
}

// clock reads HH:MM as minutes of the day; 24:00 is its end.
func clock(text string) (int, error) {
	wrong := errors.New("no time of day")
	if len(text) != 5 || text[2] != ':' {
		return 0, wrong
	}
	h, err := strconv.ParseUint(text[:2], 10, 8)
	m, err2 := strconv.ParseUint(text[3:], 10, 8)
	if err != nil || err2 != nil || m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, wrong
	}
	return int(60*h + m), nil
}
