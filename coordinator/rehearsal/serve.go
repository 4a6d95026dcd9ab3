package rehearsal

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"path/filepath"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api"
	"github.com/drawbridge-id/drawbridge/coordinator/enroll"
	"github.com/drawbridge-id/drawbridge/coordinator/health"
	"github.com/drawbridge-id/drawbridge/coordinator/retention"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// API makes the server of the world's API.
func (w *World) API() *api.Server { return w.apiWith(access.Config{}) }

// ServeWith is Serve of a coordinator whose operator decided something about access.
func (w *World) ServeWith(config access.Config) string {
	w.t.Helper()
	server := httptest.NewServer(w.apiWith(config).Handler())
	w.t.Cleanup(server.Close)
	return server.URL
}

func (w *World) apiWith(config access.Config) *api.Server {
	w.t.Helper()
	authority, err := enroll.OpenAuthority(filepath.Join(w.t.TempDir(), "authority.pem"))
	if err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	gate, err := access.New(w.Store, Tenant, config, func(string) string { return "" }, log)
	if err != nil {
		w.t.Fatal(err)
	}
	return &api.Server{Store: w.Store, Enroll: &enroll.Service{Store: w.Store, Authority: authority, Log: log}, Schedule: w.Schedule,
		Cycles: w.Intake, People: w.Intake, Plans: w.Planner, Health: &health.Checker{Store: w.Store, Log: log}, Version: "1.2.3", Keep: retention.Defaults(), Access: gate, Log: log}
}

// Serve serves the API until the test ends, and gives its address.
func (w *World) Serve() string {
	w.t.Helper()
	address, _ := w.ServeAs()
	return address
}

// Token makes an API token of an administrator of a tenant.
func (w *World) Token(tenant, name string) string {
	w.t.Helper()
	return w.TokenAs(tenant, name, access.Administrator)
}

// TokenAs makes an API token with a role.
func (w *World) TokenAs(tenant, name string, role access.Role) string {
	w.t.Helper()
	var text string
	w.Write(func(tx *store.Tx) (err error) {
		if err := tx.PutTenant(tenant); err != nil {
			return err
		}
		text, _, err = access.NewToken(tx, store.APIToken{Tenant: tenant, Name: name, Roles: string(role)})
		return err
	})
	return text
}

// ServeAs is Serve that also gives the server.
func (w *World) ServeAs() (address string, api *api.Server) {
	w.t.Helper()
	api = w.API()
	server := httptest.NewServer(api.Handler())
	w.t.Cleanup(server.Close)
	return server.URL, api
}
