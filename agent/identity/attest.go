package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/agent/durable"
	"github.com/drawbridge-id/drawbridge/proto/identity"
)

const (
	askedFile = "asked.pem"
	freshFile = "fresh"
	whyHeader = "Attest" // of the block in asked.pem
)

// ErrAttested is what [Identity.Run] returns once this agent was attested anew:
// the agent must start again, and [Identity.Fresh] says from what.
var ErrAttested = errors.New("an admin has let this agent in again")

// A question is a key that a certificate was or will be asked for. It is on the
// disk before it is asked, so that an approval, or an answer that was lost, is
// for a key that is still there.
type question struct {
	key crypto.Signer
	csr []byte
	why string // the agent must be attested anew; "" for a renewal
}

// fingerprint is how people compare it at both ends.
func (q *question) fingerprint() string {
	der, err := x509.MarshalPKIXPublicKey(q.key.Public())
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:8])
}

// Doubt is called with the coordinator's words when it does not believe that
// this host is the agent: [Identity.Run] asks to be attested anew from then on.
func (i *Identity) Doubt(why string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	q, err := i.asked()
	if err == nil && (q == nil || q.why == "") {
		err = i.ask(why)
	}
	i.RenewNow()
	return err
}

// Asking returns what an admin must approve, and why; "" if nothing.
func (i *Identity) Asking() (fingerprint, why string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	q, err := i.asked()
	if err != nil || q == nil || q.why == "" {
		return "", ""
	}
	return q.fingerprint(), q.why
}

// RenewNow has [Identity.Run] look at once whether there is something to do.
func (i *Identity) RenewNow() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// Fresh says whether the agent was attested anew since it last started: then
// its journal and what it remembers of systems are of another life, and
// setAside must put them away. It is done once.
func (i *Identity) Fresh(setAside func() error) error {
	path := filepath.Join(i.dir, freshFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err != nil || n > identity.Generation(i.Certificate()) {
		return os.Remove(path) // it was noted, and then did not come about
	}
	if err := setAside(); err != nil {
		return fmt.Errorf("set aside what belongs to the time before this agent was let in again: %w", err)
	}
	return os.Remove(path)
}

// settle drops a question that doubt has raised; the lock is held.
func (i *Identity) settle() error {
	q, err := i.asked()
	if err != nil || q == nil || q.why == "" {
		return err
	}
	return i.dropAsked()
}

func (i *Identity) dropAsked() error {
	if err := os.Remove(filepath.Join(i.dir, askedFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ask makes a key and stores it; the lock is held.
func (i *Identity) ask(why string) error {
	key, _, err := newKey(deviceOf(i.current.PrivateKey))
	if err != nil {
		return err
	}
	return i.storeAsked(key, why)
}

func (i *Identity) storeAsked(key crypto.Signer, why string) error {
	block, err := encodeKey(key)
	if err != nil {
		return err
	}
	if why != "" {
		block.Headers[whyHeader] = strings.ReplaceAll(why, "\n", " ")
	}
	return durable.ReplaceFile(filepath.Join(i.dir, askedFile), pem.EncodeToMemory(block))
}

// asked returns the key that was asked for last and not answered, or nil; the
// lock is held. One that cannot be read is replaced: nothing was given for it.
func (i *Identity) asked() (*question, error) {
	text, err := os.ReadFile(filepath.Join(i.dir, askedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, i.dropAsked()
	}
	key, err := decodeKey(block)
	if err != nil || key == nil {
		return nil, i.dropAsked()
	}
	q := &question{key: key, why: block.Headers[whyHeader]}
	q.csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	return q, err
}

// question returns what to ask: what was asked before, or a renewal.
func (i *Identity) question() (*question, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	q, err := i.asked()
	if err != nil || q != nil {
		return q, err
	}
	if err := i.ask(""); err != nil {
		return nil, err
	}
	return i.asked()
}

// waiting notes why an admin must approve q first, if it was only a renewal.
func (i *Identity) waiting(q *question, why string) error {
	if q.why != "" {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.storeAsked(q.key, why)
}
