// Package notify tells people and programs, who do not look, what needs them:
// by webhooks and by e-mail. What needs somebody is what the home page says;
// this package keeps what was told, so that each is told once, and once when it
// is over.
//
//	points of the home page ─► new, and still so after a while ─► notice to each receiver ─┐
//	what was told and is no more ─► "cleared"  ────────────────► in one transaction       │
//	                                                    ┌──────────────────────────────────┘
//	                                                    └► POST or mail ─► done | again later | given up
//
// A webhook is signed as Standard Webhooks are: webhook-id (the same for each
// try), webhook-timestamp, webhook-signature. It may come twice: whoever
// receives keeps the ids. What is not taken is tried again after 5 s, 5 min,
// 30 min, 2, 5, 10, and 10 hours, then given up, and shown with why.
//
// What may go wrong: a receiver that is away (tried again); one that says it is
// gone, HTTP 410 (paused); an address inside that a webhook must not reach
// (link-local ones, where clouds keep credentials, are refused when dialled);
// killed between delivering and noting it (delivered twice, same id).
package notify

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A Notifier tells receivers of every tenant. Store, Points and Log must be set.
type Notifier struct {
	Store *store.Store
	// Points gives what is not as it should be for a tenant.
	Points    func(ctx context.Context, tenant string) ([]client.Point, error)
	Mail      Mail   // how mail is sent; its zero value sends none
	PublicURL string // of the dashboard, for links; may be empty
	Log       *slog.Logger

	// Every is how often it is looked; 0 means 15 s.
	Every time.Duration
	// Patience, by what it is about, is how long something must be so before it is told; nil means 5 min for an agent, 2 min for a system.
	Patience map[string]time.Duration

	seen   map[string]time.Time // since when points are so that were not told
	client *http.Client
}

// An event is what a receiver gets.
type event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	Tenant   string `json:"tenant"`
	Level    string `json:"level,omitempty"`
	What     string `json:"what"`
	Name     string `json:"name,omitempty"`
	Text     string `json:"text"`
	NextStep string `json:"next_step,omitempty"`
	URL      string `json:"url,omitempty"`
}

// Run looks and delivers until ctx ends, and returns its cause.
func (n *Notifier) Run(ctx context.Context) error {
	n.prepare()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.deliverAll(ctx)
	}()
	defer func() { <-done }()
	tick := time.NewTicker(n.Every)
	defer tick.Stop()
	for {
		if err := n.Look(ctx); err != nil && ctx.Err() == nil {
			n.Log.ErrorContext(ctx, "Not found out whom to tell what", "err", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (n *Notifier) prepare() {
	if n.Every <= 0 {
		n.Every = 15 * time.Second
	}
	if n.Patience == nil {
		n.Patience = map[string]time.Duration{"agent": 5 * time.Minute, "system": 2 * time.Minute}
	}
	if n.seen == nil {
		n.seen = map[string]time.Time{}
	}
	if n.client == nil {
		n.client = outward()
	}
}

// Look finds out what is to be told to whom, once. It is for Run and for tests, one at a time.
func (n *Notifier) Look(ctx context.Context) error {
	n.prepare()
	var tenants []store.Tenant
	err := n.Store.Read(ctx, func(tx *store.Tx) (err error) {
		tenants, err = tx.Tenants()
		return err
	})
	for _, t := range tenants {
		if err != nil {
			return err
		}
		err = n.lookFor(ctx, t.ID)
	}
	return err
}

// A receiver wants to be told of some kinds.
type receiver struct {
	id    string
	kinds []string
}

func (n *Notifier) lookFor(ctx context.Context, tenant string) error {
	var receivers []receiver
	var told []store.Told
	err := n.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if receivers, err = n.receivers(tx, tenant); err != nil {
			return err
		}
		told, err = tx.Told(tenant)
		return err
	})
	if err != nil || len(receivers) == 0 && len(told) == 0 {
		return err
	}
	points, err := n.Points(ctx, tenant)
	if err != nil {
		return err
	}
	raised, cleared := n.compare(tenant, points, told)
	if len(raised)+len(cleared) == 0 {
		return nil
	}
	return n.Store.WriteTenant(ctx, tenant, func(tx *store.Tx) error {
		var notices []store.Notice
		for _, p := range raised {
			if err := tx.SetTold(tenant, key(p), p.Text); err != nil {
				return err
			}
			notices = append(notices, n.notices(tx.Now, tenant, receivers, p, "raised")...)
		}
		for _, t := range cleared {
			if err := tx.RemoveTold(tenant, t.Name); err != nil {
				return err
			}
			what, name, _ := strings.Cut(t.Name, " ")
			notices = append(notices, n.notices(tx.Now, tenant, receivers, client.Point{What: what, Name: name, Text: "over: " + t.Text}, "cleared")...)
		}
		return tx.AddNotices(notices)
	})
}

// compare gives what is new and has been so for long enough, and what is over.
func (n *Notifier) compare(tenant string, points []client.Point, told []store.Told) (raised []client.Point, cleared []store.Told) {
	now := map[string]bool{}
	for _, p := range points {
		k := key(p)
		if now[k] {
			continue
		}
		now[k] = true
		if slices.ContainsFunc(told, func(t store.Told) bool { return t.Name == k }) {
			continue
		}
		mark := tenant + "\x00" + k
		if n.seen[mark].IsZero() {
			n.seen[mark] = time.Now()
		}
		if time.Since(n.seen[mark]) >= n.Patience[p.What] {
			delete(n.seen, mark)
			raised = append(raised, p)
		}
	}
	for mark := range n.seen {
		if k, mine := strings.CutPrefix(mark, tenant+"\x00"); mine && !now[k] {
			delete(n.seen, mark)
		}
	}
	for _, t := range told {
		if !now[t.Name] {
			cleared = append(cleared, t)
		}
	}
	return raised, cleared
}

// key is what makes a point the same as one before.
func key(p client.Point) string { return p.What + " " + p.Name }

func (n *Notifier) receivers(tx *store.Tx, tenant string) (list []receiver, err error) {
	hooks, err := tx.Webhooks(tenant)
	if err != nil {
		return nil, err
	}
	for _, h := range hooks {
		if !h.Paused {
			list = append(list, receiver{h.ID, Kinds(h.Kinds)})
		}
	}
	if n.Mail.Server == "" {
		return list, nil
	}
	mails, err := tx.MailTos(tenant)
	for _, m := range mails {
		list = append(list, receiver{mailTo + m.Address, Kinds(m.Kinds)})
	}
	return list, err
}

const mailTo = "mailto:"

// Kinds reads the kinds that a receiver wants.
func Kinds(text string) []string {
	kinds := []string{}
	if json.Unmarshal([]byte(text), &kinds) != nil || kinds == nil {
		return []string{}
	}
	return kinds
}

// notices makes a notice for each receiver that wants the point.
func (n *Notifier) notices(now store.Instant, tenant string, to []receiver, p client.Point, how string) (list []store.Notice) {
	id := NewID()
	body, err := json.Marshal(event{p.What + "." + how, now.Time(), data{tenant, p.Level, p.What, p.Name, p.Text, p.NextStep, n.PublicURL}})
	if err != nil {
		n.Log.Error("Event has no form", "err", err)
		return nil
	}
	for _, r := range to {
		if len(r.kinds) == 0 || slices.Contains(r.kinds, p.What) {
			list = append(list, store.Notice{Tenant: tenant, ID: id, Receiver: r.id, Kind: p.What + "." + how, Body: body})
		}
	}
	return list
}

// NewID makes an id for an event.
func NewID() string {
	var random [12]byte
	rand.Read(random[:]) // never fails
	return "msg_" + hex.EncodeToString(random[:])
}

// Test is a notice by which a receiver is tried.
func Test(now store.Instant, tenant, receiver, who string) store.Notice {
	body, _ := json.Marshal(event{"test", now.Time(), data{Tenant: tenant, What: "test", Text: who + " tries whether this arrives"}}) // texts always have a form
	return store.Notice{Tenant: tenant, ID: NewID(), Receiver: receiver, Kind: "test", Body: body}
}
