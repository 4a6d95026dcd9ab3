package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/installer/workers"
)

// outside is what happens around the dashboard while it is played: people are
// moved and leave in the HR system, somebody changes an account by hand, and a
// program of the customer's takes what is posted to it. The browser has it happen
// by POST /NAME.
type outside struct {
	t *testing.T
	s *stage.Stage

	mu     sync.Mutex
	posted []string // bodies that the customer's program took
}

// Numbers of the workers to whom something happens, and what.
const (
	moved      = 7 // gets another title in HR
	movedTitle = "Principal Archivist"
	firstGone  = 21 // with those after them; nobody's manager
	goneFirst  = 9  // so many leave at first
	laterGone  = 12 // with those after them
	goneLater  = 7  // so many leave later
	byHand     = 3  // their title is changed in the directory; that of the next one as well
	byHandText = "Changed by hand"
	sameAs     = 33 // is taken for the same as the next one, for a while
	tooLong    = 11 // gets a title that the directory does not take
)

func newOutside(t *testing.T, s *stage.Stage) (address string, o *outside) {
	o = &outside{t: t, s: s}
	mux := http.NewServeMux()
	for name, do := range map[string]func() error{
		"move": o.move, "leave": func() error { return o.leave(firstGone, goneFirst) }, "leave-later": func() error { return o.leave(laterGone, goneLater) },
		"by-hand": o.byHand,
	} {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, _ *http.Request) {
			if err := do(); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	mux.HandleFunc("POST /hook", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.posted = append(o.posted, string(body))
		_, _ = fmt.Fprintln(w, "thank you")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, o
}

func (o *outside) move() error {
	w := workers.At(moved)
	w.Title = movedTitle
	o.s.File.Put(w)
	return o.s.File.Save()
}

// leave has n workers leave from one on, and gives another a title that is too long.
func (o *outside) leave(from, n int) error {
	for i := from; i < from+n; i++ {
		w := workers.At(i)
		w.Status = "T"
		o.s.File.Put(w)
	}
	if from != firstGone {
		w := workers.At(tooLong)
		w.Title = strings.Repeat("Very Senior ", 12) + "Engineer"
		o.s.File.Put(w)
	}
	return o.s.File.Save()
}

// byHand changes the title of two accounts, as an admin of the directory may.
func (o *outside) byHand() error {
	conn, err := o.s.Domain.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	for i := range 2 {
		found, err := o.s.Domain.Search("(employeeID="+workers.ID(byHand+i)+")", "title")
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("worker %d has %d accounts", byHand+i, len(found))
		}
		change := ldap.NewModifyRequest(found[0].DN, nil)
		change.Replace("title", []string{byHandText})
		if err := conn.Modify(change); err != nil {
			return err
		}
	}
	return nil
}
