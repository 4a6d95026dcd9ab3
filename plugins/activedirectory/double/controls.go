package double

import (
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/ber"
)

// Controls the double knows.
const (
	oidPaged       = "1.2.840.113556.1.4.319"
	oidDirSync     = "1.2.840.113556.1.4.841"
	oidShowDeleted = "1.2.840.113556.1.4.417"
	oidExtendedDN  = "1.2.840.113556.1.4.529"
	oidPermissive  = "1.2.840.113556.1.4.1413"
	oidTreeDelete  = "1.2.840.113556.1.4.805"
	oidDomainScope = "1.2.840.113556.1.4.1339"
	oidPolicyHints = "1.2.840.113556.1.4.2239"
	oidLazyCommit  = "1.2.840.113556.1.4.619"
	oidSDFlags     = "1.2.840.113556.1.4.801"
)

// controls are those of one request.
type controls struct {
	showDeleted, permissive, treeDelete, domainScope bool

	extendedDN     bool
	extendedString bool // GUIDs and SIDs in words, not in hex

	paged    bool
	pageSize int
	cookie   string

	dirSync      bool
	dirFlags     int64
	dirMaxBytes  int64
	dirSyncState string
}

// parseControls reads the controls after an operation. An unknown one that is
// critical refuses the operation.
func parseControls(s string) (c controls, r result) {
	if s == "" {
		return c, result{}
	}
	list, _, err := ber.Expect(s, 0xa0)
	for err == nil && list != "" {
		var one, oid string
		if one, list, err = ber.Expect(list, ber.Sequence); err != nil {
			break
		}
		if oid, one, err = ber.Expect(one, ber.Octets); err != nil {
			break
		}
		critical, value := false, ""
		for one != "" && err == nil {
			var tag byte
			var v string
			tag, v, one, err = ber.Read(one)
			switch tag {
			case ber.Boolean:
				critical = v != "\x00"
			case ber.Octets:
				value = v
			}
		}
		if err == nil {
			var known bool
			known, err = c.take(oid, value)
			if !known && critical {
				return c, ldapErr(criticalExtension, 0, "Error processing control")
			}
		}
	}
	if err != nil {
		return c, malformed(err)
	}
	return c, result{}
}

func (c *controls) take(oid, value string) (known bool, err error) {
	switch oid {
	case oidShowDeleted:
		c.showDeleted = true
	case oidPermissive:
		c.permissive = true
	case oidTreeDelete:
		c.treeDelete = true
	case oidDomainScope:
		c.domainScope = true
	case oidPolicyHints, oidLazyCommit, oidSDFlags: // nothing here depends on them
	case oidExtendedDN:
		c.extendedDN = true
		if value != "" {
			f, err := integers(value, 1)
			if err != nil {
				return true, err
			}
			c.extendedString = f[0] == 1
		}
	case oidPaged:
		body, _, err := ber.Expect(value, ber.Sequence)
		if err != nil {
			return true, err
		}
		size, rest, err := ber.Expect(body, ber.Integer)
		if err != nil {
			return true, err
		}
		c.paged, c.pageSize = true, int(ber.Int(size))
		c.cookie, _, err = ber.Expect(rest, ber.Octets)
		return true, err
	case oidDirSync:
		f, err := integers(value, 2)
		if err != nil {
			return true, err
		}
		c.dirSync, c.dirFlags, c.dirMaxBytes = true, f[0], f[1]
		body, _, _ := ber.Expect(value, ber.Sequence) // read once already
		for range 2 {
			_, _, body, _ = ber.Read(body)
		}
		c.dirSyncState, _, err = ber.Expect(body, ber.Octets)
		return true, err
	default:
		return false, nil
	}
	return true, nil
}

// integers reads the first n INTEGERs of a SEQUENCE.
func integers(s string, n int) ([]int64, error) {
	body, _, err := ber.Expect(s, ber.Sequence)
	if err != nil {
		return nil, err
	}
	out := make([]int64, n)
	for i := range out {
		var v string
		if v, body, err = ber.Expect(body, ber.Integer); err != nil {
			return nil, err
		}
		out[i] = ber.Int(v)
	}
	return out, nil
}
