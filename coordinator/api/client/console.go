package client

import (
	"encoding/json"
	"time"
)

// Home is whether everything is all right, and what waits for somebody.
type Home struct {
	Version  string        `json:"version" doc:"Release of the coordinator" example:"1.4.0"`
	Now      time.Time     `json:"now" doc:"The coordinator's clock"`
	Verdict  string        `json:"verdict" enum:"good,attention,bad" doc:"good: nothing to do; attention: something waits for a person; bad: something does not work"`
	Points   []Point       `json:"points" doc:"What is not as it should be, the gravest first; none where the verdict is good"`
	People   int64         `json:"people" doc:"People known" example:"18250"`
	Due      int64         `json:"due" doc:"People to be looked at now"`
	Alarms   int64         `json:"alarms" doc:"Instants ahead at which something changes by itself"`
	Systems  SystemsCount  `json:"systems" doc:"Systems by state"`
	Agents   AgentsCount   `json:"agents" doc:"Agents by state"`
	Jobs     []NamedCount  `json:"jobs" doc:"Open jobs by state: held, queued, waiting, sent, and placed, which agents hold for an instant ahead"`
	Waiting  Waiting       `json:"waiting" doc:"What waits for a person"`
	Held     []Held        `json:"held" doc:"What is held, by system and class, with the reason, without the jobs"`
	Cycles   []Cycle       `json:"cycles" doc:"Cycles that are being read or are held"`
	Problems []NamedCount  `json:"problems" doc:"Accounts that cannot be made as wanted, by kind"`
	Today    []ChangeCount `json:"today" doc:"Changes since midnight UTC by system, class and outcome"`
	Delay    *Delay        `json:"delay,omitempty" doc:"From a record of a source to the directory, of the last hour; absent when there was no change"`
}

// A Point is one thing that is not as it should be.
type Point struct {
	Level    string `json:"level" enum:"bad,attention" doc:"bad: it does not work; attention: somebody has to decide"`
	What     string `json:"what" enum:"agent,system,cycle,held,problem,approval,password,backlog" doc:"What it is about"`
	Name     string `json:"name,omitempty" doc:"Which one: agent, system, number of a cycle, kind of problem, or system/class of what is held"`
	Text     string `json:"text" doc:"What is the matter" example:"412 disables in corp-ad wait for approval"`
	NextStep string `json:"next_step" doc:"What to do"`
}

// SystemsCount counts systems.
type SystemsCount struct {
	All     int `json:"all" doc:"All of them"`
	Ready   int `json:"ready" doc:"Answered the last time"`
	Failing int `json:"failing" doc:"Did not"`
	Waiting int `json:"waiting" doc:"Of which no agent has told yet"`
}

// AgentsCount counts agents.
type AgentsCount struct {
	All       int `json:"all" doc:"All that are not revoked"`
	Connected int `json:"connected" doc:"Connected now"`
	Away      int `json:"away" doc:"Away"`
	Asking    int `json:"asking" doc:"Ask for approval"`
}

// Waiting counts what waits for a person.
type Waiting struct {
	HeldJobs   int64 `json:"held_jobs" doc:"Held jobs"`
	HeldCycles int64 `json:"held_cycles" doc:"Held cycles"`
	Problems   int64 `json:"problems" doc:"Accounts that cannot be made as wanted"`
	Approvals  int64 `json:"approvals" doc:"Agents that ask to be attested anew"`
	Guardrail  int64 `json:"guardrail" doc:"Jobs that wait for an approval on an agent's host"`
	Passwords  int64 `json:"passwords" doc:"New passwords that nobody has picked up"`
}

// A NamedCount is how many there are of something.
type NamedCount struct {
	Name string `json:"name" doc:"Of what"`
	N    int64  `json:"n" doc:"How many"`
}

// A ChangeCount is how many changes of a class ended so.
type ChangeCount struct {
	System  string `json:"system" doc:"System that was changed"`
	Class   string `json:"class" doc:"create, modify, move, enable, disable, membership, password or delete"`
	Outcome string `json:"outcome" doc:"done or failed"`
	N       int64  `json:"n" doc:"How many"`
}

// A Delay is how long changes took from the record of a source to the directory.
type Delay struct {
	N      int64   `json:"n" doc:"Changes measured"`
	Median float64 `json:"median" doc:"Seconds within which half of them were done; within a tenth" example:"2.1"`
	P95    float64 `json:"p95" doc:"Seconds within which 95 of 100 were done; within a tenth" example:"7.4"`
}

// Changes are how many changes there were, span by span.
type Changes struct {
	Width int64        `json:"width" doc:"Of a span, in seconds" example:"3600"`
	Spans []ChangeSpan `json:"spans" doc:"The earliest first; also those in which nothing happened"`
}

// A ChangeSpan is what happened in one span of time.
type ChangeSpan struct {
	At     time.Time    `json:"at" doc:"When it begins"`
	Counts []NamedCount `json:"counts" doc:"Changes done, by class; failures are counted as failed"`
}

// Delays are how long changes took, span by span.
type Delays struct {
	Width int64       `json:"width" doc:"Of a span, in seconds" example:"3600"`
	Spans []DelaySpan `json:"spans" doc:"The earliest first; only those in which something was changed"`
}

// A DelaySpan is how long changes took that ended in one span of time.
type DelaySpan struct {
	At time.Time `json:"at" doc:"When it begins"`
	Delay
}

// A Connector is one that the agents of a site have.
type Connector struct {
	Site         string          `json:"site" doc:"Site"`
	Name         string          `json:"name" doc:"As documents name it" example:"activedirectory"`
	Versions     []string        `json:"versions" doc:"Releases that the site's agents have"`
	Agents       int             `json:"agents" doc:"Agents of the site that have it"`
	Capabilities []string        `json:"capabilities" doc:"read, delta, find, watch, create, modify, move, enable, membership, password, delete, inspect"`
	Settings     json.RawMessage `json:"settings" doc:"JSON Schema (draft 2020-12) of the settings: a property with writeOnly is a secret, which is set on the agent's host; one with format path names a file there"`
}

// A Site is a network place with agents or systems.
type Site struct {
	Name      string `json:"name" doc:"Name"`
	Agents    int    `json:"agents" doc:"Agents that are not revoked"`
	Connected int    `json:"connected" doc:"Of these, connected now"`
	Systems   int    `json:"systems" doc:"Systems that they serve"`
}

// A TestRun is a test of the connection to a system.
type TestRun struct {
	Job     int64      `json:"job" doc:"Job that makes it"`
	State   string     `json:"state" enum:"queued,sent,done,failed,dropped" doc:"queued: no agent has it yet; sent: under way"`
	Made    time.Time  `json:"made" doc:"When it was asked for"`
	Ended   time.Time  `json:"ended,omitzero" doc:"When it ended"`
	Agent   string     `json:"agent,omitempty" doc:"Agent that makes it"`
	Outcome string     `json:"outcome,omitempty" doc:"DONE, or what kind of failure"`
	Fault   *Trouble   `json:"fault,omitempty" doc:"Why it could not be made at all"`
	Steps   []TestStep `json:"steps" doc:"In the order tried; nothing is tried after a step that failed"`
}

// A TestStep is one thing that was tried.
type TestStep struct {
	Name    string   `json:"name" doc:"What was tried" example:"bind as CN=svc-drawbridge"`
	Outcome string   `json:"outcome" doc:"DONE, or what kind of failure"`
	Detail  string   `json:"detail,omitempty" doc:"What was found, such as a server's version"`
	Fault   *Trouble `json:"fault,omitempty" doc:"What is wrong and how to mend it"`
	Took    float64  `json:"took" doc:"Seconds it took"`
}

// A Schema is what kinds of objects a system has.
type Schema struct {
	System  string        `json:"system" doc:"System"`
	At      time.Time     `json:"at,omitzero" doc:"When it was read; absent: not yet"`
	Classes []SchemaClass `json:"classes" doc:"Classes of objects"`
}

// A SchemaClass is a kind of objects.
type SchemaClass struct {
	Name       string            `json:"name" doc:"Name" example:"user"`
	Attributes []SchemaAttribute `json:"attributes" doc:"In ascending order of names"`
}

// A SchemaAttribute is an attribute that objects of a class may have.
type SchemaAttribute struct {
	Name      string `json:"name" doc:"As the system spells it" example:"sAMAccountName"`
	Type      string `json:"type" enum:"string,integer,boolean,timestamp,binary,reference,unspecified" doc:"Type of each value"`
	Multi     bool   `json:"multi,omitempty" doc:"More than one value is possible"`
	ReadOnly  bool   `json:"read_only,omitempty" doc:"Only the system itself writes it"`
	MaxLength uint32 `json:"max_length,omitempty" doc:"Greatest length in characters; absent: no limit is known"`
	Mapped    bool   `json:"mapped,omitempty" doc:"The system's document speaks of it"`
}

// A Step is something that happened to a person, on their time line.
type Step struct {
	Entry
	Agent     string    `json:"agent,omitempty" doc:"Agent's host that carried it out"`
	Server    string    `json:"server,omitempty" doc:"Server that was written to"`
	Planned   time.Time `json:"planned,omitzero" doc:"When its job was planned"`
	Sent      time.Time `json:"sent,omitzero" doc:"When its job was sent to the agent"`
	Began     time.Time `json:"began,omitzero" doc:"When the agent began, by the agent's clock"`
	Finished  time.Time `json:"finished,omitzero" doc:"When the agent had done it, by the agent's clock"`
	SinceHR   float64   `json:"since_hr,omitempty" doc:"Seconds since the record came that it answers"`
	Attribute []string  `json:"attributes,omitempty" doc:"Attributes concerned"`
}

// A JobDetail is a job with the exact request and answer.
type JobDetail struct {
	Job
	Cycle   int64           `json:"cycle,omitempty" doc:"Cycle that it was planned out of"`
	Reasons []Reason        `json:"reasons" doc:"Why, attribute by attribute"`
	Request json.RawMessage `json:"request" doc:"What the agent is asked to do, as drawbridge.link.v1.Job in JSON"`
	Answer  json.RawMessage `json:"answer,omitempty" doc:"What came back, as drawbridge.link.v1.Result in JSON; without what is secret"`
	Log     []Entry         `json:"log" doc:"What the log says of it, the oldest first"`
}

// A Reason says why a value is wanted.
type Reason struct {
	Attribute string   `json:"attribute" doc:"Attribute"`
	Before    []string `json:"before" doc:"What it held"`
	After     []string `json:"after" doc:"What it shall hold"`
	Rule      *Rule    `json:"rule,omitempty" doc:"The rule that wants it"`
	From      []Term   `json:"from" doc:"What the rule looked at"`
}

// Progress is how far a cycle is.
type Progress struct {
	Phase    string  `json:"phase" enum:"waiting,reading,planning,writing,over" doc:"waiting: no agent has begun; planning: people are still due; writing: jobs are under way"`
	Seen     int64   `json:"seen" doc:"Objects that have come so far"`
	Expected int64   `json:"expected,omitempty" doc:"Objects that will come, as the latest read like it saw; absent: not known"`
	Planned  int64   `json:"planned" doc:"Jobs planned out of it"`
	Ended    int64   `json:"ended" doc:"Of these, done, failed or dropped"`
	Rate     float64 `json:"rate,omitempty" doc:"Objects a second while it reads, jobs a second while it writes"`
	Left     float64 `json:"left,omitempty" doc:"Seconds that are left of this phase at that rate; absent: not known"`
}

// A Difference is what a cycle wants changed, by target and class.
type Difference struct {
	System  string `json:"system" doc:"System that is changed"`
	Class   string `json:"class" doc:"Class of change"`
	Planned int64  `json:"planned" doc:"Jobs planned"`
	Held    int64  `json:"held" doc:"Of these, waiting for approval"`
	Done    int64  `json:"done" doc:"Of these, done"`
	Failed  int64  `json:"failed" doc:"Of these, failed"`
}

// CycleDetail is a cycle with how far it is and what came of it.
type CycleDetail struct {
	Cycle
	Progress    Progress     `json:"progress" doc:"How far it is"`
	Differences []Difference `json:"differences" doc:"What it wants changed, by target and class"`
	Held        []HeldRecord `json:"held,omitempty" doc:"Of a held cycle, up to 200 of what is not believed"`
}

// HeldRecord is a record of a source that a held cycle would lose or change.
type HeldRecord struct {
	Record string `json:"record" doc:"Where it is in the source"`
	Person string `json:"person,omitempty" doc:"Key of the person whose it is"`
	Why    string `json:"why" doc:"What is odd about it"`
}

// Changed names topics of which something has changed.
type Changed struct {
	Topics []string `json:"topics" enum:"agents,cycles,held,jobs,log,passwords,people,problems,systems" doc:"Topics to look at again; none in the first event of a new stream"`
}

// Alive is sent when nothing happens.
type Alive struct {
	Now time.Time `json:"now" doc:"The coordinator's clock"`
}

// A JobChange is a job with what it changes, as exported.
type JobChange struct {
	Job
	Reasons []Reason `json:"reasons" doc:"What changes and why, attribute by attribute"`
}

// A PersonRow is a person as exported.
type PersonRow struct {
	PersonLine
	Attributes map[string]any `json:"attributes" doc:"What is known, by SCIM path"`
}

// Health is whether Drawbridge works, from end to end.
type Health struct {
	Status  string    `json:"status" enum:"good,failing" doc:"good: the last check of every system worked"`
	Systems []Verdict `json:"systems" doc:"System by system; those that records are pushed to are not checked"`
	Agents  []Agent   `json:"agents" doc:"Agents that somebody should look at: away, asking, with a guardrail that is broken; 200 at most"`
}

// A Verdict is what the last check of a system, from end to end, has shown.
type Verdict struct {
	System string    `json:"system" doc:"System"`
	Site   string    `json:"site" doc:"Site"`
	State  string    `json:"state" enum:"good,failing,new" doc:"new: not checked yet"`
	What   string    `json:"what,omitempty" doc:"What the check was: probe, read or schema"`
	At     time.Time `json:"at,omitzero" doc:"When it was"`
	Good   time.Time `json:"good,omitzero" doc:"When one last worked"`
	Took   float64   `json:"took,omitempty" doc:"Seconds it took, there and back"`
	Fault  *Trouble  `json:"fault,omitempty" doc:"What is wrong"`
	Job    int64     `json:"job,omitempty" doc:"Job that the check was: its exact request and answer"`
}

// A Webhook is where somebody is told by HTTP of what needs a person, signed as
// Standard Webhooks are (https://www.standardwebhooks.com).
type Webhook struct {
	ID     string    `json:"id" doc:"Identifier"`
	Name   string    `json:"name" doc:"What it is for"`
	URL    string    `json:"url" doc:"Where events are posted"`
	Kinds  []string  `json:"kinds" doc:"Only of what: agent, system, cycle, held, problem, approval, password; all if empty"`
	Paused bool      `json:"paused" doc:"Nothing is posted"`
	Secret string    `json:"secret,omitempty" doc:"What signs the events (whsec_…); shown once, when it is made or changed"`
	Made   time.Time `json:"made" doc:"When it was made"`
}

// NewWebhook asks for a webhook, or for a change of one.
type NewWebhook struct {
	Name   string   `json:"name" minLength:"1" maxLength:"100" doc:"What it is for" example:"on-call"`
	URL    string   `json:"url" minLength:"1" maxLength:"2000" format:"uri" doc:"Where events are posted; https, unless the host is this one" example:"https://hooks.example/drawbridge"`
	Kinds  []string `json:"kinds,omitempty" maxItems:"20" enum:"agent,system,cycle,held,problem,approval,password" doc:"Only of what; all if left out"`
	Paused bool     `json:"paused,omitempty" doc:"Post nothing for now"`
}

// A Delivery is an event on its way to a webhook.
type Delivery struct {
	ID     string    `json:"id" doc:"Of the event: webhook-id of the request, the same for each try"`
	Kind   string    `json:"kind" doc:"Type of the event" example:"held.raised"`
	Made   time.Time `json:"made" doc:"When it happened"`
	State  string    `json:"state" enum:"waiting,delivered,failed" doc:"failed: it is not tried any more"`
	Tries  int64     `json:"tries" doc:"How often it was tried"`
	Next   time.Time `json:"next,omitzero" doc:"When it is tried next"`
	Done   time.Time `json:"done,omitzero" doc:"When it was delivered"`
	Status int64     `json:"status,omitempty" doc:"HTTP status of the last answer"`
	Detail string    `json:"detail,omitempty" doc:"What came of the last try"`
	Took   float64   `json:"took,omitempty" doc:"Seconds that the last try took"`
	Body   string    `json:"body" doc:"What is posted"`

	Request string `json:"request,omitempty" doc:"Start line and headers of the last try, as they were sent"`
	Answer  string `json:"answer,omitempty" doc:"What came back at the last try: start line, headers and body, its first 4 KiB"`
}

// A MailReceiver is told by e-mail of what needs a person.
type MailReceiver struct {
	Address string    `json:"address" doc:"E-mail address"`
	Kinds   []string  `json:"kinds" doc:"Only of what; all if empty"`
	Made    time.Time `json:"made" doc:"Since when"`
}

// NewMailReceiver asks for somebody to be told by e-mail.
type NewMailReceiver struct {
	Address string   `json:"address" minLength:"3" maxLength:"254" format:"email" doc:"E-mail address" example:"iam@corp.example"`
	Kinds   []string `json:"kinds,omitempty" maxItems:"20" enum:"agent,system,cycle,held,problem,approval,password" doc:"Only of what; all if left out"`
}
