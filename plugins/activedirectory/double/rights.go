package double

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// A Right lets an account do something below a container. Administrators need
// none; everybody else who is bound may read, and write nothing without one.
type Right struct {
	Under     string   // DN of the container; it and all below it
	Create    bool     // objects, also by moving them there
	Delete    bool     // objects, also by moving them away
	Write     []string // attributes; "*" means all; "name" allows a rename
	Reset     bool     // passwords
	Replicate bool     // DirSync; Under does not matter
}

type rights struct {
	mu   sync.RWMutex
	held map[*object][]heldRight
}

type heldRight struct {
	Right
	under *object
}

// Grant gives an account a right. Both are named by DN.
func (s *Server) Grant(account string, right Right) error {
	s.dir.mu.RLock()
	defer s.dir.mu.RUnlock()
	who, _, _ := s.dir.lookup(account)
	if who == nil {
		return fmt.Errorf("grant: no account %s", account)
	}
	under, _, _ := s.dir.lookup(right.Under)
	if right.Under == "" {
		under = s.dir.domain
	}
	if under == nil {
		return fmt.Errorf("grant: no container %s", right.Under)
	}
	s.rights.mu.Lock()
	defer s.rights.mu.Unlock()
	if s.rights.held == nil {
		s.rights.held = map[*object][]heldRight{}
	}
	s.rights.held[who] = append(s.rights.held[who], heldRight{right, under})
	return nil
}

// may asks whether one of the account's rights over o allows it. Objects under
// adminCount=1 are beyond any grant, as SDProp makes them.
func (s *session) may(o *object, allows func(*heldRight) bool) bool {
	if s.who.admin {
		return true
	}
	if o.one(s.dir.at.adminCount) == "1" {
		return false
	}
	r := &s.server.rights
	r.mu.RLock()
	defer r.mu.RUnlock()
	held := r.held[s.who.object]
	return slices.ContainsFunc(held, func(h heldRight) bool { return allows(&h) && o.within(h.under) })
}

func (s *session) mayCreate(parent *object) bool {
	return s.may(parent, func(h *heldRight) bool { return h.Create })
}

func (s *session) mayDelete(o *object) bool {
	return s.may(o, func(h *heldRight) bool { return h.Delete })
}

func (s *session) mayWrite(o *object, def *schema.Attribute) bool {
	if s.who.admin {
		return true
	}
	if def == s.dir.at.unicodePwd {
		return o == s.who.object || s.mayReset(o)
	}
	return s.may(o, func(h *heldRight) bool { return h.writes(def.Name) })
}

func (s *session) mayReset(o *object) bool {
	return s.may(o, func(h *heldRight) bool { return h.Reset })
}

func (s *session) mayMove(o, parent *object) bool {
	if s.who.admin {
		return true
	}
	if !s.may(o, func(h *heldRight) bool { return h.writes("name") }) {
		return false
	}
	return parent == o.parent || s.mayDelete(o) && s.mayCreate(parent)
}

func (s *session) mayReplicate() bool {
	if s.who.admin {
		return true
	}
	r := &s.server.rights
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.ContainsFunc(r.held[s.who.object], func(h heldRight) bool { return h.Replicate })
}

func (h *heldRight) writes(attr string) bool {
	return slices.ContainsFunc(h.Write, func(w string) bool { return w == "*" || strings.EqualFold(w, attr) })
}

// creatable is allowedChildClassesEffective, of containers: what this reader
// may create in them.
func (s *session) creatable(o *object) []string {
	if !s.mayCreate(o) {
		return nil
	}
	return []string{"computer", "contact", "group", "organizationalUnit", "user"}
}

// writable is allowedAttributesEffective: what this reader may write.
func (s *session) writable(o *object) []string {
	var out []string
	for _, a := range s.dir.schema.Attributes {
		if o.class.May[a] && !a.SystemOnly && !a.Constructed && s.mayWrite(o, a) {
			out = append(out, a.Name)
		}
	}
	return out
}
