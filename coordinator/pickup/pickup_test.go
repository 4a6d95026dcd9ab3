package pickup_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/pickup"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
)

const (
	public = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
	others = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"
)

// A counter hands out passwords of two people to links.
type counter struct {
	t       *testing.T
	store   *store.Store
	handler http.Handler
}

func newCounter(t *testing.T) *counter {
	c := &counter{t: t, store: storetest.Open(t)}
	c.handler = (&pickup.Server{Store: c.store, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Address: func(r *http.Request) string { return r.RemoteAddr }}).Handler()
	c.write(func(tx *store.Tx) error {
		for _, link := range []store.Pickup{
			{Tenant: "default", Name: "good", Person: "p1", Public: public, Until: tx.Now.Add(time.Hour)},
			{Tenant: "default", Name: "late", Person: "p1", Public: public, Until: tx.Now.Add(-time.Hour)},
		} {
			if err := tx.AddPickup(link); err != nil {
				return err
			}
		}
		return tx.AddPasswords([]store.Password{
			{Tenant: "default", Job: 1, System: "ad", Person: "p1", Account: "one", Recipients: `["` + others + `","` + public + `"]`, Box: []byte("box one")},
			{Tenant: "default", Job: 2, System: "ad", Person: "p1", Account: "sealed to others", Recipients: `["` + others + `"]`, Box: []byte("box two")},
			{Tenant: "default", Job: 3, System: "ad", Person: "p2", Account: "another person's", Recipients: `["` + public + `"]`, Box: []byte("box three")},
			{Tenant: "other", Job: 4, System: "ad", Person: "p1", Account: "another tenant's", Recipients: `["` + public + `"]`, Box: []byte("box four")},
		})
	})
	return c
}

func (c *counter) write(do func(*store.Tx) error) {
	c.t.Helper()
	if err := c.store.Write(c.t.Context(), do); err != nil {
		c.t.Fatal(err)
	}
}

func (c *counter) ask(path, kind, body string) (int, string) {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), "POST", pickup.Path+path, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	r.RemoteAddr = "192.0.2.7"
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

type answer struct {
	Passwords []struct {
		ID      int64
		Account string
		Box     []byte
	}
	Before *struct {
		At      time.Time
		Address string
	}
}

func (c *counter) boxes(link string) (a answer) {
	c.t.Helper()
	status, text := c.ask("/boxes", "application/json", `{"link":"`+link+`"}`)
	if err := json.Unmarshal([]byte(text), &a); err != nil || status != http.StatusOK {
		c.t.Fatalf("boxes = %d %s, %v", status, text, err)
	}
	return a
}

// A link gives what is sealed to it, of its person and tenant alone, until it is
// said to be opened; that is said once. The next one to come is told of it.
func TestServer_once(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	for range 2 { // a browser that fails on the way may come again
		got := c.boxes("good")
		if len(got.Passwords) != 1 || got.Passwords[0].ID != 1 || string(got.Passwords[0].Box) != "box one" {
			t.Fatalf("boxes = %+v; want the one that is sealed to the link", got.Passwords)
		}
	}
	if got := c.boxes("good"); got.Before == nil || got.Before.Address != "192.0.2.7" {
		t.Errorf("used before: %+v; want when and from where", got.Before)
	}
	for _, ids := range []string{"[3]", "[1,4]", "[2]"} {
		if status, text := c.ask("/done", "application/json", `{"link":"good","passwords":`+ids+`}`); status != http.StatusConflict {
			t.Errorf("done with %s = %d %s; want 409: they are not all the link's", ids, status, text)
		}
	}
	if status, text := c.ask("/done", "application/json", `{"link":"good","passwords":[1]}`); status != http.StatusOK {
		t.Fatalf("done = %d %s", status, text)
	}
	if status, _ := c.ask("/done", "application/json", `{"link":"good","passwords":[1]}`); status != http.StatusConflict {
		t.Errorf("done again = %d; want 409: somebody else was quicker", status)
	}
	if got := c.boxes("good"); len(got.Passwords) != 0 || got.Before == nil {
		t.Errorf("boxes afterwards = %+v; want none, and when the link was used", got)
	}
	if err := c.store.Read(t.Context(), func(tx *store.Tx) error {
		log, err := tx.HistoryOf("default", "p1", 0, 10)
		told := ""
		for _, h := range log {
			told += h.Text + "\n"
		}
		if !strings.Contains(told, "fetched with the one-time link, from 192.0.2.7") || !strings.Contains(told, "picked up with the one-time link") {
			t.Errorf("the log says %q; want both", told)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// A link that nobody made, or whose time is over, gives nothing; nor does what no
// page of ours has asked. Links whose time is over are forgotten.
func TestServer_refuses(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	for _, link := range []string{"late", "", "unknown", "' OR '1'='1"} {
		body, _ := json.Marshal(map[string]any{"link": link, "passwords": []int{1}})
		for _, path := range []string{"/boxes", "/done"} {
			if status, text := c.ask(path, "application/json", string(body)); status != http.StatusGone || strings.Contains(text, "box") {
				t.Errorf("%s by link %q = %d %s; want 410", path, link, status, text)
			}
		}
	}
	for kind, body := range map[string]string{"text/plain": `{"link":"good"}`, "application/json": `{"link":`} {
		if status, _ := c.ask("/boxes", kind, body); status != http.StatusBadRequest {
			t.Errorf("%s %s = %d; want 400", kind, body, status)
		}
	}
	c.write(func(tx *store.Tx) error { return tx.ForgetPickups() })
	if err := c.store.Read(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Pickup("late"); !errors.Is(err, store.ErrNone) {
			t.Errorf("a link whose time is over = %v; want it forgotten", err)
		}
		_, err := tx.Pickup("good")
		return err
	}); err != nil {
		t.Error(err)
	}
}

// The page may load and ask its own origin only, and nobody keeps it.
func TestServer_page(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", pickup.Path, nil))
	h := w.Header()
	if w.Code != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), "text/html") || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("page = %d %v; want HTML that is not kept", w.Code, h)
	}
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
		if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, want) || strings.Contains(policy, "unsafe") {
			t.Errorf("policy %q; want %q in it, and nothing unsafe", policy, want)
		}
	}
}
