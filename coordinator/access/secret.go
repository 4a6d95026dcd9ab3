package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Tokens and session cookies are a prefix, eight bytes that name them, "_" and a
// secret of 32 bytes, in hex. The store has the secret's SHA-256: it is random,
// so that is enough.
const (
	tokenPrefix   = "dba_"
	sessionPrefix = "dbs_"
)

func newSecret(prefix string) (text, id string, hash []byte) {
	var random [40]byte
	rand.Read(random[:]) // never fails
	id, secret := hex.EncodeToString(random[:8]), hex.EncodeToString(random[8:])
	sum := sha256.Sum256([]byte(secret))
	return prefix + id + "_" + secret, id, sum[:]
}

func parseSecret(prefix, text string) (id string, hash []byte, ok bool) {
	rest, ok := strings.CutPrefix(text, prefix)
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
