package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/jobs"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

func (s *Server) passwords(doc huma.API) {
	route(doc, "GET", "/v1/recipients", "list-recipients", "List to whom new passwords are sealed", access.Viewer, s.listRecipients)
	route(doc, "POST", "/v1/recipients", "put-recipient", "Have new passwords sealed to somebody", access.Administrator, s.putRecipient)
	route(doc, "POST", "/v1/recipients/{name}/remove", "remove-recipient", "Seal no further passwords to somebody", access.Administrator, s.removeRecipient)
	route(doc, "POST", "/v1/people/{key}/pickup", "make-pickup", "Register a one-time link to somebody's new passwords", access.Administrator, s.makePickup)
	route(doc, "POST", "/v1/people/{key}/password", "new-password", "Have a new password made for somebody's accounts", access.HelpDesk, s.newPassword)
	route(doc, "GET", "/v1/passwords", "list-passwords", "List new passwords that nobody has picked up", access.HelpDesk, s.listPasswords)
	route(doc, "POST", "/v1/passwords/{id}/open", "open-password", "Give a sealed password to be opened elsewhere", access.HelpDesk, s.openPassword)
	route(doc, "POST", "/v1/passwords/{id}/forget", "forget-password", "Forget a password that was picked up", access.HelpDesk, s.forgetPassword)
}

type byName struct {
	Name string `path:"name" doc:"Name"`
}

func (s *Server) listRecipients(ctx context.Context, _ *empty) (*items[client.Recipient], error) {
	var list []client.Recipient
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.Recipients(who.tenant)
		for _, r := range rows {
			if strings.HasPrefix(r.Name, mapping.PickupOf("")) { // nobody's key, but a link's, until its time is over
				continue
			}
			list = append(list, client.Recipient{Name: r.Label, Key: r.Public, Made: r.Made.Time()})
		}
		return err
	})
	return listed(list), err
}

func (s *Server) putRecipient(ctx context.Context, in *body[client.NewRecipient]) (*body[client.Recipient], error) {
	fault := func(field, detail, next string) error {
		return problem(http.StatusUnprocessableEntity, detail, next, client.Fault{Field: "body." + field, Message: detail})
	}
	if err := sealed.CheckRecipient(in.Body.Key); err != nil {
		return nil, fault("key", err.Error(), "make a pair with drawbridge recipient keygen FILE, and give the line that begins with age1")
	}
	if in.Body.Name == mapping.Manager || directory.Fold(in.Body.Name) == mapping.Pickup || !mapping.IsRecipientName(in.Body.Name) {
		return nil, fault("name", "a recipient cannot be named so", "use letters, digits, space and . _ @ -; for a manager, give the key of the person")
	}
	row := store.Recipient{Name: directory.Fold(in.Body.Name), Label: in.Body.Name, Public: in.Body.Key}
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		row.Tenant, row.Made = who.tenant, tx.Now
		access.About(ctx, row.Label, "key "+row.Public)
		if err := tx.PutRecipient(row); err != nil {
			return err
		}
		if err := tx.MarkKindDue(who.tenant, reconcile.NoRecipient, "a recipient of passwords was given"); err != nil {
			return err
		}
		return tx.AddHistory([]store.History{history.AuditEntry(who.tenant, "", who.name, "new passwords may be sealed to "+row.Label+", key "+row.Public)})
	})
	return answer(client.Recipient{Name: row.Label, Key: row.Public, Made: row.Made.Time()}), err
}

func (s *Server) removeRecipient(ctx context.Context, in *byName) (*empty, error) {
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		there, err := tx.RemoveRecipient(who.tenant, directory.Fold(in.Name))
		if err == nil && !there {
			err = none("recipient", in.Name, "see drawbridge recipient list")
		}
		if err != nil {
			return err
		}
		return tx.AddHistory([]store.History{history.AuditEntry(who.tenant, "", who.name, "no further passwords are sealed to "+in.Name)})
	})
	return &empty{}, err
}

type passwordQuery struct {
	Person string `query:"person" doc:"Only of the person with this key"`
	Limit  int    `query:"limit" default:"200" minimum:"1" maximum:"10000" doc:"How many at most"`
}

func (s *Server) listPasswords(ctx context.Context, in *passwordQuery) (*items[client.Password], error) {
	var list []client.Password
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		person := ""
		if in.Person != "" {
			p, err := personRow(tx, who, in.Person)
			if err != nil {
				return err
			}
			person = p.ID
		}
		rows, err := tx.Passwords(who.tenant, person, in.Limit)
		if err != nil {
			return err
		}
		list, err = passwordsOf(tx, who.tenant, rows)
		return err
	})
	return listed(list), err
}

func passwordsOf(tx *store.Tx, tenant string, rows []store.Password) ([]client.Password, error) {
	recipients, err := tx.Recipients(tenant)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, r := range recipients {
		names[r.Public] = r.Label
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.Person
	}
	people, err := peopleByID(tx, tenant, ids)
	if err != nil {
		return nil, err
	}
	accounts, err := tx.AccountsOf(tenant, ids)
	if err != nil {
		return nil, err
	}
	where := map[[2]string]string{}
	for _, a := range accounts {
		where[[2]string{a.System, a.ID}] = a.Address
	}
	list := make([]client.Password, len(rows))
	for i, r := range rows {
		p := client.Password{ID: r.Job, Person: people[r.Person].Key, Display: people[r.Person].Display, System: r.System,
			Account: r.Account, Recipients: []string{}, Made: r.Made.Time(), Forgotten: r.Made.Time().Add(jobs.PasswordLife)}
		if address := where[[2]string{r.System, r.Account}]; address != "" {
			p.Account = address
		}
		var keys []string
		if err := json.Unmarshal([]byte(r.Recipients), &keys); err != nil {
			return nil, err
		}
		for _, key := range keys {
			if names[key] != "" {
				key = names[key]
			}
			p.Recipients = append(p.Recipients, key)
		}
		list[i] = p
	}
	return list, nil
}

type newPasswordInput struct {
	PersonPath
	Body client.NewPassword
}

// newPassword gives the jobs that make one; the connector makes it, and seals it
// to whom the documents name.
func (s *Server) newPassword(ctx context.Context, in *newPasswordInput) (*items[client.Job], error) {
	var person store.Person
	err := s.read(ctx, func(tx *store.Tx, who caller) (err error) {
		if person, err = personRow(tx, who, in.Key); err != nil || in.Body.System == "" {
			return err
		}
		_, err = systemRow(tx, who, in.Body.System)
		return err
	})
	if err != nil {
		return nil, err
	}
	access.About(ctx, person.Shown(), "new password "+in.Body.System)
	who := callerOf(ctx)
	rows, err := s.Plans.NewPassword(ctx, who.tenant, who.name, person.ID, in.Body.System)
	if errors.Is(err, plan.ErrNoPassword) {
		return nil, problem(http.StatusConflict, err.Error(), "see the accounts with: drawbridge person show "+in.Key)
	}
	if err != nil {
		return nil, s.refuse(ctx, err)
	}
	var list []client.Job
	err = s.read(ctx, func(tx *store.Tx, _ caller) (err error) {
		list, err = jobsOf(tx, who.tenant, rows)
		return err
	})
	return listed(list), err
}

// openPassword gives a password as it was sealed. Who asked for it is in the
// log, also where they cannot open it.
func (s *Server) openPassword(ctx context.Context, in *byNumber) (*body[client.SealedPassword], error) {
	var out client.SealedPassword
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		row, err := passwordRow(tx, who, in.ID)
		if err != nil {
			return err
		}
		of, err := passwordsOf(tx, who.tenant, []store.Password{row})
		if err != nil {
			return err
		}
		out = client.SealedPassword{Password: of[0], Box: row.Box}
		return tx.AddHistory([]store.History{tellPassword(row, who, "sealed new password asked for")})
	})
	return answer(out), err
}

func (s *Server) forgetPassword(ctx context.Context, in *byNumber) (*empty, error) {
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		row, err := passwordRow(tx, who, in.ID)
		if err != nil {
			return err
		}
		if err := tx.RemovePassword(who.tenant, in.ID); err != nil {
			return err
		}
		return tx.AddHistory([]store.History{tellPassword(row, who, "new password picked up, and forgotten here")})
	})
	return &empty{}, err
}

func passwordRow(tx *store.Tx, who caller, id int64) (store.Password, error) {
	row, err := tx.Password(who.tenant, id)
	return row, missing(err, "password", strconv.FormatInt(id, 10), "it was picked up or forgotten; drawbridge log tells which; have another made with: drawbridge password new PERSON")
}

func tellPassword(row store.Password, who caller, what string) store.History {
	h := history.AuditEntry(row.Tenant, row.System, who.name, what)
	h.Person, h.Account, h.Job = row.Person, row.Account, row.Job
	return h
}
