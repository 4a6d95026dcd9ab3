package guard

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/drawbridge-id/drawbridge/agent/custody"
)

// SignatureFile is where the signature of a policy is.
func SignatureFile(policy string) string { return policy + ".sig" }

const (
	signed   = "drawbridge guardrail v1\n" // goes before the text that is signed
	mostText = 4 << 20                     // of a policy
)

// A fingerprint tells whether the files of a policy have changed.
type fingerprint struct{ policy, signature string }

func fingerprintOf(path string) fingerprint {
	one := func(path string) string {
		info, err := os.Stat(path)
		if err != nil {
			return "none"
		}
		return fmt.Sprint(info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	return fingerprint{one(path), one(SignatureFile(path))}
}

// Load is for who asks without a running guard: it returns the policy at path,
// or the built-in one; what is wrong with it is its Err.
func Load(path, key string) *Policy { return load(path, key, "") }

// load reads the policy at path. It always returns one; what is wrong with it
// is its Err. known is the digest of the last one, "" if there was none.
func load(path, key, known string) *Policy {
	p, err := Read(path, key)
	switch {
	case err == nil:
		return p
	case errors.Is(err, fs.ErrNotExist) && key == "" && known == "":
		return none()
	case errors.Is(err, fs.ErrNotExist) && key == "":
		err = fmt.Errorf("%s was there and is gone: put it back, or write one that says mode: built-in", path)
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: agent.yaml pins the key that signs it, so it must be there", err)
	}
	broken := none()
	broken.File, broken.Err = path, err
	return broken
}

// Read reads and checks the policy at path: that nobody but an admin can have
// written it, that key has signed it, unless that is "", and everything it says.
func Read(path, key string) (*Policy, error) {
	if err := custody.Trusted(path); err != nil {
		return nil, err
	}
	text, err := readAll(path)
	if err != nil {
		return nil, err
	}
	if key != "" {
		if err := verify(path, text, key); err != nil {
			return nil, err
		}
	}
	p, err := Parse(path, text)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	p.Digest, p.Signed = hex.EncodeToString(sum[:]), key != ""
	return p, nil
}

func readAll(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > mostText {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", path, mostText)
	}
	return os.ReadFile(path)
}

func verify(path string, text []byte, key string) error {
	public, err := ParseKey(key)
	if err != nil {
		return err
	}
	encoded, err := readAll(SignatureFile(path))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not signed: sign it with `drawbridge-agent guard sign`", path)
	}
	if err != nil {
		return err
	}
	signature, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(encoded)))
	if err != nil || !ed25519.Verify(public, message(text), signature) {
		return fmt.Errorf("the signature in %s does not fit: %s was changed after it was signed, or signed by another key than agent.yaml pins", SignatureFile(path), path)
	}
	return nil
}

func message(text []byte) []byte { return bytes.Join([][]byte{[]byte(signed), text}, nil) }

// ParseKey reads a public key as agent.yaml pins it.
func ParseKey(text string) (ed25519.PublicKey, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, errors.New("guardrail.key in agent.yaml is no public key: `drawbridge-agent guard key FILE` makes one and prints it")
	}
	return raw, nil
}

// Sign returns the signature of a policy's text, as its file holds it.
func Sign(text []byte, key ed25519.PrivateKey) string {
	return base64.StdEncoding.EncodeToString(ed25519.Sign(key, message(text))) + "\n"
}
