package dashboard

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// built is a dashboard with one script, whose next handler refuses as the API does.
func built(t *testing.T) *Server {
	t.Helper()
	s, err := load(fstest.MapFS{
		"index.html":         {Data: []byte(`<meta name="csp-nonce" content="__NONCE__">`)},
		"favicon.svg":        {Data: []byte("<svg/>")},
		"assets/app-1234.js": {Data: []byte(strings.Repeat("let a = 1;\n", 500))},
	}, api)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var api = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })

func get(s http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

// A browser gets the page wherever it navigates to; a program that asks for
// what is not there is answered by the API.
func TestServer_pagesAndOthers(t *testing.T) {
	t.Parallel()
	s := built(t)
	for _, c := range []struct {
		method, path, accept string
		want                 int
	}{
		{"GET", "/", "text/html", 200},
		{"HEAD", "/people/j.doe", "text/html,application/xhtml+xml", 200},
		{"GET", "/people/j.doe", "application/json", 401},
		{"POST", "/", "text/html", 401},
		{"GET", "/assets/app-1234.js", "*/*", 200},
		{"GET", "/assets/app-old.js", "text/html", 404},
		{"GET", "/favicon.svg", "*/*", 200},
	} {
		if got := get(s, c.method, c.path, "Accept", c.accept).StatusCode; got != c.want {
			t.Errorf("%s %s accepting %s = %d; want %d", c.method, c.path, c.accept, got, c.want)
		}
	}
}

// The policy allows no inline script, and styles by a nonce that is never used twice.
func TestServer_policy(t *testing.T) {
	t.Parallel()
	s, seen := built(t), map[string]bool{}
	for range 2 {
		resp := get(s, "GET", "/", "Accept", "text/html")
		policy := resp.Header.Get("Content-Security-Policy")
		nonce := regexp.MustCompile(`style-src 'self' 'nonce-(\w{20,})'`).FindStringSubmatch(policy)
		if nonce == nil || !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Fatalf("policy = %s", policy)
		}
		text, _ := io.ReadAll(resp.Body)
		if seen[nonce[1]] || !strings.Contains(string(text), nonce[1]) {
			t.Errorf("nonce %s: used before: %t; page = %s", nonce[1], seen[nonce[1]], text)
		}
		seen[nonce[1]] = true
		if c := resp.Header.Get("Cache-Control"); !strings.Contains(c, "no-store") {
			t.Errorf("a page with a nonce may be kept: %s", c)
		}
	}
}

// A file is sent compressed, kept for ever, and not sent again to who has it.
func TestServer_assets(t *testing.T) {
	t.Parallel()
	s := built(t)
	resp := get(s, "GET", "/assets/app-1234.js", "Accept-Encoding", "gzip, br")
	unzip, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzip)
	if err != nil || len(text) != 500*11 || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") ||
		!strings.HasPrefix(resp.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("%d bytes, %v, %v; want a script of %d bytes that is immutable", len(text), err, resp.Header, 500*11)
	}
	again := get(s, "GET", "/assets/app-1234.js", "Accept-Encoding", "gzip", "If-None-Match", resp.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("asked again with its ETag = %d; want 304", again.StatusCode)
	}
	plain, err := io.ReadAll(get(s, "GET", "/assets/app-1234.js").Body)
	if err != nil || len(plain) != 500*11 {
		t.Errorf("without gzip: %d bytes, %v; want them plain", len(plain), err)
	}
}

// A program that was built without make says how to have the dashboard.
func TestServer_unbuilt(t *testing.T) {
	t.Parallel()
	page, err := files.ReadFile("static/unbuilt.html")
	if err != nil {
		t.Fatal(err)
	}
	s := of(fstest.MapFS{"static/unbuilt.html": {Data: page}}, api) // as a bare go build embeds it
	text, _ := io.ReadAll(get(s, "GET", "/systems", "Accept", "text/html").Body)
	if s.Built() || !strings.Contains(string(text), "make build") || strings.Contains(string(text), nonceMark) {
		t.Errorf("page = %s; want it to say make build, with a nonce", text)
	}
}
