package main

import (
	"runtime/metrics"
	"testing"
	"time"
)

var garbage []byte

// What was needed once goes back as soon as there is nothing to do.
func TestGiveIdleHeap(t *testing.T) {
	for range 64 {
		garbage = make([]byte, 1<<20)
		for i := range garbage {
			garbage[i] = 1 // resident
		}
	}
	go giveIdleHeap(5 * time.Millisecond)
	used := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}}
	for {
		metrics.Read(used)
		if used[0].Value.Uint64() < 1<<20 {
			return
		}
		time.Sleep(5 * time.Millisecond) // or the test ends by its time limit
	}
}
