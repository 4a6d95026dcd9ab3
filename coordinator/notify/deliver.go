package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const (
	// atOnce is how many notices are delivered at a time.
	atOnce = 16
	// tryWait is how long a receiver may take to answer.
	tryWait = 15 * time.Second
	// lease is for how long a notice that is being delivered is nobody else's.
	lease = 2 * time.Minute
	// lookWait is how long at most it is not looked for notices.
	lookWait = time.Minute
	// maxDetail is how long a reason may be that is kept.
	maxDetail = 200
	// maxKept is how much of a request's head, or of an answer, is kept.
	maxKept = 4 << 10
)

// pauses are how long to wait before something is tried again.
var pauses = [...]time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour}

// deliverAll delivers what is due until ctx ends.
func (n *Notifier) deliverAll(ctx context.Context) {
	for ctx.Err() == nil {
		woken := n.Store.Notices.Next() // before looking: nothing in between is missed
		count, err := n.Deliver(ctx)
		if err != nil && ctx.Err() == nil {
			n.Log.ErrorContext(ctx, "Notices not delivered", "err", err)
		}
		if err == nil && count > 0 {
			continue
		}
		timer := time.NewTimer(n.until(ctx))
		select {
		case <-ctx.Done():
		case <-woken:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (n *Notifier) until(ctx context.Context) time.Duration {
	wait := lookWait
	_ = n.Store.Read(ctx, func(tx *store.Tx) error { // else it is looked after lookWait
		next, err := tx.NextNotice()
		if err == nil && next != 0 {
			wait = min(wait, max(50*time.Millisecond, next.Time().Sub(tx.Now.Time())))
		}
		return err
	})
	return wait
}

// Deliver delivers what is due now, and returns how much that was.
func (n *Notifier) Deliver(ctx context.Context) (int, error) {
	n.prepare()
	due := false
	err := n.Store.Read(ctx, func(tx *store.Tx) error {
		next, err := tx.NextNotice()
		due = next != 0 && next <= tx.Now
		return err
	})
	if err != nil || !due {
		return 0, err
	}
	var rows []store.Notice
	err = n.Store.Write(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.ClaimNotices(atOnce, tx.Now.Add(lease))
		return err
	})
	if err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	for i := range rows {
		wg.Go(func() { n.try(ctx, &rows[i]) })
	}
	wg.Wait()
	return len(rows), n.Store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		for _, r := range rows {
			if err := tx.TriedNotice(r); err != nil {
				return err
			}
			if r.Status == http.StatusGone {
				if err := pause(tx, r); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// pause pauses a webhook that says it is gone.
func pause(tx *store.Tx, r store.Notice) error {
	hook, err := tx.Webhook(r.Tenant, r.Receiver)
	if errors.Is(err, store.ErrNone) {
		return nil
	}
	if err == nil {
		hook.Paused = true
		err = tx.PutWebhook(&hook)
	}
	return err
}

// try delivers a notice once, and says in it what came of that.
func (n *Notifier) try(ctx context.Context, r *store.Notice) {
	began := time.Now()
	var err error
	r.Status = 0
	if address, mail := strings.CutPrefix(r.Receiver, mailTo); mail {
		err = n.Mail.send(ctx, address, *r)
	} else {
		r.Status, err = n.post(ctx, r)
	}
	if ctx.Err() != nil { // it is stopped: the lease runs out, and it is tried again
		return
	}
	now := store.InstantOf(time.Now())
	r.Took, r.Detail, r.Tries = time.Since(began).Milliseconds(), "", r.Tries+1
	if err == nil {
		r.Done, r.Next = now, 0
		return
	}
	r.Detail = cut(err.Error())
	if int(r.Tries) > len(pauses) || r.Status == http.StatusGone {
		r.Next = 0
		n.Log.WarnContext(ctx, "Notice given up", "tenant", r.Tenant, "receiver", r.Receiver, "kind", r.Kind, "err", err)
		return
	}
	r.Next = now.Add(pauses[r.Tries-1])
}

func cut(text string) string {
	if len(text) > maxDetail {
		return strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return text
}

// kept gives a message as it is shown to people.
func kept(head, body []byte) string {
	text := string(head) + string(body)
	return strings.ToValidUTF8(strings.ReplaceAll(text[:min(len(text), maxKept)], "\r\n", "\n"), "\uFFFD")
}

// post posts a notice to its webhook.
func (n *Notifier) post(ctx context.Context, r *store.Notice) (status int64, err error) {
	var hook store.Webhook
	if err := n.Store.Read(ctx, func(tx *store.Tx) (err error) {
		hook, err = tx.Webhook(r.Tenant, r.Receiver)
		return err
	}); err != nil {
		return 0, fmt.Errorf("webhook %s: %w", r.Receiver, err)
	}
	ctx, cancel := context.WithTimeout(ctx, tryWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(r.Body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Drawbridge")
	if err := sign(req.Header, hook.Secret, r.ID, time.Now(), r.Body); err != nil {
		return 0, err
	}
	head, err := httputil.DumpRequestOut(req, false)
	if err != nil {
		return 0, err
	}
	r.Request, r.Answer = kept(head, nil), ""
	resp, err := n.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxKept)) // what it says is for people only
	if head, err = httputil.DumpResponse(resp, false); err == nil {
		r.Answer = kept(head, text)
	}
	if resp.StatusCode/100 != 2 {
		return int64(resp.StatusCode), fmt.Errorf("answered %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return int64(resp.StatusCode), nil
}

var errInside = errors.New("the address is link-local, where clouds keep credentials: nothing is posted there")

// outward makes a client that follows no redirect and does not reach link-local addresses.
func outward() *http.Client {
	dialer := &net.Dialer{Timeout: tryWait, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if ip := to.Addr().Unmap(); ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
			return errInside
		}
		return nil
	}}
	return &http.Client{
		Timeout:       tryWait,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: tryWait, MaxIdleConns: atOnce, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
