package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
)

const tokenPrefix = "db1."

// ErrToken says that a text is no join token. The text is not repeated: it may be one but for a slip.
var ErrToken = errors.New("not a join token: it begins with " + tokenPrefix + " and has 111 characters; copy all of it, or make another with `drawbridge token create`")

// A Token lets one agent join, once. Its text is "db1." and the base64url,
// without padding, of the id, the secret and the authority's fingerprint.
type Token struct {
	id          [16]byte
	secret      [32]byte
	fingerprint [sha256.Size]byte
}

// NewToken makes a token for a coordinator whose certificates authority signs.
func NewToken(authority *x509.Certificate) Token {
	t := Token{fingerprint: Fingerprint(authority)}
	rand.Read(t.id[:]) // never fails: crypto/rand
	rand.Read(t.secret[:])
	return t
}

// ParseToken reads the text of a token; white space around it is let pass. It returns [ErrToken].
func ParseToken(text string) (Token, error) {
	var t Token
	body, ok := strings.CutPrefix(strings.TrimSpace(text), tokenPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if !ok || err != nil || len(raw) != len(t.id)+len(t.secret)+len(t.fingerprint) || strings.ContainsAny(body, "\r\n") {
		return Token{}, ErrToken
	}
	n := copy(t.id[:], raw)
	n += copy(t.secret[:], raw[n:])
	copy(t.fingerprint[:], raw[n:])
	return t, nil
}

// ID returns the name under which the coordinator keeps the token, in hexadecimal. It is no secret.
func (t Token) ID() string { return hex.EncodeToString(t.id[:]) }

// Fingerprint returns the SHA-256 of the authority's certificate.
func (t Token) Fingerprint() [sha256.Size]byte { return t.fingerprint }

// SecretHash returns what the coordinator stores of the secret.
func (t Token) SecretHash() []byte {
	sum := sha256.Sum256(t.secret[:])
	return sum[:]
}

// Matches says, in constant time, whether the secret has this hash.
func (t Token) Matches(hash []byte) bool {
	return subtle.ConstantTimeCompare(t.SecretHash(), hash) == 1
}

// Reveal returns the text of the token, to be shown once to the admin or sent to the coordinator.
func (t Token) Reveal() string {
	raw := append(append(append([]byte(nil), t.id[:]...), t.secret[:]...), t.fingerprint[:]...)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
}

// String names the token without its secret, so that it may be logged. See [Token.Reveal].
func (t Token) String() string { return "join token " + t.ID() }

// GoString is String: %#v does not show the secret either.
func (t Token) GoString() string { return t.String() }

// LogValue is String, for slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText is String, so that encoding/json does not show the secret.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
