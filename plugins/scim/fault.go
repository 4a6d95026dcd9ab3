package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
)

// errTaken says that a name belongs to another object, or to this one already.
var errTaken = errors.New("a name is taken")

// scimError is the body of a refusal (RFC 7644, 3.12); servers that deviate
// put the same elsewhere.
type scimError struct {
	ScimType string `json:"scimType"`
	Detail   string `json:"detail"`
	Message  string `json:"message"`
}

// refusal is the fault of an answer that is no success, and closes it.
func (s *System) refusal(answer *web.Answer, r web.Request) *sdk.Error {
	text, err := answer.Bytes()
	if err != nil {
		text = nil // the status says enough
	}
	return s.refused(answer.Status, text, r)
}

func (s *System) refused(status int, text []byte, r web.Request) *sdk.Error {
	var said scimError
	_ = json.Unmarshal(text, &said) // what is no error of SCIM is shown as it is
	e := s.verdict(status, said, r)
	e.Object = r.Object
	e.Raw = strings.TrimSpace(fmt.Sprintf("HTTP %d %s", status, excerpt(text)))
	if said.Detail != "" || said.ScimType != "" {
		e.Raw = strings.TrimSpace(fmt.Sprintf("HTTP %d %s: %s", status, said.ScimType, excerpt([]byte(said.Detail))))
	}
	return e
}

// blame names the attribute that a refused write is about: the one of those
// written that the server's words name, or the only one. Only then can the rest be
// written without it. RFC 7644 has no field for it.
func blame(err error, written []string) error {
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || e.Attribute != "" || e.Outcome != sdk.OutcomeInvalid {
		return err
	}
	words := strings.FieldsFunc(strings.ToLower(e.Raw), func(r rune) bool {
		return !(r == '.' || r == ':' || r == '_' || r == '-' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r))
	})
	best := ""
	for _, name := range written {
		last := name[strings.LastIndexByte(name, ':')+1:]
		for _, word := range words {
			word = strings.Trim(word, ".:-")
			if len(name) > len(best) && (strings.EqualFold(word, name) || strings.HasSuffix(":"+word, ":"+strings.ToLower(last))) {
				best = name
			}
		}
	}
	if best == "" && len(written) == 1 {
		best = written[0]
	}
	e.Attribute = best
	return err
}

func (s *System) verdict(status int, said scimError, r web.Request) *sdk.Error {
	host := s.client.Host()
	why := orElse(said.Detail, said.Message)
	if why != "" {
		why = ": " + excerpt([]byte(why))
	}
	refuses := fmt.Sprintf("%s refuses to %s (%d)%s", host, r.Doing, status, why)
	switch {
	case said.ScimType == "uniqueness", status == http.StatusConflict, status == http.StatusBadRequest && s.dialect.Taken == "400" && strings.Contains(strings.ToLower(why), "exist"):
		e := sdk.Conflict(fmt.Sprintf("%s says that the name is taken (%d)%s", host, status, why), "Another value is tried; if it is the same person, let the mapping match the account.")
		e.Err = errTaken
		return e
	case status == http.StatusPreconditionFailed:
		return sdk.Conflict("somebody changed the object meanwhile (412)", "Nothing: it is planned again from what is there.")
	case said.ScimType == "noTarget":
		return sdk.Conflict(refuses, "Nothing: it is planned again from what is there.")
	case said.ScimType == "tooMany":
		return sdk.Invalid(refuses, "Read less at a time, or have the server's limit raised.")
	case said.ScimType == "mutability":
		return sdk.Invalid(refuses, "Take the attribute out of the mapping, or write it only when the object is made (apply: create).")
	case status == http.StatusForbidden:
		return sdk.Denied(refuses, "Give the account or token of this system the right to "+r.Doing+".")
	case status == http.StatusNotFound && strings.Count(strings.Trim(r.Path, "/"), "/") == 0:
		return sdk.Invalid(fmt.Sprintf("%s has nothing at %s (404)%s", host, r.Path, why), "Put the base address of the SCIM interface into url: what stands before /Users.")
	case status == http.StatusNotFound, status == http.StatusGone:
		return sdk.NotFound(fmt.Sprintf("%s does not have the object any more (%d)", host, status), "Nothing: it is read and planned again.")
	case status == http.StatusMethodNotAllowed, status == http.StatusNotImplemented:
		return sdk.Invalid(fmt.Sprintf("%s cannot %s (%d)%s", host, r.Doing, status, why), "Choose the dialect or the deviation that fits the server.")
	case status == http.StatusRequestEntityTooLarge:
		return sdk.Invalid(refuses, "Set a smaller member_batch, or have the server's limit raised.")
	case status >= 500 && (r.Safe || r.Method == "" || r.Method == http.MethodGet):
		return sdk.Unavailable(fmt.Sprintf("%s failed to %s (%d)%s", host, r.Doing, status, why), "Nothing: it is tried again by itself; look at the server if it goes on.")
	case status >= 500:
		return sdk.Unknown(fmt.Sprintf("%s failed to %s (%d)%s", host, r.Doing, status, why), "Nothing: the object is read again before anything else is done to it; look at the server if it goes on.")
	}
	return sdk.Invalid(refuses, "Correct the value in the source or the rule in the mapping; the server's words say which.")
}
