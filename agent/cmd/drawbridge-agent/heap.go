package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"
)

const (
	heapFloor   = 10 << 20 // bytes that the heap may reach before it is looked through
	heapPercent = 50       // that it may grow by beyond
)

// leaveSmallHeap has the garbage collector leave the heap alone until it holds
// heapFloor bytes, and collect it after each growth by heapPercent beyond: what
// passes through at a high rate is much more than what is kept. Without a floor
// a heap of 4 MiB is looked through after each 2 MiB, which is a fifth of all
// work of an agent that writes as fast as it can.
func leaveSmallHeap() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	most := heapFloor * 100 / (4 << 20) // by which the runtime scales its own floor of 4 MiB
	now := most
	debug.SetGCPercent(now)
	type cycle struct{ _ [64]byte }
	var ended func(*cycle)
	ended = func(c *cycle) {
		metrics.Read(live)
		percent := most
		if n := int(live[0].Value.Uint64()); n > 0 {
			percent = min(most, max(heapPercent, heapFloor*100/n-100))
		}
		if percent != now {
			now = percent
			debug.SetGCPercent(now)
		}
		runtime.SetFinalizer(c, ended) // once more with the next collection
	}
	runtime.SetFinalizer(new(cycle), ended)
}

const (
	idleLook = 10 * time.Second // how often it is looked whether there was anything to do
	idleMost = 512 << 10        // bytes allocated meanwhile that are nothing
	idleGain = 2 << 20          // bytes allocated before that are worth giving back
)

// giveIdleHeap gives the system the memory back that the agent has needed, each time
// it comes to have nothing to do. It looks that often, and does not return.
func giveIdleHeap(every time.Duration) {
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

// fitBuffers has gRPC keep buffers of every power of two: by itself it takes one
// of a mebibyte for a batch of 200 KiB. It is called before anything uses gRPC.
func fitBuffers() {
	pool, err := mem.NewBinaryTieredBufferPool(8, 10, 12, 14, 15, 16, 17, 18, 19, 20)
	if err != nil {
		panic(err) // the exponents are constants
	}
	experimental.SetDefaultBufferPool(pool)
}
