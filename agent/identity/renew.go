package identity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/drawbridge-id/drawbridge/agent/durable"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Pauses between two attempts; for certificates of a short life they are shorter.
const (
	minPause = time.Minute
	maxPause = time.Hour
)

// Run renews the certificate in time, from the coordinator at address, until
// ctx ends; it returns ctx's cause, or [ErrAttested]. Renewal begins when two
// thirds of the certificate's life are over and is tried until it succeeds.
func (i *Identity) Run(ctx context.Context, address string, log *slog.Logger) error {
	pause := i.minPause()
	for {
		wait := time.Until(i.Due())
		if _, doubted := i.Asking(); wait <= 0 || doubted != "" || i.hasNext() {
			err := i.Renew(ctx, address)
			switch {
			case err == nil, errors.Is(err, ErrAttested):
				pause = i.minPause()
				log.InfoContext(ctx, "Certificate renewed", "expires", i.Certificate().NotAfter)
				if err != nil {
					return err
				}
				wait = max(time.Until(i.Due()), pause)
			case ctx.Err() != nil:
				return context.Cause(ctx)
			}
			if err != nil {
				wait = pause/2 + rand.N(pause/2+1)
				pause = min(2*pause, i.maxPause(err))
				i.complain(ctx, log, err, wait)
			}
		}
		woken, err := i.sleep(ctx, wait)
		if err != nil {
			return err
		}
		if woken {
			pause = i.minPause()
		}
	}
}

// minPause is the shortest pause between two attempts.
func (i *Identity) minPause() time.Duration { return min(minPause, i.life()/12) }

// life is that of the certificate in use.
func (i *Identity) life() time.Duration {
	cert := i.Certificate()
	return cert.NotAfter.Sub(cert.NotBefore)
}

// maxPause is the longest one between two attempts: a twelfth of the
// certificate's life, or what an admin who has just approved may wait.
func (i *Identity) maxPause(err error) time.Duration {
	if refusal := (*identity.Refusal)(nil); errors.As(err, &refusal) && refusal.Reason == identity.Waiting {
		return i.minPause()
	}
	return max(i.minPause(), min(maxPause, i.life()/12))
}

func (i *Identity) complain(ctx context.Context, log *slog.Logger, err error, wait time.Duration) {
	if refusal := (*identity.Refusal)(nil); errors.As(err, &refusal) && refusal.Reason == identity.Waiting {
		key, _ := i.Asking()
		log.ErrorContext(ctx, "An admin must approve this agent: drawbridge agent approve "+i.agent.ID, "key", key, "why", refusal.Message, "asked_again_in", wait)
		return
	}
	cert := i.Certificate()
	left, life := time.Until(cert.NotAfter), cert.NotAfter.Sub(cert.NotBefore)
	if left < life/6 {
		log.ErrorContext(ctx, "Certificate about to end and not renewed", "err", err, "expires", cert.NotAfter, "retry_in", wait)
		return
	}
	log.WarnContext(ctx, "Certificate not renewed", "err", err, "expires", cert.NotAfter, "retry_in", wait)
}

// Due returns when renewal begins: two thirds into the certificate's life.
func (i *Identity) Due() time.Time {
	cert := i.Certificate()
	return cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) * 2 / 3)
}

// Renew gets a new certificate for a new key, unless one is left from before,
// tries it on the coordinator, and uses it from then on. After an error the
// certificate that was in use still is.
func (i *Identity) Renew(ctx context.Context, address string) error {
	next, err := i.next()
	if err != nil {
		return err
	}
	if next == nil {
		if next, err = i.request(ctx, address); err != nil {
			return fmt.Errorf("renew certificate: %w", err)
		}
	}
	if err := i.try(ctx, address, next); err != nil {
		return fmt.Errorf("try new certificate: %w", err)
	}
	return i.promote(next)
}

func (i *Identity) hasNext() bool {
	_, err := os.Stat(filepath.Join(i.dir, nextFile))
	return err == nil
}

// next returns a certificate left from an earlier attempt, or nil. One that is of no use is removed.
func (i *Identity) next() (*tls.Certificate, error) {
	if !i.hasNext() {
		return nil, nil
	}
	next, authority, err := i.read(nextFile)
	if err == nil && authority.Equal(i.authority) && i.names(next) && time.Now().Before(next.Leaf.NotAfter) {
		return next, nil
	}
	return nil, i.dropNext()
}

// names says whether cert is this agent's.
func (i *Identity) names(cert *tls.Certificate) bool {
	agent, err := identity.OfCertificate(cert.Leaf)
	return err == nil && agent == i.agent
}

func (i *Identity) dropNext() error {
	if err := os.Remove(filepath.Join(i.dir, nextFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// request has a certificate made for a new key and stores it beside the present one.
func (i *Identity) request(ctx context.Context, address string) (*tls.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := dial(i.Dial, address, i.TLS())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	q, err := i.question()
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	answer, err := linkv1.NewEnrollmentServiceClient(conn).Renew(ctx, &linkv1.RenewRequest{Csr: q.csr, Attest: q.why, Host: host})
	if refusal := identity.RefusalOf(err); refusal != nil && refusal.Reason == identity.Waiting {
		return nil, errors.Join(refusal, i.waiting(q, refusal.Message))
	}
	if err != nil {
		return nil, conn.explain(err)
	}
	next, err := signed(q.key, answer.GetChain(), i.authority)
	if err == nil && !i.names(next) {
		err = errors.New("the certificate is another agent's")
	}
	if err != nil {
		return nil, fmt.Errorf("the coordinator's answer cannot be used: %w", err)
	}
	text, err := encode(q.key, answer.GetChain(), i.authority.Raw)
	if err != nil {
		return nil, err
	}
	if err := durable.ReplaceFile(filepath.Join(i.dir, nextFile), text); err != nil {
		return nil, err
	}
	return next, i.dropAsked()
}

// try connects with next. A server verifies the certificate before it answers
// anything, so any answer will do, also that it does not know the method. When
// the server was reached and closed on us, next is dropped.
func (i *Identity) try(ctx context.Context, address string, next *tls.Certificate) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := dial(i.Dial, address, identity.ClientTLS(func() (*tls.Certificate, error) { return next, nil }, i.authority))
	if err != nil {
		return err
	}
	defer conn.Close()
	err = conn.Invoke(ctx, "/grpc.health.v1.Health/Check", &emptypb.Empty{}, &emptypb.Empty{})
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
	default:
		return nil
	}
	err = conn.explain(err)
	if i.works(ctx, address) { // it is there and takes the present one: so it is next that it refuses
		return errors.Join(err, i.dropNext())
	}
	return err
}

// works says whether the coordinator takes the certificate in use.
func (i *Identity) works(ctx context.Context, address string) bool {
	conn, err := dial(i.Dial, address, i.TLS())
	if err != nil {
		return false
	}
	defer conn.Close()
	switch status.Code(conn.Invoke(ctx, "/grpc.health.v1.Health/Check", &emptypb.Empty{}, &emptypb.Empty{})) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return false
	}
	return true
}

// sleep waits for d or until it is woken; it returns ctx's cause when ctx ends.
func (i *Identity) sleep(ctx context.Context, d time.Duration) (woken bool, err error) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-i.wake:
		return true, nil
	case <-t.C:
		return false, nil
	}
}
