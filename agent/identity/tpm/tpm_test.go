package tpm_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/drawbridge-id/drawbridge/agent/identity/tpm"
	"github.com/drawbridge-id/drawbridge/agent/identity/tpm/swtpm"
)

// A key of the TPM signs what its public half verifies, also read from what was
// kept of it, from many at a time; what is kept does not show it, and another
// TPM has no use for it.
func TestKey(t *testing.T) {
	t.Parallel()
	device := swtpm.Start(t)
	made, err := tpm.Create(device)
	if err != nil {
		t.Fatal(err)
	}
	der, err := made.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	key, err := tpm.Parse(device, der)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			digest := sha256.Sum256([]byte("text"))
			signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
			if err != nil || !ecdsa.VerifyASN1(made.Public().(*ecdsa.PublicKey), digest[:], signature) {
				t.Errorf("Sign() = %x, %v; want what the key that was made verifies", signature, err)
			}
		})
	}
	all.Wait()
	if _, err := key.Sign(rand.Reader, make([]byte, 48), crypto.SHA384); err == nil {
		t.Error("a digest of SHA-384 was signed")
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	if request, err := x509.ParseCertificateRequest(csr); err != nil || request.CheckSignature() != nil {
		t.Errorf("a request by the key: %v; want one that it signed", err)
	}
	other, err := tpm.Parse(swtpm.Start(t), der)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	if _, err := other.Sign(rand.Reader, digest[:], crypto.SHA256); !errors.Is(err, tpm.ErrForeign) {
		t.Errorf("Sign() on another TPM = %v; want ErrForeign", err)
	}
}

func TestKey_withoutATPM(t *testing.T) {
	t.Parallel()
	if _, err := tpm.Create(filepath.Join(t.TempDir(), "none")); !errors.Is(err, tpm.ErrNoTPM) {
		t.Errorf("Create() = %v; want ErrNoTPM", err)
	}
}

// What is read as a key can be written again; the seeds have one of a TPM.
func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0x30, 0x80}, 40))
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := tpm.Parse("", der)
		if err != nil {
			return
		}
		if again, err := key.Marshal(); err != nil || len(again) == 0 {
			t.Errorf("a key that was read cannot be written: %v", err)
		}
	})
}
