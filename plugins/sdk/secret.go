package sdk

import (
	"fmt"
	"log/slog"
)

const redacted = "[secret]"

// A Secret is text that cannot be printed, logged or marshalled by mistake. In
// a settings struct it is a property that the agent takes from its vault.
type Secret struct{ text string }

// NewSecret returns text as a secret.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text, to be handed to the system and to nothing else.
func (s Secret) Reveal() string { return s.text }

// IsZero tells whether no secret was given.
func (s Secret) IsZero() bool { return s.text == "" }

// Format, String, GoString, LogValue, MarshalText and MarshalJSON all give the same: that there is
// something to hide.
func (s Secret) Format(f fmt.State, _ rune)   { fmt.Fprint(f, redacted) }
func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
