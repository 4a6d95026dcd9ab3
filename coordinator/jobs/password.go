package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// PasswordLife is how long a sealed password is kept for somebody to pick up.
const PasswordLife = 7 * 24 * time.Hour

// password keeps what a connector has sealed; nobody here can open it. Those
// before it open nothing any more.
func (f *finish) password(j store.Job, r *linkv1.Result, op *connectorv1.Operation) error {
	if len(r.GetSealedPassword()) == 0 {
		return nil
	}
	rule := op.GetCreate().GetPassword()
	if rule == nil {
		rule = op.GetSetPassword().GetRule()
	}
	to, err := json.Marshal(rule.GetRecipients())
	if err != nil {
		panic(err) // text always has a form
	}
	account := r.GetObject().GetId()
	if account == "" {
		account = op.GetId()
	}
	p := store.Password{Tenant: j.Tenant, Job: j.ID, System: j.System, Person: j.Person, Account: account,
		Recipients: string(to), Box: r.GetSealedPassword()}
	f.sealed = append(f.sealed, p)
	if op.GetSetPassword() == nil {
		return nil
	}
	return f.tx.VoidPasswords(p)
}

// Forget removes sealed passwords that nobody has picked up in [PasswordLife]
// before now, and notes it in the log; and one-time links whose time is over.
func (q *Queue) Forget(ctx context.Context, now time.Time) error {
	return q.Store.Write(ctx, func(tx *store.Tx) error {
		rows, err := tx.PasswordsBefore(store.InstantOf(now.Add(-PasswordLife)), 1000)
		if err != nil {
			return err
		}
		entries := make([]store.History, len(rows))
		for i, p := range rows {
			if err := tx.RemovePassword(p.Tenant, p.Job); err != nil {
				return err
			}
			entries[i] = store.History{Tenant: p.Tenant, Kind: history.Audit, System: p.System, Person: p.Person, Account: p.Account, Job: p.Job,
				Text: fmt.Sprintf("new password forgotten: nobody picked it up in %d days", PasswordLife/(24*time.Hour))}
		}
		return errors.Join(tx.AddHistory(entries), tx.ForgetPickups())
	})
}
