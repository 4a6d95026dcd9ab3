package release_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/proto/release"
)

func key(t testing.TB, seed byte) ed25519.PrivateKey {
	t.Helper()
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func manifest() release.Manifest {
	return release.Manifest{Version: "1.4.0", Released: time.Unix(1e9, 0).UTC(), Spool: release.Layout{Reads: 1, Writes: 2}, Data: 1,
		Files: []release.File{{Part: release.Agent, Platform: "linux/amd64", Size: 7, SHA256: strings.Repeat("ab", 32)}}}
}

// What none of the trusted keys has signed is nothing that may run: another
// key's, a changed manifest, a signature for something else.
func TestOpen_onlyWhatIsSigned(t *testing.T) {
	t.Parallel()
	mine, other := key(t, 1), key(t, 2)
	file, err := release.Sign(manifest(), other, mine)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := release.Open(file, []ed25519.PublicKey{public(mine)}); err != nil || m.Version != "1.4.0" {
		t.Errorf("Open = %+v, %v; want the manifest", m, err)
	}
	if _, err := release.Open(file, []ed25519.PublicKey{public(key(t, 3))}); !errors.Is(err, release.ErrUntrusted) {
		t.Errorf("Open with a key that did not sign: %v; want ErrUntrusted", err)
	}
	if _, err := release.Open(file, nil); !errors.Is(err, release.ErrUntrusted) {
		t.Errorf("Open without keys: %v; want ErrUntrusted", err)
	}
	var e struct {
		Manifest   []byte `json:"manifest"`
		Signatures []struct {
			Key       []byte `json:"key"`
			Signature []byte `json:"signature"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(file, &e); err != nil {
		t.Fatal(err)
	}
	tried := func(what string) {
		t.Helper()
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := release.Open(text, []ed25519.PublicKey{public(mine)}); !errors.Is(err, release.ErrUntrusted) {
			t.Errorf("%s: %v; want ErrUntrusted", what, err)
		}
	}
	signed := e.Manifest
	e.Manifest = bytes.Replace(signed, []byte("1.4.0"), []byte("1.4.1"), 1)
	tried("a changed manifest")
	e.Manifest = signed
	e.Signatures[1].Signature = ed25519.Sign(mine, signed)
	tried("a signature of the bytes alone, as another program may make it")
}

// What cannot be a release is said to be none, before anybody stores it.
func TestRead_malformed(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*release.Manifest){
		"a version that names another folder": func(m *release.Manifest) { m.Version = "../1.4.0" },
		"no version":                          func(m *release.Manifest) { m.Version = "" },
		"no layouts":                          func(m *release.Manifest) { m.Spool.Reads = 0 },
		"no files":                            func(m *release.Manifest) { m.Files = nil },
		"another part":                        func(m *release.Manifest) { m.Files[0].Part = "virus" },
		"no hash":                             func(m *release.Manifest) { m.Files[0].SHA256 = "AB" },
		"an endless executable":               func(m *release.Manifest) { m.Files[0].Size = release.MaxFileBytes + 1 },
		"two agents for a platform":           func(m *release.Manifest) { m.Files = append(m.Files, m.Files[0]) },
	} {
		m := manifest()
		change(&m)
		if _, err := release.Sign(m, key(t, 1)); !errors.Is(err, release.ErrMalformed) {
			t.Errorf("%s: %v; want ErrMalformed", what, err)
		}
	}
}

func TestNewer(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"1.10.0", "1.9.9"}, {"1.0.0", "1.0.0-rc.1"}, {"1.0.0", "0.0.0-dev"}, {"0.0.1", "no version"}} {
		if !release.Newer(pair[0], pair[1]) || release.Newer(pair[1], pair[0]) || release.Newer(pair[0], pair[0]) {
			t.Errorf("%s must be newer than %s, and not than itself", pair[0], pair[1])
		}
	}
}

// Whatever somebody sends as a release, nothing is taken that was not signed.
func FuzzOpen(f *testing.F) {
	mine := key(f, 1)
	file, err := release.Sign(manifest(), key(f, 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if m, err := release.Open(file, []ed25519.PublicKey{public(mine)}); err == nil {
			t.Errorf("taken: %+v", m)
		}
	})
}
