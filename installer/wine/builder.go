//go:build !windows

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// main prints its address and serves until it is killed: wine TREE, the folder
// that Wine sees as Z:\.
func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: wine TREE")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer conn.Close()
			var o order
			if err := json.NewDecoder(conn).Decode(&o); err != nil {
				log.Print(err)
				return
			}
			if err := json.NewEncoder(conn).Encode(carryOut(os.Args[1], o)); err != nil {
				log.Print(err)
			}
		}()
	}
}

func carryOut(tree string, o order) (r receipt) {
	for i := range o.Args {
		o.Args[i] = outside(tree, o.Args[i])
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("go", o.Args...)
	cmd.Dir, cmd.Env = outside(tree, o.Dir), append(os.Environ(), "GOOS=windows", "GOTMPDIR=")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r.Stdout, r.Stderr = stdout.Bytes(), stderr.Bytes()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		r.Code = exit.ExitCode()
	} else if err != nil {
		r.Stderr, r.Code = fmt.Append(r.Stderr, err), 1
	}
	return r
}

// outside is a path of Wine's as it is called in the tree: C: is a folder of
// the user's, Z: is its root. What is no such path stays.
func outside(tree, arg string) string {
	drive := ""
	switch {
	case len(arg) < 3 || arg[1:3] != `:\`:
		return arg
	case strings.EqualFold(arg[:1], "c"):
		drive = "root/.wine/drive_c"
	case !strings.EqualFold(arg[:1], "z"):
		return arg
	}
	path := filepath.Join(tree, drive, strings.ReplaceAll(arg[2:], `\`, "/"))
	if strings.HasSuffix(arg, `\`) { // go build -o takes it for a folder
		path += "/"
	}
	return path
}
