package scim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// bulkOperation is one of a BulkRequest (RFC 7644, 3.7).
type bulkOperation struct {
	Method, BulkID, Version, Path string
	Data                          json.RawMessage
}

func readBulk(q *request) (ops []bulkOperation, failOnErrors int, err error) {
	if q.Method != http.MethodPost {
		return nil, 0, notAllowed(q, "POST")
	}
	data, err := read(q, maxBulkBody)
	if err != nil {
		return nil, 0, err
	}
	var body struct {
		Schemas      []string
		FailOnErrors int
		Operations   []bulkOperation
	}
	switch err := decode(data, &body); {
	case err != nil || !slices.Contains(body.Schemas, "urn:ietf:params:scim:api:messages:2.0:BulkRequest"):
		return nil, 0, badf("invalidSyntax", "the body is no BulkRequest (RFC 7644, 3.7)")
	case len(body.Operations) == 0:
		return nil, 0, badf("invalidSyntax", "the BulkRequest has no Operations")
	case len(body.Operations) > maxOperations:
		return nil, 0, &problem{status: http.StatusRequestEntityTooLarge, detail: fmt.Sprintf("the request has %d operations: send at most %d at once", len(body.Operations), maxOperations)}
	}
	return body.Operations, body.FailOnErrors, nil
}

// bulk carries out the operations of a BulkRequest in their order, in one
// transaction. A refused one leaves no trace, and the others stay.
func (s *Server) bulk(q *request) (answer, error) {
	return s.operations(q, http.StatusOK, s.bulkOne)
}

// operations has each operation of a BulkRequest carried out by one, and answers each.
func (s *Server) operations(q *request, status int, one func(*store.Tx, *request, bulkOperation, map[string]string) (*resource, int, error)) (answer, error) {
	ops, failOnErrors, err := readBulk(q)
	if err != nil {
		return answer{}, err
	}
	var results []object
	err = s.Store.Write(q.Context(), func(tx *store.Tx) error {
		results = results[:0]
		made := map[string]string{} // ids by bulkId
		failed := 0
		for _, op := range ops {
			r, status, err := one(tx, q, op, made)
			result := object{"method": op.Method}
			if op.BulkID != "" {
				result["bulkId"] = op.BulkID
			}
			if err != nil {
				p := s.told(q.Context(), err)
				if p.status >= http.StatusInternalServerError {
					return err // nothing of the request is kept
				}
				failed++
				status, result["response"] = p.status, p.body()
				if !strings.EqualFold(op.Method, http.MethodPost) {
					result["location"] = q.base + op.Path
				}
			} else if result["location"] = q.base + op.Path; r != nil {
				result["location"], result["version"] = r.location, r.version
			}
			result["status"] = strconv.Itoa(status)
			results = append(results, result)
			if failOnErrors > 0 && failed >= failOnErrors {
				break
			}
		}
		return nil
	})
	return answer{status: status, body: object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:BulkResponse"}, "Operations": results}}, err
}

func (s *Server) bulkOne(tx *store.Tx, q *request, op bulkOperation, made map[string]string) (*resource, int, error) {
	method := strings.ToUpper(op.Method)
	parts := strings.Split(strings.Trim(op.Path, "/"), "/")
	k := kindAt(parts[0])
	if k == "" || (method == http.MethodPost) != (len(parts) == 1) || len(parts) > 2 {
		return nil, 0, badf("invalidPath", "%s %s is no operation here: POST takes /Users and /Groups; PUT, PATCH and DELETE take /Users/ID and /Groups/ID", op.Method, op.Path)
	}
	one := operation{method: method, match: op.Version, data: op.Data}
	if len(parts) == 2 {
		one.id = parts[1]
		if name, ok := strings.CutPrefix(one.id, "bulkId:"); ok {
			if one.id = made[name]; one.id == "" {
				return nil, 0, &problem{http.StatusConflict, "invalidValue", fmt.Sprintf("bulkId %q is that of no operation before this one that was done: order them so, or use the id", name)}
			}
		}
	}
	for name, id := range made {
		one.data = bytes.ReplaceAll(one.data, quoted("bulkId:"+name), quoted(id))
	}
	r, status, err := q.view(k).apply(tx, one)
	if err == nil && method == http.MethodPost && op.BulkID != "" {
		made[op.BulkID] = r.id
	}
	return r, status, err
}

func quoted(s string) []byte {
	b, _ := json.Marshal(s) // a text always has a form
	return b
}

// upload takes the bulk request of API-driven provisioning: POSTs alone, each
// the whole of somebody known by externalId, who is made or replaced. As there,
// the answer is 202 whatever becomes of each operation, and Location leads to
// where that is told, which is the log; it tells of the refused ones. Unlike
// there everything has been taken by then, and the body says so of each.
func (s *Server) upload(q *request) (answer, error) {
	since := time.Now().UTC().Truncate(time.Second)
	a, err := s.operations(q, http.StatusAccepted, s.uploadOne)
	a.location = strings.TrimSuffix(q.base, Base) + "/v1/log?" + url.Values{"system": {q.who.Source}, "since": {since.Format(time.RFC3339)}}.Encode()
	return a, err
}

func (s *Server) uploadOne(tx *store.Tx, q *request, op bulkOperation, _ map[string]string) (*resource, int, error) {
	r, status, err := upsert(tx, q, op)
	if refused := (*problem)(nil); errors.As(err, &refused) && refused.status < http.StatusInternalServerError && q.who.Source != "" {
		id := object{}
		_ = decode(op.Data, &id) // what cannot be read has no externalId
		known, _ := id["externalId"].(string)
		entry := store.History{Tenant: q.who.Tenant, System: q.who.Source, Kind: history.Refused,
			Text: fmt.Sprintf("externalId %q, bulkId %q of bulkUpload: %s", known, op.BulkID, refused.detail)}
		return nil, 0, cmp.Or(tx.AddHistory([]store.History{entry}), err)
	}
	return r, status, err
}

func upsert(tx *store.Tx, q *request, op bulkOperation) (*resource, int, error) {
	if !strings.EqualFold(op.Method, http.MethodPost) || strings.Trim(op.Path, "/") != "Users" {
		return nil, 0, badf("invalidPath", "%s %s is no operation here: bulkUpload takes POST /Users alone; /Bulk takes the others", op.Method, op.Path)
	}
	data, err := named(op.Data)
	if err != nil {
		return nil, 0, err
	}
	return q.view(person).apply(tx, operation{method: http.MethodPost, data: data, upsert: true})
}

// named gives a User without userName its externalId as such: that is what bulkUpload knows people by.
func named(data []byte) ([]byte, error) {
	user := object{}
	if err := decode(data, &user); err != nil {
		return nil, badf("invalidSyntax", "data is no JSON object: %v", err)
	}
	id, _ := user["externalId"].(string)
	if id == "" {
		return nil, badf("invalidValue", "externalId must be a text that is not empty: by it somebody is known again")
	}
	if _, there := user["userName"]; there {
		return data, nil
	}
	user["userName"] = id
	return json.Marshal(user)
}
