//go:build !race

package scim_test

// raced says that memory is not what it would be, for the race detector takes its own.
const raced = false
