//go:build race

package host_test

// raced says that connectors are built with the race detector, whose memory no limit counts.
const raced = true
