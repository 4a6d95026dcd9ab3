package vault

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/drawbridge-id/drawbridge/agent/durable"
)

// dpapiSealer seals with the machine's DPAPI key, since `secret set` runs as an
// administrator and the agent as a service. Any account of the machine could
// unseal that; so the file vault.key, which the folder's ACL keeps to the
// service and administrators, goes in as entropy.
type dpapiSealer struct{ entropy []byte }

const entropySize = 32

// openSealer reads the entropy. It makes some unless something is sealed
// already: then one that is gone is not to be replaced in silence.
func openSealer(dir string, sealed bool) (sealer, error) {
	path := filepath.Join(dir, "vault.key")
	entropy, err := os.ReadFile(path)
	switch {
	case err == nil && len(entropy) == entropySize:
		return dpapiSealer{entropy}, nil
	case err == nil:
		return nil, fmt.Errorf("%w: its key %s has %d bytes, want %d", ErrDamaged, path, len(entropy), entropySize)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case sealed:
		return nil, fmt.Errorf("%w: its key %s is gone: put it back from a backup, or remove vault.json and give all secrets again", ErrDamaged, path)
	}
	entropy = make([]byte, entropySize)
	rand.Read(entropy) // never fails: crypto/rand
	return dpapiSealer{entropy}, durable.ReplaceFile(path, entropy)
}

const dpapiFlags = windows.CRYPTPROTECT_UI_FORBIDDEN | windows.CRYPTPROTECT_LOCAL_MACHINE

func (s dpapiSealer) seal(text []byte) ([]byte, error) {
	var out windows.DataBlob
	if err := windows.CryptProtectData(blob(text), nil, blob(s.entropy), 0, nil, dpapiFlags, &out); err != nil {
		return nil, err
	}
	return take(out), nil
}

func (s dpapiSealer) unseal(box []byte) ([]byte, error) {
	if len(box) == 0 {
		return nil, errors.New("the box is empty")
	}
	var out windows.DataBlob
	if err := windows.CryptUnprotectData(blob(box), nil, blob(s.entropy), 0, nil, dpapiFlags, &out); err != nil {
		return nil, err
	}
	return take(out), nil
}

func blob(data []byte) *windows.DataBlob {
	return &windows.DataBlob{Size: uint32(len(data)), Data: unsafe.SliceData(data)}
}

// take copies what Windows allocated, wipes it and gives it back.
func take(b windows.DataBlob) []byte {
	held := unsafe.Slice(b.Data, b.Size)
	data := bytes.Clone(held)
	clear(held)
	windows.LocalFree(windows.Handle(unsafe.Pointer(b.Data)))
	return data
}
