package identity

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/drawbridge-id/drawbridge/agent/durable"
	"github.com/drawbridge-id/drawbridge/proto/identity"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const markFile = "counter.json"

// A mark is how often this agent has connected, as it was or will be said in a
// Hello. It counts for one generation of the agent only.
type mark struct {
	Agent      string `json:"agent"`
	Generation uint64 `json:"generation"`
	Counter    uint64 `json:"counter"`
	Attempt    string `json:"attempt"` // random: tells a repetition from a copy
	Taken      bool   `json:"taken"`   // the coordinator knows it
}

// Mark says in hello how often this agent has connected, this time included. It
// is on the disk before it is said, and said again until the coordinator has
// taken it: so a copy of this host, or an older state of it, gives itself away.
func (i *Identity) Mark(hello *linkv1.Hello) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.loadMark(); err != nil {
		return err
	}
	if i.mark.Attempt == "" || i.mark.Taken {
		next := mark{Agent: i.mark.Agent, Generation: i.mark.Generation, Counter: i.mark.Counter + 1, Attempt: rand.Text()}
		if err := i.storeMark(next); err != nil {
			return err
		}
	}
	hello.Counter, hello.Attempt, hello.Instance = i.mark.Counter, i.mark.Attempt, i.instance
	return nil
}

// Taken notes that the coordinator has taken the Hello of the last Mark. What
// made it doubt this agent before is over.
func (i *Identity) Taken() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.mark == nil || i.mark.Taken {
		return nil
	}
	taken := *i.mark
	taken.Taken = true
	return errors.Join(i.storeMark(taken), i.settle())
}

// loadMark reads the file once. One of another agent or generation counts as none.
func (i *Identity) loadMark() error {
	self := mark{Agent: i.agent.ID, Generation: identity.Generation(i.current.Leaf)}
	if i.mark != nil && i.mark.Agent == self.Agent && i.mark.Generation == self.Generation {
		return nil
	}
	path := filepath.Join(i.dir, markFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read counter of connections: %w", err)
	}
	var kept mark
	if err == nil {
		if err := json.Unmarshal(text, &kept); err != nil {
			return fmt.Errorf("%w: %s: %w: remove it; an admin must then approve this agent once", ErrDamaged, path, err)
		}
	}
	if kept.Agent != self.Agent || kept.Generation != self.Generation {
		kept = self
	}
	i.mark = &kept
	return nil
}

func (i *Identity) storeMark(m mark) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := durable.ReplaceFile(filepath.Join(i.dir, markFile), text); err != nil {
		return fmt.Errorf("store counter of connections: %w", err)
	}
	i.mark = &m
	return nil
}
