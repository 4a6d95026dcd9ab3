package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A token is "dba_", eight bytes that name it, "_" and a secret of 32 bytes, in
// hex. The store has the secret's SHA-256: it is random, so that is enough.
const tokenPrefix = "dba_"

type caller struct{ tenant, name string }

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	who, _ := ctx.Value(callerKey{}).(caller)
	return who
}

// authenticate lets only holders of a token through, and tells next who it is.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			s.unauthorised(w, "the request carries no API token", "give one as \"Authorization: Bearer …\"; the CLI takes it from --token or DRAWBRIDGE_TOKEN")
			return
		}
		who, err := Check(r.Context(), s.Store, strings.TrimSpace(text))
		switch {
		case errors.Is(err, store.ErrNone):
			s.unauthorised(w, "the API token is not known here", "make another with: drawbridge token create --api NAME; the coordinator's host has one in the file admin-token of its data folder")
			return
		case err != nil:
			s.Log.ErrorContext(r.Context(), "Token not checked", "err", err)
			write(w, problem(http.StatusInternalServerError, "the coordinator could not check the token", "try again"))
			return
		case who.SCIM:
			write(w, problem(http.StatusForbidden, "this token is good for SCIM alone", "use it below /scim/v2, or make another with: drawbridge token create --api NAME"))
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller{who.Tenant, who.Name})))
	})
}

func (s *Server) unauthorised(w http.ResponseWriter, detail, nextStep string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="drawbridge"`)
	write(w, problem(http.StatusUnauthorized, detail, nextStep))
}

func write(w http.ResponseWriter, p interface{ GetStatus() int }) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.GetStatus())
	_ = json.NewEncoder(w).Encode(p) // whoever hung up gets nothing
}

// A Holder is who holds a token.
type Holder struct {
	Tenant, Name string
	SCIM         bool   // the token is good for SCIM alone
	Source       string // system whose records it pushes; "" where it reads the directory
}

// Check tells who holds the token; it returns store.ErrNone for one that is not good.
func Check(ctx context.Context, st *store.Store, text string) (who Holder, err error) {
	id, hash, ok := parseToken(text)
	if !ok {
		return who, store.ErrNone
	}
	var row store.APIToken
	stale := false
	err = st.Read(ctx, func(tx *store.Tx) error {
		if row, err = tx.APIToken(id); err != nil {
			return err
		}
		stale = tx.Now > row.Used.Add(time.Hour)
		use, err := tx.TokenSCIM(row.Tenant, row.ID)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		who.SCIM, who.Source = true, use.Source
		return err
	})
	if err == nil && subtle.ConstantTimeCompare(row.Secret, hash) != 1 {
		err = store.ErrNone
	}
	if err != nil {
		return Holder{}, err
	}
	who.Tenant, who.Name = row.Tenant, row.Name
	if !stale {
		return who, nil
	}
	return who, st.Write(ctx, func(tx *store.Tx) error { return tx.UsedAPIToken(row.Tenant, row.ID) })
}

func parseToken(text string) (id string, hash []byte, ok bool) {
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok {
		return "", nil, false
	}
	id, secret, ok := strings.Cut(rest, "_")
	if !ok || len(secret) != 64 {
		return "", nil, false
	}
	sum := sha256.Sum256([]byte(secret))
	return id, sum[:], true
}

// NewToken stores a new API token, and gives its text: it can be had only now.
func NewToken(tx *store.Tx, tenant, name string) (text string, row store.APIToken, err error) {
	var random [40]byte
	rand.Read(random[:]) // never fails
	id, secret := hex.EncodeToString(random[:8]), hex.EncodeToString(random[8:])
	sum := sha256.Sum256([]byte(secret))
	row = store.APIToken{Tenant: tenant, ID: id, Secret: sum[:], Name: name, Made: tx.Now}
	return tokenPrefix + id + "_" + secret, row, tx.PutAPIToken(row)
}

// LocalToken sees to it that the file at path holds a good token of the tenant,
// for the admin of the coordinator's own host. The file is readable by its
// owner alone. A token in it that is good stays.
func LocalToken(ctx context.Context, st *store.Store, tenant, path string) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("admin's token: %w", err)
	}
	if err == nil {
		who, err := Check(ctx, st, strings.TrimSpace(string(text)))
		if err == nil && who.Tenant == tenant && !who.SCIM {
			return nil
		}
		if err != nil && !errors.Is(err, store.ErrNone) {
			return fmt.Errorf("admin's token: %w", err)
		}
	}
	var token string
	if err := st.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutTenant(tenant); err != nil {
			return err
		}
		token, _, err = NewToken(tx, tenant, "local admin")
		return err
	}); err != nil {
		return fmt.Errorf("admin's token: %w", err)
	}
	if err := replace(path, token+"\n"); err != nil {
		return fmt.Errorf("admin's token: %w", err)
	}
	return nil
}

// replace puts a new file in the place of the one at path.
func replace(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*") // made for its owner alone
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
