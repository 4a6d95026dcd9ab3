package skeleton_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/connkit/skeleton"
)

// What an author gets builds, is formatted and passes the kit, before a line
// of it is changed.
func TestWrite_passesTheKitAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "birds")
	if _, err := skeleton.Write(dir, skeleton.Options{Name: "birds", Source: "../../.."}); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"go", "mod", "tidy"}, {"go", "vet", "./..."}, {"go", "test", "./..."}, {"gofmt", "-l", "."}} {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil || words[0] == "gofmt" && len(out) > 0 {
			t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
		}
	}
}

func TestWrite_refuses(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := skeleton.Write(full, skeleton.Options{Name: "birds"}); err == nil || !strings.Contains(err.Error(), "holds 1 files already") {
		t.Errorf("Write into a folder that is not empty = %v; want an error", err)
	}
	for _, name := range []string{"", "Birds", "../birds", "1bird", "b b"} {
		if _, err := skeleton.Write(filepath.Join(t.TempDir(), "x"), skeleton.Options{Name: name}); !errors.Is(err, skeleton.ErrName) {
			t.Errorf("Write of %q = %v; want ErrName", name, err)
		}
	}
	if _, err := skeleton.Write(filepath.Join(t.TempDir(), "x"), skeleton.Options{Name: "birds", Source: full}); err == nil {
		t.Error("Write with a source that is none = nil; want an error")
	}
}
