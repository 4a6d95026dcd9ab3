package identity

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/drawbridge-id/drawbridge/agent/identity/tpm"
)

// A key is in the file, or in the TPM: then the file holds what that TPM alone
// can use, and at which device it is. Every key of an agent is of the kind that
// it enrolled with.
const (
	keyType      = "PRIVATE KEY"
	deviceHeader = "Device" // of a block of a TPM's key
)

// newKey makes a key, in the TPM at device, or of the file where device is
// empty, and a request for a certificate.
func newKey(device string) (key crypto.Signer, csr []byte, err error) {
	if device != "" {
		key, err = tpm.Create(device)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, nil, err
	}
	csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	return key, csr, err
}

// deviceOf is where a key is that is not in the file; "" for one that is.
func deviceOf(key crypto.PrivateKey) string {
	if k, ok := key.(*tpm.Key); ok {
		return k.Device()
	}
	return ""
}

// encodeKey gives the block of a file that holds a key.
func encodeKey(key crypto.Signer) (*pem.Block, error) {
	if k, ok := key.(*tpm.Key); ok {
		der, err := k.Marshal()
		return &pem.Block{Type: tpm.PEMType, Headers: map[string]string{deviceHeader: k.Device()}, Bytes: der}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return &pem.Block{Type: keyType, Headers: map[string]string{}, Bytes: der}, err
}

// decodeKey reads a block of encodeKey; of one of another type it returns nil.
func decodeKey(block *pem.Block) (crypto.Signer, error) {
	switch block.Type {
	case tpm.PEMType:
		return tpm.Parse(block.Headers[deviceHeader], block.Bytes)
	case keyType:
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		if k, ok := key.(*ecdsa.PrivateKey); ok {
			return k, nil
		}
		return nil, fmt.Errorf("a key of kind %T, want one of an elliptic curve", key)
	}
	return nil, nil
}

// decode reads a file of encode: a key, its certificate, and those after it.
func decode(text []byte) (*tls.Certificate, error) {
	cert := &tls.Certificate{}
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if block.Type == "CERTIFICATE" {
			cert.Certificate = append(cert.Certificate, block.Bytes)
			continue
		}
		key, err := decodeKey(block)
		if err != nil {
			return nil, err
		}
		if key != nil {
			cert.PrivateKey = key
		}
	}
	key, ok := cert.PrivateKey.(crypto.Signer)
	if !ok || len(cert.Certificate) == 0 {
		return nil, errors.New("it holds no key with a certificate")
	}
	var err error
	if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
		return nil, err
	}
	return cert, fits(key, cert.Leaf)
}

// fits says whether a certificate is for a key.
func fits(key crypto.Signer, leaf *x509.Certificate) error {
	ours, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if !bytes.Equal(ours, leaf.RawSubjectPublicKeyInfo) {
		return errors.New("the certificate is for another key")
	}
	return nil
}
