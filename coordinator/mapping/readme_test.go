package mapping_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
)

// Every key, function and attribute is in the reference.
func TestReadme_isWhole(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	for _, f := range mapping.Functions() {
		if !regexp.MustCompile("`" + f + "[(`]").MatchString(readme) {
			t.Errorf("README.md says nothing of the function %s", f)
		}
	}
	for _, path := range directory.Paths() {
		if last := path[strings.LastIndexByte(path, '.')+1:]; !strings.Contains(readme, "`"+path+"`") && !strings.Contains(readme, "."+last+"`") {
			t.Errorf("README.md says nothing of the attribute %s", path)
		}
	}
	var keys int
	for _, file := range []string{"parse.go", "source.go", "build_target.go", "build_group.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\s+"([a-z_]+)":\s+\{(?:true|false), `).FindAllStringSubmatch(string(source), -1) {
			keys++
			if !regexp.MustCompile("[`{](leave\\.)?" + m[1] + "[:`]").MatchString(readme) {
				t.Errorf("README.md says nothing of the key %s", m[1])
			}
		}
	}
	if keys < 40 {
		t.Errorf("only %d keys were found in the code", keys)
	}
}

// The sample on each connector's page is a document that can be applied, with
// what the connector is for.
func TestParse_samplesOfConnectors(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../plugins/*/README.md")
	if err != nil || len(pages) < 6 {
		t.Fatalf("pages of connectors: %q, %v", pages, err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		_, sample, ok := strings.Cut(string(text), "\n## A sample\n")
		_, sample, fenced := strings.Cut(sample, "```yaml\n")
		sample, _, _ = strings.Cut(sample, "```")
		if !ok || !fenced {
			continue // of a tool
		}
		s, err := mapping.Parse(page, []byte(sample))
		if err != nil {
			t.Errorf("%s: %v", page, err)
			continue
		}
		if folder := filepath.Base(filepath.Dir(page)); s.Connector != folder || s.Source == nil && s.Target == nil {
			t.Errorf("%s: the sample is for connector %q, source %v, target %v; want a mapping for %s", page, s.Connector, s.Source != nil, s.Target != nil, folder)
		}
	}
}
