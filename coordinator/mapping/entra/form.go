package entra

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A token is a part of a form in which .NET writes dates: a specifier such as
// yyyy, or a text that stands for itself.
type token struct {
	specifier byte // 0: text
	count     int
	text      string
}

// standard are the forms that .NET knows by a single letter, in the invariant
// culture.
var standard = map[string]string{
	"d": "MM/dd/yyyy", "D": "dddd, dd MMMM yyyy", "f": "dddd, dd MMMM yyyy HH:mm", "F": "dddd, dd MMMM yyyy HH:mm:ss",
	"g": "MM/dd/yyyy HH:mm", "G": "MM/dd/yyyy HH:mm:ss", "M": "MMMM dd", "m": "MMMM dd", "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
	"O": "yyyy-MM-ddTHH:mm:ss.fffffffK", "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'", "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
	"s": "yyyy-MM-ddTHH:mm:ss", "t": "HH:mm", "T": "HH:mm:ss", "u": "yyyy-MM-dd HH:mm:ss'Z'", "y": "yyyy MMMM", "Y": "yyyy MMMM",
}

// tokens takes a form apart.
func tokens(form string) ([]token, error) {
	if long, ok := standard[form]; ok {
		form = long
	}
	var out []token
	for i := 0; i < len(form); {
		c := form[i]
		switch {
		case strings.IndexByte("dfFghHKmMstyz", c) >= 0:
			n := 1
			for i+n < len(form) && form[i+n] == c && c != 'K' {
				n++
			}
			out = append(out, token{specifier: c, count: n})
			i += n
		case c == '\'' || c == '"':
			end := strings.IndexByte(form[i+1:], c)
			if end < 0 {
				return nil, fmt.Errorf("the form %q of a date has a quote that does not end", form)
			}
			out = append(out, token{text: form[i+1 : i+1+end]})
			i += end + 2
		case c == '\\' && i+1 < len(form):
			out = append(out, token{text: form[i+1 : i+2]})
			i += 2
		case c == '%':
			i++
		default:
			out = append(out, token{text: form[i : i+1]})
			i++
		}
	}
	return out, nil
}

// printForm writes an instant, given in UTC, in the form.
func printForm(t time.Time, form string) (any, error) {
	ts, err := tokens(form)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, k := range ts {
		if k.specifier == 0 {
			b.WriteString(k.text)
		} else {
			b.WriteString(printToken(t, k))
		}
	}
	return b.String(), nil
}

func printToken(t time.Time, k token) string {
	pad := func(n int) string { return fmt.Sprintf("%0*d", min(k.count, 2), n) }
	switch k.specifier {
	case 'd':
		switch k.count {
		case 1, 2:
			return pad(t.Day())
		case 3:
			return t.Format("Mon")
		}
		return t.Format("Monday")
	case 'M':
		switch k.count {
		case 1, 2:
			return pad(int(t.Month()))
		case 3:
			return t.Format("Jan")
		}
		return t.Format("January")
	case 'y':
		if k.count <= 2 {
			return pad(t.Year() % 100)
		}
		return fmt.Sprintf("%0*d", k.count, t.Year())
	case 'H':
		return pad(t.Hour())
	case 'h':
		return pad((t.Hour()+11)%12 + 1)
	case 'm':
		return pad(t.Minute())
	case 's':
		return pad(t.Second())
	case 'f', 'F':
		fraction := fmt.Sprintf("%09d", t.Nanosecond())[:min(k.count, 7)]
		if k.specifier == 'F' {
			fraction = strings.TrimRight(fraction, "0")
		}
		return fraction
	case 't':
		return t.Format("PM")[:min(k.count, 2)]
	case 'g':
		return "A.D."
	case 'K':
		return "Z"
	default: // z
		return []string{"+0", "+00", "+00:00"}[min(k.count, 3)-1]
	}
}

// A reading is what parseForm has found so far.
type reading struct {
	rest             string
	year, month, day int
	hour, min, sec   int
	nanos            int
	afternoon, half  bool
	offset           int // seconds east of UTC
}

// parseForm reads a date that has the form.
func parseForm(form, s string) (time.Time, error) {
	ts, err := tokens(form)
	if err != nil {
		return time.Time{}, err
	}
	r := reading{rest: s, year: 1, month: 1, day: 1}
	for _, k := range ts {
		ok := false
		if k.specifier == 0 {
			r.rest, ok = strings.CutPrefix(r.rest, k.text)
		} else {
			ok = r.take(k)
		}
		if !ok {
			return time.Time{}, fmt.Errorf("%q does not have the form %q", s, form)
		}
	}
	if r.half {
		r.hour %= 12
		if r.afternoon {
			r.hour += 12
		}
	}
	t := time.Date(r.year, time.Month(r.month), r.day, r.hour, r.min, r.sec, r.nanos, time.FixedZone("", r.offset))
	if r.rest != "" || t.Day() != r.day || t.Hour() != r.hour || t.Minute() != r.min || t.Second() != r.sec || int(t.Month()) != r.month {
		return time.Time{}, fmt.Errorf("%q does not have the form %q", s, form)
	}
	return t.UTC(), nil
}

func (r *reading) take(k token) bool {
	two := 2
	switch k.specifier {
	case 'd':
		if k.count > 2 {
			return r.name(func(i int) string { return short(time.Weekday(i).String(), k.count) }, 7, new(int), 0)
		}
		return r.digits(k.count, two, &r.day)
	case 'M':
		if k.count > 2 {
			return r.name(func(i int) string { return short(time.Month(i+1).String(), k.count) }, 12, &r.month, 1)
		}
		return r.digits(k.count, two, &r.month)
	case 'y':
		if k.count <= 2 {
			ok := r.digits(k.count, two, &r.year)
			if r.year < 50 { // .NET's calendar turns at 2049
				r.year += 100
			}
			r.year += 1900
			return ok
		}
		return r.digits(k.count, k.count, &r.year)
	case 'H':
		return r.digits(k.count, two, &r.hour)
	case 'h':
		r.half = true
		return r.digits(k.count, two, &r.hour)
	case 'm':
		return r.digits(k.count, two, &r.min)
	case 's':
		return r.digits(k.count, two, &r.sec)
	case 'f', 'F':
		return r.fraction(k)
	case 't':
		return r.name(func(i int) string { return []string{"AM", "PM"}[i][:min(k.count, 2)] }, 2, nil, 0)
	case 'g':
		return r.name(func(int) string { return "A.D." }, 1, new(int), 0)
	default: // K, z
		return r.zone(k)
	}
}

func short(name string, count int) string {
	if count == 3 {
		return name[:3]
	}
	return name
}

// digits takes at least so many digits, and at most the greater number where
// one alone is asked for.
func (r *reading) digits(least, most int, to *int) bool {
	if least >= most {
		least = most
	}
	n := 0
	for n < most && n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' {
		n++
	}
	if n < least {
		return false
	}
	*to, _ = strconv.Atoi(r.rest[:n])
	r.rest = r.rest[n:]
	return true
}

// name takes one of n names, whatever their case. to is nil for the half of the
// day.
func (r *reading) name(of func(int) string, n int, to *int, base int) bool {
	for i := range n {
		name := of(i)
		if len(r.rest) >= len(name) && strings.EqualFold(r.rest[:len(name)], name) {
			r.rest = r.rest[len(name):]
			if to == nil {
				r.afternoon = i == 1
			} else {
				*to = i + base
			}
			return true
		}
	}
	return false
}

// fraction takes the part of a second; F may find none.
func (r *reading) fraction(k token) bool {
	n := 0
	for n < k.count && n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' {
		n++
	}
	if n < k.count && k.specifier == 'f' {
		return false
	}
	r.nanos, _ = strconv.Atoi((r.rest[:n] + "000000000")[:9])
	r.rest = r.rest[n:]
	return true
}

// zone takes an offset such as +8, +08 or +08:00, and for K also Z or nothing.
func (r *reading) zone(k token) bool {
	if rest, ok := strings.CutPrefix(r.rest, "Z"); ok && (k.specifier == 'K' || k.count == 3) {
		r.rest = rest
		return true
	}
	if r.rest == "" || r.rest[0] != '+' && r.rest[0] != '-' {
		return k.specifier == 'K'
	}
	sign := 1
	if r.rest[0] == '-' {
		sign = -1
	}
	r.rest = r.rest[1:]
	var hours, minutes int
	if !r.digits(1, 2, &hours) {
		return false
	}
	if k.specifier == 'K' || k.count >= 3 {
		rest, ok := strings.CutPrefix(r.rest, ":")
		r.rest = rest
		if !ok || !r.digits(2, 2, &minutes) {
			return false
		}
	}
	r.offset = sign * (hours*3600 + minutes*60)
	return true
}
