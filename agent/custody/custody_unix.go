//go:build !windows

package custody

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Private makes the folder at path, and what is missing on the way to it, for
// the account that asks and root. One that is there is left as it is. The
// accounts, who need to come in as well, mean something on Windows only: on
// Unix the service's unit gives them the folder.
func Private(path string, accounts ...string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	return nil
}

// Shared makes the folder at path where none is: all may read, only the account
// that asks and root may write.
func Shared(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	return nil
}

// Trusted says whether only root, or the account that asks, can have written
// the file at path or put it there. The error names who else, and the cure.
func Trusted(path string) error {
	for _, p := range []string{path, filepath.Dir(path)} {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("the owner of %s cannot be told", p)
		}
		if owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
			return fmt.Errorf("%s belongs to user %d: it must belong to root (`chown root %s`)", p, owner.Uid, p)
		}
		if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
			return fmt.Errorf("%s can be written by others (mode %04o): `chmod go-w %s`", p, mode.Perm(), p)
		}
	}
	return nil
}
