// Package vault keeps the credentials of systems, sealed at rest. They are given
// on the host with `drawbridge-agent secret set` and never come from or go to
// the coordinator.
//
// A secret is bound to the anchors of its system: the settings that say where
// it would be sent, such as server addresses, the CA and the bind name. The
// coordinator sets those; if it changes one, the vault keeps the secret to
// itself until an admin of the host gives it again ([ErrAnchors]). So a stolen
// coordinator cannot have our password sent to a server of its own.
//
// One file holds all: {"schema": "1", "secrets": {system: {name: {"anchors":
// SHA-256, "box": sealed}}}}. What sealing is depends on the host, see
// sealer_unix.go (an age key that only the service may read) and
// sealer_windows.go (DPAPI). The system, the name and the anchors are sealed
// with the text, so that boxes cannot be swapped in the file.
//
// Secrets in transit are proto/sealed; which settings are anchors, the
// connector's schema says, and agent/runner reads it.
package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/drawbridge-id/drawbridge/agent/durable"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

const schema = "1"

// Errors to test for with [errors.Is].
var (
	ErrMissing = errors.New("secret not given")
	ErrAnchors = errors.New("the server, CA or account that the secret was given for has changed")
	ErrDamaged = errors.New("vault damaged")
	ErrSchema  = errors.New("vault written by another agent release")
)

// Anchors are the settings that say where a system's secrets go, by name.
type Anchors map[string]string

// hash does not depend on order, and no two sets share one.
func (a Anchors) hash() []byte {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(a)) {
		fmt.Fprintf(h, "%d:%s=%d:%s;", len(name), name, len(a[name]), a[name])
	}
	return h.Sum(nil)
}

// A sealer makes text unreadable to all but this service on this host.
type sealer interface {
	seal(text []byte) ([]byte, error)
	unseal(box []byte) ([]byte, error)
}

// A Vault is safe for concurrent use. Processes may share one: each call reads
// the file, so a running agent sees what `secret set` stored.
type Vault struct {
	path string
	seal sealer
	mu   sync.Mutex
}

// file is what is stored.
type file struct {
	Schema  string                         `json:"schema"`
	Secrets map[string]map[string]sealment `json:"secrets"`
}

type sealment struct {
	Anchors []byte `json:"anchors"` // hash, to tell a change without unsealing
	Box     []byte `json:"box"`
}

// content is what a box holds.
type content struct {
	System, Name string
	Anchors      []byte
	Text         string
}

// Open opens the vault in dir, which must exist, and makes the host's key if
// there is none yet. It returns [ErrDamaged] or [ErrSchema] if the file cannot
// be read, and leaves it.
func Open(dir string) (*Vault, error) {
	v := &Vault{path: filepath.Join(dir, "vault.json")}
	f, err := v.read()
	if err != nil {
		return nil, err
	}
	if v.seal, err = openSealer(dir, len(f.Secrets) > 0); err != nil {
		return nil, fmt.Errorf("open vault in %s: %w", dir, err)
	}
	return v, nil
}

// Set stores a secret for a system with these anchors, in the place of an earlier one.
func (v *Vault) Set(system, name string, anchors Anchors, secret sealed.Secret) error {
	if system == "" || name == "" {
		return errors.New("a secret needs a system and a name")
	}
	c := content{System: system, Name: name, Anchors: anchors.hash(), Text: secret.Reveal()}
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("secret %s of %s: %w", name, system, err)
	}
	box, err := v.seal.seal(text)
	if err != nil {
		return fmt.Errorf("seal secret %s of %s: %w", name, system, err)
	}
	return v.update(func(f *file) {
		if f.Secrets[system] == nil {
			f.Secrets[system] = map[string]sealment{}
		}
		f.Secrets[system][name] = sealment{Anchors: c.Anchors, Box: box}
	})
}

// Get returns a secret of a system whose anchors are now these. It returns
// [ErrMissing] if none was given, and [ErrAnchors] if it was given for others.
func (v *Vault) Get(system, name string, anchors Anchors) (sealed.Secret, error) {
	f, err := v.read()
	if err != nil {
		return sealed.Secret{}, err
	}
	s, ok := f.Secrets[system][name]
	switch again := fmt.Sprintf("give it on this host with `drawbridge-agent secret set %s %s`", system, name); {
	case !ok:
		return sealed.Secret{}, fmt.Errorf("secret %s of %s: %w: %s", name, system, ErrMissing, again)
	case !bytes.Equal(s.Anchors, anchors.hash()):
		return sealed.Secret{}, fmt.Errorf("secret %s of %s: %w: if the change is meant, %s", name, system, ErrAnchors, again)
	}
	text, err := v.seal.unseal(s.Box)
	if err != nil {
		return sealed.Secret{}, fmt.Errorf("unseal secret %s of %s: %w: %w: give it again with `drawbridge-agent secret set %[2]s %[1]s`", name, system, ErrDamaged, err)
	}
	var c content
	if err := json.Unmarshal(text, &c); err != nil {
		return sealed.Secret{}, fmt.Errorf("secret %s of %s: %w", name, system, ErrDamaged) // err may quote the text
	}
	if c.System != system || c.Name != name || !bytes.Equal(c.Anchors, s.Anchors) {
		return sealed.Secret{}, fmt.Errorf("secret %s of %s: %w: the box is of another secret", name, system, ErrDamaged)
	}
	return sealed.New(c.Text), nil
}

// Names returns the secrets given for a system, in ascending order.
func (v *Vault) Names(system string) ([]string, error) {
	f, err := v.read()
	return slices.Sorted(maps.Keys(f.Secrets[system])), err
}

// Remove forgets the secrets of a system. None is no error.
func (v *Vault) Remove(system string) error {
	return v.update(func(f *file) { delete(f.Secrets, system) })
}

func (v *Vault) read() (file, error) {
	f := file{Schema: schema, Secrets: map[string]map[string]sealment{}}
	data, err := os.ReadFile(v.path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return file{}, fmt.Errorf("read vault: %w", err)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return file{}, fmt.Errorf("%w: %s: %w", ErrDamaged, v.path, err)
	}
	if f.Schema != schema {
		return file{}, fmt.Errorf("%w: %s: schema %q, this release knows %q", ErrSchema, v.path, f.Schema, schema)
	}
	return f, nil
}

// update changes the file, all or nothing.
func (v *Vault) update(change func(*file)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	f, err := v.read()
	if err != nil {
		return err
	}
	change(&f)
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.ReplaceFile(v.path, append(data, '\n')); err != nil {
		return fmt.Errorf("write vault: %w", err)
	}
	return nil
}
