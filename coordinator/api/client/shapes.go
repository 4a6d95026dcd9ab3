package client

import "time"

// Every instant is UTC; one that is absent never was.

// Items is a list of T.
type Items[T any] struct {
	Items []T    `json:"items" doc:"The list" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"There may be more: give it as cursor to go on; absent at the end"`
}

// A JoinToken lets one agent enrol at a site.
type JoinToken struct {
	ID      string    `json:"id" doc:"Identifier; says nothing of the secret"`
	Site    string    `json:"site" doc:"Site the agent will serve"`
	Token   string    `json:"token,omitempty" doc:"To give to drawbridge-agent enroll; shown once"`
	Dial    string    `json:"dial,omitempty" doc:"Address of the coordinator to give with it, host:port, as the coordinator knows itself; told with the token"`
	Made    time.Time `json:"made" doc:"When it was made"`
	Expires time.Time `json:"expires" doc:"Not good after"`
	Used    time.Time `json:"used,omitzero" doc:"When an agent used it"`
	UsedBy  string    `json:"used_by,omitempty" doc:"Host that used it"`
	State   string    `json:"state" enum:"open,used,expired" doc:"Whether an agent can still use it"`
}

// NewJoinToken asks for a join token.
type NewJoinToken struct {
	Site  string `json:"site" minLength:"1" maxLength:"63" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" doc:"Site the agent will serve: lower case, digits, hyphens"`
	Valid string `json:"valid,omitempty" doc:"How long it is good for, such as 1h; 1h by default, at most 168h"`
}

// An APIToken lets somebody use the API.
type APIToken struct {
	ID      string    `json:"id" doc:"Identifier"`
	Name    string    `json:"name" doc:"Who or what uses it"`
	Token   string    `json:"token,omitempty" doc:"The token itself; shown once"`
	Made    time.Time `json:"made" doc:"When it was made"`
	Used    time.Time `json:"used,omitzero" doc:"When it was last used, to the hour"`
	Expires time.Time `json:"expires,omitzero" doc:"Not good after; absent: never"`
	Roles   []string  `json:"roles" nullable:"false" enum:"viewer,helpdesk,operator,administrator,auditor" doc:"What its holder is trusted with; none for one that is good for SCIM alone"`
	Maker   string    `json:"maker,omitempty" doc:"Who made it"`
	SCIM    bool      `json:"scim,omitempty" doc:"Good for SCIM alone"`
	Source  string    `json:"source,omitempty" doc:"System whose records it pushes by SCIM; without one it reads the directory"`
}

// NewAPIToken asks for an API token.
type NewAPIToken struct {
	Name   string   `json:"name" minLength:"1" maxLength:"100" doc:"Who or what will use it"`
	Roles  []string `json:"roles,omitempty" enum:"viewer,helpdesk,operator,administrator,auditor" doc:"What its holder will be trusted with; administrator where none is given"`
	Valid  string   `json:"valid,omitempty" doc:"How long it is good for, such as 720h; without an end where not given"`
	SCIM   bool     `json:"scim,omitempty" doc:"Good for SCIM alone"`
	Source string   `json:"source,omitempty" doc:"System whose records it pushes by SCIM"`
}

// An Agent is an enrolled agent.
type Agent struct {
	ID          string       `json:"id" doc:"Identifier"`
	Site        string       `json:"site" doc:"Site it serves"`
	Host        string       `json:"host" doc:"Host it runs on"`
	Version     string       `json:"version" doc:"Release of the agent"`
	Platform    string       `json:"platform,omitempty" doc:"Operating system and architecture"`
	State       string       `json:"state" enum:"connected,away,revoked" doc:"Whether it is there"`
	Enrolled    time.Time    `json:"enrolled" doc:"When it joined"`
	Connected   time.Time    `json:"connected,omitzero" doc:"Since when it is connected"`
	Seen        time.Time    `json:"seen,omitzero" doc:"When it was last heard of"`
	CertExpires time.Time    `json:"cert_expires" doc:"When its certificate ends; it renews by itself before"`
	Connectors  []string     `json:"connectors" doc:"Connectors installed there, with their versions"`
	Generation  int64        `json:"generation" doc:"How often it was attested: certificates of an earlier generation are good for nothing"`
	Approval    *Approval    `json:"approval,omitempty" doc:"What it asks for, if it must be attested anew"`
	Guardrail   Guardrail    `json:"guardrail" doc:"Local policy that it obeys"`
	Ring        string       `json:"ring,omitempty" doc:"Ring of updates that it is in, as an administrator or its host says" example:"canary"`
	Update      *AgentUpdate `json:"update,omitempty" doc:"How its update stands; none if it does not update itself"`
	Queue       int64        `json:"queue" doc:"Jobs that it has and that have not ended"`
	SiteQueue   int64        `json:"site_queue" doc:"Jobs that wait for an agent of its site"`
}

// A Guardrail is the local policy that an agent obeys, as it told. It cannot be
// changed from here.
type Guardrail struct {
	Mode    string   `json:"mode,omitempty" doc:"enforce, observe, built-in (there is no file) or broken (nothing is written)"`
	Digest  string   `json:"digest,omitempty" doc:"SHA-256 of the file"`
	Signed  bool     `json:"signed" doc:"The file is signed by the key that the host pins"`
	Summary []string `json:"summary,omitempty" doc:"What it allows, a line for each system"`
	Fault   *Trouble `json:"fault,omitempty" doc:"Why it is broken"`
	Waiting int      `json:"waiting" doc:"Jobs that wait for an approval on the agent's host"`
	Denied  uint64   `json:"denied" doc:"Jobs denied since the agent started; in mode observe, those that would have been"`
}

// An Approval is what an agent asks for that must be attested anew: it was away
// for too long, or is a clone or a restored snapshot.
type Approval struct {
	State string    `json:"state" enum:"waiting,approved,declined" doc:"What was decided; approved until the agent has fetched its certificate"`
	Key   string    `json:"key" doc:"Fingerprint of the key that it made; drawbridge-agent status shows the same"`
	Host  string    `json:"host" doc:"Host that asks"`
	Why   string    `json:"why" doc:"Why it must ask"`
	At    time.Time `json:"at" doc:"When it asked"`
}

// Retention tells for how long a kind of what happened is kept.
type Retention struct {
	Name    string    `json:"name" enum:"jobs,answers,history,cycles,plans,deliveries,audit" doc:"Kind"`
	Kept    float64   `json:"kept" doc:"For how long, in seconds; 0: for ever"`
	Oldest  time.Time `json:"oldest,omitzero" doc:"When the oldest that is there was made"`
	Removed int64     `json:"removed" doc:"How many were removed so far because their time was over"`
	Looked  time.Time `json:"looked,omitzero" doc:"When it was last looked for what is to be removed"`
}

// A Ring is a group of agents that get a new release together, before or after
// others.
type Ring struct {
	Ring string `json:"ring" maxLength:"40" pattern:"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$" doc:"Name of the ring, of lower-case letters, digits and hyphens; empty for none" example:"canary"`
}

// AgentDecision approves or declines what an agent asks for.
type AgentDecision struct {
	Key string `json:"key,omitempty" doc:"Fingerprint that the request must have; any if left out"`
}

// Applied tells what became of system documents.
type Applied struct {
	DryRun  bool            `json:"dry_run" doc:"They were only checked"`
	Systems []AppliedSystem `json:"systems" doc:"In the order of the documents"`
}

// An AppliedSystem tells what became of one document.
type AppliedSystem struct {
	Name     string  `json:"name" doc:"System"`
	Action   string  `json:"action" enum:"created,changed,unchanged" doc:"What happened, or would"`
	Revision int64   `json:"revision" doc:"Revision now in force"`
	Notes    []Fault `json:"notes,omitempty" doc:"What could not be checked yet, or is odd but allowed"`
}

// A System is a configured system.
type System struct {
	Name      string    `json:"name" doc:"Name"`
	Site      string    `json:"site" doc:"Site whose agents serve it"`
	Connector string    `json:"connector" doc:"Connector that knows it"`
	Role      string    `json:"role" doc:"source, target, or both"`
	Revision  int64     `json:"revision" doc:"Rises with every change of its document"`
	Applied   time.Time `json:"applied" doc:"When the document was applied"`
	State     string    `json:"state" enum:"ready,failing,waiting" doc:"ready: its agent reaches it, and the last check from end to end worked; waiting: no agent has told yet"`
	Checked   time.Time `json:"checked,omitzero" doc:"When it was last checked from end to end"`
	Good      time.Time `json:"good,omitzero" doc:"When such a check last worked"`
	CheckJob  int64     `json:"check_job,omitempty" doc:"Job that the last check was, with the exact request and answer"`
	Fault     *Trouble  `json:"fault,omitempty" doc:"Why it fails"`
	NextTry   time.Time `json:"next_try,omitzero" doc:"When the agent tries again"`
	Parallel  int       `json:"parallel,omitempty" doc:"Operations under way at a time, as the agent found best"`
	Waiting   int64     `json:"waiting" doc:"Jobs that wait for an agent or are with one, counted up to 100,000"`
	Accounts  int64     `json:"accounts" doc:"Accounts known there"`
	SchemaAt  time.Time `json:"schema_at,omitzero" doc:"When its schema was last read"`
	NextRead  time.Time `json:"next_read,omitzero" doc:"When it is read again by schedule"`
	Mode      string    `json:"mode,omitempty" enum:"apply,preview" doc:"Whether it is written to at once, or what is approved of a plan; absent: it is no target"`
	Last      *Cycle    `json:"last,omitempty" doc:"Its latest cycle"`
}

// SystemDetail is a system with its document.
type SystemDetail struct {
	System
	Document string   `json:"document" doc:"YAML as applied"`
	Classes  []string `json:"classes" doc:"Classes of its schema with the number of attributes"`
	Rejects  []Reject `json:"rejects" doc:"What its latest read set aside"`
}

// A Reject is a part of a source that could not be read.
type Reject struct {
	Place  string `json:"place" doc:"Where, such as a line of a file"`
	Reason string `json:"reason" doc:"Why, and how to mend it"`
	Object string `json:"object,omitempty" doc:"Native id, where it could be read"`
}

// Trouble is what stops something, for the person who must act.
type Trouble struct {
	Cause     string `json:"cause" doc:"What happened"`
	Object    string `json:"object,omitempty" doc:"Object concerned"`
	Attribute string `json:"attribute,omitempty" doc:"Attribute concerned"`
	NextStep  string `json:"next_step,omitempty" doc:"What to do next"`
	Length    int    `json:"length,omitempty" doc:"Characters of the longest value of the attribute that was to be written; the value itself is in the job alone"`
	Raw       string `json:"raw,omitempty" doc:"The system's own words"`
}

// Run asks for a cycle at once.
type Run struct {
	Person string `json:"person,omitempty" doc:"Key of one person: only their record is looked up"`
	Full   bool   `json:"full,omitempty" doc:"Read everything, whatever the system could tell of changes alone"`
	// Preview is for a run of more than one person.
	Preview bool `json:"preview,omitempty" doc:"Do nothing of what comes of it before it is approved as a plan"`
}

// Started says what a run has begun.
type Started struct {
	Cycle  int64  `json:"cycle,omitempty" doc:"The cycle; 0 for a run of one person"`
	Job    int64  `json:"job,omitempty" doc:"The job; 0 where nothing needs to be read"`
	Detail string `json:"detail" doc:"What happens now"`
}

// A Cycle is one read of a system and what came of it.
type Cycle struct {
	ID       int64            `json:"id" doc:"Identifier: that of its read job"`
	System   string           `json:"system" doc:"System"`
	Cause    string           `json:"cause" doc:"Why it ran"`
	Began    time.Time        `json:"began" doc:"When it began"`
	Ended    time.Time        `json:"ended,omitzero" doc:"When the read was over"`
	State    string           `json:"state" doc:"reading, applied, held, failed or rejected"`
	Seen     int64            `json:"seen" doc:"Objects seen"`
	Changed  int64            `json:"changed" doc:"Objects new or changed"`
	Deleted  int64            `json:"deleted" doc:"Objects gone"`
	Rejected int64            `json:"rejected" doc:"Parts set aside"`
	Reason   string           `json:"reason,omitempty" doc:"Why it is held or failed"`
	Jobs     map[string]int64 `json:"jobs,omitempty" doc:"Jobs planned out of it by class and state, such as create/done"`
}

// Held is one class of change that waits for a person.
type Held struct {
	System string    `json:"system" doc:"System"`
	Class  string    `json:"class" doc:"Class of change"`
	Count  int64     `json:"count" doc:"Jobs held"`
	Since  time.Time `json:"since" doc:"When the first was held"`
	Reason string    `json:"reason" doc:"Why"`
	Jobs   []Job     `json:"jobs" doc:"The first of them"`
}

// Decision says which held jobs to let go or to drop: all that match every field given.
type Decision struct {
	System string  `json:"system,omitempty" doc:"Of this system"`
	Class  string  `json:"class,omitempty" doc:"Of this class"`
	Jobs   []int64 `json:"jobs,omitempty" maxItems:"10000" doc:"These jobs"`
	All    bool    `json:"all,omitempty" doc:"Required when nothing else is given"`
}

// Decided says what a decision did.
type Decided struct {
	Jobs   int64  `json:"jobs" doc:"Jobs let go or dropped"`
	Detail string `json:"detail" doc:"What happens now"`
}

// A Job is an operation from the moment it is wanted, or a read.
type Job struct {
	ID        int64     `json:"id" doc:"Identifier"`
	Class     string    `json:"class" doc:"create, modify, move, enable, disable, membership, password, delete, read, find, probe or schema"`
	System    string    `json:"system" doc:"System"`
	Object    string    `json:"object,omitempty" doc:"Native id, or the person for a create"`
	Person    string    `json:"person,omitempty" doc:"Key of the person"`
	Display   string    `json:"display,omitempty" doc:"Name of the person"`
	State     string    `json:"state" enum:"held,queued,waiting,sent,done,failed,dropped" doc:"Where it is"`
	Outcome   string    `json:"outcome,omitempty" doc:"What the connector said"`
	Fault     *Trouble  `json:"fault,omitempty" doc:"Why it failed or is held"`
	Text      string    `json:"text" doc:"What it does, one line"`
	Agent     string    `json:"agent,omitempty" doc:"Agent it was sent to"`
	After     int64     `json:"after,omitempty" doc:"Job that must be done first"`
	NotBefore time.Time `json:"not_before,omitzero" doc:"Not begun sooner"`
	NotAfter  time.Time `json:"not_after,omitzero" doc:"Not begun later: planned anew instead"`
	Made      time.Time `json:"made" doc:"When it was planned"`
	Sent      time.Time `json:"sent,omitzero" doc:"When it was sent"`
	Ended     time.Time `json:"ended,omitzero" doc:"When it ended"`
}

// An Entry is a line of the provisioning log.
type Entry struct {
	Seq     int64     `json:"seq" doc:"Rising number"`
	At      time.Time `json:"at" doc:"When"`
	Kind    string    `json:"kind" doc:"What kind of thing happened"`
	System  string    `json:"system,omitempty" doc:"System"`
	Person  string    `json:"person,omitempty" doc:"Key of the person"`
	Account string    `json:"account,omitempty" doc:"Native id of the account"`
	Job     int64     `json:"job,omitempty" doc:"Job"`
	Text    string    `json:"text" doc:"What happened, one line"`
}

// Obstacle is what stops one person's account in one system.
type Obstacle struct {
	Person  string    `json:"person" doc:"Key of the person"`
	Display string    `json:"display" doc:"Name of the person"`
	System  string    `json:"system" doc:"System"`
	Kind    string    `json:"kind" doc:"ambiguous, invalid, denied, taken, expression, missing reference"`
	Fault   Trouble   `json:"fault" doc:"Cause and next step"`
	At      time.Time `json:"at" doc:"Since when"`
	Retry   time.Time `json:"retry,omitzero" doc:"When it is tried again by itself"`
	Tries   int64     `json:"tries" doc:"How often it was tried"`
	Job     int64     `json:"job,omitempty" doc:"Whose exact request and answer say more, at /v1/jobs/{id}; absent where nothing was asked of the system"`
}

// Retry says which problems to try again now: all that match every field given.
type Retry struct {
	Person string `json:"person,omitempty" doc:"Key of the person"`
	System string `json:"system,omitempty" doc:"System"`
}

// Status is the whole at a glance.
type Status struct {
	Version  string           `json:"version" doc:"Release of the coordinator"`
	Now      time.Time        `json:"now" doc:"The coordinator's clock"`
	People   int64            `json:"people" doc:"People known"`
	Accounts map[string]int64 `json:"accounts" doc:"Accounts by system"`
	Due      int64            `json:"due" doc:"People to be looked at now"`
	Later    int64            `json:"later" doc:"People to be looked at again in a while: what they need has failed, or contradicts itself"`
	Alarms   int64            `json:"alarms" doc:"Instants ahead at which something changes by itself"`
	Jobs     map[string]int64 `json:"jobs" doc:"Open jobs by state"`
	Held     []Held           `json:"held" doc:"What waits for a person, without the jobs"`
	Cycles   []Cycle          `json:"cycles" doc:"Cycles that are being read or are held"`
	Problems int64            `json:"problems" doc:"Accounts that cannot be made as wanted"`
	Agents   []Agent          `json:"agents" doc:"Agents, 200 at most: those that somebody should look at first"`
	Systems  []System         `json:"systems" doc:"Systems"`
}
