package scim

import (
	"encoding/json"
	"testing"
)

// Whatever is pushed as a User: it is refused, or it can be written out again and read as the same.
func FuzzUser(f *testing.F) {
	for _, text := range []string{
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"ann","externalId":"E1","name":{"givenName":"Ann","familyName":"Lee"},"emails":[{"value":"a@x","type":"work","primary":"True"}],"active":"false","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"E2"}}}`,
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":null}`, `{"schemas":"x"}`, `{}`, `[]`, `{"schemas":["URN:IETF:params:scim:schemas:core:2.0:user"],"USERNAME":"a","userName":"b"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		user, err := parseUser(text)
		if err != nil {
			return
		}
		user["schemas"] = []any{coreUser} // which is not kept
		first, err := json.Marshal(user)
		if err != nil {
			t.Fatalf("a User that was taken cannot be stored: %v", err)
		}
		columns(user)
		again, err := parseUser(first)
		if err != nil {
			t.Fatalf("a User that was taken and stored is not taken again: %v: %s", err, first)
		}
		again["schemas"] = []any{coreUser}
		if second, err := json.Marshal(again); err != nil || string(second) != string(first) {
			t.Errorf("stored again it is %s, %v; want %s", second, err, first)
		}
	})
}
