package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// exits runs a command and ends well if its exit status is want.
func exits(want string, command []string) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != want {
		fmt.Fprintf(os.Stderr, "exit status %s; want %s\n", got, want)
		os.Exit(1)
	}
	os.Exit(0)
}
