// Package heap tends the memory of the processes that speak the contracts:
// coordinator, agent and connectors, through which much more passes than they keep.
package heap

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"
)

// LeaveSmall has the garbage collector leave the heap alone until it holds floor
// bytes, and collect it after each growth by percent beyond: what passes through
// at a high rate is much more than what is kept. Without a floor a heap of 4 MiB
// is looked through after each 2 MiB, which is a fifth of all work of an agent that
// writes as fast as it can, and a tenth of a coordinator's while people are planned.
func LeaveSmall(floor, percent int) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	most := floor * 100 / (4 << 20) // by which the runtime scales its own floor of 4 MiB
	now := most
	debug.SetGCPercent(now)
	type cycle struct{ _ [64]byte }
	var ended func(*cycle)
	ended = func(c *cycle) {
		metrics.Read(live)
		growth := most
		if n := int(live[0].Value.Uint64()); n > 0 {
			growth = min(most, max(percent, floor*100/n-100))
		}
		if growth != now {
			now = growth
			debug.SetGCPercent(now)
		}
		runtime.SetFinalizer(c, ended) // once more with the next collection
	}
	runtime.SetFinalizer(new(cycle), ended)
}

// IdleLook is how often it is looked whether there was anything to do.
const IdleLook = 10 * time.Second

const (
	idleMost = 512 << 10 // bytes allocated meanwhile that are nothing
	idleGain = 2 << 20   // bytes allocated before that are worth giving back
)

// GiveIdle gives the system the memory back that the process has needed, each time
// it comes to have nothing to do. It looks that often, and does not return.
func GiveIdle(every time.Duration) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	allocated := func() uint64 { metrics.Read(sample); return sample[0].Value.Uint64() }
	last, given := allocated(), uint64(0)
	for range time.Tick(every) {
		now := allocated()
		if now-last < idleMost && now-given > idleGain {
			debug.FreeOSMemory()
			given = now
		}
		last = now
	}
}

// FitBuffers has gRPC keep buffers of every power of two: by itself it takes one
// of a mebibyte for a batch of 200 KiB. It is called before anything uses gRPC.
func FitBuffers() {
	pool, err := mem.NewBinaryTieredBufferPool(8, 10, 12, 14, 15, 16, 17, 18, 19, 20)
	if err != nil {
		panic(err) // the exponents are constants
	}
	experimental.SetDefaultBufferPool(pool)
}
