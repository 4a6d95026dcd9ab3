// Package tpm makes keys that live in the host's TPM 2.0 and signs with them.
// What is kept of a key is of use to that TPM alone: whoever copies the file, or
// the disk, has nothing. Keys in files are agent/identity's.
//
//	storage key (of the owner, ECC P-256, TCG's template) ── wraps ──► key (ECDSA P-256, cannot be exported)
//	                                                                     kept as "TSS2 PRIVATE KEY" in PEM
//
// The form is that of other software for TPMs (draft-bottomley-tpm2-keys), so
// that theirs can look at it. Nothing stays in the TPM: each signature makes the
// storage key, loads the key, signs and forgets both, some 100 ms where a TPM is
// a chip; an agent signs when it connects anew and once a renewal.
//
// What may go wrong: there is no TPM, or this account may not use it
// ([ErrNoTPM]); the TPM was cleared or is another one, so that it does not know
// the key ([ErrForeign]: the agent must enrol anew); the owner has a password,
// which is not asked for.
package tpm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Device is where Linux has the TPM, shared among programs.
const Device = "/dev/tpmrm0"

// PEMType is that of a block with a key.
const PEMType = "TSS2 PRIVATE KEY"

// Errors to test for with [errors.Is].
var (
	ErrNoTPM   = errors.New("no TPM can be used here")
	ErrForeign = errors.New("the TPM of this host does not know the key: it was cleared, or is another one; enrol again (drawbridge-agent enroll --again)")
)

// A Key signs by the TPM. It implements [crypto.Signer] for digests of SHA-256
// and is safe for concurrent use.
type Key struct {
	device  string
	public  tpm2.TPM2BPublic
	private tpm2.TPM2BPrivate
	point   *ecdsa.PublicKey

	mu sync.Mutex
}

// file is TPMKey of draft-bottomley-tpm2-keys, as far as we use it.
type file struct {
	Type      asn1.ObjectIdentifier
	EmptyAuth bool `asn1:"optional,explicit,tag:0"`
	Parent    int
	Public    []byte
	Private   []byte
}

var loadable = asn1.ObjectIdentifier{2, 23, 133, 10, 1, 3}

// size is that of a coordinate of P-256, in bytes.
const size = 32

// owner is the hierarchy whose storage key wraps.
const owner = tpm2.TPMRHOwner

// template is of a key that signs and never leaves.
func template() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			CurveID: tpm2.TPMECCNistP256,
			Scheme:  tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})},
		}),
	}
}

// Create makes a key in the TPM at device.
func Create(device string) (*Key, error) {
	k := &Key{device: device}
	err := k.with(func(t transport.TPM, parent tpm2.NamedHandle) error {
		made, err := tpm2.Create{
			ParentHandle: tpm2.AuthHandle{Handle: parent.Handle, Name: parent.Name, Auth: tpm2.PasswordAuth(nil)},
			InPublic:     tpm2.New2B(template()),
		}.Execute(t)
		if err != nil {
			return fmt.Errorf("make a key: %w", err)
		}
		k.public, k.private = made.OutPublic, made.OutPrivate
		return k.setPoint()
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Parse reads what Marshal gave. The TPM is asked when something is signed.
func Parse(device string, der []byte) (*Key, error) {
	var f file
	if rest, err := asn1.Unmarshal(der, &f); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("key of a TPM: not in the form of one (%w)", errors.Join(err, errors.New("or something follows it")))
	}
	if !f.Type.Equal(loadable) || f.Parent != int(owner) {
		return nil, fmt.Errorf("key of a TPM: of kind %v below %#x; want a loadable one of the owner's", f.Type, f.Parent)
	}
	public, err := tpm2.Unmarshal[tpm2.TPM2BPublic](f.Public)
	if err != nil {
		return nil, fmt.Errorf("key of a TPM: public part: %w", err)
	}
	private, err := tpm2.Unmarshal[tpm2.TPM2BPrivate](f.Private)
	if err != nil {
		return nil, fmt.Errorf("key of a TPM: private part: %w", err)
	}
	k := &Key{device: device, public: *public, private: *private}
	return k, k.setPoint()
}

// Marshal gives what is to be kept of the key, DER.
func (k *Key) Marshal() ([]byte, error) {
	return asn1.Marshal(file{Type: loadable, EmptyAuth: true, Parent: int(owner), Public: tpm2.Marshal(k.public), Private: tpm2.Marshal(k.private)})
}

// Device is where its TPM is.
func (k *Key) Device() string { return k.device }

// Public returns the *ecdsa.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.point }

// Sign signs a digest of SHA-256; what it returns is ASN.1, as of crypto/ecdsa.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	if opts.HashFunc() != crypto.SHA256 || len(digest) != crypto.SHA256.Size() {
		return nil, fmt.Errorf("a key of a TPM signs digests of SHA-256, not %d bytes of %v", len(digest), opts.HashFunc())
	}
	err = k.with(func(t transport.TPM, parent tpm2.NamedHandle) error {
		loaded, err := tpm2.Load{
			ParentHandle: tpm2.AuthHandle{Handle: parent.Handle, Name: parent.Name, Auth: tpm2.PasswordAuth(nil)},
			InPrivate:    k.private, InPublic: k.public,
		}.Execute(t)
		if err != nil {
			return fmt.Errorf("%w (%w)", ErrForeign, err)
		}
		defer flush(t, loaded.ObjectHandle)
		signed, err := tpm2.Sign{
			KeyHandle: tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: tpm2.PasswordAuth(nil)},
			Digest:    tpm2.TPM2BDigest{Buffer: digest},
			InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUSigScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSchemeHash{HashAlg: tpm2.TPMAlgSHA256})},
			Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck},
		}.Execute(t)
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		pair, err := signed.Signature.Signature.ECDSA()
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		signature, err = asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(pair.SignatureR.Buffer), new(big.Int).SetBytes(pair.SignatureS.Buffer)})
		return err
	})
	return signature, err
}

// with opens the TPM, and gives it with the storage key.
func (k *Key) with(do func(transport.TPM, tpm2.NamedHandle) error) (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t, err := open(k.device)
	if err != nil {
		return fmt.Errorf("%w: %w: the account of the service must be able to use %s (group tss)", ErrNoTPM, err, k.device)
	}
	defer t.Close() // nothing is written
	parent, err := tpm2.CreatePrimary{PrimaryHandle: owner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(t)
	if err != nil {
		return fmt.Errorf("%w: its storage key: %w", ErrNoTPM, err)
	}
	defer flush(t, parent.ObjectHandle)
	return do(t, tpm2.NamedHandle{Handle: parent.ObjectHandle, Name: parent.Name})
}

// flush frees what the TPM holds for us; the resource manager does so, too, when the device is closed.
func flush(t transport.TPM, handle tpm2.TPMHandle) {
	_, _ = tpm2.FlushContext{FlushHandle: handle}.Execute(t)
}

func (k *Key) setPoint() error {
	public, err := k.public.Contents()
	if err != nil {
		return fmt.Errorf("key of a TPM: public part: %w", err)
	}
	point, err := public.Unique.ECC()
	if err != nil {
		return fmt.Errorf("key of a TPM: public part: %w", err)
	}
	if len(point.X.Buffer) > size || len(point.Y.Buffer) > size {
		return fmt.Errorf("key of a TPM: public part: coordinates of %d and %d bytes, want %d", len(point.X.Buffer), len(point.Y.Buffer), size)
	}
	uncompressed := make([]byte, 1+2*size) // SEC 1, 2.3.3
	uncompressed[0] = 4
	copy(uncompressed[1+size-len(point.X.Buffer):], point.X.Buffer)
	copy(uncompressed[1+2*size-len(point.Y.Buffer):], point.Y.Buffer)
	if k.point, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), uncompressed); err != nil {
		return fmt.Errorf("key of a TPM: public part: %w", err)
	}
	return nil
}
