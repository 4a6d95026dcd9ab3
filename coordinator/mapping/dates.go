package mapping

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // Windows has none
)

// dayLayouts are the forms of a day and instantLayouts of an instant that date
// and dateEnd know without being told.
var (
	dayLayouts     = []string{time.DateOnly, "20060102", "2006-01-02Z07:00"}
	instantLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04"}
)

const dateHint = `it is neither a day such as "2006-01-31" nor an instant such as "2006-01-31T17:00:00+01:00"; give date its layout`

func dateFunctions(zone *time.Location) map[string]function {
	parse := new(func(string, ...string) time.Time)
	return map[string]function{
		"date": {[]any{parse}, func(a ...any) (any, error) {
			t, _, err := parseDate(zone, a)
			return t, err
		}},
		"dateEnd": {[]any{parse}, func(a ...any) (any, error) {
			t, day, err := parseDate(zone, a)
			if err != nil || !day {
				return t, err
			}
			return t.AddDate(0, 0, 1), nil
		}},
		"dateAdd": {[]any{new(func(time.Time, string) time.Time)}, func(a ...any) (any, error) {
			return dateAdd(a[0].(time.Time), a[1].(string))
		}},
		"daysBetween": {[]any{new(func(time.Time, time.Time) int)}, func(a ...any) (any, error) {
			return int(a[1].(time.Time).Sub(a[0].(time.Time)) / (24 * time.Hour)), nil
		}},
		"formatDate": {[]any{new(func(time.Time, string) string), new(func(time.Time, string, string) string)}, func(a ...any) (any, error) {
			in := zone
			if len(a) > 2 {
				var err error
				if in, err = time.LoadLocation(a[2].(string)); err != nil {
					return nil, fmt.Errorf("no time zone is called %q", a[2])
				}
			}
			if t := a[0].(time.Time); !t.IsZero() {
				return t.In(in).Format(a[1].(string)), nil
			}
			return "", nil
		}},
		"fileTime": {[]any{new(func(time.Time) string)}, func(a ...any) (any, error) { return fileTime(a[0].(time.Time)), nil }},
		"fromFileTime": {[]any{new(func(string) time.Time)}, func(a ...any) (any, error) {
			return fromFileTime(a[0].(string))
		}},
		"accountExpires": {[]any{new(func(time.Time) string)}, func(a ...any) (any, error) {
			if t := a[0].(time.Time); !t.IsZero() {
				return fileTime(t), nil
			}
			return "9223372036854775807", nil // never
		}},
	}
}

// parseDate reads args[0] by the layout and in the zone that the others give,
// and tells whether it is a day without a time. No text gives the zero time.
func parseDate(zone *time.Location, args []any) (t time.Time, day bool, err error) {
	text := strings.TrimSpace(args[0].(string))
	if text == "" {
		return t, false, nil
	}
	days, instants := dayLayouts, instantLayouts
	for _, a := range args[1:] {
		arg := a.(string)
		if isZone(arg) {
			if zone, err = time.LoadLocation(arg); err != nil {
				return t, false, fmt.Errorf("no time zone is called %q", arg)
			}
			continue
		}
		if strings.Contains(arg, "15") || strings.Contains(arg, "03") || strings.Contains(arg, "3:04") {
			days, instants = nil, []string{arg}
		} else {
			days, instants = []string{arg}, nil
		}
	}
	for _, l := range days {
		if t, err := time.ParseInLocation(l, text, zone); err == nil {
			return t, true, nil
		}
	}
	for _, l := range instants {
		if t, err := time.ParseInLocation(l, text, zone); err == nil {
			return t, false, nil
		}
	}
	if len(args) > 1 && (len(days) == 0 || len(instants) == 0) {
		return t, false, fmt.Errorf("%q does not have the form %q", text, append(days, instants...)[0])
	}
	return t, false, fmt.Errorf("%q cannot be read: %s", text, dateHint)
}

// isZone tells the name of a time zone from a layout.
func isZone(arg string) bool {
	if arg == "UTC" {
		return true
	}
	area, _, ok := strings.Cut(arg, "/")
	return ok && area != "" && strings.Trim(area, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == "" && area != "Jan" && area != "January"
}

// dateAdd adds a span such as "-7d", "1y6mo" or "36h"; days, months and years
// by the calendar of t's zone.
func dateAdd(t time.Time, span string) (time.Time, error) {
	if t.IsZero() {
		return t, nil
	}
	rest, sign := strings.CutPrefix(span, "-")
	direction := 1
	if sign {
		direction = -1
	}
	rest = strings.TrimPrefix(rest, "+")
	for rest != "" {
		i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if i <= 0 {
			return t, fmt.Errorf(`%q is no span of time; write it like "7d", "-36h" or "1y6mo"`, span)
		}
		n, err := strconv.Atoi(rest[:i])
		if err != nil {
			return t, fmt.Errorf("%q is too long a span of time", span)
		}
		n *= direction
		unit := rest[i:]
		if j := strings.IndexAny(unit, "0123456789"); j >= 0 {
			unit = unit[:j]
		}
		rest = rest[i+len(unit):]
		switch unit {
		case "y":
			t = t.AddDate(n, 0, 0)
		case "mo":
			t = t.AddDate(0, n, 0)
		case "w":
			t = t.AddDate(0, 0, 7*n)
		case "d":
			t = t.AddDate(0, 0, n)
		case "h":
			t = t.Add(time.Duration(n) * time.Hour)
		case "m":
			t = t.Add(time.Duration(n) * time.Minute)
		case "s":
			t = t.Add(time.Duration(n) * time.Second)
		default:
			return t, fmt.Errorf("%q is no unit of time; there are y, mo, w, d, h, m and s", unit)
		}
	}
	return t, nil
}

// epochGap is the number of seconds from 1601, where FILETIME begins, to 1970.
const epochGap = 11644473600

func fileTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt((t.Unix()+epochGap)*1e7+int64(t.Nanosecond()/100), 10)
}

// fromFileTime reads a FILETIME; 0 and the greatest number mean never, and
// give the zero time.
func fromFileTime(s string) (time.Time, error) {
	if s == "" || s == "0" || s == "9223372036854775807" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no FILETIME", s)
	}
	return time.Unix(n/1e7-epochGap, n%1e7*100).UTC(), nil
}
