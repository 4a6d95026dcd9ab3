package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

type settings struct {
	Server   string            `json:"server" required:"true" anchor:"true" doc:"name of the server"`
	Port     int               `json:"port" default:"636" doc:"port of the server"`
	TLS      bool              `json:"tls" default:"true" doc:"whether TLS is used"`
	Mode     string            `json:"mode" default:"simple" enum:"simple,kerberos" doc:"way to sign in"`
	CA       string            `json:"ca_file" format:"path" doc:"certificate to trust"`
	Timeout  time.Duration     `json:"timeout" default:"30s" doc:"time for one request"`
	Filters  map[string]string `json:"filters" doc:"filter by class"`
	Bases    []base            `json:"bases" doc:"where to look"`
	Ratio    float64           `json:"ratio" doc:"a number"`
	Password sealed.Secret     `json:"password" required:"true" doc:"password of the account"`
}

type base struct {
	DN    string   `json:"dn" required:"true" doc:"name of the container"`
	Skip  []string `json:"skip" default:"[\"CN=x\"]" doc:"what to leave out"`
	Depth int      `json:"depth" doc:"how deep"`
}

func (s settings) Validate() error {
	if s.Port > 65535 {
		return errors.Join(errors.New(`"port" must be below 65536`), errors.New("and so on"))
	}
	return nil
}

// opened returns a connector that keeps its settings in got.
func opened(got *settings) sdk.Connector {
	return sdk.New(sdk.Description{Name: "x", Version: "1.0.0", Summary: "s", Capabilities: []sdk.Capability{sdk.CanRead, sdk.CanModify}},
		func(_ context.Context, s settings, _ *slog.Logger) (*memory, error) {
			*got = s
			return &memory{}, nil
		})
}

func TestSettings_areDecodedWithTheirDefaults(t *testing.T) {
	t.Parallel()
	var got settings
	connkit.Open(t, opened(&got), `{"server": "dc1", "timeout": "1m30s", "filters": {"user": "(x)"}, "bases": [{"dn": "OU=a", "depth": 2}], "ratio": 0.5}`,
		map[string]string{"password": "hunter2"})
	want := settings{Server: "dc1", Port: 636, TLS: true, Mode: "simple", Timeout: 90 * time.Second, Ratio: 0.5,
		Filters: map[string]string{"user": "(x)"}, Bases: []base{{DN: "OU=a", Skip: []string{"CN=x"}, Depth: 2}}, Password: sealed.New("hunter2")}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b sealed.Secret) bool { return a == b })); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

// Whoever mends the settings does it once, and reads names and cures.
func TestSettings_allFaultsAtOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		secrets    map[string]string
		wants      []string
	}{
		{"of every kind", `{"prot": 1, "somethingelse": 2, "port": "x", "tls": null, "mode": "ldap", "timeout": "soon", "filters": {"user": 1},
			"bases": [{"depth": 1.5, "DN": "x"}, 3], "ratio": 1, "ratio": 2, "password": "geheim"}`,
			map[string]string{"pasword": "x"}, []string{
				`"server" is missing: name of the server`, `"port" must be a whole number, not "x"`, `"tls" must be true or false, not null`,
				`"mode" must be one of simple, kerberos, not "ldap"`, `"timeout" must be a span of time`, `"filters.user" must be text, not 1`,
				`"bases[0].dn" is missing`, `"bases[0].depth" must be a whole number`, `"bases[0].DN" is no setting of this connector; did you mean "dn"?`,
				`"bases[1]" must be an object`, `"ratio" is there twice`, `"prot" is no setting of this connector; did you mean "port"?`,
				`"somethingelse" is no setting of this connector; it has server, port`,
				`"password" is a secret and must not be in the settings`, "drawbridge-agent secret set", `secret "pasword" is not one`}},
		{"secret missing, text empty", `{"server": ""}`, nil, []string{`"server" must not be empty`, `secret "password" is missing`}},
		{"of Validate", `{"server": "x", "port": 70000}`, map[string]string{"password": "x"}, []string{`"port" must be below 65536; and so on`}},
		{"no object", `[]`, nil, []string{"the settings must be an object"}},
		{"no JSON", `{"server": "x"`, nil, []string{"cannot be read as JSON"}},
		{"no JSON in a value", `{"server": x}`, nil, []string{"cannot be read as JSON"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fault := connkit.OpenFault(t, connkit.Serve(t, opened(new(settings))), test.text, test.secrets)
			for _, want := range test.wants {
				if !strings.Contains(fault.GetCause(), want) {
					t.Errorf("fault = %q; want %s in it", fault.GetCause(), want)
				}
			}
			if strings.Contains(fault.GetCause(), "geheim") {
				t.Errorf("fault = %q; it shows a secret", fault.GetCause())
			}
		})
	}
}

func TestSettingsSchema(t *testing.T) {
	t.Parallel()
	var got map[string]any
	if err := json.Unmarshal([]byte(opened(new(settings)).SettingsSchema()), &got); err != nil {
		t.Fatal(err)
	}
	text := func(doc string) map[string]any { return map[string]any{"type": "string", "description": doc} }
	with := func(m map[string]any, key string, value any) map[string]any { m[key] = value; return m }
	want := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false,
		"required": []any{"server", "password"},
		"properties": map[string]any{
			"server":   with(text("name of the server"), "x-anchor", true),
			"port":     map[string]any{"type": "integer", "default": 636.0, "description": "port of the server"},
			"tls":      map[string]any{"type": "boolean", "default": true, "description": "whether TLS is used"},
			"mode":     with(with(text("way to sign in"), "enum", []any{"simple", "kerberos"}), "default", "simple"),
			"ca_file":  with(text("certificate to trust"), "format", "path"),
			"timeout":  with(with(text("time for one request"), "pattern", "^([0-9.]+(ms|s|m|h))+$"), "default", "30s"),
			"filters":  map[string]any{"type": "object", "description": "filter by class", "additionalProperties": map[string]any{"type": "string"}},
			"ratio":    map[string]any{"type": "number", "description": "a number"},
			"password": with(text("password of the account"), "writeOnly", true),
			"bases": map[string]any{"type": "array", "description": "where to look", "items": map[string]any{
				"type": "object", "additionalProperties": false, "required": []any{"dn"}, "properties": map[string]any{
					"dn":    text("name of the container"),
					"skip":  map[string]any{"type": "array", "items": map[string]any{"type": "string"}, "description": "what to leave out", "default": []any{"CN=x"}},
					"depth": map[string]any{"type": "integer", "description": "how deep"},
				}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
}
