//go:build !windows

package spool

func windowsDiskFull(error) bool { return false }
