package sealed_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// No way of printing, nor of printing what holds it, may show a secret.
func TestSecret_cannotBePrinted(t *testing.T) {
	t.Parallel()
	const text = "hunter2-Zoë"
	s := sealed.New(text)
	holder := struct {
		Name string
		S    sealed.Secret
		P    *sealed.Secret
		M    map[string]sealed.Secret
	}{"svc", s, &s, map[string]sealed.Secret{"password": s}}

	var out bytes.Buffer
	for _, v := range []any{s, &s, holder, &holder, []sealed.Secret{s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("Bound", "secret", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("Bound", "secret", v)
	}
	for _, shown := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text)} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("printed %q in\n%s", shown, out.String())
		}
	}
	if got := s.Reveal(); got != text {
		t.Errorf("Reveal() = %q; want %q", got, text)
	}
}

func TestSeal_onlyRecipientsCanUnseal(t *testing.T) {
	t.Parallel()
	ours, theirs, stranger := identity(t), identity(t), identity(t)
	box, err := sealed.Seal(sealed.New("s3cret"), []string{ours.Recipient().String(), theirs.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(box, []byte("s3cret")) {
		t.Error("Seal() left the text readable")
	}
	for _, id := range []age.Identity{ours, theirs} {
		if got, err := sealed.Unseal(box, id); err != nil || got.Reveal() != "s3cret" {
			t.Errorf("Unseal() = %q, %v; want %q, nil", got.Reveal(), err, "s3cret")
		}
	}
	if _, err := sealed.Unseal(box, stranger); err == nil {
		t.Error("Unseal() by a stranger = nil error; want one")
	}
	box[len(box)-1] ^= 1
	if got, err := sealed.Unseal(box, ours); err == nil || !got.IsZero() {
		t.Errorf("Unseal(damaged) = %q, %v; want nothing and an error", got.Reveal(), err)
	}
}

func TestSeal_namesWhatIsWrong(t *testing.T) {
	t.Parallel()
	if _, err := sealed.Seal(sealed.New("x"), nil); !errors.Is(err, sealed.ErrNoRecipient) {
		t.Errorf("Seal(no recipient) = %v; want ErrNoRecipient", err)
	}
	if _, err := sealed.Seal(sealed.New("x"), []string{"age1oops"}); err == nil || !strings.Contains(err.Error(), `"age1oops"`) {
		t.Errorf("Seal(age1oops) = %v; want an error that names it", err)
	}
}

func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}
