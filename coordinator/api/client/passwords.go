package client

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// A Recipient is somebody to whom new passwords are sealed. The coordinator
// knows no key that opens anything.
type Recipient struct {
	Name string    `json:"name" doc:"As documents name it; for a manager, the key of the person"`
	Key  string    `json:"key" doc:"Public age key, age1…"`
	Made time.Time `json:"made" doc:"When it was given"`
}

// NewRecipient gives a recipient, or another key to one.
type NewRecipient struct {
	Name string `json:"name" minLength:"1" maxLength:"100" doc:"As documents name it; for a manager, the key of the person"`
	Key  string `json:"key" minLength:"1" maxLength:"200" doc:"Public age key, age1…"`
}

// A Password is a new one that nobody has picked up yet.
type Password struct {
	ID         int64     `json:"id" doc:"Number of the job that made it"`
	Person     string    `json:"person" doc:"Key of the person"`
	Display    string    `json:"display" doc:"Name of the person"`
	System     string    `json:"system" doc:"System that it is for"`
	Account    string    `json:"account" doc:"Where the account is"`
	Recipients []string  `json:"recipients" doc:"Who can open it; a key where it is nobody's any more"`
	Made       time.Time `json:"made" doc:"When it was made"`
	Forgotten  time.Time `json:"forgotten" doc:"When it is forgotten"`
}

// NewPassword asks for a new password of somebody's account.
type NewPassword struct {
	System string `json:"system,omitempty" maxLength:"100" doc:"Only in this system; in every one whose document gives passwords if left out"`
}

// A SealedPassword can be opened by its recipients only.
type SealedPassword struct {
	Password
	Box []byte `json:"box" doc:"age file, base64"`
}

// NewPickup is a one-time link as it is registered: its secret key is not told.
type NewPickup struct {
	Name string `json:"name" doc:"SHA-256 of the secret key, hexadecimal: see drawbridge password link"`
	Key  string `json:"key" doc:"Public key of the link (age1…)"`
}

// Pickup is a one-time link without its secret key.
type Pickup struct {
	Person string    `json:"person" doc:"Key of the person"`
	URL    string    `json:"url" doc:"The page; the link is this, # and the secret key"`
	Until  time.Time `json:"until" doc:"Not good after"`
	Built  bool      `json:"built" doc:"Whether this coordinator has the page"`
}

// PickupName gives the name of a one-time link by its secret key, as its page finds it.
func PickupName(secret string) string {
	sum := sha256.Sum256([]byte("drawbridge pick-up\n" + secret))
	return hex.EncodeToString(sum[:])
}
