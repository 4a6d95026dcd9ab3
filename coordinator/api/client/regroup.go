package client

import "time"

// A MergeAsk asks for two people to be made one.
type MergeAsk struct {
	Into    string `json:"into" minLength:"1" maxLength:"500" doc:"Key of the person who stays"`
	Preview bool   `json:"preview,omitempty" doc:"Only say what would change"`
}

// A SplitAsk asks for a person to be made two.
type SplitAsk struct {
	Records []Belonging `json:"records" minItems:"1" maxItems:"100" doc:"Records, and accounts, that become a new person's: system and id of each count"`
	Preview bool        `json:"preview,omitempty" doc:"Only say what would change"`
}

// An UnmergeAsk asks for a merge or split to be taken back.
type UnmergeAsk struct {
	Preview bool `json:"preview,omitempty" doc:"Only say what would change"`
}

// A Belonging is a record or account that is somebody's.
type Belonging struct {
	System string `json:"system" doc:"System it is in"`
	ID     string `json:"id" doc:"Native id"`
	Place  string `json:"place,omitempty" doc:"Where it is there"`
	Kind   string `json:"kind,omitempty" enum:"record,account" doc:"Whether it tells of the person or is kept for them"`
	Key    string `json:"key,omitempty" doc:"Key of the person, as a record says it"`
	Gone   bool   `json:"gone,omitempty" doc:"It is no more there"`
}

// Regrouped is what a merge or a split changed, or would change.
type Regrouped struct {
	ID       int64             `json:"id" doc:"Number to undo it by; 0: it is a preview"`
	Kind     string            `json:"kind" enum:"merge,split,undo" doc:"What was done"`
	Moved    []Belonging       `json:"moved" nullable:"false" doc:"Records and accounts that change hands"`
	LetGo    []Belonging       `json:"let_go" nullable:"false" doc:"Accounts beside one that counts: nobody's, and left as they are"`
	Keys     []string          `json:"keys" nullable:"false" doc:"Keys that change hands"`
	People   []RegroupedPerson `json:"people" nullable:"false" doc:"The people as they are then"`
	Previews bool              `json:"preview" doc:"Nothing was done"`
}

// A RegroupedPerson is somebody as a merge or split leaves them.
type RegroupedPerson struct {
	Key     string            `json:"key" doc:"Key of the person"`
	Display string            `json:"display" doc:"Name to show"`
	Changes []AttributeChange `json:"changes" nullable:"false" doc:"Attributes that differ from before"`
	Steps   []RegroupStep     `json:"steps" nullable:"false" doc:"What is then done at the targets, thresholds and approvals aside"`
}

// An AttributeChange is an attribute of a person before and after.
type AttributeChange struct {
	Path   string   `json:"path" doc:"Attribute"`
	Before []string `json:"before" nullable:"false" doc:"Values before"`
	After  []string `json:"after" nullable:"false" doc:"Values after"`
}

// A RegroupStep is one operation at a target.
type RegroupStep struct {
	System string `json:"system" doc:"Target"`
	Class  string `json:"class" doc:"Class of change; problem where it cannot be"`
	Text   string `json:"text" doc:"What is done"`
}

// A Merge is a merge or split that was done.
type Merge struct {
	ID       int64     `json:"id" doc:"Number"`
	Kind     string    `json:"kind" enum:"merge,split" doc:"What was done"`
	At       time.Time `json:"at" doc:"When"`
	Who      string    `json:"who" doc:"By whom"`
	Person   string    `json:"person" doc:"Key of who stays"`
	Other    string    `json:"other" doc:"Key of who was merged into them, or split off"`
	Moved    int       `json:"moved" doc:"Records and accounts that changed hands"`
	LetGo    int       `json:"let_go" doc:"Accounts that were let go"`
	Undone   time.Time `json:"undone,omitzero" doc:"When it was taken back"`
	UndoneBy string    `json:"undone_by,omitempty" doc:"By whom"`
}
