package client

import "time"

// Me is who asks, as the coordinator knows them.
type Me struct {
	Tenant     string    `json:"tenant" doc:"Organisation whose data they see"`
	Subject    string    `json:"subject" doc:"Who they are, for good"`
	Name       string    `json:"name" doc:"Who they are, as shown and written to the log"`
	Email      string    `json:"email,omitempty" doc:"Their e-mail address, where it is known"`
	Roles      []string  `json:"roles" nullable:"false" enum:"viewer,helpdesk,operator,administrator,auditor" doc:"What they are trusted with"`
	Means      string    `json:"means" enum:"token,session" doc:"By what they showed it"`
	Expires    time.Time `json:"expires,omitzero" doc:"When that ends; absent: never"`
	Operations []string  `json:"operations" nullable:"false" doc:"Operations (operationId) that their roles let them use"`
}

// NewSignInLink asks for a link that signs somebody in, once.
type NewSignInLink struct {
	Name  string   `json:"name" minLength:"1" maxLength:"100" doc:"Whom it signs in, as written to the log"`
	Roles []string `json:"roles,omitempty" enum:"viewer,helpdesk,operator,administrator,auditor" doc:"What they are trusted with; administrator where none is given"`
	Valid string   `json:"valid,omitempty" doc:"How long it is good, such as 1h; 1h by default, at most 24h"`
}

// SignInLink signs somebody in, once.
type SignInLink struct {
	Name    string    `json:"name" doc:"Whom it signs in"`
	Roles   []string  `json:"roles" nullable:"false" doc:"What they are trusted with"`
	URL     string    `json:"url" doc:"The link; shown once"`
	Expires time.Time `json:"expires" doc:"Not good after"`
}

// Session is somebody signed in at a browser.
type Session struct {
	ID      string    `json:"id" doc:"Identifier"`
	Subject string    `json:"subject" doc:"Who, for good"`
	Name    string    `json:"name" doc:"Who, as shown"`
	Roles   []string  `json:"roles" nullable:"false" enum:"viewer,helpdesk,operator,administrator,auditor" doc:"What they are trusted with"`
	How     string    `json:"how" doc:"How they signed in: link, or the name of a provider"`
	Made    time.Time `json:"made" doc:"When they signed in"`
	Seen    time.Time `json:"seen" doc:"When they were last there, to some minutes"`
	Expires time.Time `json:"expires" doc:"When it ends, whatever they do"`
	Address string    `json:"address" doc:"From where they signed in"`
	Browser string    `json:"browser" doc:"With what browser"`
}

// WhoToRevoke says who shall be signed out.
type WhoToRevoke struct {
	Subject string `json:"subject" minLength:"1" doc:"Who, for good, as sessions show it"`
}

// Revoked says what was ended.
type Revoked struct {
	Sessions int `json:"sessions" doc:"Sessions that were ended"`
	Tokens   int `json:"tokens" doc:"Tokens of command lines that were ended"`
}

// SignedIn is a command line that somebody let act as them.
type SignedIn struct {
	Token   string    `json:"token" doc:"Their token"`
	Name    string    `json:"name" doc:"As whom it acts"`
	Expires time.Time `json:"expires" doc:"Not good after"`
}
