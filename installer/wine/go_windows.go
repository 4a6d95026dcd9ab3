package main

import (
	"encoding/json"
	"log"
	"net"
	"os"
)

// addressVariable tells where the one outside listens; see .ci/wine.
const addressVariable = "DRAWBRIDGE_GO"

func main() {
	conn, err := net.Dial("tcp", os.Getenv(addressVariable))
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(conn).Encode(order{Dir: dir, Args: os.Args[1:]}); err != nil {
		log.Fatal(err)
	}
	var r receipt
	if err := json.NewDecoder(conn).Decode(&r); err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(r.Stdout)
	os.Stderr.Write(r.Stderr)
	os.Exit(r.Code)
}
