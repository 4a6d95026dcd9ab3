// Package sealed holds secrets on their way: a value that cannot be printed by
// accident, and sealing to the age recipients who may read it.
//
// Secrets at rest are agent/vault; whose recipients are used is the mapping's
// say (PasswordRule.recipients).
package sealed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"filippo.io/age"
)

const hidden = "[secret]"

// ErrNoRecipient says that there is nobody to seal to. Test with [errors.Is].
var ErrNoRecipient = errors.New("no recipient to seal to")

// A Secret is text that every way of printing shows as [secret]: fmt with any
// verb, slog, encoding/json and other encoders of text. The zero value is the
// empty secret. Secrets are compared with ==.
type Secret struct{ text string }

// New returns text as a Secret.
func New(text string) Secret { return Secret{text} }

// Reveal returns the text. Call it where the text is used, not sooner.
func (s Secret) Reveal() string { return s.text }

// IsZero says whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == "" }

// String hides the text.
func (Secret) String() string { return hidden }

// GoString hides the text.
func (Secret) GoString() string { return hidden }

// Format hides the text whatever the verb: %x of a String would show it.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// LogValue hides the text.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON hides the text.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText hides the text.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// CheckRecipient says what is wrong with text as a recipient, or nil. It never
// repeats a key that opens something.
func CheckRecipient(text string) error {
	if strings.HasPrefix(strings.ToUpper(text), "AGE-SECRET-KEY-") {
		return errors.New("this is a secret key, not a recipient: give the line that begins with age1, and make another key: this one was shown")
	}
	if _, err := age.ParseX25519Recipient(text); err != nil {
		return fmt.Errorf("%q is no age X25519 recipient (age1…): %w", text, err)
	}
	return nil
}

// Seal encrypts s so that each holder of the identity of one of recipients
// ("age1…", X25519) can read it. It returns [ErrNoRecipient] if there is none,
// and names the recipient that is not one.
func Seal(s Secret, recipients []string) ([]byte, error) {
	if len(recipients) == 0 {
		return nil, ErrNoRecipient
	}
	to := make([]age.Recipient, len(recipients))
	for i, text := range recipients {
		if err := CheckRecipient(text); err != nil {
			return nil, fmt.Errorf("recipient %d: %w", i+1, err)
		}
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			return nil, err
		}
		to[i] = r
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if _, err := io.WriteString(w, s.text); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return out.Bytes(), nil
}

// Unseal decrypts what [Seal] made, with the identity of one of its recipients.
func Unseal(box []byte, identity age.Identity) (Secret, error) {
	r, err := age.Decrypt(bytes.NewReader(box), identity)
	if err != nil {
		return Secret{}, fmt.Errorf("unseal: %w", err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return Secret{}, fmt.Errorf("unseal: %w", err)
	}
	return Secret{string(text)}, nil
}
