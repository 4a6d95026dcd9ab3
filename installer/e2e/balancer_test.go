package e2e_test

import (
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// A balancer is what stands before several coordinators: each connection goes
// to the next one that answers, and is ready.
type balancer struct {
	listener net.Listener
	ready    func(target string) bool // nil: whichever answers

	mu      sync.Mutex
	targets []string
	open    map[string]int // connections by target
}

// balance starts a balancer for the length of the test.
func balance(t *testing.T, ready func(target string) bool, targets ...string) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	b := &balancer{listener: listener, ready: ready, targets: targets, open: map[string]int{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go b.carry(conn)
		}
	}()
	return b
}

func (b *balancer) address() string { return b.listener.Addr().String() }

// add lets a target take part, the next one to be asked.
func (b *balancer) add(target string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.targets = slices.Insert(b.targets, 0, target)
}

// only lets these targets take part, and no other.
func (b *balancer) only(targets ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.targets = targets
}

// connections counts those that are open to a target.
func (b *balancer) connections(target string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open[target]
}

func (b *balancer) count(target string, by int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[target] += by
}

// turn returns the targets in the order to be tried, another at each call.
func (b *balancer) turn() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := slices.Clone(b.targets)
	b.targets = append(b.targets[1:], b.targets[0])
	return now
}

func (b *balancer) carry(down net.Conn) {
	defer down.Close()
	for _, target := range b.turn() {
		if b.ready != nil && !b.ready(target) {
			continue
		}
		up, err := net.Dial("tcp", target)
		if err != nil {
			continue
		}
		defer up.Close()
		b.count(target, 1)
		defer b.count(target, -1)
		ended := make(chan struct{}, 2)
		for _, pair := range [][2]net.Conn{{up, down}, {down, up}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1])
				ended <- struct{}{}
			}()
		}
		<-ended
		return
	}
}
