//go:build !windows

package guard

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ownedByAdmin says whether only root, or the account that asks, can have
// written the file or put it there.
func ownedByAdmin(path string) error {
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
