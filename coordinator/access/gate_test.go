package access_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/access/oidcrig"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
)

const tenant = "t"

func noEnv(string) string { return "" }

// A house is a gate, and behind it a page that says who asks.
type house struct {
	*httptest.Server
	t     testing.TB
	store *store.Store
	gate  *access.Gate
}

// open serves a gate until the test ends; config is told the address.
func open(t testing.TB, st *store.Store, config func(url string) access.Config) *house {
	t.Helper()
	h := &house{t: t, store: st}
	var serve http.Handler
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve.ServeHTTP(w, r) }))
	t.Cleanup(h.Close)
	var conf access.Config
	if config != nil {
		conf = config(h.URL)
	}
	var err error
	if h.gate, err = access.New(st, tenant, conf, noEnv, slog.New(slog.NewTextHandler(io.Discard, nil))); err != nil {
		t.Fatal(err)
	}
	serve = h.gate.Handler(h.gate.Authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(access.Of(r.Context()))
	})))
	return h
}

func newStore(t testing.TB) *store.Store {
	st := storetest.Open(t)
	if err := st.Write(context.Background(), func(tx *store.Tx) error { return tx.PutTenant(tenant) }); err != nil {
		t.Fatal(err)
	}
	return st
}

// who gives who the browser is signed in as, none where it is not.
func (h *house) who(b *oidcrig.Browser) (who access.Principal) {
	h.t.Helper()
	p, err := b.Get(h.URL + "/v1/who")
	if err != nil {
		h.t.Fatal(err)
	}
	if p.Status == http.StatusOK {
		if err := json.Unmarshal([]byte(p.Text), &who); err != nil {
			h.t.Fatal(err)
		}
	}
	return who
}

// link makes a link that signs in an administrator.
func (h *house) link() (link, token string) {
	h.t.Helper()
	link, err := h.gate.AdminLink(h.t.Context(), tenant, h.URL)
	if err != nil {
		h.t.Fatal(err)
	}
	_, token, _ = strings.Cut(link, "token=")
	return link, token
}

// signedIn gives a browser that an administrator is signed in at.
func (h *house) signedIn() *oidcrig.Browser {
	h.t.Helper()
	b := oidcrig.NewBrowser()
	_, token := h.link()
	if p, err := b.Post(h.URL+"/auth/link", map[string][]string{"token": {token}}); err != nil || p.Status != http.StatusSeeOther {
		h.t.Fatalf("sign in by link = %v, %v; want 303", p, err)
	}
	return b
}

func (h *house) audit() (list []store.Audited) {
	h.t.Helper()
	if err := h.store.Read(context.Background(), func(tx *store.Tx) (err error) {
		list, err = tx.ListAudit(tenant, store.AuditFilter{}, 100)
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return list
}

func (h *house) write(do func(tx *store.Tx) error) {
	h.t.Helper()
	if err := h.store.Write(context.Background(), do); err != nil {
		h.t.Fatal(err)
	}
}

// ask sends a request with headers and gives status and text.
func (h *house) ask(method, path string, header map[string]string) (int, http.Header, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.URL+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for name, v := range header {
		req.Header.Set(name, v)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}
