// Package durable replaces files so that a crash leaves the old or the new one
// whole: temp, sync, close, rename, and sync of the folder where the system has
// that. What the files hold is their owners' business.
package durable

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// ReplaceFile puts data in the place of the file at path, readable by its owner only, all or nothing.
func ReplaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(cmp.Or(err, f.Sync()), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes renames in dir durable, where the system has that.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
