package stage

import (
	"os"
	"path/filepath"

	"github.com/drawbridge-id/drawbridge/plugins/connkit/rig"
)

// A Server is one more coordinator on the stage's database. It is stopped by [Stage.Close].
type Server struct {
	*Process
	Link string // address that agents may dial
	API  string // address of the HTTP API
}

// drain is how long a coordinator of a shared store goes on once it is told to stop.
const drain = "1s"

// AnotherCoordinator readies one more coordinator, with a data folder of its own
// that holds the authority of the first; the caller starts it. program is its
// executable, that of another release perhaps; empty for the stage's.
func (s *Stage) AnotherCoordinator(name, program string) (*Server, error) {
	if program == "" {
		program = filepath.Join(s.bin, "drawbridge-coordinator")
	}
	authority, err := os.ReadFile(s.path("coordinator", "authority.pem"))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.path(name), 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.path(name, "authority.pem"), authority, 0o600); err != nil {
		return nil, err
	}
	server, err := s.server(name, program)
	if err == nil {
		s.servers = append(s.servers, server)
	}
	return server, err
}

func (s *Stage) server(name, program string) (*Server, error) {
	link, err := rig.FreeAddress()
	if err != nil {
		return nil, err
	}
	api, err := rig.FreeAddress()
	if err != nil {
		return nil, err
	}
	argv := []string{program, "run", "--data", s.path(name), "--link", link, "--api", api}
	if s.store != "" {
		file := s.StoreFile()
		if err := os.WriteFile(file, []byte(s.store), 0o600); err != nil {
			return nil, err
		}
		argv = append(argv, "--store-file", file, "--drain", drain)
	}
	return &Server{Process: newProcess(s.Dir, name, nil, argv...), Link: link, API: api}, nil
}

// StoreFile is the file that names the coordinators' database.
func (s *Stage) StoreFile() string { return s.path("store") }
