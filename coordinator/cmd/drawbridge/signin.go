package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

// signedIn is what drawbridge login leaves: the coordinator used last, and a
// token for each, in a file that its owner alone may read.
type signedIn struct {
	URL    string                     `json:"url"`
	Tokens map[string]client.SignedIn `json:"tokens"` // by address of the coordinator
}

// signInFile is where it is.
func signInFile() (string, error) {
	if path := os.Getenv("DRAWBRIDGE_SIGN_IN"); path != "" {
		return path, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("where to keep the sign-in: %w", err)
	}
	return filepath.Join(dir, "drawbridge", "sign-in.json"), nil
}

// readSignIn gives what is there; nothing where there is no file.
func readSignIn() (in signedIn, err error) {
	path, err := signInFile()
	if err != nil {
		return in, nil // nowhere to keep it, so that nothing is kept
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return in, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	if err != nil {
		return in, &adviceError{fmt.Errorf("sign-in %s: %w", path, err), "remove the file, and sign in with drawbridge login"}
	}
	return in, nil
}

// token gives what is good for a coordinator, "" where nothing is.
func (in signedIn) token(url string) string {
	if t := in.Tokens[url]; t.Expires.After(time.Now()) {
		return t.Token
	}
	return ""
}

// keep puts the file in the place of the one before.
func (in signedIn) keep() error {
	path, err := signInFile()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".sign-in-*") // made for its owner alone
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
