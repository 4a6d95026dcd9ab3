package mapping

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What is written by hand is what encoding/json reads, whatever is in it.
func TestAppendReasons(t *testing.T) {
	t.Parallel()
	texts := rapid.SliceOfN(rapid.String(), 1, 3)
	inputs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Input {
		return Input{Name: rapid.String().Draw(t, "name"), Value: rapid.String().Draw(t, "value")}
	}), 1, 3)
	reason := rapid.Custom(func(t *rapid.T) Reason {
		r := Reason{Attribute: rapid.String().Draw(t, "attribute"), Rule: rapid.String().Draw(t, "rule"), Line: rapid.Int().Draw(t, "line")}
		if rapid.Bool().Draw(t, "all") {
			r.Before, r.After, r.From, r.Note = texts.Draw(t, "before"), texts.Draw(t, "after"), inputs.Draw(t, "from"), rapid.String().Draw(t, "note")
		}
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(reason, 1, 4).Draw(t, "reasons")
		text := AppendReasons([]byte("x"), want)[1:]
		var got []Reason
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
	if got := string(AppendReasons(nil, nil)); got != "[]" {
		t.Errorf("no reasons are %s", got)
	}
}
