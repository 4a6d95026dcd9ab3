// Package release is the contract about releases of the agent's side: a manifest
// that names every executable by its SHA-256, and whose signatures count. It is
// made and signed where no network is, carried by the coordinator, and believed
// by an agent only if a key signed it that agent.yaml of its host names.
//
// A release file is JSON: the manifest's bytes as they were signed, and a
// signature (Ed25519, of a fixed prefix and those bytes) for each key:
//
//	{"manifest": "eyJ2ZXJzaW9u…", "signatures": [{"key": "MCow…", "signature": "…"}]}
//
// How an agent is updated is agent/update's, who is to have which release is the coordinator's.
package release

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"golang.org/x/mod/semver"
)

// signed stands before what is signed: a signature for something else is none for a release.
const signed = "drawbridge release v1\n"

// MaxBytes is the size of the largest release file, MaxFileBytes that of the
// largest executable, PartBytes that of the parts in which the coordinator takes
// and keeps it; the last may have less.
const (
	MaxBytes     = 64 << 10
	MaxFileBytes = 256 << 20
	PartBytes    = 4 << 20
)

// What an executable is.
const (
	Agent      = "agent"
	Connectors = "connectors"
)

// Errors to test for with [errors.Is].
var (
	ErrMalformed = errors.New("this is no release")
	ErrUntrusted = errors.New("the release is signed by none of the keys that are trusted")
)

// A Manifest says what a release consists of.
type Manifest struct {
	Version  string    `json:"version"`  // SemVer without the "v"
	Released time.Time `json:"released"` // when it was signed
	// Spool is the layout of the agent's journal: the oldest that the release can
	// take over, and the one that it writes.
	Spool Layout `json:"spool"`
	// Data is the layout of everything else that the agent keeps. One of another
	// number could not be undone, so no agent updates itself to it.
	Data  int    `json:"data"`
	Files []File `json:"files"`
}

// A Layout is what a release reads and writes. Both are at least 1.
type Layout struct {
	Reads  int `json:"reads"`
	Writes int `json:"writes"`
}

// A File is one executable.
type File struct {
	Part     string `json:"part"`     // Agent or Connectors
	Platform string `json:"platform"` // GOOS/GOARCH
	Size     int64  `json:"size"`     // bytes
	SHA256   string `json:"sha256"`   // hexadecimal, lower case
}

type envelope struct {
	Manifest   []byte      `json:"manifest"`
	Signatures []signature `json:"signatures"`
}

type signature struct {
	Key       []byte `json:"key"`
	Signature []byte `json:"signature"`
}

// ParseKey reads a public key as it is written in files of settings: base64.
func ParseKey(text string) (ed25519.PublicKey, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q is no public key: 32 bytes in base64, as `drawbridge-agent release key` prints it", text)
	}
	return raw, nil
}

// Sign makes a release file of a manifest, signed by each of the keys.
func Sign(m Manifest, keys ...ed25519.PrivateKey) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	e := envelope{Manifest: text}
	for _, key := range keys {
		e.Signatures = append(e.Signatures, signature{key.Public().(ed25519.PublicKey), ed25519.Sign(key, message(text))})
	}
	out, err := json.MarshalIndent(e, "", "  ")
	return append(out, '\n'), err
}

// Open returns the manifest of a release file that one of the keys has signed,
// else [ErrUntrusted]; [ErrMalformed] for what is no release file.
func Open(file []byte, keys []ed25519.PublicKey) (Manifest, error) {
	m, e, err := read(file)
	if err != nil {
		return Manifest{}, err
	}
	for _, s := range e.Signatures {
		for _, key := range keys {
			if bytes.Equal(key, s.Key) && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message(e.Manifest), s.Signature) {
				return m, nil
			}
		}
	}
	return Manifest{}, ErrUntrusted
}

// Read returns the manifest of a release file, whoever signed it: nothing of it
// may be executed for that.
func Read(file []byte) (Manifest, error) {
	m, _, err := read(file)
	return m, err
}

func read(file []byte) (m Manifest, e envelope, err error) {
	if len(file) > MaxBytes {
		return m, e, fmt.Errorf("%w: it has %d bytes", ErrMalformed, len(file))
	}
	if err := json.Unmarshal(file, &e); err != nil {
		return m, e, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := json.Unmarshal(e.Manifest, &m); err != nil {
		return m, e, fmt.Errorf("%w: its manifest: %w", ErrMalformed, err)
	}
	return m, e, m.check()
}

func message(text []byte) []byte { return append([]byte(signed), text...) }

// version is what may be a version here: it also names a folder.
var version = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

func (m Manifest) check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	if !ValidVersion(m.Version) {
		return wrong("version %q is no SemVer such as 1.4.0", m.Version)
	}
	if m.Spool.Reads < 1 || m.Spool.Writes < m.Spool.Reads || m.Data < 1 {
		return wrong("it does not say which layouts of data it knows")
	}
	if len(m.Files) == 0 {
		return wrong("it has no files")
	}
	had := map[string]bool{}
	for _, f := range m.Files {
		sum, err := hex.DecodeString(f.SHA256)
		switch {
		case f.Part != Agent && f.Part != Connectors:
			return wrong("%q is neither %s nor %s", f.Part, Agent, Connectors)
		case err != nil || len(sum) != 32 || hex.EncodeToString(sum) != f.SHA256:
			return wrong("%q is no SHA-256", f.SHA256)
		case f.Size < 1 || f.Size > MaxFileBytes:
			return wrong("%d is no size of an executable", f.Size)
		case had[f.Part+f.Platform]:
			return wrong("it has two of %s for %s", f.Part, f.Platform)
		}
		had[f.Part+f.Platform] = true
	}
	return nil
}

// File returns the executable of a part for a platform.
func (m Manifest) File(part, platform string) (File, bool) {
	i := slices.IndexFunc(m.Files, func(f File) bool { return f.Part == part && f.Platform == platform })
	if i < 0 {
		return File{}, false
	}
	return m.Files[i], true
}

// ValidVersion tells whether a text is a version that a release may have.
func ValidVersion(text string) bool {
	return len(text) <= 64 && version.MatchString(text) && semver.IsValid("v"+text)
}

// Newer tells whether version a comes after b. What is no version comes before all.
func Newer(a, b string) bool { return semver.Compare("v"+a, "v"+b) > 0 }
