package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// settingsSchema is what the tags of a settings struct say, see [New].
type settingsSchema struct {
	of     reflect.Type
	fields []settingsField
}

type settingsField struct {
	index    int
	key      string
	doc      string
	value    string // default
	given    bool   // whether there is a default
	required bool
	enum     []string
	format   string
	anchor   bool
	secret   bool
	inner    *settingsSchema // of a struct, or of the structs in a slice or map
}

var (
	secretType   = reflect.TypeFor[sealed.Secret]()
	durationType = reflect.TypeFor[time.Duration]()
)

// describeSettings reads the tags of t. Its errors are the author's.
func describeSettings(t reflect.Type) (*settingsSchema, error) {
	s := &settingsSchema{of: t}
	if t.Kind() != reflect.Struct {
		return s, fmt.Errorf("the settings are a %v, not a struct", t)
	}
	var faults []error
	for i := range t.NumField() {
		f := t.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		d := settingsField{
			index: i, key: key, doc: f.Tag.Get("doc"), format: f.Tag.Get("format"),
			required: f.Tag.Get("required") == "true", anchor: f.Tag.Get("anchor") == "true",
			secret: f.Type == secretType,
		}
		d.value, d.given = f.Tag.Lookup("default")
		if enum := f.Tag.Get("enum"); enum != "" {
			d.enum = strings.Split(enum, ",")
		}
		if key == "" || d.doc == "" || !f.IsExported() {
			faults = append(faults, fmt.Errorf("%v.%s needs to be exported and to have the tags json and doc", t, f.Name))
		}
		var err error
		if d.inner, err = describeInner(f.Type); err != nil {
			faults = append(faults, fmt.Errorf("%v.%s: %w", t, f.Name, err))
		}
		s.fields = append(s.fields, d)
	}
	return s, errors.Join(faults...)
}

func describeInner(t reflect.Type) (*settingsSchema, error) {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Float64:
		return nil, nil
	case reflect.Int64:
		if t == durationType {
			return nil, nil
		}
	case reflect.Slice:
		return describeInner(t.Elem())
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return describeInner(t.Elem())
		}
	case reflect.Struct:
		if t == secretType {
			return nil, nil
		}
		inner, err := describeSettings(t)
		if err == nil && slices.ContainsFunc(inner.fields, func(f settingsField) bool { return f.secret }) {
			err = errors.New("a secret must stand at the top of the settings")
		}
		return inner, err
	}
	return nil, fmt.Errorf("a setting cannot be a %v", t)
}

// json returns the schema as a JSON Schema (draft 2020-12).
func (s *settingsSchema) json() string {
	m := s.jsonObject()
	m["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic(err) // only strings, bools and maps of these are in it
	}
	return string(b)
}

func (s *settingsSchema) jsonObject() map[string]any {
	properties, required := members{}, []string{}
	for _, f := range s.fields {
		p := jsonType(s.of.Field(f.index).Type, f.inner)
		p["description"] = f.doc
		if f.given {
			p["default"] = f.defaultValue(s.of.Field(f.index).Type)
		}
		if f.enum != nil {
			p["enum"] = f.enum
		}
		if f.format != "" {
			p["format"] = f.format
		}
		if f.anchor {
			p["x-anchor"] = true
		}
		if f.secret {
			p["writeOnly"] = true
		}
		properties = append(properties, member{f.key, p})
		if f.required {
			required = append(required, f.key)
		}
	}
	m := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		m["required"] = required
	}
	return m
}

// members are those of a JSON object, in the order that the author gave them:
// forms and manuals show them so.
type members []member

type member struct {
	key   string
	value any
}

// MarshalJSON keeps the order.
func (m members) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, one := range m {
		if i > 0 {
			b = append(b, ',')
		}
		value, err := json.Marshal(one.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, strconv.Quote(one.key)...), ':'), value...)
	}
	return append(b, '}'), nil
}

func jsonType(t reflect.Type, inner *settingsSchema) map[string]any {
	switch {
	case t == secretType:
		return map[string]any{"type": "string"}
	case t == durationType:
		return map[string]any{"type": "string", "pattern": "^([0-9.]+(ms|s|m|h))+$"} // "duration" is ISO 8601
	}
	switch t.Kind() {
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": jsonType(t.Elem(), inner)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": jsonType(t.Elem(), inner)}
	case reflect.Struct:
		return inner.jsonObject()
	}
	return map[string]any{"type": "string"}
}

// defaultValue is the default as its JSON type has it.
func (f settingsField) defaultValue(t reflect.Type) any {
	switch {
	case t == durationType:
		return f.value
	case t.Kind() == reflect.Int, t.Kind() == reflect.Float64, t.Kind() == reflect.Bool, t.Kind() == reflect.Slice:
		return json.RawMessage(f.value)
	}
	return f.value
}

// defaultJSON is the default as the configuration would give it.
func (f settingsField) defaultJSON(t reflect.Type) json.RawMessage {
	if raw, ok := f.defaultValue(t).(json.RawMessage); ok {
		return raw
	}
	return json.RawMessage(strconv.Quote(f.value))
}
