//go:build race

package gateway_test

// raced says that everything is slow, for the race detector looks on.
const raced = true
