//go:build race

package snapshot_test

// raced says that memory is not what it would be, for the race detector takes its own.
const raced = true
