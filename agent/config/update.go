package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // Windows has no zones that Go can read

	"github.com/drawbridge-id/drawbridge/proto/release"
)

// An Update says whether, when and to what the agent may update itself.
type Update struct {
	Keys   []string `yaml:"keys"`   // Required for updates. Public keys (Ed25519, base64); one of them must have signed a release
	Ring   string   `yaml:"ring"`   // Optional. Which agents it is updated with; by default what the coordinator says
	Hold   bool     `yaml:"hold"`   // Optional. Nothing is updated
	Window Window   `yaml:"window"` // Optional. When a version may be switched; always by default
	Gate   string   `yaml:"gate"`   // Optional. How long a new version has to do its work; 5m by default
	Settle string   `yaml:"settle"` // Optional. How long it lives on before another agent of the site follows; 15m by default
	Watch  string   `yaml:"watch"`  // Optional. How long it is taken back if it goes on ending; 24h by default
}

// A Window is hours of the week. The zero value is always.
type Window struct {
	Zone string   `yaml:"zone"` // Required. Such as Europe/Zurich
	Days []string `yaml:"days"` // Optional. mon to sun, by which it begins; every day by default
	From string   `yaml:"from"` // Required. HH:MM
	To   string   `yaml:"to"`   // Required. HH:MM; of the next day if that is not later
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (u Update) check(d *decoder) {
	for i, key := range u.Keys {
		if _, err := release.ParseKey(key); err != nil {
			d.faultAt(fmt.Sprintf("update.keys[%d]", i), "%v", err)
		}
	}
	if len(u.Keys) == 0 && d.places["update"].line > 0 {
		d.faultAt("update.keys", "is missing: the public keys of whoever signs releases")
	}
	if u.Ring != "" && (!connectorName.MatchString(u.Ring) || len(u.Ring) > 40) {
		d.faultAt("update.ring", "%q is no ring's name: lower-case letters, digits and dashes", u.Ring)
	}
	for name, text := range map[string]string{"gate": u.Gate, "settle": u.Settle, "watch": u.Watch} {
		if text == "" {
			continue
		}
		if span, err := time.ParseDuration(text); err != nil || span < time.Second {
			d.faultAt("update."+name, "%q is no length of time such as 15m, of a second at least", text)
		}
	}
	u.Window.check(d)
}

func (w Window) check(d *decoder) {
	if w.zero() {
		return
	}
	if _, err := time.LoadLocation(w.Zone); err != nil || w.Zone == "" {
		d.faultAt("update.window.zone", "%q is no time zone such as Europe/Zurich", w.Zone)
	}
	for name, text := range map[string]string{"from": w.From, "to": w.To} {
		if _, err := time.Parse("15:04", text); err != nil {
			d.faultAt("update.window."+name, "%q is no time of day such as 22:00", text)
		}
	}
	for i, day := range w.Days {
		if !slices.Contains(weekdays, day) {
			d.faultAt(fmt.Sprintf("update.window.days[%d]", i), "%q is none of %s", day, strings.Join(weekdays, ", "))
		}
	}
}

func (w Window) zero() bool { return w.Zone == "" && w.From == "" && w.To == "" && w.Days == nil }

// Open tells whether an instant is in the window, which was checked.
func (w Window) Open(at time.Time) bool {
	if w.zero() {
		return true
	}
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return false
	}
	at = at.In(zone)
	now, today := at.Format("15:04"), weekdays[at.Weekday()]
	yesterday := weekdays[(at.Weekday()+6)%7]
	begins := func(day string) bool { return w.Days == nil || slices.Contains(w.Days, day) }
	if w.From < w.To {
		return begins(today) && now >= w.From && now < w.To
	}
	return begins(today) && now >= w.From || begins(yesterday) && now < w.To
}

// Span is a length of time of the file, which was checked; otherwise where it is not there.
func (u Update) Span(text string, otherwise time.Duration) time.Duration {
	if span, err := time.ParseDuration(text); err == nil {
		return span
	}
	return otherwise
}
