// Command wine stands in for the go command in tests that run as Windows
// programs under Wine. Such tests build programs with `go build`; no go command
// is in there. Built for Windows, as go.exe, this program hands its arguments
// and folder to the same program outside, which runs go for it and gives back
// what that said. `make wine` (.ci/wine) sets both up.
package main

// An order asks for one run of go.
type order struct {
	Dir  string
	Args []string
}

// A receipt says what go said.
type receipt struct {
	Stdout, Stderr []byte
	Code           int
}
