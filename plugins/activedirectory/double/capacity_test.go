package double_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ber"
)

// BenchmarkServer sends adds that were encoded beforehand, as fast as the
// connections take them, so that what it measures is the server alone.
func BenchmarkServer(b *testing.B) {
	const conns = 4
	s := start(b, double.Options{})
	ou := "OU=Staff," + s.BaseDN
	addOU(b, dial(b, s), ou)
	streams := make([][]byte, conns)
	for i := range b.N {
		streams[i%conns] = appendAdd(streams[i%conns], int64(i+2), userAttributes(i, ou))
	}
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, stream := range streams {
		c, err := tls.Dial("tcp", strings.TrimPrefix(s.LDAPS, "ldaps://"), &tls.Config{RootCAs: s.CA})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(appendBind(nil, s.AdminDN, s.AdminPassword)); err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			if _, err := c.Write(stream); err != nil {
				b.Error(err)
			}
		})
		wants := 1 + b.N/conns
		if i < b.N%conns {
			wants++
		}
		wg.Go(func() {
			if err := readAnswers(bufio.NewReaderSize(c, 1<<16), wants); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "adds/s")
}

// readAnswers reads n answers and refuses any that is not success.
func readAnswers(r *bufio.Reader, n int) error {
	for range n {
		head, err := r.Peek(6)
		if err != nil {
			return err
		}
		_, hl, bl, err := ber.Header(head)
		if err != nil {
			return err
		}
		msg := make([]byte, hl+bl)
		if _, err := io.ReadFull(r, msg); err != nil {
			return err
		}
		_, rest, err := ber.Expect(string(msg[hl:]), ber.Integer)
		if err != nil {
			return err
		}
		_, body, _, err := ber.Read(rest)
		if err != nil {
			return err
		}
		code, _, err := ber.Expect(body, ber.Enumerated)
		if err != nil || ber.Int(code) != 0 {
			return fmt.Errorf("result %d: %q, %w", ber.Int(code), body, err)
		}
	}
	return nil
}

func userAttributes(i int, ou string) [][]string {
	a := [][]string{{fmt.Sprintf("CN=Test User %d,%s", i, ou)}}
	for _, at := range userRequest(ou, i).Attributes {
		a = append(a, append([]string{at.Type}, at.Vals...))
	}
	return a
}

// appendAdd encodes an AddRequest: the name, then each attribute with its
// values.
func appendAdd(dst []byte, id int64, entry [][]string) []byte {
	dst, msg := ber.Begin(dst, ber.Sequence)
	dst = ber.AppendInt(dst, ber.Integer, id)
	dst, op := ber.Begin(dst, 0x68)
	dst = ber.Append(dst, ber.Octets, entry[0][0])
	dst, list := ber.Begin(dst, ber.Sequence)
	for _, a := range entry[1:] {
		var one, set int
		dst, one = ber.Begin(dst, ber.Sequence)
		dst = ber.Append(dst, ber.Octets, a[0])
		dst, set = ber.Begin(dst, ber.Set)
		for _, v := range a[1:] {
			dst = ber.Append(dst, ber.Octets, v)
		}
		dst = ber.End(dst, set)
		dst = ber.End(dst, one)
	}
	dst = ber.End(dst, list)
	dst = ber.End(dst, op)
	return ber.End(dst, msg)
}

func appendBind(dst []byte, name, pw string) []byte {
	dst, msg := ber.Begin(dst, ber.Sequence)
	dst = ber.AppendInt(dst, ber.Integer, 1)
	dst, op := ber.Begin(dst, 0x60)
	dst = ber.AppendInt(dst, ber.Integer, 3)
	dst = ber.Append(dst, ber.Octets, name)
	dst = ber.Append(dst, 0x80, pw)
	dst = ber.End(dst, op)
	return ber.End(dst, msg)
}
