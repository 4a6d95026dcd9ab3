package mapping

import (
	"strconv"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

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

// AppendReasons appends reasons as JSON, just as encoding/json reads and writes
// them, in a third of its time: every job that is planned has some.
func AppendReasons(dst []byte, reasons []Reason) []byte {
	return appendList(dst, reasons, func(dst []byte, r Reason) []byte {
		dst = directory.AppendString(append(dst, `{"attribute":`...), r.Attribute)
		if len(r.Before) > 0 {
			dst = appendList(append(dst, `,"before":`...), r.Before, directory.AppendString)
		}
		if len(r.After) > 0 {
			dst = appendList(append(dst, `,"after":`...), r.After, directory.AppendString)
		}
		dst = directory.AppendString(append(dst, `,"rule":`...), r.Rule)
		if r.Line != 0 {
			dst = strconv.AppendInt(append(dst, `,"line":`...), int64(r.Line), 10)
		}
		if len(r.From) > 0 {
			dst = appendList(append(dst, `,"from":`...), r.From, appendInput)
		}
		if r.Note != "" {
			dst = directory.AppendString(append(dst, `,"note":`...), r.Note)
		}
		return append(dst, '}')
	})
}

func appendInput(dst []byte, in Input) []byte {
	dst = directory.AppendString(append(dst, `{"name":`...), in.Name)
	dst = directory.AppendString(append(dst, `,"value":`...), in.Value)
	return append(dst, '}')
}

func appendList[T any](dst []byte, list []T, item func([]byte, T) []byte) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = item(dst, v)
	}
	return append(dst, ']')
}
