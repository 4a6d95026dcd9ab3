package snapshot_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/agent/snapshot"
)

// A base with a single bit wrong is noticed, kept, and begun anew; a newer release's is left alone.
func TestOpen_noticesDamage(t *testing.T) {
	t.Parallel()
	whole := baseFile(t)
	for name, at := range map[string]int{"beginning": 2, "block": 100, "id": 200*33 + 50, "tail": len(whole) - 20, "end": len(whole) - 1} {
		data := bytes.Clone(whole)
		data[at] ^= 0x10
		path := filepath.Join(t.TempDir(), snapshot.FileName(system))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := snapshot.Open(filepath.Dir(path), system)
		if !errors.Is(err, snapshot.ErrDamaged) || !strings.Contains(err.Error(), "kept with the suffix") {
			t.Errorf("Open(%s) = %v; want ErrDamaged and where it is kept", name, err)
		}
		if kept, _ := filepath.Glob(path + ".damaged-*"); len(kept) != 1 {
			t.Errorf("%s: kept %v; want one file", name, kept)
		}
		s, err := snapshot.Open(filepath.Dir(path), system)
		if err != nil || s.Known() != 0 {
			t.Fatalf("Open() again = %v; want an empty snapshot", err)
		}
		s.Close()
	}
	newer := bytes.Clone(whole)
	newer[6] = '2'
	path := filepath.Join(t.TempDir(), snapshot.FileName(system))
	if err := os.WriteFile(path, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.Open(filepath.Dir(path), system); !errors.Is(err, snapshot.ErrSchema) {
		t.Errorf("Open(newer) = %v; want ErrSchema", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, newer) {
		t.Errorf("Open(newer) changed the file (%v)", err)
	}
}

// baseFile returns the bytes of a base of 40,000 objects.
func baseFile(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := readOnce(dir, 0, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, snapshot.FileName(system)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Foreign bytes in the place of either file are an error or nothing, never a crash.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{}, true)
	f.Add([]byte("DBSNAP1\n"), true)
	f.Add(append([]byte("DBSNAP1\n"), make([]byte, 64)...), true)
	f.Add([]byte("DBSLOG1\n0123456789abcdef\x04\x00\x00\x00"), false)
	f.Add(append([]byte("DBSLOG1\n"), make([]byte, 40)...), false)
	f.Fuzz(func(t *testing.T, data []byte, base bool) {
		dir := t.TempDir()
		name := snapshot.FileName(system)
		if !base {
			name = strings.TrimSuffix(name, ".snap") + ".log"
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := snapshot.Open(dir, system)
		if err != nil {
			if !errors.Is(err, snapshot.ErrDamaged) && !errors.Is(err, snapshot.ErrSchema) {
				t.Errorf("Open(%x) = %v", data, err)
			}
			return
		}
		s.Close()
	})
}
