package notify_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/notify"
	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A bench is a world whose receivers are told without delay.
type bench struct {
	*rehearsal.World
	*notify.Notifier
	t   *testing.T
	api *client.Client
}

func newBench(t *testing.T, mail notify.Mail) *bench {
	w := rehearsal.New(t)
	address, server := w.ServeAs()
	n := &notify.Notifier{Store: w.Store, Points: server.Points, Mail: mail, PublicURL: "https://id.corp.example", Patience: map[string]time.Duration{},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	return &bench{World: w, Notifier: n, t: t, api: &client.Client{URL: address, Token: w.Token(rehearsal.Tenant, "me")}}
}

func (b *bench) problem(kind string) {
	b.World.Write(func(tx *store.Tx) error {
		return tx.PutProblems([]store.Problem{{Tenant: rehearsal.Tenant, Person: "p", System: "corp-ad", At: tx.Now, Kind: kind, Fault: "{}"}})
	})
}

// tell looks and delivers, and gives how many notices were tried.
func (b *bench) tell() int {
	b.t.Helper()
	if err := b.Look(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	n, err := b.Deliver(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *bench) post(path string, in, out any) {
	b.t.Helper()
	if err := b.api.Post(context.Background(), path, in, out); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) deliveries(hook string) (list []client.Delivery) {
	b.t.Helper()
	if err := b.api.Items(context.Background(), "/v1/webhooks/"+hook+"/deliveries", nil, &list); err != nil {
		b.t.Fatal(err)
	}
	return list
}

func (b *bench) notices(receiver string) (rows []store.Notice) {
	b.t.Helper()
	b.World.Write(func(tx *store.Tx) (err error) {
		rows, err = tx.Notices(rehearsal.Tenant, receiver, 0, 10)
		return err
	})
	return rows
}

// What needs a person is posted once, signed as Standard Webhooks are, until it
// is taken; and once more when it is over.
func TestWebhook(t *testing.T) {
	t.Parallel()
	var got []map[string]any
	answer, secret := http.StatusInternalServerError, ""
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		hook, err := standard.NewWebhook(secret)
		if err == nil {
			err = hook.Verify(body, r.Header)
		}
		var e map[string]any
		if err != nil || json.Unmarshal(body, &e) != nil {
			t.Errorf("event %s: %v", body, err)
		}
		got = append(got, e)
		w.Header().Set("X-Hook", "on-call")
		w.WriteHeader(answer)
		if answer != http.StatusNoContent {
			_, _ = io.WriteString(w, "the queue is full")
		}
	}))
	defer receiver.Close()
	b := newBench(t, notify.Mail{})
	var hook, others client.Webhook
	b.post("/v1/webhooks", client.NewWebhook{Name: "on-call", URL: receiver.URL + "/hook"}, &hook)
	b.post("/v1/webhooks", client.NewWebhook{Name: "agents only", URL: receiver.URL + "/hook", Kinds: []string{"agent"}}, &others)
	secret = hook.Secret
	b.problem("denied")
	if n := b.tell(); n != 1 || len(got) != 1 || got[0]["type"] != "problem.raised" || !strings.Contains(got[0]["data"].(map[string]any)["text"].(string), "denied") {
		t.Fatalf("told %d: %v", n, got)
	}
	if d := b.deliveries(hook.ID)[0]; d.State != "waiting" || d.Status != 500 || d.Tries != 1 || d.Next.Before(d.Made) {
		t.Errorf("after a refusal: %+v", d)
	} else {
		for text, want := range map[string]string{d.Request: "POST /hook HTTP/1.1\n", d.Request + "\n": "Webhook-Signature: v1,", d.Answer: "HTTP/1.1 500 Internal Server Error\n", d.Answer + "\n": "X-Hook: on-call\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("exchange %q; want %q in it", text, want)
			}
		}
		if !strings.HasSuffix(d.Answer, "\n\nthe queue is full") {
			t.Errorf("answer %q; want its body last", d.Answer)
		}
	}
	if n := b.tell(); n != 0 {
		t.Errorf("told again before its time, %d", n)
	}
	answer = http.StatusNoContent
	first := b.deliveries(hook.ID)[0].ID
	b.post("/v1/webhooks/"+hook.ID+"/deliveries/"+first+"/again", nil, nil)
	if n := b.tell(); n != 1 || b.deliveries(hook.ID)[0].State != "delivered" || b.deliveries(hook.ID)[0].ID != first {
		t.Errorf("told %d once more: %+v", n, b.deliveries(hook.ID))
	}
	b.post("/v1/webhooks/"+hook.ID+"/rotate", nil, &hook)
	secret = hook.Secret
	b.World.Write(func(tx *store.Tx) error { return tx.RemoveProblems(rehearsal.Tenant, "corp-ad", []string{"p"}) })
	if n := b.tell(); n != 1 || got[len(got)-1]["type"] != "problem.cleared" {
		t.Errorf("told %d when it was over: %v", n, got[len(got)-1])
	}
	answer = http.StatusGone
	b.problem("invalid")
	b.tell()
	if err := b.api.Get(context.Background(), "/v1/webhooks/"+hook.ID, nil, &hook); err != nil || !hook.Paused {
		t.Errorf("one that says it is gone: %+v, %v; want it paused", hook, err)
	}
}

// Nothing is posted where clouds keep credentials.
func TestWebhook_linkLocal(t *testing.T) {
	t.Parallel()
	b := newBench(t, notify.Mail{})
	var hook client.Webhook
	b.post("/v1/webhooks", client.NewWebhook{Name: "x", URL: "https://169.254.169.254/latest"}, &hook)
	b.post("/v1/webhooks/"+hook.ID+"/test", nil, nil)
	b.tell()
	if d := b.deliveries(hook.ID)[0]; d.State != "waiting" || !strings.Contains(d.Detail, "link-local") {
		t.Errorf("delivery %+v", d)
	}
}

// inbox is a mail server that keeps what it gets.
type inbox struct {
	mu    sync.Mutex
	mails []string
}

func (i *inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return i, nil }
func (i *inbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (i *inbox) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (i *inbox) Reset()                                      {}
func (i *inbox) Logout() error                               { return nil }
func (i *inbox) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mails = append(i.mails, string(text))
	return err
}

// What needs a person comes by mail, with what to do and where.
func TestMail(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box := &inbox{}
	server := smtp.NewServer(box)
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	b := newBench(t, notify.Mail{Server: l.Addr().String(), From: "drawbridge@corp.example", TLS: "none"})
	b.post("/v1/mail-receivers", client.NewMailReceiver{Address: "iam@corp.example"}, nil)
	b.problem("denied")
	b.tell()
	box.mu.Lock()
	defer box.mu.Unlock()
	if len(box.mails) != 1 {
		t.Fatalf("%d mails", len(box.mails))
	}
	for _, want := range []string{"To: <iam@corp.example>", "Subject: Drawbridge: 1 account cannot be made as wanted: denied", "Next: each problem says", "https://id.corp.example", "Auto-Submitted: auto-generated"} {
		if !strings.Contains(box.mails[0], want) {
			t.Errorf("no %q in the mail:\n%s", want, box.mails[0])
		}
	}
}
