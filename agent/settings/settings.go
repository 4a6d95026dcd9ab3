// Package settings looks into the settings of a system by the schema that its
// connector gives: which are secrets, which name files of this host, and which
// say where secrets are sent. Whether the values serve is the connector's to
// check; secrets themselves are agent/vault's.
//
// The schema is JSON Schema; of it the marks "writeOnly", "format": "path" and
// "x-anchor" are read, at any depth of properties, items and
// additionalProperties.
package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// A Schema is what a connector says of its settings.
type Schema struct{ root node }

type node struct {
	Properties map[string]node `json:"properties"`
	Items      *node           `json:"items"`
	Additional json.RawMessage `json:"additionalProperties"` // a schema or a boolean
	WriteOnly  bool            `json:"writeOnly"`
	Format     string          `json:"format"`
	Anchor     bool            `json:"x-anchor"`
}

// ParseSchema reads a schema.
func ParseSchema(text string) (*Schema, error) {
	s := new(Schema)
	if err := json.Unmarshal([]byte(text), &s.root); err != nil {
		return nil, fmt.Errorf("its settings schema cannot be read: %w", err)
	}
	return s, nil
}

// Secrets returns the names of the secret settings, in ascending order.
func (s *Schema) Secrets() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.root.Properties)) {
		if s.root.Properties[name].WriteOnly {
			names = append(names, name)
		}
	}
	return names
}

// IsSecret says whether the setting of that name is a secret.
func (s *Schema) IsSecret(name string) bool { return s.root.Properties[name].WriteOnly }

// Anchors returns the values, as JSON, of the settings that say where secrets
// go, by their path. Secrets hold for one set of anchors.
func (s *Schema) Anchors(settings string) (map[string]string, error) {
	anchors := make(map[string]string)
	err := s.walk(settings, func(path string, n node, value any) error {
		if !n.Anchor {
			return nil
		}
		text, err := json.Marshal(value) // maps in ascending order: the same text for the same value
		anchors[path] = string(text)
		return err
	})
	return anchors, err
}

// CheckPaths says which settings name a file or folder outside folders.
// Symbolic links are followed, so that none leads out.
func (s *Schema) CheckPaths(settings string, folders []string) error {
	var faults []error
	err := s.walk(settings, func(path string, n node, value any) error {
		if n.Format == "path" {
			eachText(value, func(file string) {
				if file == "" {
					return
				}
				if err := within(file, folders); err != nil {
					faults = append(faults, fmt.Errorf("%s: %w", path, err))
				}
			})
		}
		return nil
	})
	return errors.Join(append(faults, err)...)
}

// within says whether file is in one of folders, and returns why not.
func within(file string, folders []string) error {
	if !filepath.IsAbs(file) {
		return fmt.Errorf("%q is not an absolute path", file)
	}
	real, err := resolve(file)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		inside, err := filepath.EvalSymlinks(folder)
		if err != nil {
			continue // a folder that is not there holds nothing
		}
		if rel, err := filepath.Rel(inside, real); err == nil && filepath.IsLocal(rel) {
			return nil
		}
	}
	if len(folders) == 0 {
		return fmt.Errorf("%q may not be used: agent.yaml names no folders", file)
	}
	return fmt.Errorf("%q is in none of the folders that agent.yaml allows: %s", file, strings.Join(folders, ", "))
}

// resolve follows symbolic links as far as the path exists.
func resolve(file string) (string, error) {
	file = filepath.Clean(file)
	for rest := ""; ; {
		real, err := filepath.EvalSymlinks(file)
		if err == nil {
			return filepath.Join(real, rest), nil
		}
		parent := filepath.Dir(file)
		if parent == file {
			return "", fmt.Errorf("look at %q: %w", file, err)
		}
		rest, file = filepath.Join(filepath.Base(file), rest), parent
	}
}

// walk visits each setting that the schema describes.
func (s *Schema) walk(settings string, visit func(path string, n node, value any) error) error {
	if strings.TrimSpace(settings) == "" {
		settings = "{}"
	}
	var values any
	if err := json.Unmarshal([]byte(settings), &values); err != nil {
		return fmt.Errorf("the settings are no JSON: %w", err)
	}
	return s.root.walk("", values, visit)
}

func (n node) walk(path string, value any, visit func(string, node, any) error) error {
	if path != "" {
		if err := visit(path, n, value); err != nil {
			return err
		}
	}
	switch v := value.(type) {
	case map[string]any:
		var other node
		_ = json.Unmarshal(n.Additional, &other) // a boolean says nothing of the values
		for _, key := range slices.Sorted(maps.Keys(v)) {
			child, known := n.Properties[key]
			if !known {
				child = other
			}
			if err := child.walk(strings.TrimPrefix(path+"."+key, "."), v[key], visit); err != nil {
				return err
			}
		}
	case []any:
		if n.Items == nil {
			return nil
		}
		for i, element := range v {
			if err := n.Items.walk(fmt.Sprintf("%s[%d]", path, i), element, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachText visits the texts in a value.
func eachText(value any, visit func(string)) {
	switch v := value.(type) {
	case string:
		visit(v)
	case []any:
		for _, element := range v {
			eachText(element, visit)
		}
	case map[string]any:
		for _, element := range v {
			eachText(element, visit)
		}
	}
}
