package fake

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// An Event is something that goes wrong. Calls are counted by kind from 1, and
// with a state file go on counting in the next process: a crash at call 3 is
// not one at each third call of every process.
type Event struct {
	On    string        `json:"on" required:"true" enum:"open,probe,schema,read,changes,find,watch,create,modify,move,set_enabled,change_membership,set_password,delete,write,any" doc:"kind of call; write is any that writes"`
	Call  int           `json:"call" default:"1" doc:"number of the first call of the kind that it happens at"`
	Times int           `json:"times" default:"1" doc:"how many calls it happens at; 0 means all from then on"`
	Do    string        `json:"do" required:"true" enum:"crash,crash_after,hang,hang_after,panic,lose,slow,noise,not_found,conflict,invalid,denied,unavailable,unknown" doc:"what goes wrong; _after and lose let the call do its work first"`
	For   time.Duration `json:"for" default:"1s" doc:"how much slower; the pause that unavailable asks for"`
	Given int           `json:"given" default:"0" doc:"objects that a read gives before it"`
}

// exitCrash is the status of a process that crashed as told.
const exitCrash = 3

type script struct {
	events []Event
	log    *slog.Logger
	count  func(kind string) (int, error) // of this call, made durable
}

// run counts the call, lets it go wrong as the script has it, or carries it out.
func (s *script) run(kind string, call func() error) error {
	e, err := s.next(kind)
	if err != nil {
		return err
	}
	if err := e.before(s.log); err != nil {
		return err
	}
	if err := call(); err != nil {
		return err
	}
	return e.after()
}

// next counts the call and returns the event that is due at it; the zero one
// does nothing.
func (s *script) next(kind string) (Event, error) {
	if len(s.events) == 0 {
		return Event{}, nil
	}
	var due Event
	for _, k := range []string{kind, groupOf(kind), "any"} {
		if k == "" {
			continue
		}
		n, err := s.count(k)
		if err != nil {
			return Event{}, err
		}
		for _, e := range s.events {
			if e.On == k && n >= e.Call && (e.Times == 0 || n < e.Call+e.Times) && due.Do == "" {
				due = e
			}
		}
	}
	return due, nil
}

func groupOf(kind string) string {
	switch kind {
	case "create", "modify", "move", "set_enabled", "change_membership", "set_password", "delete":
		return "write"
	}
	return ""
}

// before does what goes wrong before the call has done anything.
func (e Event) before(log *slog.Logger) error {
	next := "Nothing: the script says so."
	switch e.Do {
	case "crash":
		os.Exit(exitCrash)
	case "hang":
		select {} // deaf to its context, as a connector stuck in a system call is
	case "panic":
		panic("the script says so")
	case "slow":
		<-time.After(e.For)
	case "noise":
		for i := range 1000 {
			fmt.Fprintf(os.Stderr, "noise %d %s\n", i, strings.Repeat("\x00\xff{", 40))
			log.Debug("Noise", "line", i)
		}
	case "not_found":
		return sdk.NotFound("the object is not there", next)
	case "conflict":
		return sdk.Conflict("something else is there", next)
	case "invalid":
		return sdk.Invalid("this is never taken", next)
	case "denied":
		return sdk.Denied("a right is missing", next)
	case "unavailable":
		fault := sdk.Unavailable("the directory does not answer", next)
		fault.RetryAfter = e.For
		return fault
	case "unknown":
		return sdk.Unknown("the answer was lost", next)
	}
	return nil
}

// after does what goes wrong when the call has done its work.
func (e Event) after() error {
	switch e.Do {
	case "crash_after":
		os.Exit(exitCrash)
	case "hang_after":
		select {}
	case "lose":
		return sdk.Unknown("the answer was lost", "Nothing: the object is read again.")
	}
	return nil
}

// count counts a call in the journal.
func (s *System) count(kind string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.journal.add(entry{Call: kind}); err != nil {
		return 0, err
	}
	return s.journal.calls[kind], nil
}
