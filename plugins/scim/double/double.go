// Package double is a SCIM server in memory for the tests of the scim
// connector. In plain mode it is as strict as RFC 7643 and 7644 let it be and
// passes the same suite as scimmy, which other people wrote; told so, it
// deviates as real servers do, or holds a million users that it makes up as
// they are asked for.
//
//	GET /ServiceProviderConfig, /ResourceTypes   /Schemas are those of the RFC
//	    /Users, /Groups  list, create, read, replace, patch, delete
//	    /Bulk            where Options.Bulk
//
// Everything is lost when it ends. It is not for anything but tests.
package double

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// Options say how a server deviates. The zero value is a plain one.
type Options struct {
	Token          string // bearer token that is asked for; none if empty
	Undescribed    bool   // no discovery
	NoPatch        bool
	ActivePatch    bool // users have a PATCH for active alone, without a path
	NoFilter       bool // says so, and refuses
	DeafFilter     bool // takes filters and gives everything
	EqOnly         bool // eq and and, no brackets
	ETag           bool
	Bulk           bool
	Sort           bool
	Cursor         bool // RFC 9865 instead of indices
	PageLimit      int  // 100 if 0
	IgnoresIndex   bool // gives the first page whatever is asked for
	TitleOps       bool // wants Add, Replace, Remove
	TextBooleans   bool // wants "True", gives "True"
	MembersByValue bool // removes members only by value
	ValuesOnly     bool // replaces only without a path
	NoProjection   bool // refuses attributes
	PlainJSON      bool // wants application/json
	NoMatch404     bool
	Taken400       bool
	Silent         bool // answers writes without a body
	MemberBatch    int  // members that one PATCH may name
	WrongTotal     bool // totalResults is the length of the page
	LooseNames     bool // keeps no names apart
	NewIDs         bool // gives every object another id each time
	Made           int  // users that are made up, and never change

	// StaleGroups, where set, says whether users show the groups that they had when they were shown last.
	StaleGroups func() bool

	// Hook sees every request first; true means that it has answered.
	Hook func(w http.ResponseWriter, r *http.Request) bool
}

// A Server is an [http.Handler].
type Server struct {
	opt Options

	mu      sync.Mutex
	kinds   map[string]*kind
	next    int
	clock   time.Time
	salt    int
	groups  map[string][]any // of users, as shown last
	Calls   map[string]int   // by method and kind of address: "POST /Users"
	Cursors map[string]int
}

type object = map[string]any

type kind struct {
	name, schema, naming string
	objects              map[string]object
	order                []string
	names                map[string]string // folded name: id
}

// New returns an empty server.
func New(opt Options) *Server {
	if opt.PageLimit == 0 {
		opt.PageLimit = 100
	}
	of := func(name, naming string) *kind {
		return &kind{name: name, schema: "urn:ietf:params:scim:schemas:core:2.0:" + name, naming: naming, objects: map[string]object{}, names: map[string]string{}}
	}
	return &Server{opt: opt, kinds: map[string]*kind{"Users": of("User", "userName"), "Groups": of("Group", "displayName")},
		Calls: map[string]int{}, groups: map[string][]any{}, Cursors: map[string]int{}, clock: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
}

// Edit lets a test change what the server holds, as an admin of the
// application would.
func (s *Server) Edit(change func(*Server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// Put makes or replaces an object from outside, within [Server.Edit], and
// returns its id.
func (s *Server) Put(endpoint string, o map[string]any) string {
	k := s.kinds[endpoint]
	id, _ := o["id"].(string)
	old := k.objects[id]
	if id == "" {
		s.next++
		id = fmt.Sprintf("%s-%06d", strings.ToLower(k.name[:1]), s.next)
	}
	s.keep(k, id, old, o)
	return id
}

// Drop removes an object from outside, within [Server.Edit].
func (s *Server) Drop(endpoint, id string) { s.kinds[endpoint].drop(id) }

// Get gives a copy of an object, nil if there is none.
func (s *Server) Get(endpoint, id string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copyOf(s.kinds[endpoint].objects[id])
}

// Count gives how many objects there are.
func (s *Server) Count(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kinds[endpoint].order)
}

func (k *kind) drop(id string) {
	if o := k.objects[id]; o != nil {
		delete(k.names, strings.ToLower(fmt.Sprint(o[k.naming])))
		delete(k.objects, id)
		k.order = slices.DeleteFunc(k.order, func(other string) bool { return other == id })
	}
}

func (s *Server) keep(k *kind, id string, old, o object) {
	s.clock = s.clock.Add(time.Second)
	now := s.clock.Format("2006-01-02T15:04:05.000Z")
	created := now
	if old != nil {
		created, _ = old["meta"].(object)["created"].(string)
		delete(k.names, strings.ToLower(fmt.Sprint(old[k.naming])))
	} else {
		k.order = append(k.order, id)
	}
	o["id"] = id
	meta := object{"resourceType": k.name, "created": created, "lastModified": now, "location": "/" + k.name + "s/" + id}
	if s.opt.ETag {
		meta["version"] = `W/"` + strconv.FormatInt(s.clock.Unix(), 36) + `"`
	}
	o["meta"] = meta
	k.objects[id] = o
	k.names[strings.ToLower(fmt.Sprint(o[k.naming]))] = id
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.opt.Hook != nil && s.opt.Hook(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	s.Calls[r.Method+" /"+parts[0]]++
	w.Header().Set("Content-Type", "application/scim+json")
	if s.opt.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.opt.Token {
		fail(w, 401, "", "unknown token")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		fail(w, 400, "invalidSyntax", "the body broke off")
		return
	}
	media := "application/scim+json"
	if s.opt.PlainJSON {
		media = "application/json"
	}
	if got, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); len(body) > 0 && got != media {
		fail(w, 415, "", "a body must be "+media)
		return
	}
	if s.describe(w, r, parts[0]) {
		return
	}
	if parts[0] == "Bulk" && s.opt.Bulk && r.Method == "POST" {
		s.bulk(w, body)
		return
	}
	s.serve(w, r, parts, body)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, parts []string, body []byte) {
	k := s.kinds[parts[0]]
	if k == nil || len(parts) > 2 {
		fail(w, 404, "", "there is no such endpoint")
		return
	}
	if len(parts) == 1 {
		switch r.Method {
		case "GET":
			s.list(w, r, k)
		case "POST":
			s.create(w, k, body)
		default:
			fail(w, 405, "", "not here")
		}
		return
	}
	s.one(w, r, k, parts[1], body)
}

func (s *Server) create(w http.ResponseWriter, k *kind, body []byte) {
	o, ok := s.read(w, k, body)
	if !ok {
		return
	}
	name := strings.ToLower(fmt.Sprint(o[k.naming]))
	if owner := k.names[name]; owner != "" && !s.opt.LooseNames && k.name == "User" {
		s.taken(w)
		return
	}
	s.next++
	id := fmt.Sprintf("%s-%06d", strings.ToLower(k.name[:1]), s.next)
	s.keep(k, id, nil, o)
	w.Header().Set("Location", fmt.Sprintf("http://double/%ss/%s", k.name, id))
	s.answer(w, 201, k, o, nil)
}

func (s *Server) taken(w http.ResponseWriter) {
	if s.opt.Taken400 {
		fail(w, 400, "", "A user with this name already exists")
		return
	}
	fail(w, 409, "uniqueness", "the name is taken")
}

func (s *Server) one(w http.ResponseWriter, r *http.Request, k *kind, id string, body []byte) {
	o := k.objects[id]
	if i, err := strconv.Atoi(strings.TrimPrefix(id, "made-")); o == nil && err == nil && i < s.opt.Made && r.Method == "GET" {
		_, _ = io.WriteString(w, Made(i))
		return
	}
	if o == nil {
		fail(w, 404, "", "there is no such resource")
		return
	}
	version, _ := o["meta"].(object)["version"].(string)
	if want := r.Header.Get("If-Match"); want != "" && s.opt.ETag && want != version {
		fail(w, 412, "", "it has another version")
		return
	}
	switch {
	case r.Method == "GET":
		if attributes, ok := s.projection(w, r); ok {
			s.answer(w, 200, k, o, attributes)
		}
	case r.Method == "DELETE":
		k.drop(id)
		for _, g := range s.kinds["Groups"].objects {
			list, _ := g["members"].([]any)
			g["members"] = slices.DeleteFunc(list, func(m any) bool { return m.(object)["value"] == id })
		}
		w.WriteHeader(204)
	case r.Method == "PUT":
		if put, ok := s.read(w, k, body); ok {
			s.store(w, k, id, o, put)
		}
	case r.Method == "PATCH" && !s.opt.NoPatch:
		if s.opt.ActivePatch && k.name == "User" && !strings.Contains(string(body), `"value":{"active":`) {
			fail(w, 501, "", "users are replaced")
			return
		}
		patched := copyOf(o)
		if problem := s.patch(patched, body); problem != nil {
			fail(w, problem.status, problem.kind, problem.detail)
			return
		}
		s.store(w, k, id, o, patched)
	default:
		fail(w, 501, "", "not implemented")
	}
}

func (s *Server) store(w http.ResponseWriter, k *kind, id string, old, o object) {
	if owner := k.names[strings.ToLower(fmt.Sprint(o[k.naming]))]; owner != "" && owner != id && !s.opt.LooseNames && k.name == "User" {
		s.taken(w)
		return
	}
	delete(o, "meta")
	delete(old, "password")
	before, after := copyOf(old), copyOf(o)
	delete(before, "meta")
	if text(before) == text(after) {
		o["meta"] = old["meta"]
		k.objects[id] = o
	} else {
		s.keep(k, id, old, o)
	}
	s.answer(w, 200, k, o, nil)
}

// read takes a whole resource from a body.
func (s *Server) read(w http.ResponseWriter, k *kind, body []byte) (object, bool) {
	o, err := decode(body)
	if err != nil {
		fail(w, 400, "invalidSyntax", "the body is no JSON object")
		return nil, false
	}
	schemas, _ := o["schemas"].([]any)
	if !slices.Contains(schemas, any(k.schema)) {
		fail(w, 400, "invalidValue", "schemas does not name "+k.schema)
		return nil, false
	}
	if name, _ := o[k.naming].(string); name == "" {
		fail(w, 400, "invalidValue", k.naming+" is missing")
		return nil, false
	}
	if problem := s.check(o); problem != nil {
		fail(w, problem.status, problem.kind, problem.detail)
		return nil, false
	}
	for _, key := range []string{"meta", "groups", "id", "password"} {
		delete(o, key)
	}
	return o, true
}

// check is what the server wants of values.
func (s *Server) check(o object) *problem {
	active, there := o["active"]
	_, truth := active.(bool)
	switch {
	case !there:
	case s.opt.TextBooleans && truth:
		return &problem{400, "invalidValue", `active must be "True" or "False"`}
	case !s.opt.TextBooleans && !truth:
		return &problem{400, "invalidValue", "active must be a Boolean"}
	}
	if n := len((path.Path{Attr: "members"}).Values(o)); s.opt.MemberBatch > 0 && n > s.opt.MemberBatch && o["id"] == nil {
		return &problem{400, "tooMany", "too many members"}
	}
	return nil
}

type problem struct {
	status       int
	kind, detail string
}

func fail(w http.ResponseWriter, status int, kind, detail string) {
	w.WriteHeader(status)
	o := object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": strconv.Itoa(status), "detail": detail}
	if kind != "" {
		o["scimType"] = kind
	}
	_ = json.NewEncoder(w).Encode(o)
}

// answer shows one object.
func (s *Server) answer(w http.ResponseWriter, status int, k *kind, o object, attributes []string) {
	meta, _ := o["meta"].(object)
	if version, _ := meta["version"].(string); version != "" {
		w.Header().Set("ETag", version)
	}
	if s.opt.Silent && attributes == nil { // only a GET asks for attributes, all of them at least
		if status == 200 {
			status = 204
		}
		w.WriteHeader(status)
		return
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(s.shown(k, o, attributes))
}

// shown is the object as it is given: with a user's groups, and as much of it as
// was asked for.
func (s *Server) shown(k *kind, o object, attributes []string) object {
	o = copyOf(o)
	delete(o, "password")
	if k.name == "User" {
		var groups []any
		for _, id := range s.kinds["Groups"].order {
			for _, m := range (path.Path{Attr: "members", Sub: "value"}).Values(s.kinds["Groups"].objects[id]) {
				if m == o["id"] {
					groups = append(groups, object{"value": id, "type": "direct"})
				}
			}
		}
		id, _ := o["id"].(string)
		if s.opt.StaleGroups != nil && s.opt.StaleGroups() {
			groups, s.groups[id] = s.groups[id], groups
		} else {
			s.groups[id] = groups
		}
		if groups != nil {
			o["groups"] = groups
		}
	}
	if s.opt.NewIDs {
		s.salt++
		o["id"] = fmt.Sprintf("%v-%d", o["id"], s.salt)
	}
	if len(attributes) == 0 {
		return o
	}
	picked := object{"schemas": o["schemas"], "id": o["id"]}
	for _, name := range attributes {
		p, err := path.Parse(name)
		if err != nil {
			continue
		}
		if extension, ok := o[p.Schema].(object); ok {
			if v, ok := extension[p.Attr]; ok {
				into, _ := picked[p.Schema].(object)
				if into == nil {
					into = object{}
					picked[p.Schema] = into
				}
				into[p.Attr] = v
			}
		} else if v, ok := o[p.Attr]; ok && p.Schema == "" {
			picked[p.Attr] = v
		}
	}
	return picked
}

func (s *Server) projection(w http.ResponseWriter, r *http.Request) ([]string, bool) {
	text := r.URL.Query().Get("attributes")
	if text != "" && s.opt.NoProjection {
		fail(w, 400, "invalidValue", "attributes is not understood")
		return nil, false
	}
	if text == "" {
		return []string{}, true
	}
	return strings.Split(text, ","), true
}

func decode(body []byte) (object, error) {
	var o object
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	err := d.Decode(&o)
	if err == nil && o == nil {
		err = io.ErrUnexpectedEOF
	}
	return o, err
}

func copyOf(o object) object {
	if o == nil {
		return nil
	}
	c, err := decode([]byte(text(o)))
	if err != nil {
		panic(err) // what is kept was made of JSON
	}
	return c
}

func text(o object) string {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(b)
}
