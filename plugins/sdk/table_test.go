package sdk_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// The manual's table has every setting in the author's order, with what holds
// when it is not set, and those within others.
func TestSettingsTable(t *testing.T) {
	t.Parallel()
	type inner struct {
		Realm string `json:"realm" required:"true" doc:"realm | in capitals"`
	}
	type settings struct {
		URL      string           `json:"url" required:"true" doc:"URL of the service"`
		Auth     string           `json:"auth" default:"basic" enum:"basic,token" doc:"how to sign in"`
		Password sealed.Secret    `json:"password" doc:"password of the account"`
		Wait     time.Duration    `json:"wait" default:"10s" doc:"time to wait."`
		Kerberos inner            `json:"kerberos" doc:"where tickets come from"`
		Tables   map[string]inner `json:"tables" doc:"tables by name"`
		Lists    []inner          `json:"lists" doc:"several"`
		Strict   bool             `json:"strict" default:"true" doc:"refuse"`
	}
	c := sdk.New(sdk.Description{}, func(context.Context, settings, *slog.Logger) (*leaky, error) { return nil, nil })
	const want = "| setting | default | meaning |\n|---|---|---|\n" +
		"| `url` | required | URL of the service. |\n" +
		"| `auth` | `basic` | How to sign in. One of `basic`, `token`. |\n" +
		"| `password` | secret | Password of the account. |\n" +
		"| `wait` | `10s` | Time to wait. |\n" +
		"| `kerberos` |  | Where tickets come from. |\n" +
		"| `kerberos.realm` | required | Realm \\| in capitals. |\n" +
		"| `tables` |  | Tables by name. |\n" +
		"| `tables.*.realm` | required | Realm \\| in capitals. |\n" +
		"| `lists` |  | Several. |\n" +
		"| `lists[].realm` | required | Realm \\| in capitals. |\n" +
		"| `strict` | `true` | Refuse. |\n"
	if got, err := sdk.SettingsTable(c.SettingsSchema()); err != nil || got != want {
		t.Errorf("SettingsTable() = %v\n%s\nwant\n%s", err, got, want)
	}
	if _, err := sdk.SettingsTable("no JSON"); err == nil {
		t.Error("SettingsTable of no JSON = nil; want an error")
	}
}
