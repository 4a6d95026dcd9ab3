package access_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
)

// Every key of the configuration and every role is in the README.
func TestReadme_namesEverything(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, kind := range []reflect.Type{reflect.TypeFor[access.Config](), reflect.TypeFor[access.Provider]()} {
		for i := range kind.NumField() {
			names = append(names, kind.Field(i).Tag.Get("yaml"))
		}
	}
	for _, r := range access.Roles() {
		names = append(names, string(r))
	}
	for _, name := range names {
		if name == "" || !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("README.md says nothing of %q", name)
		}
	}
}
