package vault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/agent/vault"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
	"github.com/google/go-cmp/cmp"
)

const text = "correct horse battery staple"

var anchors = vault.Anchors{"servers": "ldaps://dc1.corp.example", "bind": "svc@corp.example"}

// A secret outlives the process, and no file shows it.
func TestVault_keepsSecretsSealed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	set(t, open(t, dir), "corp-ad", "password", anchors)
	if got, err := open(t, dir).Get("corp-ad", "password", anchors); err != nil || got.Reveal() != text {
		t.Errorf("Get() = %q, %v; want the secret", got.Reveal(), err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, %v; want vault.json and vault.key", files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil || bytes.Contains(data, []byte(text)) {
			t.Errorf("%s shows the secret (%v)", f, err)
		}
		if info, err := os.Stat(f); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v; want 0600", f, info.Mode(), err)
		}
	}
}

// A coordinator that has another server, CA or account put into the settings gets no secret sent there.
func TestGet_refusesOtherAnchors(t *testing.T) {
	t.Parallel()
	v := open(t, t.TempDir())
	set(t, v, "corp-ad", "password", anchors)
	for _, other := range []vault.Anchors{
		nil,
		{"servers": "ldaps://evil.example", "bind": "svc@corp.example"},
		{"servers": "ldaps://dc1.corp.example"},
		{"servers": "ldaps://dc1.corp.example", "bind": "svc@corp.example", "ca": ""},
		{"servers": "ldaps://dc1.corp.example;16:bind", "bind": "svc@corp.example"},
	} {
		got, err := v.Get("corp-ad", "password", other)
		if !errors.Is(err, vault.ErrAnchors) || !got.IsZero() {
			t.Errorf("Get(%v) = %v; want ErrAnchors", other, err)
		}
		if err != nil && !strings.Contains(err.Error(), "drawbridge-agent secret set corp-ad password") {
			t.Errorf("Get(%v) = %v; want what to do", other, err)
		}
	}
	other := vault.Anchors{"servers": "ldaps://dc2.corp.example"}
	set(t, v, "corp-ad", "password", other)
	if _, err := v.Get("corp-ad", "password", other); err != nil {
		t.Errorf("Get() after it was given again = %v; want nil", err)
	}
}

// Whoever can write the file still cannot have one secret taken for another.
func TestGet_noticesSwappedBoxes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := open(t, dir)
	set(t, v, "corp-ad", "password", anchors)
	set(t, v, "hr", "password", vault.Anchors{"path": "/srv/hr"})
	path := filepath.Join(dir, "vault.json")
	var f map[string]any
	data, err := os.ReadFile(path)
	if err := errors.Join(err, json.Unmarshal(data, &f)); err != nil {
		t.Fatal(err)
	}
	secrets := f["secrets"].(map[string]any)
	secrets["hr"].(map[string]any)["password"].(map[string]any)["box"] = secrets["corp-ad"].(map[string]any)["password"].(map[string]any)["box"]
	data, err = json.Marshal(f)
	if err := errors.Join(err, os.WriteFile(path, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got, err := v.Get("hr", "password", vault.Anchors{"path": "/srv/hr"}); !errors.Is(err, vault.ErrDamaged) || !got.IsZero() {
		t.Errorf("Get(swapped box) = %v; want ErrDamaged", err)
	}
}

func TestVault_namesAndRemoves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := open(t, dir)
	if _, err := v.Get("corp-ad", "password", anchors); !errors.Is(err, vault.ErrMissing) {
		t.Errorf("Get(never given) = %v; want ErrMissing", err)
	}
	set(t, v, "corp-ad", "password", anchors)
	set(t, open(t, dir), "corp-ad", "keytab", anchors) // another process
	names, err := v.Names("corp-ad")
	if diff := cmp.Diff([]string{"keytab", "password"}, names); diff != "" || err != nil {
		t.Errorf("Names() = %v (-want +got):\n%s", err, diff)
	}
	if err := v.Remove("corp-ad"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Get("corp-ad", "password", anchors); !errors.Is(err, vault.ErrMissing) {
		t.Errorf("Get(removed) = %v; want ErrMissing", err)
	}
}

// What cannot be read is left as it is, and said.
func TestOpen_leavesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, content string
		want                error
	}{
		{"cut off", "vault.json", `{"schema": "1", "secr`, vault.ErrDamaged},
		{"newer", "vault.json", `{"schema": "2"}`, vault.ErrSchema},
		{"key damaged", "vault.key", "AGE-SECRET-KEY-1OOPS", vault.ErrDamaged},
		{"key lost", "vault.key", "", vault.ErrDamaged},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			set(t, open(t, dir), "corp-ad", "password", anchors)
			path := filepath.Join(dir, test.file)
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if test.content == "" {
				os.Remove(path)
			}
			if _, err := vault.Open(dir); !errors.Is(err, test.want) {
				t.Errorf("Open() = %v; want %v", err, test.want)
			}
			if after, _ := os.ReadFile(path); string(after) != test.content {
				t.Errorf("Open() left %q; want %q", after, test.content)
			}
		})
	}
}

func TestOpen_refusesKeyThatOthersCanRead(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the folder's ACL guards the key")
	}
	dir := t.TempDir()
	open(t, dir)
	if err := os.Chmod(filepath.Join(dir, "vault.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("Open(key 0644) = %v; want an error that says chmod 600", err)
	}
}

func open(t *testing.T, dir string) *vault.Vault {
	t.Helper()
	v, err := vault.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func set(t *testing.T, v *vault.Vault, system, name string, a vault.Anchors) {
	t.Helper()
	if err := v.Set(system, name, a, sealed.New(text)); err != nil {
		t.Fatal(err)
	}
}
