package entra

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/google/uuid"
)

// number reads a whole number; &H begins a hexadecimal one.
func number(v any) (int64, error) {
	s := strings.TrimSpace(Text(v))
	digits, base := s, 10
	if rest, ok := strings.CutPrefix(strings.ToUpper(s), "&H"); ok {
		digits, base = rest, 16
	}
	n, err := strconv.ParseInt(digits, base, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", s)
	}
	return n, nil
}

func bitAnd(a ...any) (any, error) {
	x, err := number(a[0])
	if err != nil {
		return nil, err
	}
	y, err := number(a[1])
	return x & y, err
}

// truth reads what Entra takes for true: True, and every number but 0.
func truth(v any) (bool, error) {
	s := strings.TrimSpace(Text(v))
	switch {
	case s == "", strings.EqualFold(s, "false"):
		return false, nil
	case strings.EqualFold(s, "true"):
		return true, nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false nor a number", s)
	}
	return n != 0, nil
}

// not gives "False" for a true text and "True" for any other.
func not(a ...any) (any, error) { return Text(!strings.EqualFold(Text(a[0]), "true")), nil }

// and, or and xor are not Entra's, whose IIF knows no connection of conditions;
// they read truth as it does.
func and(a ...any) (any, error) {
	for _, v := range a {
		if yes, err := truth(v); err != nil || !yes {
			return false, err
		}
	}
	return true, nil
}

func or(a ...any) (any, error) {
	for _, v := range a {
		if yes, err := truth(v); err != nil || yes {
			return yes, err
		}
	}
	return false, nil
}

func xor(a ...any) (any, error) {
	x, err := truth(a[0])
	if err != nil {
		return false, err
	}
	y, err := truth(a[1])
	return x != y, err
}

// iif takes a condition without a value for false.
func iif(a ...any) (any, error) {
	yes, err := truth(a[0])
	if err != nil {
		return nil, err
	}
	v := a[2]
	if yes {
		v = a[1]
	}
	if l, ok := v.([]string); ok {
		return l, nil
	}
	return Text(v), nil
}

func coalesce(a ...any) (any, error) {
	for _, v := range a {
		if s := Text(v); s != "" {
			return s, nil
		}
	}
	return "", nil
}

// switchText gives the value behind the key that equals the first argument in
// every letter's case, else the second argument.
func switchText(a ...any) (any, error) {
	if len(a) < 4 || len(a)%2 != 0 {
		return nil, fmt.Errorf("a Switch wants a text, what to give otherwise, and then pairs of key and value; it has %d arguments", len(a))
	}
	for i := 2; i < len(a); i += 2 {
		if Text(a[i]) == Text(a[0]) {
			return Text(a[i+1]), nil
		}
	}
	return Text(a[1]), nil
}

// item counts from 1, and gives nothing beyond the end.
func item(a ...any) (any, error) {
	n, err := number(a[1])
	if err != nil {
		return nil, err
	}
	if l := values(a[:1]); n >= 1 && n <= int64(len(l)) {
		return l[n-1], nil
	}
	return "", nil
}

func removeDuplicates(a ...any) (any, error) {
	var out []string
	for _, s := range values(a[:1]) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out, nil
}

// split leaves the space around the parts out.
func split(a ...any) (any, error) {
	var out []string
	for _, part := range strings.Split(Text(a[0]), Text(a[1])) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out, nil
}

// base64Text gives the base64 of the text in UTF-16, low byte first.
func base64Text(a ...any) (any, error) {
	var b []byte
	for _, unit := range utf16.Encode([]rune(Text(a[0]))) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

func utf8Hex(a ...any) (any, error) {
	return strings.ToUpper(hex.EncodeToString([]byte(Text(a[0])))), nil
}

func guid(...any) (any, error) { return uuid.NewString(), nil }

// The characters of RandomString: those that Windows counts for the complexity
// of a password.
const (
	digits   = "0123456789"
	specials = "~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/"
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	smalls   = "abcdefghijklmnopqrstuvwxyz"
)

// longestRandom is the greatest length of a random text.
const longestRandom = 256

// randomString takes the length, the least number of digits, specials,
// capitals and small letters, and characters to avoid. The rest is of the kinds
// that were asked for, of all kinds where none was.
func randomString(a ...any) (any, error) {
	var n [5]int64
	for i := range n {
		var err error
		if n[i], err = number(a[i]); err != nil {
			return nil, err
		}
		if n[i] < 0 || n[i] > longestRandom {
			return nil, fmt.Errorf("RandomString takes numbers from 0 to %d, not %d", longestRandom, n[i])
		}
	}
	avoid := ""
	if len(a) > 5 {
		avoid = Text(a[5])
	}
	length, least := n[0], n[1:]
	var out []byte
	all := ""
	for i, kind := range []string{digits, specials, capitals, smalls} {
		kind = strings.Map(func(r rune) rune {
			if strings.ContainsRune(avoid, r) {
				return -1
			}
			return r
		}, kind)
		if least[i] > 0 && kind == "" {
			return nil, fmt.Errorf("RandomString shall avoid %q and yet use them", avoid)
		}
		for range least[i] {
			out = append(out, kind[random(len(kind))])
		}
		if least[i] > 0 || least[0]+least[1]+least[2]+least[3] == 0 {
			all += kind
		}
	}
	if int64(len(out)) > length || all == "" && length > 0 {
		return nil, fmt.Errorf("a random text of %d characters has no room for the %d that are asked for", length, len(out))
	}
	for int64(len(out)) < length {
		out = append(out, all[random(len(all))])
	}
	for i := len(out) - 1; i > 0; i-- {
		j := random(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return string(out), nil
}

// random gives a number from 0 to n-1 that nobody can foretell.
func random(n int) int {
	r, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // crypto/rand does not fail where Go runs
	}
	return int(r.Int64())
}
