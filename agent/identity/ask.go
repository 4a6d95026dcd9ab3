package identity

import (
	"context"
	"errors"
	"time"

	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Ask asks the coordinator whether it still knows this agent, and for its
// clock. It asks for a renewal without saying for which key: nothing is made,
// and the refusal carries the clock. Errors are those of a renewal.
func (i *Identity) Ask(ctx context.Context, address string) (clock time.Time, err error) {
	conn, err := dial(i.Dial, address, i.TLS())
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	_, err = linkv1.NewEnrollmentServiceClient(conn).Renew(ctx, &linkv1.RenewRequest{})
	if refusal := identity.RefusalOf(err); refusal != nil && refusal.Reason == identity.BadRequest && !refusal.Clock.IsZero() {
		return refusal.Clock, nil
	}
	if err == nil {
		err = errors.New("the coordinator renewed a certificate without a key")
	}
	return time.Time{}, conn.explain(err)
}
