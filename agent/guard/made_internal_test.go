package guard

import "testing"

// What is made once for a system is not given to another, nor to the same one
// where another connector serves it.
func TestPolicy_system(t *testing.T) {
	t.Parallel()
	p := &Policy{Mode: Enforce, Systems: map[string]System{
		"free": {NeverTouch: []string{"S-1-5-21-1-2-3-4"}},
		"tied": {Connector: "ldap"},
	}}
	for range 2 { // made, and given again
		for _, c := range []struct {
			system, connector string
			known, directory  bool
			touches           int // what is never touched
		}{
			{"free", activeDirectory, true, true, len(protectedRIDs) + len(protectedSIDs) + 1},
			{"free", "ldap", true, false, 0},
			{"tied", "ldap", true, false, 0},
			{"tied", activeDirectory, false, false, 0},
			{"other", activeDirectory, false, true, len(protectedRIDs) + len(protectedSIDs)},
			{"other", "ldap", false, false, len(protectedRIDs) + len(protectedSIDs)},
		} {
			s, known := p.system(c.system, c.connector)
			if known != c.known || s.directory != c.directory || len(s.protected) != c.touches {
				t.Errorf("%s by %s: known %v, a directory %v, %d protected; want %+v", c.system, c.connector, known, s.directory, len(s.protected), c)
			}
		}
	}
	one, _ := p.system("free", "ldap")
	if again, _ := p.system("free", "ldap"); again != one {
		t.Error("it was made twice")
	}
	other, _ := p.system("other", "ldap")
	if another, _ := p.system("another", "ldap"); another != other {
		t.Error("systems that the policy does not name are kept each: whoever names them can fill the memory")
	}
}
