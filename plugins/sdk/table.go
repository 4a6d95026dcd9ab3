package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SettingsTable returns the settings that a JSON Schema describes as a table in
// Markdown, for the connector's README: what is described once is read by
// people, too. The schema may be that of any connector, see
// [Connector.SettingsSchema]; a setting within another is named with a dot.
func SettingsTable(schema string) (string, error) {
	var b strings.Builder
	b.WriteString("| setting | default | meaning |\n|---|---|---|\n")
	if err := settingsRows(&b, "", []byte(schema)); err != nil {
		return "", fmt.Errorf("settings' schema: %w", err)
	}
	return b.String(), nil
}

// A property is what a table shows of one.
type property struct {
	Type                 string
	Description          string
	Default              json.RawMessage
	Enum                 []string
	WriteOnly            bool
	Properties           json.RawMessage
	Items                json.RawMessage
	AdditionalProperties json.RawMessage
}

func settingsRows(b *strings.Builder, path string, schema []byte) error {
	var object struct {
		Properties json.RawMessage
		Required   []string
	}
	if err := json.Unmarshal(schema, &object); err != nil {
		return err
	}
	names, values, err := inOrder(object.Properties)
	if err != nil {
		return err
	}
	for i, name := range names {
		var p property
		if err := json.Unmarshal(values[i], &p); err != nil {
			return fmt.Errorf("property %q: %w", path+name, err)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", path+name, p.standard(slices.Contains(object.Required, name)), p.meaning())
		inner, below := []byte(nil), path+name
		switch {
		case p.Properties != nil:
			inner = values[i]
		case p.Items != nil:
			inner, below = p.Items, below+"[]"
		case p.Type == "object" && len(p.AdditionalProperties) > 0 && p.AdditionalProperties[0] == '{':
			inner, below = p.AdditionalProperties, below+".*"
		}
		if inner != nil {
			if err := settingsRows(b, below+".", inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// standard is the column that says what holds when nothing is set.
func (p property) standard(required bool) string {
	switch {
	case p.WriteOnly && required:
		return "required secret"
	case p.WriteOnly:
		return "secret"
	case required:
		return "required"
	case len(p.Default) == 0:
		return ""
	}
	var text string
	if json.Unmarshal(p.Default, &text) != nil {
		text = string(p.Default)
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}

// meaning is the description as a sentence, and what values there are.
func (p property) meaning() string {
	first, size := utf8.DecodeRuneInString(p.Description)
	text := string(unicode.ToUpper(first)) + p.Description[size:]
	if second, _ := utf8.DecodeRuneInString(p.Description[size:]); unicode.IsUpper(second) {
		text = p.Description // a name or an abbreviation
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	if len(p.Enum) > 0 {
		text += " One of `" + strings.Join(p.Enum, "`, `") + "`."
	}
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}

// inOrder takes a JSON object apart in the order that it is written in.
func inOrder(object json.RawMessage) (names []string, values []json.RawMessage, err error) {
	if len(object) == 0 {
		return nil, nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, err
		}
		names, values = append(names, fmt.Sprint(name)), append(values, value)
	}
	return names, values, nil
}
