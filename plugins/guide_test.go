// Package plugins_test tries the authors' guide, as an author would.
package plugins_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Every line that README.md tells an author to type works, in that order, in a
// fresh folder; and what it shows of the kit's report is what the kit prints.
func TestPain19_theGuideLeadsToAVerdict(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1) {
		script.WriteString(block[1])
	}
	if n := strings.Count(script.String(), "\n"); n < 10 {
		t.Fatalf("README.md has only %d lines to type", n)
	}
	bin, source := t.TempDir(), filepath.Dir(getwd(t))
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "drawbridge-agent"), "../agent/cmd/drawbridge-agent")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sh := exec.Command("sh", "-eux", "-c", script.String())
	sh.Dir = t.TempDir()
	sh.Env = append(os.Environ(), "DRAWBRIDGE="+source, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	began := time.Now()
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("the whole guide, from nothing to the kit's verdicts, was played in %.1f s", time.Since(began).Seconds())
	for _, block := range regexp.MustCompile("(?ms)^```text\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "…")
			if !strings.Contains(string(out), strings.TrimSpace(line)) {
				t.Errorf("README.md shows a line that was not printed: %q", line)
			}
		}
	}
	if t.Failed() {
		t.Log(string(out))
	}
}

func getwd(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
