package fake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Moody is the name of the connector whose mood a test changes while it runs:
// the same directory, which does to every call what stands in the file beside
// its state file, for as long as it stands there. See [MoodFile].
const Moody = "moody"

// The moods. Of what was done in one, the directory holds what it says it does.
const (
	Hangs   = "hang"      // no call comes to an end
	Crashes = "crash"     // the process ends: before an operation, after it, in the middle of a read
	Floods  = "flood"     // every answer comes 50 times, and as much is printed
	Lies    = "lie"       // answers to what nobody asked, of outcomes that there are not, and of other objects
	Garbles = "garbage"   // objects that are none
	Bloats  = "oversized" // answers of 24 MiB
)

// Moods are all of them.
func Moods() []string { return []string{Hangs, Crashes, Floods, Lies, Garbles, Bloats} }

// MoodFile is where the mood of the connector with a state file stands; without
// it, it is an honest one.
func MoodFile(state string) string { return state + ".mood" }

// ServeMoody serves the moody connector, and tells whether the arguments name it.
func ServeMoody(args []string) bool {
	if len(args) < 2 || args[1] != Moody {
		return false
	}
	service := sdk.NewService(connector(Moody, ""), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	serve(&moody{Service: service})
	return true
}

// A moody stands before the service of the directory.
type moody struct {
	*sdk.Service
	state string // set once, by Open
}

func (m *moody) mood() string {
	text, err := os.ReadFile(MoodFile(m.state))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// suffer hangs while that is the mood.
func (m *moody) suffer() {
	for m.mood() == Hangs {
		time.Sleep(20 * time.Millisecond)
	}
}

// Open implements connectorv1.ConnectorServiceServer.
func (m *moody) Open(ctx context.Context, q *connectorv1.OpenRequest) (*connectorv1.OpenResponse, error) {
	var settings struct{ State string }
	_ = json.Unmarshal([]byte(q.GetSettings()), &settings) // the service says what is wrong
	m.state = settings.State
	m.suffer()
	return m.Service.Open(ctx, q)
}

// Read implements connectorv1.ConnectorServiceServer.
func (m *moody) Read(q *connectorv1.ReadRequest, stream connectorv1.ConnectorService_ReadServer) error {
	m.suffer()
	return m.Service.Read(q, asMessages{&moodyRead{stream, m}})
}

type moodyRead struct {
	connectorv1.ConnectorService_ReadServer
	m *moody
}

func (s *moodyRead) Send(b *connectorv1.ReadResponse) error {
	s.m.suffer()
	send := s.ConnectorService_ReadServer.Send
	switch s.m.mood() {
	case Crashes:
		os.Exit(exitCrash)
	case Floods:
		babble()
		for range 49 {
			again := proto.CloneOf(b)
			if again.End = nil; len(again.GetRecords()) == 0 {
				break
			}
			if err := send(again); err != nil {
				return err
			}
		}
	case Lies:
		b = proto.CloneOf(b)
		b.Records = append(b.Records, &connectorv1.Record{}, &connectorv1.Record{Id: "", Deleted: true})
	case Garbles:
		b = proto.CloneOf(b)
		b.Records = append(b.Records, &connectorv1.Record{Id: "garbage\xff", Object: []byte{0xff, 0x01, 0x02}})
	case Bloats:
		b = proto.CloneOf(b)
		b.Records = append(b.Records, &connectorv1.Record{Id: "large", Object: make([]byte, 24<<20)})
	}
	return send(b)
}

// Apply implements connectorv1.ConnectorServiceServer.
func (m *moody) Apply(stream connectorv1.ConnectorService_ApplyServer) error {
	return m.Service.Apply(&moodyApply{stream, m})
}

type moodyApply struct {
	connectorv1.ConnectorService_ApplyServer
	m *moody
}

func (s *moodyApply) Recv() (*connectorv1.ApplyRequest, error) {
	q, err := s.ConnectorService_ApplyServer.Recv()
	if err == nil && s.m.mood() == Crashes && q.GetTag()%2 == 0 {
		os.Exit(exitCrash)
	}
	s.m.suffer()
	return q, err
}

func (s *moodyApply) Send(a *connectorv1.ApplyResponse) error {
	s.m.suffer()
	send := s.ConnectorService_ApplyServer.Send
	switch s.m.mood() {
	case Crashes:
		os.Exit(exitCrash)
	case Floods:
		babble()
		for range 49 {
			if err := send(a); err != nil {
				return err
			}
		}
	case Lies:
		foreign := proto.CloneOf(a)
		foreign.Tag += 1 << 40
		if err := send(foreign); err != nil {
			return err
		}
		a = &connectorv1.ApplyResponse{Tag: a.GetTag(), Outcome: 99, Object: &connectorv1.Record{Id: "another"}}
	case Garbles:
		a = proto.CloneOf(a)
		a.Object = &connectorv1.Record{Id: a.GetObject().GetId(), Object: bytes.Repeat([]byte{0xff}, 50)}
	case Bloats:
		a = proto.CloneOf(a)
		a.Fault = &connectorv1.Fault{Cause: "large", NextStep: "Nothing.", Raw: strings.Repeat("x", 24<<20)}
	}
	return send(a)
}

// babble prints a lot.
func babble() {
	for i := range 200 {
		fmt.Fprintf(os.Stderr, "noise %d %s\n", i, strings.Repeat("\x00\xff{", 100))
	}
}

// An Account is an object of a state file as a test sees it.
type Account struct {
	ID, Address string
	Attributes  map[string][]string
}

// Users returns those that a state file holds, in order of id, while a
// connector may be at it.
func Users(state string) ([]Account, error) {
	text, err := os.ReadFile(state)
	if err != nil {
		return nil, err
	}
	j, err := openJournal("")
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var e entry
		if json.Unmarshal(line, &e) == nil {
			j.take(e)
		}
	}
	var users []Account
	for _, o := range slices.DeleteFunc(j.sorted(), func(o *object) bool { return o.Class != "user" }) {
		users = append(users, Account{o.ID, o.Address, o.Attributes})
	}
	return users, nil
}
