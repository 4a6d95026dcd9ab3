package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/history"
	"github.com/drawbridge-id/drawbridge/coordinator/notify"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) webhooks(doc huma.API) {
	route(doc, "GET", "/v1/webhooks", "list-webhooks", "List webhooks", access.Viewer, s.listWebhooks)
	route(doc, "POST", "/v1/webhooks", "create-webhook", "Have a program told of what needs a person", access.Administrator, s.createWebhook)
	route(doc, "GET", "/v1/webhooks/{id}", "get-webhook", "Show a webhook", access.Viewer, s.getWebhook)
	route(doc, "POST", "/v1/webhooks/{id}", "change-webhook", "Change a webhook", access.Administrator, s.changeWebhook)
	route(doc, "POST", "/v1/webhooks/{id}/rotate", "rotate-webhook", "Give a webhook another secret; it is shown once", access.Administrator, s.rotateWebhook)
	route(doc, "POST", "/v1/webhooks/{id}/test", "test-webhook", "Post a test event", access.Administrator, s.testWebhook)
	route(doc, "POST", "/v1/webhooks/{id}/remove", "remove-webhook", "Remove a webhook and what was posted to it", access.Administrator, s.removeWebhook)
	route(doc, "GET", "/v1/webhooks/{id}/deliveries", "list-deliveries", "List what was posted to a webhook, the latest first", access.Viewer, s.listDeliveries)
	route(doc, "POST", "/v1/webhooks/{id}/deliveries/{delivery}/again", "deliver-again", "Post an event once more", access.Administrator, s.deliverAgain)
	route(doc, "GET", "/v1/mail-receivers", "list-mail-receivers", "List who is told by e-mail", access.Viewer, s.listMail)
	route(doc, "POST", "/v1/mail-receivers", "put-mail-receiver", "Have somebody told by e-mail of what needs a person", access.Administrator, s.putMail)
	route(doc, "POST", "/v1/mail-receivers/{address}/test", "test-mail-receiver", "Send a test mail", access.Administrator, s.testMail)
	route(doc, "POST", "/v1/mail-receivers/{address}/remove", "remove-mail-receiver", "Tell somebody no more by e-mail", access.Administrator, s.removeMail)
}

const listWebhooks = "see drawbridge webhook list"

func webhook(row store.Webhook) client.Webhook {
	return client.Webhook{ID: row.ID, Name: row.Name, URL: row.URL, Kinds: notify.Kinds(row.Kinds), Paused: row.Paused, Made: row.Made.Time()}
}

func hookTag(row store.Webhook) string { return fmt.Sprintf(`"%s/%d"`, row.ID, row.Revision) }

func (s *Server) listWebhooks(ctx context.Context, _ *empty) (*items[client.Webhook], error) {
	var list []client.Webhook
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.Webhooks(who.tenant)
		for _, row := range rows {
			list = append(list, webhook(row))
		}
		return err
	})
	return listed(list), err
}

func (s *Server) getWebhook(ctx context.Context, in *byID) (*tagged[client.Webhook], error) {
	var out tagged[client.Webhook]
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := tx.Webhook(who.tenant, in.ID)
		out.ETag, out.Body = hookTag(row), webhook(row)
		return missing(err, "webhook", in.ID, listWebhooks)
	})
	return &out, err
}

func (s *Server) createWebhook(ctx context.Context, in *body[client.NewWebhook]) (*tagged[client.Webhook], error) {
	row := store.Webhook{ID: strings.Replace(notify.NewID(), "msg_", "whk_", 1), Secret: notify.NewSecret()}
	if err := fill(&row, in.Body); err != nil {
		return nil, err
	}
	out, err := s.putWebhook(ctx, row, "made")
	if err == nil {
		out.Body.Secret = row.Secret
	}
	return out, err
}

func (s *Server) putWebhook(ctx context.Context, row store.Webhook, what string) (*tagged[client.Webhook], error) {
	var out tagged[client.Webhook]
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		row.Tenant = who.tenant
		access.About(ctx, row.Name, what+", to "+hostOf(row.URL))
		if err := tx.PutWebhook(&row); err != nil {
			return err
		}
		out.ETag, out.Body = hookTag(row), webhook(row)
		return tx.AddHistory([]store.History{history.AuditEntry(who.tenant, "", who.name, "webhook "+row.Name+" to "+hostOf(row.URL)+" "+what)})
	})
	return &out, err
}

// fill takes what is asked for into a row.
func fill(row *store.Webhook, in client.NewWebhook) error {
	to, err := url.Parse(in.URL)
	fault := ""
	switch {
	case err != nil || to.Hostname() == "":
		fault = "it is no address"
	case to.User != nil:
		fault = "it holds a name or password, which everybody who may look here could read"
	case to.Scheme == "http" && !local(to.Hostname()), to.Scheme != "http" && to.Scheme != "https":
		fault = "it is not https, and not this host"
	}
	if fault != "" {
		return problem(http.StatusUnprocessableEntity, "nothing can be posted to "+in.URL+": "+fault, "give an https address",
			client.Fault{Field: "body.url", Message: fault})
	}
	kinds, err := json.Marshal(orEmpty(in.Kinds))
	row.Name, row.URL, row.Kinds, row.Paused = in.Name, in.URL, string(kinds), in.Paused
	return err
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// hostOf is what of an address the log may hold: the rest may be a secret.
func hostOf(address string) string {
	if to, err := url.Parse(address); err == nil {
		return to.Host
	}
	return "?"
}

type changeWebhookInput struct {
	ID      string `path:"id" doc:"Identifier"`
	IfMatch string `header:"If-Match" maxLength:"200" doc:"Only if this is the ETag of the webhook"`
	Body    client.NewWebhook
}

func (s *Server) changeWebhook(ctx context.Context, in *changeWebhookInput) (*tagged[client.Webhook], error) {
	var out tagged[client.Webhook]
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		row, err := tx.Webhook(who.tenant, in.ID)
		if err != nil {
			return missing(err, "webhook", in.ID, listWebhooks)
		}
		if in.IfMatch != "" && in.IfMatch != "*" && in.IfMatch != hookTag(row) {
			return problem(http.StatusPreconditionFailed, "somebody has changed the webhook meanwhile", "look at it, and send your change with the new ETag")
		}
		if err := fill(&row, in.Body); err != nil {
			return err
		}
		if err := tx.PutWebhook(&row); err != nil {
			return err
		}
		out.ETag, out.Body = hookTag(row), webhook(row)
		return tx.AddHistory([]store.History{history.AuditEntry(who.tenant, "", who.name, "webhook "+row.Name+" to "+hostOf(row.URL)+" changed")})
	})
	return &out, err
}

// hook has do change a webhook or what belongs to it, and the log say what.
func (s *Server) hook(ctx context.Context, id, what string, do func(tx *store.Tx, who caller, row *store.Webhook) error) error {
	return s.write(ctx, func(tx *store.Tx, who caller) error {
		row, err := tx.Webhook(who.tenant, id)
		if err != nil {
			return missing(err, "webhook", id, listWebhooks)
		}
		if err := do(tx, who, &row); err != nil {
			return err
		}
		access.About(ctx, row.Name, what)
		return tx.AddHistory([]store.History{history.AuditEntry(who.tenant, "", who.name, "webhook "+row.Name+": "+what)})
	})
}

func (s *Server) rotateWebhook(ctx context.Context, in *byID) (*body[client.Webhook], error) {
	var out client.Webhook
	err := s.hook(ctx, in.ID, "another secret", func(tx *store.Tx, _ caller, row *store.Webhook) error {
		row.Secret = notify.NewSecret()
		err := tx.PutWebhook(row)
		out = webhook(*row)
		out.Secret = row.Secret
		return err
	})
	return answer(out), err
}

func (s *Server) testWebhook(ctx context.Context, in *byID) (*body[client.Delivery], error) {
	var out client.Delivery
	err := s.hook(ctx, in.ID, "test event", func(tx *store.Tx, who caller, row *store.Webhook) error {
		notices := []store.Notice{notify.Test(tx.Now, who.tenant, row.ID, who.name)}
		err := tx.AddNotices(notices)
		out = delivery(notices[0])
		return err
	})
	return answer(out), err
}

func (s *Server) removeWebhook(ctx context.Context, in *byID) (*empty, error) {
	err := s.hook(ctx, in.ID, "removed", func(tx *store.Tx, who caller, row *store.Webhook) error {
		_, err := tx.RemoveWebhook(who.tenant, row.ID)
		return err
	})
	return &empty{}, err
}

func delivery(n store.Notice) client.Delivery {
	d := client.Delivery{ID: n.ID, Kind: n.Kind, Made: n.Made.Time(), State: "waiting", Tries: n.Tries, Next: n.Next.Time(), Done: n.Done.Time(),
		Status: n.Status, Detail: n.Detail, Took: float64(n.Took) / 1000, Body: string(n.Body),
		Request: n.Request, Answer: n.Answer}
	switch {
	case n.Done != 0:
		d.State = "delivered"
	case n.Next == 0:
		d.State = "failed"
	}
	return d
}

type deliveriesInput struct {
	ID string `path:"id" doc:"Identifier"`
	Page
}

func (s *Server) listDeliveries(ctx context.Context, in *deliveriesInput) (*items[client.Delivery], error) {
	before, err := in.number()
	if err != nil {
		return nil, err
	}
	var list []client.Delivery
	err = s.read(ctx, func(tx *store.Tx, who caller) error {
		if _, err := tx.Webhook(who.tenant, in.ID); err != nil {
			return missing(err, "webhook", in.ID, listWebhooks)
		}
		rows, err := tx.Notices(who.tenant, in.ID, store.Instant(before), in.Limit)
		for _, row := range rows {
			list = append(list, delivery(row))
		}
		return err
	})
	return paged(list, in.Limit, func() string { return strconv.FormatInt(list[len(list)-1].Made.UnixMilli(), 10) }), err
}

type againInput struct {
	ID       string `path:"id" doc:"Identifier"`
	Delivery string `path:"delivery" doc:"Identifier of the event"`
}

func (s *Server) deliverAgain(ctx context.Context, in *againInput) (*empty, error) {
	err := s.hook(ctx, in.ID, "event "+in.Delivery+" once more", func(tx *store.Tx, who caller, row *store.Webhook) error {
		there, err := tx.DeliverAgain(who.tenant, row.ID, in.Delivery)
		if err == nil && !there {
			err = none("event", in.Delivery, "see drawbridge webhook log "+row.ID)
		}
		return err
	})
	return &empty{}, err
}

func (s *Server) listMail(ctx context.Context, _ *empty) (*items[client.MailReceiver], error) {
	var list []client.MailReceiver
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.MailTos(who.tenant)
		for _, row := range rows {
			list = append(list, client.MailReceiver{Address: row.Address, Kinds: notify.Kinds(row.Kinds), Made: row.Made.Time()})
		}
		return err
	})
	return listed(list), err
}

func (s *Server) putMail(ctx context.Context, in *body[client.NewMailReceiver]) (*body[client.MailReceiver], error) {
	if parsed, err := mail.ParseAddress(in.Body.Address); err != nil || parsed.Address != in.Body.Address {
		return nil, problem(http.StatusUnprocessableEntity, in.Body.Address+" is no e-mail address", "give one such as iam@corp.example",
			client.Fault{Field: "body.address", Message: "no e-mail address"})
	}
	kinds, err := json.Marshal(orEmpty(in.Body.Kinds))
	if err != nil {
		return nil, s.refuse(ctx, err)
	}
	out := client.MailReceiver{Address: in.Body.Address, Kinds: orEmpty(in.Body.Kinds)}
	err = s.write(ctx, func(tx *store.Tx, who caller) error {
		out.Made = tx.Now.Time()
		access.About(ctx, in.Body.Address, "")
		if err := tx.PutMailTo(store.MailTo{Tenant: who.tenant, Address: in.Body.Address, Kinds: string(kinds)}); err != nil {
			return err
		}
		return tx.AddHistory([]store.History{history.AuditEntry(who.tenant, "", who.name, in.Body.Address+" is told by e-mail")})
	})
	return answer(out), err
}

type byAddress struct {
	Address string `path:"address" doc:"E-mail address"`
}

func (s *Server) testMail(ctx context.Context, in *byAddress) (*empty, error) {
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.MailTos(who.tenant)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.Address == in.Address {
				return tx.AddNotices([]store.Notice{notify.Test(tx.Now, who.tenant, "mailto:"+row.Address, who.name)})
			}
		}
		return none("receiver of e-mail", in.Address, "see drawbridge mail list")
	})
	return &empty{}, err
}

func (s *Server) removeMail(ctx context.Context, in *byAddress) (*empty, error) {
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		there, err := tx.RemoveMailTo(who.tenant, in.Address)
		if err == nil && !there {
			err = none("receiver of e-mail", in.Address, "see drawbridge mail list")
		}
		if err != nil {
			return err
		}
		return tx.AddHistory([]store.History{history.AuditEntry(who.tenant, "", who.name, in.Address+" is told no more by e-mail")})
	})
	return &empty{}, err
}
