package client

import "time"

// Audited is a line of the audit.
type Audited struct {
	Seq        int64     `json:"seq" doc:"Number; rises"`
	At         time.Time `json:"at" doc:"When"`
	Who        string    `json:"who" doc:"Who, as shown"`
	Subject    string    `json:"subject" doc:"Who, for good"`
	Means      string    `json:"means" doc:"By what they showed it: token or session"`
	Credential string    `json:"credential" doc:"Identifier of the token or session"`
	Address    string    `json:"address" doc:"From where"`
	Browser    string    `json:"browser" doc:"User-Agent of their browser or program"`
	Action     string    `json:"action" doc:"What: an operationId, sign-in or sign-out"`
	Object     string    `json:"object" doc:"On what"`
	Detail     string    `json:"detail,omitempty" doc:"More of it"`
	Outcome    string    `json:"outcome" enum:"done,refused" doc:"What came of it"`
	Reason     string    `json:"reason,omitempty" doc:"Why, as they gave it"`
}
