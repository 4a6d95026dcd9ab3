package client

import (
	"context"
	"time"
)

// A File holds system documents.
type File struct {
	Name string `json:"name" doc:"Name of the file, for faults"`
	Text string `json:"text" doc:"Documents, YAML, several parted by lines of ---"`
}

// A Configuration is documents that would, or shall, be in force. Systems that
// it does not name stay as they are.
type Configuration struct {
	Files []File `json:"files" minItems:"1" maxItems:"1000" nullable:"false" doc:"Files of documents"`
}

// NewConfiguration asks for documents to be stored, all or none.
type NewConfiguration struct {
	Configuration
	Base string `json:"base,omitempty" doc:"Base of the forecast that was looked at: refused where the configuration is another one by now"`
	Note string `json:"note,omitempty" maxLength:"500" doc:"Why, for those who look at the versions"`
}

// A Forecast says what documents would change, for everybody, before they are
// stored. Somebody counts as changed where the new documents lead to something
// else than the present ones do.
type Forecast struct {
	Base      string            `json:"base" doc:"The configuration that it was made for; to be given to apply"`
	Summary   []string          `json:"summary" nullable:"false" doc:"The whole in a few lines"`
	Documents []DocumentChange  `json:"documents" nullable:"false" doc:"What becomes of each document"`
	People    int               `json:"people" doc:"People looked at"`
	Changed   int               `json:"changed" doc:"People of whom anything changes, in the directory or in a target"`
	Directory DirectoryForecast `json:"directory" doc:"What changes in the directory"`
	Targets   []TargetForecast  `json:"targets" nullable:"false" doc:"What changes in targets; those without any change are left out"`
	Examples  ExamplesRun       `json:"examples" doc:"Examples of the documents"`
}

// A DocumentChange is what would become of a document.
type DocumentChange struct {
	Name     string  `json:"name" doc:"System"`
	Action   string  `json:"action" enum:"created,changed,unchanged" doc:"What would happen"`
	Revision int64   `json:"revision" doc:"Revision that would be in force"`
	Diff     string  `json:"diff,omitempty" doc:"Unified diff of the text"`
	Notes    []Fault `json:"notes,omitempty" doc:"What could not be checked or foretold, or is odd but allowed"`
}

// A DirectoryForecast is what would change in the directory.
type DirectoryForecast struct {
	Made       AffectedPeople      `json:"made" doc:"People who would be made of records that make nobody now"`
	Lost       AffectedPeople      `json:"lost" doc:"People without a record in any source afterwards: they count as leavers"`
	Rejected   AffectedPeople      `json:"rejected" doc:"Records that the new rules cannot take: their people keep what they have"`
	Attributes []AttributeForecast `json:"attributes" nullable:"false" doc:"By attribute of people"`
}

// A TargetForecast is what would change in a target.
type TargetForecast struct {
	System     string              `json:"system" doc:"Target"`
	Classes    []ClassForecast     `json:"classes" nullable:"false" doc:"By class of change"`
	Attributes []AttributeForecast `json:"attributes" nullable:"false" doc:"By attribute; also container, name and groups"`
	Problems   AffectedPeople      `json:"problems" doc:"People with whom the new rules have a problem that the present ones do not have"`
	Notes      []string            `json:"notes,omitempty" doc:"What cannot be foretold"`
}

// A ClassForecast counts one class of change.
type ClassForecast struct {
	Class    string     `json:"class" doc:"create, modify, move, enable, disable, membership or delete"`
	People   int        `json:"people" doc:"For whom it would be done, and is not now"`
	Fewer    int        `json:"fewer" doc:"For whom it would no longer be done"`
	Takes    int        `json:"takes" doc:"Of people, where something is taken away or overwritten: what thresholds count"`
	Held     bool       `json:"held" doc:"All at once they break the threshold, and would be held"`
	Limit    string     `json:"limit" doc:"The threshold"`
	Examples []Affected `json:"examples" nullable:"false" doc:"Some of the people"`
}

// An AttributeForecast counts what becomes of one attribute.
type AttributeForecast struct {
	Attribute string     `json:"attribute" doc:"Attribute"`
	Gain      int        `json:"gain" doc:"People who get a value and have none"`
	Lose      int        `json:"lose" doc:"People whose value goes"`
	Change    int        `json:"change" doc:"People who get another value"`
	Examples  []Affected `json:"examples" nullable:"false" doc:"Some of them, those who lose it first"`
}

// AffectedPeople counts people, with examples.
type AffectedPeople struct {
	People   int        `json:"people" doc:"How many"`
	Examples []Affected `json:"examples" nullable:"false" doc:"Some of them"`
}

// Affected is one person in a forecast.
type Affected struct {
	Person  string   `json:"person" doc:"Key of the person, or place of a record"`
	Display string   `json:"display,omitempty" doc:"Name of the person"`
	Before  []string `json:"before,omitempty" doc:"Values as they are, or would become by the present documents"`
	After   []string `json:"after,omitempty" doc:"Values by the new ones"`
	Why     string   `json:"why,omitempty" doc:"The rule, or what is wrong"`
}

// ExamplesRun tells what became of the examples that documents carry.
type ExamplesRun struct {
	Run      int     `json:"run" doc:"How many there are"`
	Failures []Fault `json:"failures" nullable:"false" doc:"Those that do not hold"`
}

// AskTrial asks what documents that are not stored make of one person.
type AskTrial struct {
	Files  []File              `json:"files,omitempty" maxItems:"1000" doc:"Files of documents; those in force where there are none"`
	Person string              `json:"person" minLength:"1" doc:"Key of the person"`
	Record map[string][]string `json:"record,omitempty" doc:"Columns that shall have other values than their record has, in the source named by system"`
	System string              `json:"system,omitempty" doc:"Source whose record that is; may be left out where the person has only one"`
	At     time.Time           `json:"at,omitzero" doc:"Instant to look at; now where it is left out"`
}

// Replay asks what documents would have made of a past cycle.
type Replay struct {
	Files []File `json:"files,omitempty" maxItems:"1000" doc:"Files of documents; those in force where there are none"`
}

// A Trial is what documents make of one person: every rule with its outcome.
type Trial struct {
	Person   string         `json:"person" doc:"Key of the person"`
	Display  string         `json:"display" doc:"Name of the person as the documents have it"`
	Life     string         `json:"life" doc:"future, active or left"`
	At       time.Time      `json:"at" doc:"Instant looked at"`
	Records  []TriedRecord  `json:"records" nullable:"false" doc:"Records of the person, by source"`
	Values   []TriedValue   `json:"values" nullable:"false" doc:"Attributes of the person, all records together"`
	Accounts []TriedAccount `json:"accounts" nullable:"false" doc:"By target"`
}

// A TriedRecord is what a source's rules make of a record.
type TriedRecord struct {
	System  string       `json:"system" doc:"Source"`
	Record  string       `json:"record" doc:"Native id"`
	Place   string       `json:"place,omitempty" doc:"Address, such as a line of a file"`
	Columns []Term       `json:"columns" nullable:"false" doc:"What the record holds"`
	Values  []TriedValue `json:"values" nullable:"false" doc:"Every rule with its outcome"`
}

// A TriedAccount is what a target's rules make of a person's account.
type TriedAccount struct {
	System  string       `json:"system" doc:"Target"`
	Address string       `json:"address,omitempty" doc:"The account as it is; empty where there is none"`
	Scope   *TriedValue  `json:"scope,omitempty" doc:"The rule of the scope, true or false"`
	Values  []TriedValue `json:"values" nullable:"false" doc:"Every rule with its outcome"`
	Steps   []TriedStep  `json:"steps" nullable:"false" doc:"What would be done, in order"`
	Waits   []string     `json:"waits,omitempty" doc:"Keys of people whose accounts are waited for"`
	Alarms  []Alarm      `json:"alarms,omitempty" doc:"Instants at which it changes by itself"`
	Problem *Trouble     `json:"problem,omitempty" doc:"What stops it"`
	Notes   []string     `json:"notes,omitempty" doc:"What cannot be told"`
}

// A TriedStep is an operation.
type TriedStep struct {
	Class string `json:"class" doc:"Class of change"`
	Text  string `json:"text" doc:"What it does, one line"`
}

// A TriedValue is the outcome of one rule.
type TriedValue struct {
	Attribute string   `json:"attribute" doc:"What it is for"`
	Now       []string `json:"now,omitempty" doc:"What is there now"`
	Values    []string `json:"values,omitempty" doc:"What the rule gives; of a unique rule the candidates"`
	State     string   `json:"state" enum:"value,empty,absent,fault" doc:"empty: known to hold nothing, and clears; absent: says nothing, and changes nothing"`
	Changes   bool     `json:"changes" doc:"It differs from what is there, and would be written or taken"`
	Rule      *Rule    `json:"rule,omitempty" doc:"The rule"`
	Inputs    []Term   `json:"inputs,omitempty" doc:"What the rule looked at"`
	Fault     string   `json:"fault,omitempty" doc:"Why it gives nothing"`
	Note      string   `json:"note,omitempty" doc:"What else there is to know"`
}

// A SystemVersion is a document that is or was in force.
type SystemVersion struct {
	System   string    `json:"system" doc:"System"`
	Revision int64     `json:"revision" doc:"Revision"`
	Applied  time.Time `json:"applied" doc:"When it came into force"`
	By       string    `json:"by,omitempty" doc:"Who applied it"`
	Note     string    `json:"note,omitempty" doc:"Why"`
	Current  bool      `json:"current" doc:"It is in force"`
	Added    int       `json:"added" doc:"Lines added to the version before it"`
	Removed  int       `json:"removed" doc:"Lines removed from it"`
	Document string    `json:"document,omitempty" doc:"The document, where one version is asked for"`
}

// A VersionDiff compares two versions.
type VersionDiff struct {
	System string `json:"system" doc:"System"`
	From   int64  `json:"from" doc:"Revision compared with"`
	To     int64  `json:"to" doc:"Revision"`
	Diff   string `json:"diff" doc:"Unified diff; empty where they are the same"`
}

// A Rollback asks for an earlier version to be in force again.
type Rollback struct {
	Revision int64  `json:"revision" minimum:"1" doc:"Revision to go back to"`
	Note     string `json:"note,omitempty" maxLength:"500" doc:"Why"`
}

// Plan asks what the documents would change.
func (c *Client) Plan(ctx context.Context, files []File) (Forecast, error) {
	var out Forecast
	return out, c.Post(ctx, "/v1/configuration/plan", Configuration{files}, &out)
}

// ApplyAll stores the documents, all or none.
func (c *Client) ApplyAll(ctx context.Context, in NewConfiguration) (Applied, error) {
	var out Applied
	return out, c.Post(ctx, "/v1/configuration", in, &out)
}
