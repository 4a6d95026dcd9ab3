//go:build !linux

package tpm

import (
	"errors"

	"github.com/google/go-tpm/tpm2/transport"
)

func open(string) (transport.TPMCloser, error) {
	return nil, errors.New("keys in a TPM are for Linux alone")
}
