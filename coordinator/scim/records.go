package scim

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// An operation is a write that is asked for.
type operation struct {
	method string // POST, PUT, PATCH, DELETE
	id     string
	data   []byte
	match  string // If-Match; "" for none
	upsert bool   // a POST of what is there by externalId replaces it
}

// records is the view of a source: its records of a kind, as they were pushed. An
// account keeps the resource as JSON beside the columns that the mapping reads;
// who is in a group is beside both.
type records struct {
	*Server
	tenant, source, base string
	kind                 kind
}

// Attributes of the stored object that are no columns of the mapping.
const (
	resourceColumn = "scim.resource"
	createdColumn  = "scim.created"
)

func (v records) name() string {
	return v.tenant + "\x00source\x00" + v.source + "\x00" + string(v.kind)
}

// show gives the resource of an account; g is what is kept of a group, nil for a person.
func (v records) show(a store.Account, g *store.PushedGroup) (*resource, error) {
	o, err := mapping.ReadObject(a.Object)
	if err != nil {
		return nil, err
	}
	text, _ := o.Get(resourceColumn)
	created, _ := o.Get(createdColumn)
	body := object{}
	if len(text) != 1 || len(created) != 1 {
		return nil, fmt.Errorf("record %s of %s holds no resource", a.ID, v.source)
	}
	if err := decode([]byte(text[0]), &body); err != nil {
		return nil, fmt.Errorf("record %s of %s: %w", a.ID, v.source, err)
	}
	made, err := time.Parse(time.RFC3339Nano, created[0])
	in, _ := o.Get(mapping.MemberOf)
	beside, changed := strings.Join(in, "\x00"), a.Changed
	if g != nil {
		beside, changed = fmt.Sprint(beside, "\x00", g.Revision), max(g.Changed, a.Changed)
	}
	return finish(v.kind, body, a.ID, v.base, beside, store.Instant(made.UnixMilli()), changed), err
}

// account gives the account of a record of the kind, with what is kept of a group.
func (v records) account(tx *store.Tx, id string) (store.Account, *store.PushedGroup, error) {
	rows, err := tx.Accounts(v.tenant, v.source, []string{id})
	if err != nil {
		return store.Account{}, nil, err
	}
	groups, err := tx.PushedGroups(v.tenant, v.source, []string{id})
	if err == nil && (len(rows) == 0 || rows[0].Gone != 0 || rows[0].Missing != 0 || (len(groups) > 0) != (v.kind == group)) {
		err = v.kind.none(id)
	}
	switch {
	case err != nil:
		return store.Account{}, nil, err
	case len(groups) > 0:
		return rows[0], &groups[0], nil
	}
	return rows[0], nil, nil
}

func (v records) get(tx *store.Tx, id string) (*resource, error) {
	a, g, err := v.account(tx, id)
	if err != nil {
		return nil, err
	}
	return v.show(a, g)
}

func (v records) lookup(tx *store.Tx, attribute, text string) ([]*resource, bool, error) {
	switch attribute {
	case "displayname":
		found, err := tx.PushedGroupsNamed(v.tenant, v.source, directory.Fold(text))
		if err != nil {
			return nil, true, err
		}
		all, err := v.showGroups(tx, found)
		return all, true, err
	case members:
		in, err := tx.PushedMembersOf(v.tenant, v.source, []string{text})
		if err != nil {
			return nil, true, err
		}
		ids := make([]string, len(in))
		for i, m := range in {
			ids[i] = m.Group
		}
		found, err := tx.PushedGroups(v.tenant, v.source, ids)
		if err != nil {
			return nil, true, err
		}
		slices.SortFunc(found, func(a, b store.PushedGroup) int { return strings.Compare(a.ID, b.ID) })
		all, err := v.showGroups(tx, found)
		return all, true, err
	}
	id := text
	if attribute != "id" {
		var err error
		if id, err = v.holder(tx, attribute, text); err != nil || id == "" {
			return nil, true, err
		}
	}
	r, err := v.get(tx, id)
	var none *problem
	if errors.As(err, &none) {
		return nil, true, nil
	}
	return []*resource{r}, true, err
}

// holder gives the id of the record that has the value of userName or externalId, "" where none has.
func (v records) holder(tx *store.Tx, attribute, text string) (string, error) {
	p := v.unique("", attribute, text)
	held, err := tx.Pushed(v.tenant, v.source, p.Path, p.Value)
	if errors.Is(err, store.ErrNone) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	_, _, err = v.account(tx, held.ID)
	var none *problem
	if errors.As(err, &none) {
		return "", nil // it was removed, and waits for somebody to believe it
	}
	return held.ID, err
}

func (v records) unique(id, attribute, text string) store.Pushed {
	if attribute = strings.ToLower(attribute); attribute == "username" {
		text = directory.Fold(text)
	}
	if v.kind == group {
		attribute = "group." + attribute
	}
	return store.Pushed{Tenant: v.tenant, System: v.source, Path: attribute, Value: text, ID: id}
}

// uniques gives the values of a record that no other may have. Groups may share a name.
func (v records) uniques(id string, user object) []store.Pushed {
	var list []store.Pushed
	for _, name := range []string{"userName", "externalId"} {
		if v.kind == group && name == "userName" {
			continue
		}
		if text, _ := user[name].(string); text != "" {
			list = append(list, v.unique(id, name, text))
		}
	}
	return list
}

func (v records) walk(tx *store.Tx, w store.Walk) ([]*resource, error) {
	if v.kind == group {
		rows, err := tx.WalkPushedGroups(v.tenant, v.source, w)
		if err != nil {
			return nil, err
		}
		return v.showGroups(tx, rows)
	}
	rows, err := tx.WalkAccounts(v.tenant, v.source, w)
	if err != nil {
		return nil, err
	}
	all := make([]*resource, len(rows))
	for i, row := range rows {
		if all[i], err = v.show(row, nil); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (v records) count(tx *store.Tx, since store.Instant) (int, error) {
	if v.kind == group {
		return tx.CountPushedGroupsSince(v.tenant, v.source, since)
	}
	return tx.CountAccountsSince(v.tenant, v.source, since)
}

func (v records) apply(tx *store.Tx, op operation) (*resource, int, error) {
	if op.method == http.MethodPost {
		user, d, err := v.parse(op.data)
		if err != nil {
			return nil, 0, err
		}
		if text, _ := user["externalId"].(string); op.upsert && text != "" {
			id, err := v.holder(tx, "externalId", text)
			if err != nil {
				return nil, 0, err
			}
			if id != "" {
				old, err := v.get(tx, id)
				if err != nil {
					return nil, 0, err
				}
				return v.store(tx, old, user, d, http.StatusOK)
			}
		}
		return v.store(tx, nil, user, d, http.StatusCreated)
	}
	old, err := v.get(tx, op.id)
	if err != nil {
		return nil, 0, err
	}
	if op.match != "" && !matches(op.match, old.version) {
		return nil, 0, &problem{status: http.StatusPreconditionFailed,
			detail: fmt.Sprintf("%s %s is another than the version named in If-Match: it is %s now; read it again, and decide anew", v.kind, op.id, old.version)}
	}
	switch op.method {
	case http.MethodPut:
		user, d, err := v.parse(op.data)
		if err != nil {
			return nil, 0, err
		}
		return v.store(tx, old, user, d, http.StatusOK)
	case http.MethodPatch:
		user, d, err := v.patched(tx, old, op.data)
		if err != nil {
			return nil, 0, err
		}
		return v.store(tx, old, user, d, http.StatusOK)
	case http.MethodDelete:
		held, err := v.Intake.PushGone(tx, v.tenant, v.source, op.id)
		if err == nil && !held {
			err = tx.RemovePushed(v.uniques(op.id, old.body))
		}
		return nil, http.StatusNoContent, v.refusal(err)
	}
	return nil, 0, badf("invalidSyntax", "%s is no method of a write", op.method)
}

// parse reads a resource that is sent whole.
func (v records) parse(data []byte) (object, *delta, error) {
	if v.kind == group {
		return parseGroup(data)
	}
	user, err := parseUser(data)
	return user, nil, err
}

// patched gives a resource as a PatchOp leaves it.
func (v records) patched(tx *store.Tx, old *resource, data []byte) (object, *delta, error) {
	p := patcher{kind: v.kind, resource: clone(old.body).(object)}
	finish := tidy
	if v.kind == group {
		finish = tidyGroup
		p.members = &delta{}
		p.held = func() ([]object, error) { return v.members(tx, old.id) }
	}
	if err := p.patch(data); err != nil {
		return nil, nil, err
	}
	body, err := finish(p.resource)
	return body, p.members, err
}

// store keeps a record, new where there is no old one.
func (v records) store(tx *store.Tx, old *resource, user object, d *delta, status int) (*resource, int, error) {
	id, made := strings.ToLower(rand.Text()), tx.Now.Time().UTC().Format(time.RFC3339Nano)
	if old != nil {
		id = old.id
		made, _ = old.body["meta"].(object)["created"].(string)
	}
	for _, u := range v.uniques(id, user) {
		holder, err := v.holder(tx, strings.TrimPrefix(u.Path, "group."), u.Value)
		if err != nil {
			return nil, 0, err
		}
		if holder != "" && holder != id {
			name := map[string]string{"username": "userName", "externalid": "externalId", "group.externalid": "externalId"}[u.Path]
			return nil, 0, &problem{http.StatusConflict, "uniqueness", fmt.Sprintf("%s %q is that of %s %s: change that one, or give another", name, user[name], v.kind, holder)}
		}
	}
	join, leave, err := v.moved(tx, id, d)
	if err != nil {
		return nil, 0, err
	}
	text, err := json.Marshal(user)
	if err != nil {
		return nil, 0, err
	}
	o := &connectorv1.Object{Id: id, Address: fmt.Sprint(user[v.kind.named()])}
	flat := columns(user)
	if v.kind == group {
		flat["id"] = []string{id}
	}
	if m := flat["manager"]; len(m) == 1 && v.kind == person {
		if flat["manager"][0], err = v.manager(tx, m[0]); err != nil {
			return nil, 0, err
		}
	}
	flat[resourceColumn], flat[createdColumn] = []string{string(text)}, []string{made}
	for _, name := range slices.Sorted(maps.Keys(flat)) {
		o.Attributes = append(o.Attributes, &connectorv1.Attribute{Name: name, Values: flat[name]})
	}
	if err := v.Intake.Push(tx, v.tenant, v.source, v.kind.stored(), o); err != nil {
		return nil, 0, v.refusal(err)
	}
	if len(join)+len(leave) > 0 {
		if err := v.Intake.PushMembers(tx, v.tenant, v.source, id, join, leave); err != nil {
			return nil, 0, err
		}
	}
	if old != nil {
		if err := tx.RemovePushed(v.uniques(id, old.body)); err != nil {
			return nil, 0, err
		}
	}
	if err := tx.PutPushed(v.uniques(id, user)); err != nil {
		return nil, 0, err
	}
	r, err := v.get(tx, id)
	return r, status, err
}

// manager gives the key of the person whose record the value of manager names, else the value: a key itself.
func (v records) manager(tx *store.Tx, value string) (string, error) {
	a, _, err := v.account(tx, value)
	var none *problem
	if errors.As(err, &none) {
		return value, nil
	}
	if err != nil {
		return "", err
	}
	key, err := v.Intake.PushedKey(tx, v.tenant, v.source, a.Object)
	if err != nil || key == "" {
		return value, nil // that record is set aside; whoever mends it pushes this one again
	}
	return key, nil
}

// refusal makes problems of what intake does not take.
func (v records) refusal(err error) error {
	var unfit *intake.UnfitError
	switch {
	case errors.As(err, &unfit):
		return badf("invalidValue", "the mapping of %s cannot take it: %v; correct the value, or have the admin correct the rule", v.source, unfit)
	case errors.Is(err, intake.ErrNoGroups):
		return &problem{status: http.StatusForbidden, detail: fmt.Sprintf("%s takes no groups: have the admin give its document source.group, or push people alone", v.source)}
	case errors.Is(err, intake.ErrNotPushed):
		return &problem{status: http.StatusForbidden, detail: fmt.Sprintf("%s: have the admin apply its document again, or make you a token for another source", err)}
	}
	return err
}

// parseUser reads a User that is sent whole.
func parseUser(data []byte) (object, error) {
	user, err := parse(data, person)
	if err != nil {
		return nil, err
	}
	return tidy(user)
}

// parse reads a resource of a kind, and looks no further than whether it is one.
func parse(data []byte, k kind) (object, error) {
	o := object{}
	if err := decode(data, &o); err != nil {
		return nil, badf("invalidSyntax", "the body is no JSON object: %v", err)
	}
	schemas, _ := o["schemas"].([]any)
	if !slices.ContainsFunc(schemas, func(s any) bool { t, _ := s.(string); return strings.EqualFold(t, k.schema()) }) {
		return nil, badf("invalidValue", "schemas must name %s", k.schema())
	}
	return o, nil
}

// extensionIn gives what an extension of a resource holds.
func extensionIn(urn string, value any) (object, error) {
	in, ok := value.(object)
	if !ok {
		return nil, badf("invalidValue", "%s must hold an object", urn)
	}
	return in, nil
}

// tidy gives a User with its attributes spelled as in their schemas, without
// those that are not a client's, and says what is wrong with it.
func tidy(user object) (object, error) {
	out := object{}
	for key, value := range user {
		switch name := spell(key); {
		case isServers(key), strings.EqualFold(key, "schemas"), value == nil:
		case strings.HasPrefix(strings.ToLower(key), "urn:"):
			in, err := extensionIn(key, value)
			if err != nil {
				return nil, err
			}
			for _, urn := range []string{enterprise, extension} {
				if strings.EqualFold(urn, key) {
					key = urn
				}
			}
			kept := object{}
			for n, v := range in {
				if s, isText := v.(string); isText && strings.EqualFold(n, "manager") {
					v = object{"value": s} // as some send it
				}
				if v != nil {
					kept[spell(n)] = v
				}
			}
			if len(kept) > 0 {
				out[key] = kept
			}
		case name == "active":
			truth, ok := value.(bool)
			if s, isText := value.(string); isText && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false")) {
				truth, ok = strings.EqualFold(s, "true"), true // as Entra ID sends it
			}
			if !ok {
				return nil, badf("invalidValue", "active must be true or false")
			}
			out[name] = truth
		case slices.Contains(typed, name) || name == "entitlements" || name == "roles":
			list, ok := value.([]any)
			if !ok || slices.ContainsFunc(list, func(e any) bool { _, is := e.(object); return !is }) {
				return nil, badf("invalidValue", "%s must be a list of objects", name)
			}
			if len(list) > 0 {
				out[name] = list
			}
		case name == "name":
			in, ok := value.(object)
			if !ok {
				return nil, badf("invalidValue", "name must hold an object")
			}
			if len(in) > 0 {
				out[name] = in
			}
		case directory.KindAt(name) == directory.Text:
			if _, ok := value.(string); !ok {
				return nil, badf("invalidValue", "%s must be a text", name)
			}
			out[name] = value
		default:
			out[name] = value
		}
	}
	name, _ := out["userName"].(string)
	if _, value, there := path.Lookup(out, "userName"); strings.TrimSpace(name) == "" {
		return nil, badf("invalidValue", "userName must be a text that is not empty: got %v (%v)", value, there)
	}
	return out, nil
}
