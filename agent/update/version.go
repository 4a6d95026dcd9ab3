package update

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/drawbridge-id/drawbridge/agent/durable"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

// platform of this host, as manifests name it.
const platform = runtime.GOOS + "/" + runtime.GOARCH

const manifestName = "release.json"

// A Version is a release on this host whose executables are those that were signed.
type Version struct {
	release.Manifest
	Agent            string // path of its executable
	Connectors       string // path; "" where the release has none for this platform
	ConnectorsSHA256 string
}

// fileName is what an executable is called in a version's folder.
func fileName(part string) string {
	name := "drawbridge-" + part
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return name
}

// Verify returns a version, after its manifest's signature and every byte of
// its executables were looked at. A version that is not there is fs.ErrNotExist.
func (f Folder) Verify(version string, keys []ed25519.PublicKey) (Version, error) {
	return verify(f.path(version), version, keys)
}

func verify(dir, version string, keys []ed25519.PublicKey) (v Version, err error) {
	file, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return v, fmt.Errorf("read the manifest of version %s: %w", version, err)
	}
	if v.Manifest, err = release.Open(file, keys); err != nil {
		return v, fmt.Errorf("version %s: %w", version, err)
	}
	if v.Version != version {
		return v, fmt.Errorf("version %s: its manifest is of %s", version, v.Version)
	}
	for _, part := range []string{release.Agent, release.Connectors} {
		file, ok := v.File(part, platform)
		if !ok {
			continue
		}
		path := filepath.Join(dir, fileName(part))
		if err := check(path, file); err != nil {
			return v, fmt.Errorf("version %s: %w", version, err)
		}
		if part == release.Agent {
			v.Agent = path
		} else {
			v.Connectors, v.ConnectorsSHA256 = path, file.SHA256
		}
	}
	if v.Agent == "" {
		return v, fmt.Errorf("version %s has no agent for %s", version, platform)
	}
	return v, nil
}

// check tells whether a file is the one that the manifest names.
func check(path string, want release.File) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != want.Size || got != want.SHA256 {
		return fmt.Errorf("%s is not what was signed: it has %d bytes and SHA-256 %s, not %d and %s", path, n, got, want.Size, want.SHA256)
	}
	return nil
}

// A fetcher writes the bytes of an executable from an offset on.
type fetcher func(ctx context.Context, sha256 string, offset int64, to io.Writer) error

// fetch brings a release to this host, going on where it was interrupted. Once
// it returns nil the version is whole, and on disk.
func (f Folder) fetch(ctx context.Context, m release.Manifest, file []byte, get fetcher) error {
	part := f.path(m.Version + ".part")
	if err := os.MkdirAll(part, 0o700); err != nil {
		return err
	}
	for _, name := range []string{release.Agent, release.Connectors} {
		want, ok := m.File(name, platform)
		if !ok {
			continue
		}
		if err := fetchFile(ctx, filepath.Join(part, fileName(name)), want, get); err != nil {
			return fmt.Errorf("fetch the %s of %s: %w", name, m.Version, err)
		}
	}
	if err := durable.ReplaceFile(filepath.Join(part, manifestName), file); err != nil {
		return err
	}
	if err := os.RemoveAll(f.path(m.Version)); err != nil { // what a fault of the disk has left
		return err
	}
	if err := os.Rename(part, f.path(m.Version)); err != nil {
		return err
	}
	return durable.SyncDir(string(f))
}

func fetchFile(ctx context.Context, path string, want release.File, get fetcher) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o700)
	if err != nil {
		return err
	}
	defer f.Close()
	had, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if had < want.Size {
		if err := get(ctx, want.SHA256, had, &bounded{f, want.Size - had}); err != nil {
			return err
		}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := check(path, want); err != nil { // and begin anew the next time
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// bounded takes no more bytes than the manifest promises.
type bounded struct {
	to   io.Writer
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		return 0, errors.New("the coordinator sends more than the signed size")
	}
	b.left -= int64(len(p))
	return b.to.Write(p)
}

// sweep removes the versions that are not among those to keep. On Windows one
// that still runs stays until the next time.
func (f Folder) sweep(keep ...string) {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return
	}
next:
	for _, e := range entries {
		version := strings.TrimSuffix(e.Name(), ".part")
		if !e.IsDir() || !release.ValidVersion(version) {
			continue
		}
		for _, k := range keep {
			if version == k {
				continue next
			}
		}
		_ = os.RemoveAll(f.path(e.Name())) // it is only room
	}
}
