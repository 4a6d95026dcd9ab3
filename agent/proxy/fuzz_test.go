package proxy

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"testing"

	"github.com/Azure/go-ntlmssp"
)

// Whatever a proxy answers, and whatever it sends as the challenge of NTLM, the agent lives on.
func FuzzAnswer(f *testing.F) {
	refused := "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM %s\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
	for _, c := range [][]byte{challenge("CORP", true), challenge("CORP", false), challenge("", true)[:40], {}} {
		f.Add([]byte(refused[:bytes.IndexByte([]byte(refused), '%')] + base64.StdEncoding.EncodeToString(c) + refused[bytes.IndexByte([]byte(refused), '%')+2:]))
	}
	f.Add([]byte("HTTP/1.0 200 OK\r\n\r\n"))
	f.Add([]byte("SSH-2.0-OpenSSH_9.7\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), &http.Request{Method: http.MethodConnect})
		if err != nil {
			return
		}
		if offered := schemes(answer); slices.Contains(offered, "") {
			t.Errorf("schemes() = %q; want none without a name", offered)
		}
		if c := challengeOf(answer); c != nil {
			_, _ = ntlmssp.NewAuthenticateMessage(c, `CORP\svc-drawbridge`, "secret", nil) // what it makes of nonsense is the proxy's to refuse
		}
	})
}

// challenge is a CHALLENGE_MESSAGE (MS-NLMP 2.2.1.2) of a domain.
func challenge(domain string, info bool) []byte {
	name := []byte(domain)
	flags := uint32(0x00028205) // Unicode, NTLM, target name, always sign
	var pairs []byte
	if info {
		flags |= 0x00800000
		for _, r := range domain {
			pairs = binary.LittleEndian.AppendUint16(pairs, uint16(r))
		}
		pairs = slices.Concat([]byte{2, 0, byte(len(pairs)), 0}, pairs, []byte{7, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8}, []byte{0, 0, 0, 0})
	}
	const head = 48
	m := append([]byte("NTLMSSP\x00"), 2, 0, 0, 0)
	field := func(n, at int) {
		m = binary.LittleEndian.AppendUint16(m, uint16(n))
		m = binary.LittleEndian.AppendUint16(m, uint16(n))
		m = binary.LittleEndian.AppendUint32(m, uint32(at))
	}
	field(len(name), head)
	m = binary.LittleEndian.AppendUint32(m, flags)
	m = append(m, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0)
	field(len(pairs), head+len(name))
	return slices.Concat(m, name, pairs)
}
