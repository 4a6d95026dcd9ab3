package entra

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// form is how Entra prints an instant: M/d/yyyy h:mm:ss tt.
const form = "1/2/2006 3:04:05 PM"

func printed(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(form)
}

// layouts are the forms in which a date is understood without being described;
// what names no zone is UTC.
var layouts = []string{
	form, "2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02Z07:00", "2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04", time.DateOnly,
	"1/2/2006 3:04:05 PM Z07:00", "1/2/2006 3:04 PM", "1/2/2006 15:04:05", "1/2/2006 15:04", "1/2/2006", "2006/1/2", "2006/1/2 15:04:05",
	time.RFC1123, time.RFC1123Z, "2 January 2006", "January 2, 2006", "2 Jan 2006", "Jan 2, 2006",
}

// dateOf reads an instant; the zero time for nothing.
func dateOf(v any) (time.Time, error) {
	if t, ok := v.(time.Time); ok {
		return t, nil
	}
	s := strings.TrimSpace(Text(v))
	if s == "" {
		return time.Time{}, nil
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date; bring it into a known form by FormatDateTime", s)
}

// dateToText makes a function of a date that gives nothing for none.
func dateToText(f func(time.Time) string) func(...any) (any, error) {
	return func(a ...any) (any, error) {
		t, err := dateOf(a[0])
		if err != nil || t.IsZero() {
			return "", err
		}
		return f(t), nil
	}
}

// epochGap is the number of seconds from 1601, where FILETIME begins, to 1970.
const epochGap = 11644473600

func fileTime(t time.Time) string {
	return strconv.FormatInt((t.Unix()+epochGap)*1e7+int64(t.Nanosecond()/100), 10)
}

func dateFromNum(a ...any) (any, error) {
	if !present(a[0]) {
		return "", nil
	}
	n, err := number(a[0])
	if err != nil {
		return nil, err
	}
	if n == 0 || n == math.MaxInt64 {
		return "", nil // never
	}
	return printed(time.Unix(n/1e7-epochGap, n%1e7*100)), nil
}

// units are the intervals of fixed length.
var units = map[string]time.Duration{
	"d": 24 * time.Hour, "ww": 7 * 24 * time.Hour, "h": time.Hour, "n": time.Minute, "s": time.Second,
}

func unknownInterval(s string) error {
	return fmt.Errorf("%q is no interval; there are yyyy, m, d, ww, h, n and s", s)
}

// dateAdd adds so many years, months and so on; a month that is too short ends
// with its last day.
func dateAdd(a ...any) (any, error) {
	n, err := number(a[1])
	if err != nil {
		return nil, err
	}
	t, err := dateOf(a[2])
	if err != nil || t.IsZero() {
		return "", err
	}
	switch interval := a[0].(string); interval {
	case "yyyy":
		return printed(addMonths(t, 12*int(n))), nil
	case "m":
		return printed(addMonths(t, int(n))), nil
	default:
		unit, ok := units[interval]
		if !ok {
			return nil, unknownInterval(interval)
		}
		return printed(t.Add(time.Duration(n) * unit)), nil
	}
}

func addMonths(t time.Time, n int) time.Time {
	y, m, d := t.Date()
	last := time.Date(y, m+time.Month(n)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	h, mi, s := t.Clock()
	return time.Date(y, m+time.Month(n), min(d, last), h, mi, s, t.Nanosecond(), t.Location())
}

// dateDiff gives how many whole intervals date2 is after date1; years and
// months by the calendar alone, weeks from Sunday to Sunday, as Visual Basic.
func dateDiff(a ...any) (any, error) {
	t1, err := dateOf(a[1])
	if err != nil {
		return nil, err
	}
	t2, err := dateOf(a[2])
	if err != nil {
		return nil, err
	}
	if t1.IsZero() || t2.IsZero() {
		return nil, fmt.Errorf("a DateDiff wants two dates, and one is missing")
	}
	months := int64(t2.Year()-t1.Year())*12 + int64(t2.Month()-t1.Month())
	switch interval := a[0].(string); interval {
	case "yyyy":
		return int64(t2.Year() - t1.Year()), nil
	case "m":
		return months, nil
	case "ww":
		t1, t2 = t1.AddDate(0, 0, -int(t1.Weekday())), t2.AddDate(0, 0, -int(t2.Weekday()))
		return int64(t2.Sub(t1) / units["ww"]), nil
	default:
		unit, ok := units[interval]
		if !ok {
			return nil, unknownInterval(interval)
		}
		return int64(t2.Sub(t1) / unit), nil
	}
}

// formatDateTime takes the source, .NET's styles of parsing, the form the
// source has and the form it shall have, as .NET describes them.
func formatDateTime(a ...any) (any, error) {
	source := Text(a[0])
	if source == "" {
		return "", nil
	}
	if err := checkStyles(Text(a[1])); err != nil {
		return nil, err
	}
	var t time.Time
	var err error
	if in := Text(a[2]); in == "" {
		t, err = dateOf(source)
	} else {
		t, err = parseForm(in, strings.TrimSpace(source))
	}
	if err != nil {
		return nil, err
	}
	return printForm(t.UTC(), a[3].(string))
}

// styles are those of .NET's DateTimeStyles. Where Entra runs it is always
// UTC, so that none of them makes a difference.
const styles = " None AllowLeadingWhite AllowTrailingWhite AllowInnerWhite AllowWhiteSpaces NoCurrentDateDefault AdjustToUniversal AssumeLocal AssumeUniversal RoundtripKind "

func checkStyles(s string) error {
	for name := range strings.SplitSeq(s, ",") {
		name = strings.TrimPrefix(strings.TrimSpace(name), "DateTimeStyles.")
		if name != "" && !strings.Contains(styles, " "+name+" ") {
			return fmt.Errorf("%q is none of .NET's styles of dates:%s", name, styles)
		}
	}
	return nil
}
