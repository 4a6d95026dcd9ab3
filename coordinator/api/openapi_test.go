package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/drawbridge-id/drawbridge/coordinator/api"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
)

// tries is how many requests of each kind every operation is sent.
const tries = 8

// Every operation is sent requests made of its own description: some that fit
// it, some that do not. It never fails by itself, and what it answers is what
// its description says, refusals with what to do included.
func TestOperations_keepToTheirDescription(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	text, err := api.Description("test")
	if err != nil {
		t.Fatal(err)
	}
	d := describe(t, text)
	g := &generator{rand.New(rand.NewPCG(1, 2)), d}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		if streams(path) {
			continue
		}
		for method, op := range d.Paths[path] {
			good := 0
			f.own = f.Token(rehearsal.Tenant, "tester") // the one before may have been ended
			for n := range 2 * tries {
				req := g.request(f, method, path, op, n >= tries)
				status := d.check(t, req, op)
				if status/100 == 2 {
					good++
				}
			}
			if good == 0 && strings.EqualFold(method, "get") && !strings.HasSuffix(path, "/test") {
				t.Errorf("%s %s: no request that fits its description was answered", method, path)
			}
		}
	}
}

// A description is the API's, with what validates its schemas.
type description struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]map[string]any }
	compiler   *jsonschema.Compiler
}

type operation struct {
	Parameters []struct {
		Name, In string
		Required bool
		Schema   map[string]any
	}
	RequestBody *struct {
		Content map[string]struct{ Schema map[string]any }
	}
	Responses map[string]struct {
		Content map[string]struct{ Schema map[string]any }
	}
}

func describe(t *testing.T, text []byte) *description {
	t.Helper()
	d := &description{compiler: jsonschema.NewCompiler()}
	if err := json.Unmarshal(text, d); err != nil {
		t.Fatal(err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	d.compiler.AssertFormat()
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := d.compiler.AddResource("file:///openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	return d
}

// check sends a request and compares the answer with the description.
func (d *description) check(t *testing.T, req *http.Request, op operation) int {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	what := fmt.Sprintf("%s %s = %d %.300s", req.Method, req.URL.RequestURI(), resp.StatusCode, text)
	if resp.StatusCode >= 500 {
		t.Errorf("it failed by itself: %s", what)
		return resp.StatusCode
	}
	described, ok := op.Responses[fmt.Sprint(resp.StatusCode)]
	if !ok && resp.StatusCode >= 400 {
		described, ok = op.Responses["default"]
	}
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if !ok {
		t.Errorf("this status is not described: %s", what)
		return resp.StatusCode
	}
	content, ok := described.Content[kind]
	if !ok {
		if len(text) > 0 {
			t.Errorf("content of type %q is not described: %s", kind, what)
		}
		return resp.StatusCode
	}
	if kind != "application/json" && kind != "application/problem+json" {
		return resp.StatusCode
	}
	ref, _ := content.Schema["$ref"].(string)
	if ref == "" {
		t.Errorf("no schema is named: %s", what)
		return resp.StatusCode
	}
	schema, err := d.compiler.Compile("file:///openapi.json" + ref)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Errorf("the answer is not as described: %v: %s", err, what)
	}
	if resp.StatusCode >= 400 && !strings.Contains(string(text), `"next_step"`) {
		t.Errorf("a refusal does not say what to do: %s", what)
	}
	return resp.StatusCode
}

// A generator makes requests.
type generator struct {
	*rand.Rand
	d *description
}

func (g *generator) request(f *furnished, method, path string, op operation, bad bool) *http.Request {
	f.t.Helper()
	address := f.concrete(path)
	query, header := url.Values{}, http.Header{"Authorization": {"Bearer " + f.own}}
	for _, p := range op.Parameters {
		switch {
		case p.In == "path" && bad && g.IntN(2) == 0:
			address = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(g.text()), 1)
			for strings.Contains(address, "{") {
				address = address[:strings.Index(address, "{")] + "x" + address[strings.Index(address, "}")+1:]
			}
		case p.In == "query" && (p.Required || g.IntN(3) == 0):
			query.Set(p.Name, fmt.Sprint(g.plain(p.Schema, bad)))
		case p.In == "header" && bad && g.IntN(4) == 0:
			header.Set(p.Name, strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return 'x'
				}
				return r
			}, g.text()))
		}
	}
	var body io.Reader
	if op.RequestBody != nil {
		for kind, content := range op.RequestBody.Content {
			header.Set("Content-Type", kind)
			body = bytes.NewReader(g.body(kind, content.Schema, bad))
			break
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.t.Context()), 30*time.Second)
	f.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), f.address+address, body)
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, address, err)
	}
	req.URL.RawQuery, req.Header = query.Encode(), header
	return req
}

func (g *generator) body(kind string, schema map[string]any, bad bool) []byte {
	if kind != "application/json" {
		return []byte(g.text())
	}
	if bad && g.IntN(4) == 0 {
		return []byte([]string{"", "{", "[]", "null", "7", `"x"`, "\x00", `{"a":` + strings.Repeat("[", 500)}[g.IntN(8)])
	}
	text, err := json.Marshal(g.value(schema, bad, 0))
	if err != nil {
		panic(err) // what is made here always has a form
	}
	return text
}

// plain makes a value of a parameter.
func (g *generator) plain(schema map[string]any, bad bool) any {
	if items, ok := schema["items"].(map[string]any); ok && !bad {
		return g.plain(items, bad)
	}
	v := g.value(schema, bad, 0)
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i := range list {
			parts[i] = fmt.Sprint(list[i])
		}
		return strings.Join(parts, ",")
	}
	return v
}

// value makes a value that fits a schema; where bad is set it mostly does not.
func (g *generator) value(schema map[string]any, bad bool, depth int) any {
	if ref, ok := schema["$ref"].(string); ok {
		schema = g.d.Components.Schemas[ref[strings.LastIndex(ref, "/")+1:]]
	}
	if depth > 6 {
		return nil
	}
	if bad && g.IntN(4) == 0 {
		return []any{nil, -1, 1e300, true, g.text(), []any{}, map[string]any{"x": 1}, "2026-99-99", strings.Repeat("y", 3000)}[g.IntN(9)]
	}
	if list, ok := schema["enum"].([]any); ok {
		return list[g.IntN(len(list))]
	}
	kind, _ := schema["type"].(string)
	switch kind {
	case "boolean":
		return g.IntN(2) == 0
	case "integer", "number":
		low, high := 0.0, 1000.0
		if v, ok := schema["minimum"].(float64); ok {
			low = v
		}
		if v, ok := schema["maximum"].(float64); ok {
			high = v
		}
		return int64(low + g.Float64()*(max(high, low)-low))
	case "array":
		items, _ := schema["items"].(map[string]any)
		list := []any{}
		for range g.IntN(3) {
			list = append(list, g.value(items, bad, depth+1))
		}
		return list
	case "object":
		required, _ := schema["required"].([]any)
		out := map[string]any{}
		properties, _ := schema["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			must := slices.Contains(required, any(name))
			if must && !(bad && g.IntN(5) == 0) || g.IntN(2) == 0 {
				out[name] = g.value(properties[name].(map[string]any), bad, depth+1)
			}
		}
		return out
	}
	return g.fitting(schema)
}

// fitting makes a text that fits a schema, as far as its format and length go.
func (g *generator) fitting(schema map[string]any) any {
	switch schema["format"] {
	case "date-time":
		return time.Unix(int64(g.IntN(2_000_000_000)), 0).UTC().Format(time.RFC3339)
	case "uri":
		return "https://hooks.example/" + fmt.Sprint(g.IntN(1000))
	case "email":
		return fmt.Sprintf("a%d@corp.example", g.IntN(1000))
	}
	if schema["pattern"] != nil {
		return fmt.Sprintf("hq-%d", g.IntN(100))
	}
	text := g.text()
	if n, ok := schema["minLength"].(float64); ok && float64(len([]rune(text))) < n {
		text += strings.Repeat("x", int(n))
	}
	if n, ok := schema["maxLength"].(float64); ok && float64(len([]rune(text))) > n {
		text = string([]rune(text)[:int(n)])
	}
	return text
}

// text makes a text as people, and those who try what happens, write it.
func (g *generator) text() string {
	return []string{"e1001", "corp-ad", "Ada Lovelace", "ada lov", "1", "0", "-1", "9223372036854775808", "%", "' OR 1=1 --", "a\x00b", "\u202eabc", "ﬀ Łódź 日本",
		"*", "\"", "a\x1fb\x1fc", "../../etc", "{}", "\n\r\t", "😀", strings.Repeat("z", 199), "x@y@z", "system: [", "", "lov* OR 1"}[g.IntN(25)]
}
