package mapping

// A Reason tells where one value comes from.
type Reason struct {
	Attribute string   `json:"attribute"`
	Before    []string `json:"before,omitempty"`
	After     []string `json:"after,omitempty"`
	// Rule is the text of the expression, or words where none was evaluated.
	Rule string `json:"rule"`
	// Line of the rule in the document; 0: no rule of the document.
	Line int `json:"line,omitempty"`
	// From is what the expression read.
	From []Input `json:"from,omitempty"`
	// Note says what else there is to know: "waits for the account of E100", "kept".
	Note string `json:"note,omitempty"`
}

// An Input is an attribute that an expression read, and what it held.
type Input struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
