package sql_test

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// cutting forwards to a server until the client sends the word; then the client
// hears no more, and the server only what came before if swallow is set.
func cutting(t *testing.T, server string, word *atomic.Pointer[string], swallow bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go forward(client, server, word, swallow)
		}
	}()
	return l.Addr().String()
}

func forward(client net.Conn, server string, word *atomic.Pointer[string], swallow bool) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close()
	var deaf atomic.Bool
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := upstream.Read(buf)
			if err != nil || deaf.Load() {
				client.Close()
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 1<<16)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if w := word.Load(); w != nil && bytes.Contains(bytes.ToLower(buf[:n]), []byte(*w)) {
			deaf.Store(true)
			if swallow {
				return
			}
			_, _ = upstream.Write(buf[:n])
			_, _ = io.Copy(io.Discard, client) // until the other direction has closed it
			return
		}
		if _, err := upstream.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A connection that is lost while the change is committed leaves it unknown,
// whether or not it happened; one that is lost before has changed nothing. The
// repetition finds what is there, and makes no second row.
func TestWrite_lostConnection(t *testing.T) {
	t.Parallel()
	for name, start := range peers() {
		if name == "sqlite" {
			continue // it has no connection
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.tables(t)
			server := p.settings["server"].(string)
			p.settings["tls"] = "off"
			create := &connectorv1.Operation{Class: "account", Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{Name: "eve", Enabled: true,
				Attributes: []*connectorv1.Attribute{{Name: "login", Values: []string{"eve"}}, {Name: "number", Values: []string{"9"}}}, Anchor: &connectorv1.Attribute{Name: "number", Values: []string{"9"}}}}}
			count := func(login string) (n int) {
				if err := p.db.QueryRow("SELECT count(*) FROM accounts WHERE login = '" + login + "'").Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			for _, c := range []struct {
				word      string
				swallow   bool
				outcome   connectorv1.Outcome
				unchanged bool
			}{
				{"insert", true, connectorv1.Outcome_OUTCOME_UNAVAILABLE, false},
				{"commit", true, connectorv1.Outcome_OUTCOME_UNKNOWN, false},
				{"commit", false, connectorv1.Outcome_OUTCOME_UNKNOWN, true},
			} {
				p.exec(t, "DELETE FROM accounts WHERE login = 'eve'")
				var word atomic.Pointer[string]
				p.settings["server"] = cutting(t, server, &word, c.swallow)
				client := p.open(t)
				word.Store(&c.word)
				if r := apply(t, client, create); r.GetOutcome() != c.outcome {
					t.Errorf("cut at %s: %v; want %v", c.word, r, c.outcome)
				}
				word.Store(nil)
				if r := apply(t, client, create); r.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE || r.GetUnchanged() != c.unchanged || r.GetObject().GetId() == "" || count("eve") != 1 {
					t.Errorf("again after a cut at %s: %v, %d rows; want DONE, unchanged %v and one row", c.word, r, count("eve"), c.unchanged)
				}
			}
		})
	}
}
