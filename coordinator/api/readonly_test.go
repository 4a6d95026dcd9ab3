package api_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A document that wants something written by a connector that only reads is
// refused when it is applied, not after everything was planned.
func TestApplySystems_connectorThatOnlyReads(t *testing.T) {
	t.Parallel()
	w := rehearsal.New(t)
	w.Write(func(tx *store.Tx) error {
		return tx.AddAgent(store.Agent{Tenant: rehearsal.Tenant, ID: "agent-2", Site: "other", Host: "h", Version: "1.0.0", Enrolled: tx.Now,
			CertSerial: "2", CertExpires: tx.Now.Add(1e15),
			Connectors: `[{"name":"csv","version":"1.0.0","capabilities":["CAPABILITY_READ"]},{"name":"sql","version":"1.0.0","capabilities":["CAPABILITY_READ","CAPABILITY_MODIFY"]}]`})
	})
	c := &client.Client{URL: w.Serve(), Token: w.Token(rehearsal.Tenant, "me")}
	apply := func(connector string) error {
		_, err := c.Apply(context.Background(), "hr.yaml", []byte("system: hr-"+connector+"\nsite: other\nconnector: "+connector+
			"\nsource: {class: row, key: id, attributes: {emails.home: home}}\ntarget: {class: row, attributes: {email: emails.work}}\n"), false)
		return err
	}
	var refused *client.Problem
	if err := apply("csv"); !errors.As(err, &refused) || len(refused.Errors) != 1 || !strings.Contains(refused.Errors[0].Message, "only reads") {
		t.Errorf("apply of a target that csv cannot write: %v, %+v; want a refusal that says so", err, refused)
	}
	if err := apply("sql"); err != nil {
		t.Errorf("apply of a write-back that sql can do: %v", err)
	}
}
