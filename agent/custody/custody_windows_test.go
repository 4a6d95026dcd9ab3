package custody_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"

	"github.com/drawbridge-id/drawbridge/agent/custody"
)

// needsLists skips under Wine, which derives an access list from the modes of
// the file below and keeps none. Only a Windows can prove these tests.
func needsLists(t *testing.T) {
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		t.Skip("LEFT OUT: access lists: Wine keeps none")
	}
}

// list is the access list of a file or folder in SDDL.
func list(t *testing.T, path string) string {
	t.Helper()
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		t.Fatal(err)
	}
	return sd.String()
}

// Whatever the folder above lets in, the system and administrators alone come
// into a private one.
func TestPrivate(t *testing.T) {
	needsLists(t)
	path := filepath.Join(t.TempDir(), "Drawbridge", "Agent", "data")
	if err := custody.Private(path); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Dir(path)} {
		if got := list(t, p); !strings.HasPrefix(got, "D:P") || strings.Contains(got, ";BU)") || strings.Contains(got, ";WD)") || !strings.Contains(got, ";BA)") {
			t.Errorf("%s has the list %s; want a protected one for the system and administrators", p, got)
		}
	}
	if err := custody.Private(path); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

// A list that an admin set stays, and one that lets everybody in is refused.
func TestPrivate_listOfTheAdmin(t *testing.T) {
	needsLists(t)
	path := t.TempDir()
	give := func(text string) {
		t.Helper()
		sd, err := windows.SecurityDescriptorFromString(text)
		if err != nil {
			t.Fatal(err)
		}
		dacl, _, err := sd.DACL()
		if err != nil {
			t.Fatal(err)
		}
		if err := windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, dacl, nil); err != nil {
			t.Fatal(err)
		}
	}
	give("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FR;;;BU)")
	if err := custody.Private(path); err == nil || !strings.Contains(err.Error(), "can come in: take that away (`icacls") {
		t.Errorf("a folder that all users may read: %v; want it refused with the cure", err)
	}
}
