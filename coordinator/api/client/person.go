package client

import "time"

// PersonLine is a person in a list.
type PersonLine struct {
	Key      string    `json:"key" doc:"Value that sources and accounts know the person by"`
	Display  string    `json:"display" doc:"Name to show"`
	Kind     string    `json:"kind,omitempty" doc:"group, where it is one; else it is a person"`
	Life     string    `json:"life" doc:"future, active or left"`
	Changed  time.Time `json:"changed" doc:"When an attribute last changed"`
	Accounts []string  `json:"accounts" doc:"Systems with an account"`
}

// Person explains a person: what is known from where, and of each account
// every value: the record it stems from, the rule, and when it was written.
type Person struct {
	ID         string      `json:"id" doc:"The coordinator's own identifier"`
	Key        string      `json:"key" doc:"Value that sources and accounts know the person by"`
	Display    string      `json:"display" doc:"Name to show"`
	Life       string      `json:"life" doc:"future, active or left"`
	Made       time.Time   `json:"made" doc:"When first heard of"`
	Changed    time.Time   `json:"changed" doc:"When an attribute last changed"`
	Due        string      `json:"due,omitempty" doc:"Why they are about to be looked at"`
	Alarms     []Alarm     `json:"alarms" doc:"Instants ahead at which something changes by itself"`
	Attributes []Attribute `json:"attributes" doc:"What is known"`
	Accounts   []Account   `json:"accounts" doc:"By system, also where one is only wanted"`
}

// An Alarm is an instant at which something changes by itself.
type Alarm struct {
	At  time.Time `json:"at" doc:"When"`
	Why string    `json:"why" doc:"What happens"`
}

// Attribute is one thing known of a person.
type Attribute struct {
	Path   string   `json:"path" doc:"SCIM path"`
	Values []string `json:"values" doc:"Empty when known to hold nothing"`
	Origin *Origin  `json:"origin,omitempty" doc:"Where it comes from"`
	Others []Other  `json:"others,omitempty" doc:"What other records say of it, and what was not taken"`
}

// An Other is what a record says that another one overrules.
type Other struct {
	Values []string `json:"values" doc:"What it says; empty when it knows that there is nothing"`
	Origin *Origin  `json:"origin" doc:"Where it stands"`
}

// Origin is a place in a source and the rule that read it.
type Origin struct {
	System string `json:"system" doc:"Source"`
	Record string `json:"record" doc:"Native id of the record there"`
	Place  string `json:"place,omitempty" doc:"Address of the record, such as a line of a file"`
	Inputs []Term `json:"inputs" doc:"What the rule looked at"`
	Rule   *Rule  `json:"rule,omitempty" doc:"The rule"`
}

// A Term is a name and what it held.
type Term struct {
	Name  string `json:"name" doc:"Column, attribute or path"`
	Value string `json:"value" doc:"What it held"`
}

// A Rule is a line of a system's document.
type Rule struct {
	Document string `json:"document" doc:"System whose document it is in"`
	Line     int    `json:"line,omitempty" doc:"Line of the document"`
	Text     string `json:"text" doc:"The expression"`
}

// Account explains an account, or one that is only wanted.
type Account struct {
	System    string       `json:"system" doc:"System"`
	Class     string       `json:"class,omitempty" doc:"Class of the object"`
	ID        string       `json:"id,omitempty" doc:"Native id; empty while there is none"`
	Address   string       `json:"address,omitempty" doc:"Where it is now, such as its DN"`
	State     string       `json:"state" doc:"present, home (their own record in a system of both ways, which is left as it is), missing (not yet believed), gone, or wanted"`
	Enabled   string       `json:"enabled,omitempty" doc:"yes or no, where the system says so"`
	Changed   time.Time    `json:"changed,omitzero" doc:"When it last changed as far as is known"`
	Values    []Value      `json:"values" doc:"Every value that a rule speaks of"`
	Groups    []Membership `json:"groups,omitempty" doc:"Every group that it is in, or is wanted in, and why"`
	Strangers []Stranger   `json:"strangers,omitempty" doc:"Of a group: what is in it and nobody's account, the first 50"`
	Waits     []string     `json:"waits" doc:"Keys of people whose accounts are waited for"`
	Open      []Job        `json:"open" doc:"Jobs under way"`
	Problem   *Obstacle    `json:"problem,omitempty" doc:"What stops it"`
	Drift     []Drift      `json:"drift" nullable:"false" doc:"Where it is known to be other than the rules want, and let be, or being put back"`
}

// Membership explains one group that an account is in, or is wanted in.
type Membership struct {
	Group         string `json:"group" doc:"Name of the group"`
	ID            string `json:"id,omitempty" doc:"Its native id; empty while it is not there"`
	In            bool   `json:"in" doc:"The account is in it, as far as is known"`
	Wanted        bool   `json:"wanted" doc:"A rule wants it in there"`
	Ours          bool   `json:"ours" doc:"Drawbridge put it in"`
	Authoritative bool   `json:"authoritative" doc:"Only members by rule remain in the group; else others may put in whom they like"`
	Rule          *Rule  `json:"rule,omitempty" doc:"The rule that wants it"`
	From          string `json:"from,omitempty" doc:"Key of the directory's group, where it is one: of a source, or made by the rule"`
	State         string `json:"state" enum:"wanted,missing,leaving,others,let" doc:"wanted: as a rule wants it; missing: wanted, and not so yet; leaving: no rule wants it any more; others: nobody but others speaks of it; let: somebody decided to let it be"`
	Why           string `json:"why" doc:"The same in words, with what others did"`
}

// A Stranger is an object in a group that is nobody's account.
type Stranger struct {
	ID      string `json:"id" doc:"Native id"`
	Class   string `json:"class" doc:"Class of the object"`
	Address string `json:"address,omitempty" doc:"Where it is"`
	Leaves  bool   `json:"leaves" doc:"It is taken out: only members by rule remain in the group"`
}

// Value explains one attribute of an account.
type Value struct {
	Attribute string   `json:"attribute" doc:"Name as the system spells it"`
	Values    []string `json:"values" doc:"What it holds there"`
	Want      []string `json:"want,omitempty" doc:"What it shall hold, where that differs"`
	People    []Holder `json:"people,omitempty" doc:"Whose accounts the values name, as far as that is known"`
	Others    []string `json:"others,omitempty" doc:"Of an additive rule: those of the values that others wrote, which stay"`
	Rule      *Rule    `json:"rule,omitempty" doc:"The rule that wants it"`
	Inputs    []Input  `json:"inputs" doc:"What the rule looked at"`
	Written   *Written `json:"written,omitempty" doc:"When Drawbridge wrote it; absent when it was there before"`
	Pending   string   `json:"pending,omitempty" doc:"Why it is not as wanted yet"`
}

// A Holder is a person whose account a value names.
type Holder struct {
	Value   string `json:"value" doc:"Id of the account"`
	Key     string `json:"key" doc:"Key of the person"`
	Display string `json:"display" doc:"Name to show"`
}

// An Input is something known of the person that a rule looked at.
type Input struct {
	Term
	Origin *Origin `json:"origin,omitempty" doc:"Where it comes from"`
}

// Written says when and by whom a value was written.
type Written struct {
	At     time.Time `json:"at" doc:"When the result was committed"`
	Job    int64     `json:"job" doc:"Job"`
	Agent  string    `json:"agent,omitempty" doc:"Agent's host"`
	Server string    `json:"server,omitempty" doc:"Server that was written to"`
}
