package client

import "time"

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

// A SealedPassword can be opened by its recipients only.
type SealedPassword struct {
	Password
	Box []byte `json:"box" doc:"age file, base64"`
}
