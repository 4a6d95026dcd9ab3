package client

import "time"

// A Plan is a list of changes of which nothing is done before somebody has seen it.
type Plan struct {
	ID      int64       `json:"id" doc:"Identifier"`
	Cause   string      `json:"cause" doc:"Why it waits: system NAME (in mode preview), cycle N, person KEY, undo of job N, cycle N or person KEY" example:"system corp-ad"`
	State   string      `json:"state" enum:"open,sealed,approved,rejected,lapsed" doc:"open: people are still being planned; sealed: it waits for a decision; lapsed: nothing of it is wanted any more"`
	Hash    string      `json:"hash,omitempty" doc:"SHA-256 over what it does, in hexadecimal; empty while it is open"`
	Made    time.Time   `json:"made" doc:"When it was begun"`
	Sealed  time.Time   `json:"sealed,omitzero" doc:"Since when it is complete"`
	Decided time.Time   `json:"decided,omitzero" doc:"When somebody decided"`
	By      string      `json:"by,omitempty" doc:"Who decided"`
	Notes   []string    `json:"notes" doc:"What is not in it, and why"`
	Counts  []PlanCount `json:"counts" doc:"Its changes, by system and class"`
}

// A PlanCount is how many changes of a kind a plan has.
type PlanCount struct {
	System  string `json:"system" doc:"System that is changed"`
	Class   string `json:"class" doc:"Class of change"`
	Changes int64  `json:"changes" doc:"How many"`
	Waiting int64  `json:"waiting" doc:"Of these, how many still wait for the decision"`
}

// A PlanChange is one change of a plan.
type PlanChange struct {
	Job
	Reasons []Reason `json:"reasons" doc:"What changes and why, attribute by attribute, with the values before"`
}

// A PlanDecision approves or rejects a plan.
type PlanDecision struct {
	Hash string `json:"hash,omitempty" doc:"The hash that was looked at, or its beginning: a plan that is another by now is refused"`
	Rest bool   `json:"rest,omitempty" doc:"Approve what still holds, where something of it does not"`
}

// Undo says what to undo: one of job, cycle and person.
type Undo struct {
	Job    int64     `json:"job,omitempty" minimum:"0" doc:"A change that was made"`
	Cycle  int64     `json:"cycle,omitempty" minimum:"0" doc:"Everything that came of a cycle"`
	Person string    `json:"person,omitempty" doc:"Key: everything that was done to this person's accounts"`
	Since  time.Time `json:"since,omitzero" doc:"With person: only what was done since"`
}

// A Mode says how a system is written to.
type Mode struct {
	Mode string `json:"mode" enum:"apply,preview,document" doc:"apply: at once; preview: what is approved of a plan; document: as its document says"`
}

// A Drift is where an account is other than its rules want, and that is known.
type Drift struct {
	Person    string    `json:"person" doc:"Key of the person"`
	Display   string    `json:"display" doc:"Name of the person"`
	System    string    `json:"system" doc:"System"`
	Account   string    `json:"account" doc:"Native id of the account"`
	Attribute string    `json:"attribute" doc:"Attribute; or address, enabled, account, or group and the native id of one"`
	Group     string    `json:"group,omitempty" doc:"Name of the group, where it is of a membership and the name is known"`
	Kind      string    `json:"kind" enum:"found,left,adopted,undone" doc:"found: somebody changed it, and it is put back; left: somebody changed it, and it waits for a decision; adopted: what somebody wrote stands; undone: a change of ours was undone"`
	Refused   []string  `json:"refused" doc:"What is not written; where kind is found, what it held before"`
	Found     []string  `json:"found" doc:"What it is instead"`
	At        time.Time `json:"at" doc:"When it was seen"`
	By        string    `json:"by,omitempty" doc:"Who adopted or undid it"`
	Job       int64     `json:"job,omitempty" doc:"The change that undid it"`
}

// A DriftDecision says what becomes of a drift.
type DriftDecision struct {
	Person    string `json:"person" minLength:"1" doc:"Key of the person"`
	System    string `json:"system" minLength:"1" doc:"System"`
	Attribute string `json:"attribute,omitempty" doc:"Attribute; empty: all of this account"`
}

// A Preview is how far the preview of one person is.
type Preview struct {
	State string `json:"state" enum:"looking,nothing,planned" doc:"looking: their record is looked up, or they are being planned; nothing: nothing is to be done"`
	Plan  *Plan  `json:"plan,omitempty" doc:"What is to be done, once it is planned"`
}
