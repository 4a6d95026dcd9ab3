// Package skeleton writes the beginning of a connector in Go: a module of its
// own that builds, passes the conformance kit, and has one file, store.go, that
// the author replaces by calls to a system. It belongs to
// `drawbridge-agent connector new`; the files are in files/.
package skeleton

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed files
var files embed.FS

// ErrName is the error of a name that cannot be a connector's.
var ErrName = errors.New("a connector's name is lower case, begins with a letter, and has letters, digits and - alone")

// Options say what to write.
type Options struct {
	Name    string // of the connector
	Version string // of Drawbridge, as a module's; empty with Source
	Source  string // folder of Drawbridge's source to build with, in place of the published module
}

// Write writes the skeleton into the folder dir, which must not exist or be
// empty, and returns the names of the files.
func Write(dir string, o Options) (names []string, err error) {
	if !regexp.MustCompile(`^[a-z][a-z0-9-]*$`).MatchString(o.Name) {
		return nil, fmt.Errorf("%q: %w", o.Name, ErrName)
	}
	switch entries, err := os.ReadDir(dir); {
	case err == nil && len(entries) > 0:
		return nil, fmt.Errorf("%s holds %d files already; choose another folder, so that none is lost", dir, len(entries))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if o.Source != "" {
		if o.Source, err = filepath.Abs(o.Source); err != nil {
			return nil, err
		}
		if _, err := os.Stat(filepath.Join(o.Source, "plugins", "sdk")); err != nil {
			return nil, fmt.Errorf("%s is no source of Drawbridge: %w", o.Source, err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	templates, err := fs.Glob(files, "files/*.tmpl")
	if err != nil {
		return nil, err
	}
	put := o.replacer()
	for _, t := range templates {
		text, err := files.ReadFile(t)
		if err != nil {
			return names, err
		}
		name := strings.TrimSuffix(path.Base(t), ".tmpl")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(put.Replace(string(text))), 0o644); err != nil {
			return names, err
		}
		names = append(names, name)
	}
	return names, nil
}

// replacer fills in the marks of the files.
func (o Options) replacer() *strings.Replacer {
	replace := ""
	if o.Source != "" {
		replace = "\n// Built with the source beside it, not with a release.\nreplace github.com/drawbridge-id/drawbridge => " + o.Source + "\n"
	}
	return strings.NewReplacer("{{name}}", o.Name, "{{version}}", cmp.Or(o.Version, "v0.0.0"), "{{replace}}\n", replace)
}
