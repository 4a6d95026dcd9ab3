//go:build !linux

package spool_test

import (
	"os"
	"testing"
)

func syncData(f *os.File) error { return f.Sync() }

// evict can only leave the page cache as it is: the figure is of a warm start.
func evict(*testing.B, string) {}
