package access

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// usedEvery is how exactly the last use of a token is known.
const usedEvery = time.Hour

// Check tells who holds the token; it returns store.ErrNone for one that is not good.
func Check(ctx context.Context, st *store.Store, text string) (who Principal, err error) {
	id, hash, ok := parseSecret(tokenPrefix, text)
	if !ok {
		return who, store.ErrNone
	}
	var row store.APIToken
	stale := false
	err = st.Read(ctx, func(tx *store.Tx) error {
		if row, err = tx.APIToken(id); err != nil {
			return err
		}
		if row.Expires != 0 && row.Expires <= tx.Now {
			return store.ErrNone
		}
		stale = tx.Now > row.Used.Add(usedEvery)
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
		return Principal{}, err
	}
	who.Tenant, who.Subject, who.Name = row.Tenant, cmp.Or(row.Owner, "token:"+row.ID), row.Name
	who.Means, who.ID, who.Expires = Token, row.ID, row.Expires.Time()
	if !who.SCIM {
		who.Roles = rolesOf(row.Roles)
	}
	if !stale {
		return who, nil
	}
	return who, st.WriteTenant(ctx, row.Tenant, func(tx *store.Tx) error { return tx.UsedAPIToken(row.Tenant, row.ID) })
}

// NewToken stores a new API token, and gives its text: it can be had only now.
// Tenant, Name and Roles of row must be set, Expires and Maker may be.
func NewToken(tx *store.Tx, row store.APIToken) (string, store.APIToken, error) {
	var text string
	text, row.ID, row.Secret = newSecret(tokenPrefix)
	row.Made = tx.Now
	return text, row, tx.PutAPIToken(row)
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
		if err == nil && who.Tenant == tenant && who.May(Administrator) {
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
		token, _, err = NewToken(tx, store.APIToken{Tenant: tenant, Name: "local admin", Roles: string(Administrator)})
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
