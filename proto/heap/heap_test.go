package heap_test

import (
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/proto/heap"
)

var garbage []byte

// What was needed once goes back as soon as there is nothing to do. Nothing else
// would give it back here: the collector is told to leave the heap alone. The
// runtime keeps half a mebibyte for each processor at hand.
func TestGiveIdle(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	garbage = make([]byte, 64<<20)
	for i := range garbage {
		garbage[i] = 1 // resident
	}
	garbage = nil
	held := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	resident := func() (bytes uint64) {
		metrics.Read(held)
		for _, s := range held {
			bytes += s.Value.Uint64()
		}
		return bytes
	}
	if got := resident(); got < 64<<20 {
		t.Fatalf("%d bytes are held before; want 64 MiB at least", got)
	}
	go heap.GiveIdle(5 * time.Millisecond)
	for resident() > 32<<20 {
		time.Sleep(5 * time.Millisecond) // or the test ends by its time limit
	}
}
