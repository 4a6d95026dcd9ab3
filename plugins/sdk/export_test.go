package sdk

import "google.golang.org/grpc/mem"

// Take is what a batch does with a response.
func (b *Batch) Take(wire []byte) error { return b.take(mem.BufferSlice{mem.SliceBuffer(wire)}) }
