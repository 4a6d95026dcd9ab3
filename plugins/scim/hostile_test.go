package scim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/scim/double"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A racer does something just before the next request that changes an object.
type racer struct {
	mu sync.Mutex
	do func()
}

func (r *racer) arm(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.do = do
}

func (r *racer) hook(_ http.ResponseWriter, request *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.do != nil && (request.Method == "PATCH" || request.Method == "PUT") {
		r.do()
		r.do = nil
	}
	return false
}

// Whatever a server answers, the outcome is clear, and says which system it is
// and what to do.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	say := func(status int, media, text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		}
	}
	const scimJSON = "application/scim+json"
	for name, row := range map[string]struct {
		answer func(http.ResponseWriter)
		read   sdk.Outcome // of a read; of a change of an object
		write  sdk.Outcome
		cause  string
	}{
		"a page for people": {say(200, "text/html", "<html><title>Please sign in</title>"), sdk.OutcomeInvalid, sdk.OutcomeUnknown, "page for people"},
		"a gateway's page":  {say(500, "text/html", "<html><title>Oops</title>"), sdk.OutcomeUnavailable, sdk.OutcomeUnknown, "page for people"},
		"an error with 200": {say(200, scimJSON, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"500","detail":"database is away"}`),
			sdk.OutcomeUnavailable, sdk.OutcomeUnknown, "error with the status of success|no list"},
		"another error with 200": {say(200, "application/json", `{"error":{"code":7}}`), sdk.OutcomeUnavailable, sdk.OutcomeUnknown, "error with the status of success|no list"},
		"no JSON":                {say(200, scimJSON, "OK"), sdk.OutcomeUnavailable, sdk.OutcomeUnknown, "no JSON|no list"},
		"half a JSON":            {say(200, scimJSON, `{"totalResults":5,"Resources":[{"id":"1","userName":"a"},{"id`), sdk.OutcomeUnavailable, sdk.OutcomeUnknown, "broke off|no JSON"},
		"null":                   {say(200, scimJSON, "null"), sdk.OutcomeUnavailable, sdk.OutcomeUnknown, "no JSON|no list"},
		"Latin-1":                {say(200, "application/scim+json; charset=iso-8859-1", "{\"id\":\"M\xfcller\"}"), sdk.OutcomeInvalid, sdk.OutcomeUnknown, "UTF-8"},
		"forbidden":              {say(403, scimJSON, `{"detail":"scope users:write is missing"}`), sdk.OutcomeDenied, sdk.OutcomeDenied, "scope users:write is missing"},
		"unauthorized":           {say(401, scimJSON, `{}`), sdk.OutcomeDenied, sdk.OutcomeDenied, "does not accept how we sign in"},
		"not here":               {say(404, scimJSON, `{}`), sdk.OutcomeInvalid, sdk.OutcomeNotFound, "(404)"},
		"failed":                 {say(500, scimJSON, `{"detail":"deadlock"}`), sdk.OutcomeUnavailable, sdk.OutcomeUnknown, "deadlock"},
		"refused":                {say(400, scimJSON, `{"scimType":"invalidValue","detail":"title is too long"}`), sdk.OutcomeInvalid, sdk.OutcomeInvalid, "title is too long"},
		"immutable":              {say(400, scimJSON, `{"scimType":"mutability","detail":"no"}`), sdk.OutcomeInvalid, sdk.OutcomeInvalid, "(400)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lists, writes atomic.Bool
			p := serveDouble(t, double.Options{Hook: func(w http.ResponseWriter, r *http.Request) bool {
				hostile := lists.Load() && r.Method == "GET" && r.URL.Path == "/Users" || writes.Load() && r.Method == "PATCH"
				if hostile {
					row.answer(w)
				}
				return hostile
			}}, nil)
			id := p.done(t, create("ada"), false).GetId()
			lists.Store(true)
			end := connkit.Read(t, p.client, everybody()).End
			clear(t, p, "read", end.GetOutcome(), end.GetFault(), row.read, row.cause)
			writes.Store(true)
			r := p.apply(t, modify(id, change("title", "", "Clerk")))
			clear(t, p, "change", r.GetOutcome(), r.GetFault(), row.write, row.cause)
			if row.write != sdk.OutcomeNotFound && !strings.Contains(r.GetFault().GetObject(), "ada") {
				t.Errorf("fault of the change = %v; want it to name ada", r.GetFault())
			}
		})
	}
}

// clear checks an outcome and its words; causes are alternatives split by |.
func clear(t *testing.T, p *peer, what string, got sdk.Outcome, fault *connectorv1.Fault, want sdk.Outcome, causes string) {
	t.Helper()
	right := false
	for _, cause := range strings.Split(causes, "|") {
		right = right || strings.Contains(fault.GetCause()+fault.GetRaw(), cause)
	}
	if host := strings.TrimPrefix(p.url, "http://"); got != want || !right || fault.GetNextStep() == "" || !strings.Contains(fault.GetCause(), host) {
		t.Errorf("%s = %v, %v; want %v, %q and the host %s", what, got, fault, want, causes, host)
	}
	if strings.Contains(fault.String(), token) {
		t.Errorf("%s shows the token: %v", what, fault)
	}
}

// A redirect to another host is not followed: it would get the token.
func TestRedirect_keepsTheToken(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(thief.Close)
	p := serveDouble(t, double.Options{Hook: func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/Users") {
			http.Redirect(w, r, thief.URL+r.URL.Path, http.StatusTemporaryRedirect)
			return true
		}
		return false
	}}, nil)
	end := connkit.Read(t, p.client, everybody()).End
	clear(t, p, "read", end.GetOutcome(), end.GetFault(), sdk.OutcomeInvalid, "another host")
	r := p.apply(t, create("ada"))
	clear(t, p, "create", r.GetOutcome(), r.GetFault(), sdk.OutcomeInvalid, "another host")
	if asked.Load() > 0 {
		t.Errorf("the other host was asked %d times", asked.Load())
	}
}

// A rate limit is waited for, with Retry-After or without; nothing is done twice.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]string{"with Retry-After": "1", "without": "", "with a date": "date", "with nonsense": "soon"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			p := serveDouble(t, double.Options{Hook: func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != "POST" || calls.Add(1) > 2 {
					return false
				}
				if after == "date" {
					w.Header().Set("Retry-After", time.Now().Add(time.Second).UTC().Format(http.TimeFormat))
				} else if after != "" {
					w.Header().Set("Retry-After", after)
				}
				w.WriteHeader(http.StatusTooManyRequests)
				return true
			}}, nil)
			began := time.Now()
			p.done(t, create("ada"), false)
			if took := time.Since(began); after == "1" && took < 2*time.Second || took < 100*time.Millisecond && after != "date" {
				t.Errorf("after two refusals it took %v; want pauses", took)
			}
			if n := p.double.Count("Users"); n != 1 {
				t.Errorf("there are %d users; want 1", n)
			}
		})
	}
}

// A pause that is too long to sit out is passed to the engine.
func TestRateLimit_longPause(t *testing.T) {
	t.Parallel()
	p := serveDouble(t, double.Options{Hook: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == "POST" {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return r.Method == "POST"
	}}, nil)
	r := p.apply(t, create("ada"))
	clear(t, p, "create", r.GetOutcome(), r.GetFault(), sdk.OutcomeUnavailable, "limits the rate")
	if got := r.GetFault().GetRetryAfter().AsDuration(); got != time.Hour {
		t.Errorf("retry after %v; want an hour", got)
	}
}

// The answer to a create is lost: the next attempt finds what the first made.
func TestCreate_lostAnswer(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]*connectorv1.Operation{"user": create("ada"), "group, whose names are not unique": group("Staff")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lose atomic.Bool
			lose.Store(true)
			var p *peer
			p = serveDouble(t, double.Options{Hook: func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != "POST" || !lose.CompareAndSwap(true, false) {
					return false
				}
				p.double.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler) // it is done, and nothing is said
			}}, nil)
			if r := p.apply(t, op); r.GetOutcome() != sdk.OutcomeUnknown {
				t.Fatalf("a create whose answer is lost = %v; want UNKNOWN", r)
			}
			p.done(t, op, true)
			if n := p.double.Count(op.GetClass() + "s"); n != 1 {
				t.Errorf("there are %d; want 1", n)
			}
		})
	}
}

// Ids that change would lose every account: the read says so, and deletes
// nothing, be it seen where two pages meet or by looking once more.
func TestRead_idsThatChange(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"over pages": 7, "on one page": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serveDouble(t, double.Options{NewIDs: true}, map[string]any{"page_size": size})
			p.double.Edit(func(d *double.Server) {
				for i := range 20 {
					d.Put("Users", map[string]any{"schemas": []any{"x"}, "userName": fmt.Sprintf("user%02d", i)})
				}
			})
			end := connkit.Read(t, p.client, everybody()).End
			clear(t, p, "read", end.GetOutcome(), end.GetFault(), sdk.OutcomeUnavailable, "its ids change")
		})
	}
}

// A server that ignores startIndex gives its first page for ever.
func TestRead_samePageForEver(t *testing.T) {
	t.Parallel()
	p := serveDouble(t, double.Options{IgnoresIndex: true, PageLimit: 10}, nil)
	for i := range 40 {
		p.done(t, create(fmt.Sprintf("user%02d", i)), false)
	}
	end := connkit.Read(t, p.client, everybody()).End
	clear(t, p, "read", end.GetOutcome(), end.GetFault(), sdk.OutcomeUnavailable, "again and again|there are 40")
}

// While a read goes on others delete what was read already: the pages shift, and
// still nothing is missed that was there all the time. Others create: nothing
// comes twice.
func TestRead_whileOthersEdit(t *testing.T) {
	t.Parallel()
	var lists atomic.Int32
	var p *peer
	p = serveDouble(t, double.Options{Hook: func(_ http.ResponseWriter, r *http.Request) bool {
		if n := lists.Add(1); p != nil && r.Method == "GET" && r.URL.Path == "/Users" && n%3 == 0 && n < 60 {
			p.double.Edit(func(d *double.Server) {
				for i := range 5 { // the oldest go: all that comes after moves up
					d.Drop("Users", fmt.Sprintf("u-%06d", 1+int(n)/3*5+i))
				}
				d.Put("Users", map[string]any{"schemas": []any{"x"}, "userName": fmt.Sprintf("new%d", n)})
			})
		}
		return false
	}}, nil)
	var stays []string
	p.double.Edit(func(d *double.Server) {
		for i := range 300 {
			id := d.Put("Users", map[string]any{"schemas": []any{"x"}, "userName": fmt.Sprintf("user%03d", i)})
			if i >= 200 {
				stays = append(stays, id)
			}
		}
	})
	seen := map[string]int{}
	for _, o := range p.read(t, "User", nil, "userName").Objects {
		seen[o.GetId()]++
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	for _, id := range stays {
		if seen[id] == 0 {
			t.Errorf("%s was there all the time and is missing", id)
		}
	}
}

// A resource that is none is set aside, and the rest goes on.
func TestRead_setsAside(t *testing.T) {
	t.Parallel()
	p := serveDouble(t, double.Options{Hook: func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/Users" {
			return false
		}
		fmt.Fprint(w, `{"totalResults":4,"Resources":[{"id":"1","userName":"ada"},{"userName":"no id"},"text",{"id":2,"userName":"`+"\xff"+`"}]}`)
		return true
	}}, map[string]any{"deviations": map[string]any{"total": "unreliable"}})
	r := p.read(t, "User", nil, "userName")
	if len(r.Objects) != 1 || len(r.Rejects) != 3 {
		t.Errorf("read = %v, rejects %v; want ada and three rejects", r.Objects, r.Rejects)
	}
}

// With cursors that the server forgets the read begins again, and nothing comes twice.
func TestRead_expiredCursor(t *testing.T) {
	t.Parallel()
	var once atomic.Bool
	p := serveDouble(t, double.Options{Cursor: true, PageLimit: 5, Hook: func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Query().Get("cursor"), "c11") && once.CompareAndSwap(false, true) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"scimType":"expiredCursor","status":"400"}`)
			return true
		}
		return false
	}}, nil)
	for i := range 23 {
		p.done(t, create(fmt.Sprintf("user%02d", i)), false)
	}
	if r := p.read(t, "User", nil, "userName"); len(r.Objects) != 23 || !once.Load() {
		t.Errorf("read = %d objects; want 23 after a cursor that was forgotten", len(r.Objects))
	}
}
