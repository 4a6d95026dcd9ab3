package samba

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// recipe names the way a template is made; change it with the steps below so
// that templates of another recipe are not used.
const recipe = "3"

// A template is a provisioned domain that has never been started.
//
//	<cache>/<key>/tree/            as samba-tool left it
//	<cache>/<key>/admin-password
//	<cache>/<key>.lock             held while the template is made
//
// The folder <key> appears by rename, so it is whole or not there.
type template struct {
	dir           string
	adminPassword string
}

// openTemplate returns the template for opt, making it if there is none. It is
// safe against other processes doing the same.
func openTemplate(ctx context.Context, opt Options) (*template, error) {
	cache := opt.CacheDir
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			base = os.TempDir() // a bare environment without HOME
		}
		cache = filepath.Join(base, "drawbridge", "samba")
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, err
	}
	version, err := tool(ctx, []string{"--version"})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{recipe, version, opt.Realm, opt.AdminPassword}, "\x00")))
	dir := filepath.Join(cache, hex.EncodeToString(sum[:12]))

	unlock, err := lockFile(dir + ".lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if pw, err := os.ReadFile(filepath.Join(dir, "admin-password")); err == nil {
		return &template{dir: filepath.Join(dir, "tree"), adminPassword: string(pw)}, nil
	}
	opt.Log.InfoContext(ctx, "Provisioning a domain", "realm", opt.Realm, "dir", dir)
	return provision(ctx, dir, opt)
}

// provision makes the template in a folder beside dir and renames it to dir.
func provision(ctx context.Context, dir string, opt Options) (_ *template, err error) {
	made, err := os.MkdirTemp(filepath.Dir(dir), "making-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(made))
		}
	}()
	pw := opt.AdminPassword
	if pw == "" {
		pw = "Aa1!" + rand.Text()
	}
	tree := filepath.Join(made, "tree")
	if _, err := tool(ctx, []string{
		"domain", "provision", "--targetdir=" + tree,
		"--realm=" + opt.Realm, "--domain=" + netBIOS(opt.Realm), "--server-role=dc",
		"--dns-backend=SAMBA_INTERNAL", "--adminpass=" + pw, "--use-rfc2307",
		"--host-name=dc1", "--host-ip=127.0.0.1",
		"--option=bind interfaces only = yes", "--option=interfaces = 127.0.0.1/8",
	}); err != nil {
		return nil, err
	}
	conf := filepath.Join(tree, "etc", "smb.conf")
	host := "dc1." + strings.ToLower(opt.Realm)
	for _, args := range [][]string{
		{"spn", "add", "ldap/" + host, "DC1$", "-s", conf},
		// A rig outlives no password, and tests change theirs at once.
		{"domain", "passwordsettings", "set", "--min-pwd-age=0", "--max-pwd-age=0", "--history-length=0", "-s", conf},
	} {
		if _, err := tool(ctx, args); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(made, "admin-password"), []byte(pw), 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(made, dir); err != nil {
		return nil, err
	}
	return &template{dir: filepath.Join(dir, "tree"), adminPassword: pw}, nil
}

// copyTo copies the template's files to dir.
func (t *template) copyTo(dir string) error {
	return filepath.WalkDir(t.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(t.dir, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			return os.MkdirAll(to, info.Mode().Perm()|0o700)
		case info.Mode().IsRegular():
			return copyFile(path, to, info.Mode().Perm())
		}
		return nil // sockets and the like are made anew
	})
}

// copyFile leaves out pages of zeros: tdb files are mostly empty.
func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	buf, zero := make([]byte, 64<<10), make([]byte, 64<<10)
	var off int64
	for {
		n, err := io.ReadFull(in, buf)
		if !bytes.Equal(buf[:n], zero[:n]) {
			if _, err := out.WriteAt(buf[:n], off); err != nil {
				return errors.Join(err, out.Close())
			}
		}
		off += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return errors.Join(fmt.Errorf("copy %s: %w", from, err), out.Close())
		}
	}
	return errors.Join(out.Truncate(off), out.Close())
}

func netBIOS(realm string) string {
	name, _, _ := strings.Cut(realm, ".")
	return strings.ToUpper(name[:min(15, len(name))])
}
