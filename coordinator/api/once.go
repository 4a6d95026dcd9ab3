package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

const (
	onceHeader = "Idempotency-Key"
	// onceLife is for how long a key is remembered.
	onceLife = 24 * time.Hour
	// maxOnce is the greatest answer that is kept, in bytes.
	maxOnce = 256 << 10
)

// secrets are the ends of paths whose answers are not kept: they hold what is shown once.
var secrets = []string{"-tokens", "/open", "/webhooks", "/rotate"}

// once has an action that is asked for again under the same idempotency key
// done once. That it was done is noted in the transaction that does it, so
// that neither is there without the other; what was refused may be tried again.
func (s *Server) once(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get(onceHeader)
		if key == "" || r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		if len(key) > 200 {
			refuseTo(w, problem(http.StatusUnprocessableEntity, "the idempotency key is longer than 200 bytes", "give a random one, such as a UUID"))
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2*maxDocument))
		if err != nil {
			refuseTo(w, problem(http.StatusRequestEntityTooLarge, "the body is too large or was cut: "+err.Error(), "send less at a time"))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		who := access.Of(r.Context())
		sum := sha256.Sum256([]byte(fmt.Sprintf("%s %s\n%s", r.Method, r.URL.RequestURI(), body)))
		s.doOnce(w, r, next, store.Keyed{Tenant: who.Tenant, Subject: who.Subject, Name: key, Request: sum[:]})
	})
}

func (s *Server) doOnce(w http.ResponseWriter, r *http.Request, next http.Handler, row store.Keyed) {
	if s.replayed(w, r, row) {
		return
	}
	out := &keeper{ResponseWriter: w, status: http.StatusOK}
	ctx, done := store.WithClosing(r.Context(), func(tx *store.Tx) error {
		if out.status >= 400 { // it was refused already, and that is audited
			return nil
		}
		return tx.AddKeyed(row)
	})
	next.ServeHTTP(out, r.WithContext(ctx))
	if !done() || out.status >= 400 || out.over {
		return
	}
	for _, end := range secrets {
		if strings.HasSuffix(r.URL.Path, end) {
			return
		}
	}
	row.Status, row.Kind, row.Answer = int64(out.status), w.Header().Get("Content-Type"), out.body.Bytes()
	if row.Answer == nil {
		row.Answer = []byte{}
	}
	err := s.Store.WriteTenant(context.WithoutCancel(r.Context()), row.Tenant, func(tx *store.Tx) error { return tx.AnswerKeyed(row) })
	if err != nil {
		s.Log.ErrorContext(r.Context(), "Answer not kept for its idempotency key", "err", err)
	}
}

// replayed gives what was answered before under the key, if it was used, and tells whether.
func (s *Server) replayed(w http.ResponseWriter, r *http.Request, row store.Keyed) bool {
	var old store.Keyed
	err := s.Store.Read(r.Context(), func(tx *store.Tx) (err error) {
		old, err = tx.Keyed(row.Tenant, row.Subject, row.Name)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNone):
		return false
	case err != nil:
		s.Log.ErrorContext(r.Context(), "Idempotency key not looked up", "err", err)
		refuseTo(w, problem(http.StatusInternalServerError, "the coordinator could not look up the idempotency key", "try again with the same key"))
	case !bytes.Equal(old.Request, row.Request):
		refuseTo(w, problem(http.StatusUnprocessableEntity, "the idempotency key was used for another request", "give each action a key of its own"))
	case old.Status == 0:
		refuseTo(w, problem(http.StatusConflict, fmt.Sprintf("it was done at %s; its answer is not kept", old.At), "look at what it made; for another one give another key"))
	default:
		w.Header().Set("Content-Type", old.Kind)
		w.Header().Set("Idempotency-Replayed", "true")
		w.WriteHeader(int(old.Status))
		_, _ = w.Write(old.Answer) // whoever hung up gets nothing
	}
	return true
}

// refuseTo answers with a problem, outside of huma.
func refuseTo(w http.ResponseWriter, p interface{ GetStatus() int }) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.GetStatus())
	_ = json.NewEncoder(w).Encode(p) // whoever hung up gets nothing
}

// A keeper keeps what is answered, up to maxOnce.
type keeper struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
	over   bool
}

// WriteHeader implements http.ResponseWriter.
func (k *keeper) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (k *keeper) Write(text []byte) (int, error) {
	if k.over = k.over || k.body.Len()+len(text) > maxOnce; !k.over {
		k.body.Write(text)
	}
	return k.ResponseWriter.Write(text)
}

// Unwrap lets http.ResponseController find what the writer can do.
func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }
