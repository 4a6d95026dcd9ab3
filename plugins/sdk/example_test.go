package sdk_test

import (
	"context"
	"log/slog"
	"os"
	"os/user"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Passwd is a connector that reads the people of a Unix host.

// PasswdSettings are what an operator sets.
type PasswdSettings struct {
	File string `json:"file" default:"/etc/passwd" format:"path" doc:"the file of accounts"`
}

// A Passwd is one such file.
type Passwd struct{ settings PasswdSettings }

// NewPasswd returns the connector.
func NewPasswd() sdk.Connector {
	return sdk.New(sdk.Description{
		Name: "passwd", Version: "0.1.0", Summary: "accounts of a Unix host",
		Capabilities: []sdk.Capability{sdk.CanRead},
	}, func(_ context.Context, settings PasswdSettings, _ *slog.Logger) (*Passwd, error) {
		return &Passwd{settings}, nil
	})
}

// Probe says who looks and whether the file can be read.
func (p *Passwd) Probe(_ context.Context, _ []string, steps *sdk.Steps) {
	steps.Try("find out who runs the agent", func() (string, error) {
		u, err := user.Current()
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
	steps.Try("read "+p.settings.File, func() (string, error) {
		_, err := p.lines()
		return "", err
	})
}

// Schema is always the same.
func (p *Passwd) Schema(context.Context) ([]*connectorv1.Class, error) {
	text := connectorv1.Type_TYPE_STRING
	return []*connectorv1.Class{{Name: "user", Attributes: []*connectorv1.AttributeType{
		{Name: "login", Type: text, ReadOnly: true},
		{Name: "fullName", Type: text, ReadOnly: true},
	}}}, nil
}

// Read gives every account; the sink does the rest.
func (p *Passwd) Read(_ context.Context, _ sdk.Query, out *sdk.Sink) ([]byte, error) {
	lines, err := p.lines()
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		field := strings.Split(line, ":")
		if len(field) < 7 {
			err = out.Reject(p.settings.File, "A line has fewer than 7 fields; correct it.", field[0])
		} else {
			err = out.Object(&sdk.Object{Class: "user", ID: field[2], Address: field[0], Attributes: []sdk.Attribute{
				{Name: "login", Values: []string{field[0]}},
				{Name: "fullName", Values: []string{field[4]}},
			}})
		}
		if err != nil {
			return nil, err // nobody listens any more
		}
	}
	return nil, nil
}

// Close has nothing to let go of.
func (p *Passwd) Close() error { return nil }

func (p *Passwd) lines() ([]string, error) {
	b, err := os.ReadFile(p.settings.File)
	if err != nil {
		return nil, sdk.Unavailable("the file of accounts cannot be read", "Let the agent's account read it.").
			On(p.settings.File).From(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n"), nil
}

// A connector's main function is one line.
func ExampleServe() {
	if len(os.Args) > 1 && os.Args[1] == "passwd" {
		sdk.Serve(NewPasswd())
	}
	// Output:
}
