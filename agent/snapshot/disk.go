package snapshot

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"

	"github.com/drawbridge-id/drawbridge/agent/durable"
)

// replaceFile puts data in the place of the file at path, all or nothing. The
// name it writes to first is always the same: a crash leaves one such file.
func replaceFile(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(cmp.Or(err, f.Sync()), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}
