package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

const password = `s3cr3t/"ß`

// A leaky is a connector that tries to tell its secret by every way there is.
type leaky struct {
	password sealed.Secret
	log      *slog.Logger
}

type leakySettings struct {
	Password sealed.Secret `json:"password" doc:"the password"`
}

func newLeaky() sdk.Connector {
	return sdk.New(sdk.Description{Name: "leaky", Version: "1.0.0", Summary: "tells", Capabilities: []sdk.Capability{sdk.CanRead, sdk.CanFind}},
		func(_ context.Context, s leakySettings, log *slog.Logger) (*leaky, error) {
			l := &leaky{s.Password, log.With("as", s.Password.Reveal())}
			l.tell()
			return l, nil
		})
}

func (l *leaky) tell() {
	p := l.password.Reveal()
	l.log.Info("the password is "+p, "password", p, "secret", l.password, "struct", struct{ P string }{p},
		"err", fmt.Errorf("dial db://svc:%s@host", p), "list", []string{p}, slog.Group("g", "p", p))
	l.log.WithGroup("deep").Error("still", "p", map[string]string{"p": p}, "bytes", []byte(p))
}

func (l *leaky) fail() error {
	p := l.password.Reveal()
	return fmt.Errorf("open: %w", sdk.Unavailable("cannot sign in with "+p, "Do not use "+p).On(p).From(errors.New("dsn svc:"+p+"@host")))
}

func (l *leaky) Probe(_ context.Context, _ []string, steps *sdk.Steps) {
	steps.Try("bind with "+l.password.Reveal(), func() (string, error) { return l.password.Reveal(), nil })
	steps.Try("fail", func() (string, error) { return "", errors.New(l.password.Reveal()) })
}
func (l *leaky) Schema(context.Context) ([]*connectorv1.Class, error) { return nil, l.fail() }
func (l *leaky) Read(context.Context, sdk.Query, *sdk.Sink) ([]byte, error) {
	return nil, errors.New(l.password.Reveal())
}
func (l *leaky) Find(context.Context, sdk.Lookup, *sdk.Sink) error { panic(l.password.Reveal()) }
func (l *leaky) Close() error                                      { return nil }

// A connector that tries to print its secrets cannot: not to its log, and not
// to the people who read its faults.
func TestService_hidesSecrets(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	s := sdk.NewService(newLeaky(), slog.New(slog.NewJSONHandler(&logged, nil)))
	said := []fmt.Stringer{}
	keep := func(m fmt.Stringer, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, m)
	}
	ctx := t.Context()
	open, err := s.Open(ctx, &connectorv1.OpenRequest{Secrets: map[string]string{"password": password}})
	keep(open, err)
	probe, err := s.Probe(ctx, &connectorv1.ProbeRequest{})
	keep(probe, err)
	schema, err := s.Schema(ctx, &connectorv1.SchemaRequest{})
	keep(schema, err)
	find, err := s.Find(ctx, &connectorv1.FindRequest{})
	keep(find, err)

	all := logged.String()
	for _, m := range said {
		all += "\n" + m.String()
	}
	for _, form := range []string{password, "s3cr3t", `ß`} {
		if strings.Contains(all, form) {
			t.Errorf("%q was told: %s", form, all)
		}
	}
	for _, want := range []string{"the password is [secret]", "cannot sign in with [secret]", "db://svc:[secret]@host", "bind with [secret]"} {
		if !strings.Contains(all, want) {
			t.Errorf("what was told does not have %q: %s", want, all)
		}
	}
}
