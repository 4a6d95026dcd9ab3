package custody

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// deleteChild is FILE_DELETE_CHILD.
const deleteChild = 0x40

// Rights of an access list, by what they let somebody do.
const (
	takes  = windows.WRITE_DAC | windows.WRITE_OWNER | windows.GENERIC_WRITE | windows.GENERIC_ALL // give oneself any other
	swaps  = takes | windows.DELETE | deleteChild                                                  // put another in its place
	writes = swaps | windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA                            // change it, or what lies in it
)

// Private makes the folder at path, and what is missing on the way to it, for
// administrators, the system, the account that asks, and the accounts named
// (such as CORP\drawbridge$, which the service is to run as). A folder that is
// there and has the access list of the one above gets this one in its place;
// a list of its own is the admin's decision, and only refused if it lets
// everybody in. The error names who can do what, and the cure.
func Private(path string, accounts ...string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	named, err := lookUp(accounts)
	if err != nil {
		return err
	}
	list, err := privateList(named)
	if err != nil {
		return err
	}
	if err := makeAll(path, list); err != nil {
		return err
	}
	if err := unswappable(path); err != nil {
		return err
	}
	sd, err := security(path)
	if err != nil {
		return err
	}
	control, _, err := sd.Control()
	if err != nil {
		return fmt.Errorf("who may read %s cannot be told: %w", path, err)
	}
	dacl, _, err := list.DACL()
	if err != nil {
		return err
	}
	if control&windows.SE_DACL_PROTECTED == 0 {
		return setList(path, dacl)
	}
	if err := admit(path, sd, named); err != nil {
		return err
	}
	return eachGrant(path, sd, func(who *windows.SID, mask windows.ACCESS_MASK) error {
		if !isCrowd(who) {
			return nil
		}
		return fmt.Errorf("%s holds keys and what was read of people, and %s can come in: take that away (`icacls \"%s\" /remove:g *%s /t`)", path, name(who), path, who)
	})
}

// Shared makes the folder at path where none is: all may read, only
// administrators and the system may write.
func Shared(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	list, err := windows.SecurityDescriptorFromString(privateSDDL(nil) + "(A;OICI;GRGX;;;BU)")
	if err != nil {
		return err
	}
	return makeAll(path, list)
}

// Trusted says whether only administrators and the system can have written the
// file at path, or put it there. The error names who else, and the cure.
func Trusted(path string) error {
	for _, p := range []string{path, filepath.Dir(path)} {
		if _, err := os.Stat(p); err != nil {
			return err
		}
		if err := onlyAdmins(p, writes, "written"); err != nil {
			return err
		}
	}
	return nil
}

// PipeList is the access list of a named pipe, in SDDL: for the account that
// asks, the system and administrators.
func PipeList() (string, error) {
	self, err := ordinary()
	return accessList("", "GA", self), err
}

// accessList is one in SDDL that lets the system, administrators and the
// SIDs in with a right, and nobody else; nothing is inherited from above. The
// flags say what inherits it.
func accessList(flags, right string, sids []*windows.SID) string {
	text := "D:P"
	for _, who := range []string{"SY", "BA"} {
		text += "(A;" + flags + ";" + right + ";;;" + who + ")"
	}
	for _, sid := range sids {
		text += "(A;" + flags + ";" + right + ";;;" + sid.String() + ")"
	}
	return text
}

// privateSDDL is that of a private folder, which everything below inherits.
func privateSDDL(sids []*windows.SID) string { return accessList("OICI", "FA", sids) }

// ordinary is the account that asks, where it is no administrator: else a list
// would let in what the same person runs without the elevated rights.
func ordinary() ([]*windows.SID, error) {
	self, admin, err := whoAsks()
	if err != nil || admin {
		return nil, err
	}
	return []*windows.SID{self}, nil
}

func lookUp(accounts []string) (sids []*windows.SID, err error) {
	for _, account := range accounts {
		if account == "" {
			continue
		}
		sid, _, _, err := windows.LookupSID("", account)
		if err != nil {
			return nil, fmt.Errorf("look up account %s, which must come into the data folder: %w", account, err)
		}
		sids = append(sids, sid)
	}
	return sids, nil
}

func privateList(named []*windows.SID) (*windows.SECURITY_DESCRIPTOR, error) {
	self, err := ordinary()
	if err != nil {
		return nil, err
	}
	return windows.SecurityDescriptorFromString(privateSDDL(append(named, self...)))
}

// whoAsks returns the account this runs as, and whether it has the rights of an administrator now.
func whoAsks() (self *windows.SID, admin bool, err error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, false, fmt.Errorf("read who this runs as: %w", err)
	}
	admins, err := windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid)
	if err != nil {
		return nil, false, err
	}
	admin, err = windows.Token(0).IsMember(admins) // 0: of the calling thread, with what is switched off left out
	return user.User.Sid, admin, err
}

// makeAll makes the folder, and what is missing above it, with the list.
func makeAll(path string, list *windows.SECURITY_DESCRIPTOR) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("make folder: %s is a file", path)
		}
		return nil
	}
	if above := filepath.Dir(path); above != path {
		if err := makeAll(above, list); err != nil {
			return err
		}
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	attributes := windows.SecurityAttributes{SecurityDescriptor: list}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	if err := windows.CreateDirectory(name, &attributes); err != nil && !errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: "make folder", Path: path, Err: err}
	}
	return nil
}

// admit adds the accounts to a list that an admin has set.
func admit(path string, sd *windows.SECURITY_DESCRIPTOR, named []*windows.SID) error {
	if len(named) == 0 {
		return nil
	}
	var entries []windows.EXPLICIT_ACCESS
	for _, sid := range named {
		entries = append(entries, windows.EXPLICIT_ACCESS{
			AccessPermissions: windows.GENERIC_ALL,
			AccessMode:        windows.GRANT_ACCESS,
			Inheritance:       windows.SUB_CONTAINERS_AND_OBJECTS_INHERIT,
			Trustee:           windows.TRUSTEE{TrusteeForm: windows.TRUSTEE_IS_SID, TrusteeValue: windows.TrusteeValueFromSID(sid)},
		})
	}
	old, _, err := sd.DACL()
	if err != nil {
		return fmt.Errorf("who may use %s cannot be told: %w", path, err)
	}
	dacl, err := windows.ACLFromEntries(entries, old)
	if err != nil {
		return fmt.Errorf("let %s into %s: %w", name(named[0]), path, err)
	}
	return setList(path, dacl)
}

// setList gives the folder, and what inherits from it, the list in place of its own.
func setList(path string, dacl *windows.ACL) error {
	const what = windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	if err := windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, what, nil, nil, dacl, nil); err != nil {
		return fmt.Errorf("keep %s to those who need it: %w", path, err)
	}
	return nil
}

// unswappable says whether only administrators could put another folder in the
// place of this one, or of one above it.
func unswappable(path string) error {
	for p := path; filepath.Dir(p) != p; p = filepath.Dir(p) {
		if err := onlyAdmins(p, swaps, "replaced"); err != nil {
			return err
		}
	}
	return nil
}

// onlyAdmins says whether the file or folder belongs to an administrator, and
// nobody else has one of the rights.
func onlyAdmins(path string, rights windows.ACCESS_MASK, done string) error {
	sd, err := security(path)
	if err != nil {
		return err
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return fmt.Errorf("the owner of %s cannot be told: %w", path, err)
	}
	if !isAdmin(owner) {
		return fmt.Errorf("%s belongs to %s: see what is in it, then give it to Administrators (`icacls \"%s\" /setowner *S-1-5-32-544`)", path, name(owner), path)
	}
	return eachGrant(path, sd, func(who *windows.SID, mask windows.ACCESS_MASK) error {
		if mask&rights == 0 || isAdmin(who) {
			return nil
		}
		return fmt.Errorf("%s can be %s by %s: take that away (`icacls \"%s\" /inheritance:d /remove:g *%s`)", path, done, name(who), path, who)
	})
}

func security(path string) (*windows.SECURITY_DESCRIPTOR, error) {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return nil, &fs.PathError{Op: "read the security of", Path: path, Err: err}
	}
	return sd, nil
}

// eachGrant calls yield for every entry that allows something here, until it returns an error.
func eachGrant(path string, sd *windows.SECURITY_DESCRIPTOR, yield func(who *windows.SID, mask windows.ACCESS_MASK) error) error {
	dacl, _, err := sd.DACL()
	if err != nil {
		return fmt.Errorf("who may use %s cannot be told: %w", path, err)
	}
	if dacl == nil {
		return fmt.Errorf("%s can be read and written by everybody: it has no access list", path)
	}
	for i := range uint32(dacl.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(dacl, i, &ace); err != nil {
			return fmt.Errorf("who may use %s cannot be told: %w", path, err)
		}
		if ace.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE || ace.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0 {
			continue
		}
		if err := yield((*windows.SID)(unsafe.Pointer(&ace.SidStart)), ace.Mask); err != nil {
			return err
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
	self, _, err := whoAsks()
	return err == nil && self.Equals(sid)
}

// isCrowd says whether a SID stands for people at large.
func isCrowd(sid *windows.SID) bool {
	switch text := sid.String(); text {
	case "S-1-1-0", "S-1-5-11", "S-1-5-7", "S-1-5-4", "S-1-5-2", // everyone, authenticated, anonymous, interactive, network
		"S-1-5-32-545", "S-1-5-32-546", "S-1-5-32-554": // users, guests, pre-Windows 2000
		return true
	default:
		return strings.HasPrefix(text, "S-1-5-21-") && (strings.HasSuffix(text, "-513") || strings.HasSuffix(text, "-514") || strings.HasSuffix(text, "-515"))
	}
}

// name is what people call a SID, and the SID itself where nobody can say.
func name(sid *windows.SID) string {
	account, domain, _, err := sid.LookupAccount("")
	switch {
	case err != nil:
		return sid.String()
	case domain == "":
		return account
	}
	return domain + `\` + account
}
