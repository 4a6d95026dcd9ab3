package api

import (
	"context"
	"net/http"
	"regexp"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/pickup"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

type pickupInput struct {
	Key  string `path:"key" doc:"Key of the person"`
	Body client.NewPickup
}

var linkName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// makePickup registers a link, whose secret key is not told. Passwords made from
// now on are sealed to it where the document says so; an earlier link of the
// person stays good for what is sealed to it.
func (s *Server) makePickup(ctx context.Context, in *pickupInput) (*body[client.Pickup], error) {
	if err := sealed.CheckRecipient(in.Body.Key); err != nil || !linkName.MatchString(in.Body.Name) {
		return nil, problem(http.StatusUnprocessableEntity, "key must be an age recipient (age1…) and name the SHA-256 of its secret key, hexadecimal", "make a link with: drawbridge password link PERSON")
	}
	var out client.Pickup
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		p, err := personRow(tx, who, in.Key)
		if err != nil {
			return err
		}
		link := store.Pickup{Tenant: who.tenant, Name: in.Body.Name, Person: p.ID, Public: in.Body.Key, Made: tx.Now, Until: tx.Now.Add(pickup.Life)}
		out = client.Pickup{Person: p.Key, URL: access.Of(ctx).Base() + pickup.Path, Until: link.Until.Time(), Built: pickup.Built()}
		access.About(ctx, p.Key, "key "+link.Public)
		if err := tx.AddPickup(link); err != nil {
			return err
		}
		if err := tx.PutRecipient(store.Recipient{Tenant: who.tenant, Name: directory.Fold(mapping.PickupOf(p.ID)), Label: "one-time link of " + p.Key, Public: link.Public, Made: tx.Now}); err != nil {
			return err
		}
		if err := tx.MarkKindDue(who.tenant, reconcile.NoRecipient, "a one-time link was made"); err != nil {
			return err
		}
		entry := history.AuditEntry(who.tenant, "", who.name, "one-time link to new passwords made, key "+link.Public)
		entry.Person = p.ID
		return tx.AddHistory([]store.History{entry})
	})
	return answer(out), err
}
