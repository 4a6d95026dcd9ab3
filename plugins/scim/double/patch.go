package double

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// patch changes o as the body says, or says what is wrong with it.
func (s *Server) patch(o object, body []byte) *problem {
	var request struct {
		Schemas    []string
		Operations []struct {
			Op    string
			Path  string
			Value any
		}
	}
	if json.Unmarshal(body, &request) != nil || len(request.Operations) == 0 || !slices.Equal(request.Schemas, []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}) {
		return &problem{400, "invalidSyntax", "this is no PatchOp"}
	}
	members := 0
	for _, op := range request.Operations {
		verb := op.Op
		if s.opt.TitleOps {
			if verb == strings.ToLower(verb) {
				return &problem{400, "invalidSyntax", "op must be Add, Replace or Remove"}
			}
			verb = strings.ToLower(verb)
		}
		if list, ok := op.Value.([]any); ok {
			members += len(list)
		}
		if p := s.operate(o, verb, op.Path, op.Value); p != nil {
			return p
		}
	}
	if s.opt.MemberBatch > 0 && members > s.opt.MemberBatch {
		return &problem{400, "tooMany", "too many members"}
	}
	return s.check(o)
}

func (s *Server) operate(o object, verb, at string, value any) *problem {
	if at == "" {
		values, ok := value.(object)
		if verb == "remove" || !ok {
			return &problem{400, "noTarget", "an operation without a path takes an object"}
		}
		for key, v := range values {
			if p := s.operate1(o, verb, key, v); p != nil {
				return p
			}
		}
		return nil
	}
	if s.opt.ValuesOnly && verb == "replace" {
		return &problem{400, "invalidPath", "replace takes no path"}
	}
	return s.operate1(o, verb, at, value)
}

func (s *Server) operate1(o object, verb, at string, value any) *problem {
	p, err := path.Parse(at)
	if err != nil {
		return &problem{400, "invalidPath", err.Error()}
	}
	switch p.Attr {
	case "id", "meta", "groups":
		return &problem{400, "mutability", at + " cannot be written"}
	}
	holder := o
	if p.Schema != "" && !strings.Contains(p.Schema, ":core:") {
		into, _ := o[p.Schema].(object)
		if into == nil {
			into = object{}
			o[p.Schema] = into
		}
		holder = into
	}
	key, old, _ := path.Lookup(holder, p.Attr)
	list, isList := old.([]any)
	switch {
	case p.Filter != nil:
		return s.element(holder, key, list, p, verb, value)
	case p.Sub != "":
		into, _ := old.(object)
		if into == nil {
			into = object{}
		}
		if into[p.Sub] = value; verb == "remove" {
			delete(into, p.Sub)
		}
		if holder[key] = into; len(into) == 0 {
			delete(holder, key)
		}
	case verb == "remove" && value != nil:
		if !s.opt.MembersByValue {
			return &problem{400, "invalidValue", "remove takes no value"}
		}
		for _, v := range value.([]any) {
			list = slices.DeleteFunc(list, func(e any) bool { return e.(object)["value"] == v.(object)["value"] })
		}
		holder[key] = list
	case verb == "remove":
		delete(holder, key)
	case verb == "add" && (isList || isMany(p.Attr)):
		more, ok := value.([]any)
		if !ok {
			return &problem{400, "invalidValue", "a list is wanted"}
		}
		for _, v := range more {
			if !slices.ContainsFunc(list, func(e any) bool { return fmt.Sprint(e) == fmt.Sprint(v) }) {
				list = append(list, v)
			}
		}
		holder[key] = list
	case verb == "add" || verb == "replace":
		holder[key] = value
	default:
		return &problem{400, "invalidSyntax", "op is none of add, replace, remove"}
	}
	return nil
}

func isMany(attr string) bool {
	return slices.Contains([]string{"emails", "phoneNumbers", "addresses", "members", "roles", "entitlements", "ims", "photos"}, attr)
}

func (s *Server) element(holder object, key string, list []any, p path.Path, verb string, value any) *problem {
	if key == "members" && verb == "remove" && s.opt.MembersByValue {
		return &problem{400, "invalidPath", "members are removed by value"}
	}
	var kept []any
	found := false
	for _, e := range list {
		o, _ := e.(object)
		if !p.Filter.Match(o, nil) {
			kept = append(kept, e)
			continue
		}
		found = true
		switch {
		case verb == "remove" && p.Sub == "":
			continue
		case verb == "remove":
			delete(o, p.Sub)
		case p.Sub == "":
			o, _ = value.(object)
		default:
			o[p.Sub] = value
		}
		kept = append(kept, o)
	}
	if !found && verb != "remove" {
		return &problem{400, "noTarget", "no value matches the filter"}
	}
	if holder[key] = kept; len(kept) == 0 {
		delete(holder, key)
	}
	return nil
}

// bulk carries out operations as requests of their own.
func (s *Server) bulk(w http.ResponseWriter, body []byte) {
	var request struct {
		Operations []struct {
			Method, Path, BulkID string
			Data                 json.RawMessage
		}
	}
	if json.Unmarshal(body, &request) != nil || len(request.Operations) > 10 {
		fail(w, 413, "", "too many operations")
		return
	}
	results := []object{}
	for _, op := range request.Operations {
		r := httptest.NewRequest(op.Method, op.Path, nil)
		one := httptest.NewRecorder()
		s.serve(one, r, strings.Split(strings.Trim(op.Path, "/"), "/"), op.Data)
		result := object{"method": op.Method, "location": op.Path, "status": fmt.Sprint(one.Code)}
		if one.Code >= 300 {
			result["response"] = json.RawMessage(one.Body.Bytes())
		}
		results = append(results, result)
	}
	_ = json.NewEncoder(w).Encode(object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:BulkResponse"}, "Operations": results})
}
