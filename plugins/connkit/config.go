package connkit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// A Config says what a connector is tried on: a test.yaml, or what a test in Go
// fills in. In every text {dir} is a fresh folder of the run, {test} the folder
// of test.yaml, and, in what is created, {n} a number never used before.
type Config struct {
	Connector string            `yaml:"connector"` // required: name, which is also the executable's argument
	Settings  map[string]any    `yaml:"settings"`
	Secrets   map[string]string `yaml:"secrets"` // of the system for tests; never a real one's

	Class      string   `yaml:"class"`      // required: a class that has objects
	Attributes []string `yaml:"attributes"` // required: some that its objects have; the first has a value of its own in each

	Create  *Create              `yaml:"create"`  // how to make an object of Class
	Samples map[string][2]Values `yaml:"samples"` // for an attribute two values that the system takes
	Leave   []string             `yaml:"leave"`   // attributes that the kit must not write
	Group   *Group               `yaml:"group"`   // a group to join and leave
	Move    string               `yaml:"move"`    // another container, for a connector that moves

	Prepare Hook     `yaml:"prepare"` // makes the system ready, before anything else
	Edit    Hook     `yaml:"edit"`    // changes some object in the system from outside; {n} differs at each call
	Large   *Large   `yaml:"large"`   // the same system with very many objects
	Limited *Limited `yaml:"limited"` // the same system while it says "slow down"

	Executable string        `yaml:"-"` // required for [Run]
	Rules      []string      `yaml:"-"` // to try, by name, besides describe and schema; none means all
	Dir        string        `yaml:"-"` // {dir}; one is made and removed if it is empty
	Test       string        `yaml:"-"` // {test}
	Wait       time.Duration `yaml:"-"` // for one call; 1 minute if it is 0
}

// A Create is an object that the kit may make, as often as it likes.
type Create struct {
	Container      string            `yaml:"container"`
	Name           string            `yaml:"name"`       // required, with {n}
	Attributes     map[string]Values `yaml:"attributes"` // required
	Anchor         string            `yaml:"anchor"`     // required: one of the attributes, whose value has {n}
	MakeContainers bool              `yaml:"make_containers"`
	Enabled        bool              `yaml:"enabled"`
	Password       uint32            `yaml:"password"` // length of the one to generate; 0 for none
}

// A Group is looked up by the value of an attribute.
type Group struct {
	Class     string `yaml:"class"`
	Attribute string `yaml:"attribute"`
	Value     string `yaml:"value"`
	ID        string `yaml:"id"`       // instead of looking it up
	ShownIn   string `yaml:"shown_in"` // attribute of the member that names its groups
}

// A Large is the same system with so many objects that a connector that keeps
// them all would be noticed.
type Large struct {
	Settings map[string]any `yaml:"settings"` // in place of those of the same name
	Prepare  Hook           `yaml:"prepare"`
	Objects  int            `yaml:"objects"`    // at least so many must come; 1,000,000 if it is 0
	Memory   int            `yaml:"memory_mib"` // that the process may take; 64 if it is 0
}

// A Limited is the same system while it limits the rate of calls.
type Limited struct {
	Settings map[string]any `yaml:"settings"` // in place of those of the same name
	Prepare  Hook           `yaml:"prepare"`
	Pause    time.Duration  `yaml:"pause"` // that the system asks for (Retry-After), if it does
}

// A Hook is a command, run in {dir}, or in a test in Go a function.
type Hook struct {
	Command []string
	Func    func(ctx context.Context) error
}

// IsZero tells whether there is nothing to do.
func (h Hook) IsZero() bool { return len(h.Command) == 0 && h.Func == nil }

// UnmarshalYAML takes a list of words, or one text for the shell.
func (h *Hook) UnmarshalYAML(decode func(any) error) error {
	var text string
	if decode(&text) == nil {
		h.Command = []string{"/bin/sh", "-ec", text}
		return nil
	}
	return decode(&h.Command)
}

// Values are those of one attribute. In YAML one stands for itself.
type Values []string

// UnmarshalYAML takes one value or a list.
func (v *Values) UnmarshalYAML(decode func(any) error) error {
	var list []string
	if decode(&list) == nil {
		*v = list
		return nil
	}
	var one string
	if err := decode(&one); err != nil {
		return err
	}
	*v = Values{one}
	return nil
}

// Load reads a test.yaml. Its error names every fault.
func Load(path string) (Config, error) {
	var c Config
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read what to test: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if c.Test, err = filepath.Abs(filepath.Dir(path)); err != nil {
		return c, err
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// check returns all that is wrong.
func (c Config) check() error {
	var faults []error
	missing := func(is bool, what string) {
		if is {
			faults = append(faults, fmt.Errorf("%s is missing", what))
		}
	}
	missing(c.Connector == "", "connector (the name by which the executable is called)")
	missing(c.Class == "", "class (a class that has objects)")
	missing(len(c.Attributes) == 0, "attributes (the first has a value of its own in each object)")
	for _, name := range c.Rules {
		missing(!slices.ContainsFunc(rules(), func(r rule) bool { return r.name == name }), fmt.Sprintf("rule %q", name))
	}
	if c.Create != nil {
		missing(!strings.Contains(c.Create.Name, "{n}"), "{n} in create.name")
		anchor := c.Create.Attributes[c.Create.Anchor]
		missing(len(anchor) != 1 || !strings.Contains(anchor[0], "{n}"), "one value with {n} of the attribute that create.anchor names")
	}
	if g := c.Group; g != nil {
		missing(g.ID == "" && (g.Class == "" || g.Attribute == "" || g.Value == ""), "group.id, or class, attribute and value of group")
	}
	return errors.Join(faults...)
}

func (c Config) wait() time.Duration { return cmp.Or(c.Wait, time.Minute) }

// fill puts what they stand for in place of the marks in v, a copy.
func fill(v any, marks *strings.Replacer) any {
	switch v := v.(type) {
	case string:
		return marks.Replace(v)
	case map[string]any:
		filled := make(map[string]any, len(v))
		for key, value := range v {
			filled[key] = fill(value, marks)
		}
		return filled
	case []any:
		filled := make([]any, len(v))
		for i, value := range v {
			filled[i] = fill(value, marks)
		}
		return filled
	case []string:
		filled := make([]string, len(v))
		for i, value := range v {
			filled[i] = marks.Replace(value)
		}
		return filled
	}
	return v
}
