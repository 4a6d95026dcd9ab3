//go:build unix

package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"github.com/drawbridge-id/drawbridge/agent/durable"
)

// ageSealer seals to an age identity kept in the file vault.key, mode 0600.
type ageSealer struct{ identity *age.X25519Identity }

// openSealer reads the key. It makes one unless something is sealed already:
// then a key that is gone is not to be replaced in silence.
func openSealer(dir string, sealed bool) (sealer, error) {
	path := filepath.Join(dir, "vault.key")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if sealed {
			return nil, fmt.Errorf("%w: its key %s is gone: put it back from a backup, or remove vault.json and give all secrets again", ErrDamaged, path)
		}
		return newSealer(path)
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("others may read the key %s (mode %04o): chmod 600 it, and change the secrets if someone may have", path, mode)
	}
	id, err := age.ParseX25519Identity(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, fmt.Errorf("%w: its key %s is none", ErrDamaged, path) // err may quote it
	}
	return ageSealer{id}, nil
}

func newSealer(path string) (sealer, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	if err := durable.ReplaceFile(path, []byte(id.String()+"\n")); err != nil {
		return nil, err
	}
	return ageSealer{id}, nil
}

func (s ageSealer) seal(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, s.identity.Recipient())
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

func (s ageSealer) unseal(box []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(box), s.identity)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
