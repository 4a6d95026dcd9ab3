package guard

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// writes are the rights by which a file, or what lies in a folder, can be
// changed, or the right to do so taken.
const (
	deleteChild = 0x40 // FILE_DELETE_CHILD
	writes      = windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA | deleteChild | windows.DELETE |
		windows.WRITE_DAC | windows.WRITE_OWNER | windows.GENERIC_WRITE | windows.GENERIC_ALL
)

// ownedByAdmin says whether only administrators and the system can have written
// the file, or put it there.
func ownedByAdmin(path string) error {
	for _, p := range []string{path, filepath.Dir(path)} {
		if _, err := os.Stat(p); err != nil {
			return err
		}
		if err := checkSecurity(p); err != nil {
			return err
		}
	}
	return nil
}

func checkSecurity(path string) error {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return &fs.PathError{Op: "read the security of", Path: path, Err: err}
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return fmt.Errorf("the owner of %s cannot be told: %w", path, err)
	}
	if !isAdmin(owner) {
		return fmt.Errorf("%s belongs to %s: give it to Administrators (`icacls \"%s\" /setowner *S-1-5-32-544`)", path, owner, path)
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return fmt.Errorf("who may write %s cannot be told: %w", path, err)
	}
	if dacl == nil {
		return fmt.Errorf("%s can be written by everybody: it has no access list", path)
	}
	for i := range uint32(dacl.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(dacl, i, &ace); err != nil {
			return fmt.Errorf("who may write %s cannot be told: %w", path, err)
		}
		const inheritOnly = 0x8
		if ace.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE || ace.Header.AceFlags&inheritOnly != 0 || ace.Mask&writes == 0 {
			continue
		}
		who := (*windows.SID)(unsafe.Pointer(&ace.SidStart))
		if !isAdmin(who) {
			return fmt.Errorf("%s can be written by %s: take that away (`icacls \"%s\" /inheritance:d /remove:g *%s`)", path, who, path, who)
		}
	}
	return nil
}

// isAdmin says whether a SID is the system's, an administrator's, or that of
// the account this runs as.
func isAdmin(sid *windows.SID) bool {
	text := sid.String()
	switch text {
	case "S-1-5-18", "S-1-5-32-544", "S-1-3-0", "S-1-3-4", // system, administrators, creator owner, owner rights
		"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464": // TrustedInstaller
		return true
	}
	if strings.HasPrefix(text, "S-1-5-21-") && (strings.HasSuffix(text, "-512") || strings.HasSuffix(text, "-519") || strings.HasSuffix(text, "-500")) {
		return true
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	return err == nil && user.User.Sid.Equals(sid)
}
