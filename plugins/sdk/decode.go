package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// decode fills into from the JSON object text and the secrets. Its error, an
// [*Error] of outcome INVALID, names every fault that there is, so that the
// person who mends the configuration does it once.
func (s *settingsSchema) decode(text string, secrets map[string]string, into reflect.Value) error {
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	d := &settingsDecoder{secrets: secrets}
	d.object("", s, json.RawMessage(text), into)
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if !slices.ContainsFunc(s.fields, func(f settingsField) bool { return f.secret && f.key == name }) {
			d.faultf("secret %q is not one of this connector; remove it on the agent's host", name)
		}
	}
	if len(d.faults) == 0 {
		if v, ok := into.Addr().Interface().(interface{ Validate() error }); ok {
			d.add(v.Validate())
		}
	}
	if len(d.faults) == 0 {
		return nil
	}
	return Invalid("the settings do not serve: "+strings.Join(d.faults, "; "),
		"Correct the settings of the system; every fault is named here.")
}

type settingsDecoder struct {
	secrets map[string]string
	faults  []string
}

func (d *settingsDecoder) faultf(format string, args ...any) {
	d.faults = append(d.faults, fmt.Sprintf(format, args...))
}

// add takes the faults of a joined error one by one.
func (d *settingsDecoder) add(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			d.add(e)
		}
		return
	}
	if err != nil {
		d.faults = append(d.faults, err.Error())
	}
}

// object decodes one struct; path is where it stands, with a dot at its end.
func (d *settingsDecoder) object(path string, s *settingsSchema, raw json.RawMessage, into reflect.Value) {
	members, ok := d.members(path, raw)
	if !ok {
		return
	}
	for _, f := range s.fields {
		t := s.of.Field(f.index).Type
		value, given := members[f.key]
		delete(members, f.key)
		switch {
		case f.secret:
			d.secret(f, given, into.Field(f.index))
		case given:
			d.value(path+f.key, f, value, into.Field(f.index))
		case f.required:
			d.faultf("%q is missing: %s", path+f.key, f.doc)
		case f.given:
			d.value(path+f.key, f, f.defaultJSON(t), into.Field(f.index))
		case t.Kind() == reflect.Struct: // the defaults within it hold
			d.value(path+f.key, f, json.RawMessage("{}"), into.Field(f.index))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		d.faultf("%q is no setting of this connector%s", path+key, s.hint(key))
	}
}

// members splits a JSON object and notices keys that are there twice, which
// encoding/json would settle in silence.
func (d *settingsDecoder) members(path string, raw json.RawMessage) (map[string]json.RawMessage, bool) {
	where := "the settings"
	if path != "" {
		where = fmt.Sprintf("%q", strings.TrimSuffix(path, "."))
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		d.faultf("%s must be an object", where)
		return nil, false
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		token, err := dec.Token()
		key, isKey := token.(string)
		var value json.RawMessage
		if err == nil {
			err = dec.Decode(&value)
		}
		if err != nil || !isKey {
			d.faultf("%s cannot be read as JSON: %v", where, err)
			return nil, false
		}
		if _, twice := members[key]; twice {
			d.faultf("%q is there twice", path+key)
		}
		members[key] = value
	}
	if _, err := dec.Token(); err != nil {
		d.faultf("%s cannot be read as JSON: %v", where, err)
		return nil, false
	}
	return members, true
}

func (d *settingsDecoder) secret(f settingsField, inSettings bool, into reflect.Value) {
	switch text, given := d.secrets[f.key]; {
	case inSettings:
		d.faultf("%q is a secret and must not be in the settings: remove it there, change it, and give it on the agent's host with `drawbridge-agent secret set SYSTEM %s`", f.key, f.key)
	case given:
		into.Set(reflect.ValueOf(sealed.New(text)))
	case f.required:
		d.faultf("secret %q is missing: give it on the agent's host with `drawbridge-agent secret set SYSTEM %s`", f.key, f.key)
	}
}

func (d *settingsDecoder) value(path string, f settingsField, raw json.RawMessage, into reflect.Value) {
	switch t := into.Type(); {
	case t == durationType:
		var text string
		span, err := time.Duration(0), json.Unmarshal(raw, &text)
		if err == nil {
			span, err = time.ParseDuration(text)
		}
		if err != nil || span < 0 {
			d.faultf("%q must be a span of time such as \"90s\" or \"5m\", not %s", path, raw)
		}
		into.SetInt(int64(span))
	case t.Kind() == reflect.Struct:
		d.object(path+".", f.inner, raw, into)
	case t.Kind() == reflect.Slice:
		d.slice(path, f, raw, into)
	case t.Kind() == reflect.Map:
		d.mapping(path, f, raw, into)
	default:
		d.scalar(path, f, raw, into)
	}
}

func (d *settingsDecoder) scalar(path string, f settingsField, raw json.RawMessage, into reflect.Value) {
	err := json.Unmarshal(raw, into.Addr().Interface())
	if err != nil || string(raw) == "null" {
		want := map[reflect.Kind]string{reflect.String: "text", reflect.Bool: "true or false",
			reflect.Int: "a whole number", reflect.Float64: "a number"}[into.Kind()]
		d.faultf("%q must be %s, not %s", path, want, raw)
		return
	}
	if f.enum != nil && !slices.Contains(f.enum, into.String()) {
		d.faultf("%q must be one of %s, not %s", path, strings.Join(f.enum, ", "), raw)
	}
	if f.required && into.Kind() == reflect.String && into.Len() == 0 {
		d.faultf("%q must not be empty: %s", path, f.doc)
	}
}

func (d *settingsDecoder) slice(path string, f settingsField, raw json.RawMessage, into reflect.Value) {
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		d.faultf("%q must be a list, not %s", path, raw)
		return
	}
	if f.required && len(elements) == 0 {
		d.faultf("%q must not be empty: %s", path, f.doc)
	}
	into.Set(reflect.MakeSlice(into.Type(), len(elements), len(elements)))
	for i, element := range elements {
		d.value(fmt.Sprintf("%s[%d]", path, i), f, element, into.Index(i))
	}
}

func (d *settingsDecoder) mapping(path string, f settingsField, raw json.RawMessage, into reflect.Value) {
	members, ok := d.members(path+".", raw)
	if !ok {
		return
	}
	into.Set(reflect.MakeMapWithSize(into.Type(), len(members)))
	for _, key := range slices.Sorted(maps.Keys(members)) {
		value := reflect.New(into.Type().Elem()).Elem()
		d.value(path+"."+key, f, members[key], value)
		into.SetMapIndex(reflect.ValueOf(key).Convert(into.Type().Key()), value)
	}
}

// hint names the setting that was probably meant, or all that there are.
func (s *settingsSchema) hint(key string) string {
	fold := func(k string) string { return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(k)) }
	var keys []string
	for _, f := range s.fields {
		if near(fold(f.key), fold(key)) {
			return fmt.Sprintf("; did you mean %q?", f.key)
		}
		keys = append(keys, f.key)
	}
	return "; it has " + strings.Join(keys, ", ")
}

// near tells whether one letter more, less, other or exchanged leads from a to b.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	head := 0
	for head < len(a) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	restA, restB := a[head:len(a)-tail], b[head:len(b)-tail]
	exchanged := len(restA) == 2 && len(restB) == 2 && restA[0] == restB[1] && restA[1] == restB[0]
	return len(restA) <= 1 && len(restB) <= 1 || exchanged
}
