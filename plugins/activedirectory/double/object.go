package double

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// An object is one entry of the directory. What Active Directory computes
// (names, times, back links) is not among attrs; [directory.values] adds it.
type object struct {
	guid  [16]byte
	rid   uint32 // 0 means no objectSid of the domain
	sid   string // binary, for the few with a well-known one
	class *schema.Class
	rdn   string

	parent, first, last, prev, next *object
	kids                            map[string]*object // by rdnKey

	attrs []attribute
	links []linkSet
	back  []backSet

	usnCreated, usnChanged uint64
	nameUSN                uint64 // of the last rename or move
	created, changed       int64  // seconds since 1970
	password               *password

	deleted    bool
	critical   bool
	lastParent *object
}

// An attribute with no values has been cleared: DirSync must still tell.
type attribute struct {
	def  *schema.Attribute
	usn  uint64
	vals []string
}

// A linkSet holds the values of one forward link of an object, removed ones
// included: DirSync tells of them one by one.
type linkSet struct {
	def   *schema.Attribute
	usn   uint64
	links []link
	at    map[*object]int // index into links, once there are many
}

type link struct {
	to   *object
	usn  uint64
	gone bool
}

// A backSet holds the objects that point here by one forward link.
type backSet struct {
	def  *schema.Attribute // the forward one
	from map[*object]struct{}
}

const manyLinks = 16

func (o *object) attr(def *schema.Attribute) *attribute {
	for i := range o.attrs {
		if o.attrs[i].def == def {
			return &o.attrs[i]
		}
	}
	return nil
}

// one returns the first value, or "".
func (o *object) one(def *schema.Attribute) string {
	if a := o.attr(def); a != nil && len(a.vals) > 0 {
		return a.vals[0]
	}
	return ""
}

func (o *object) number(def *schema.Attribute) int64 {
	n, _ := strconv.ParseInt(o.one(def), 10, 64)
	return n
}

// set stores values, which may be none, under the change number.
func (o *object) set(def *schema.Attribute, usn uint64, vals ...string) {
	if a := o.attr(def); a != nil {
		a.vals, a.usn = vals, usn
		return
	}
	o.attrs = append(o.attrs, attribute{def, usn, vals})
}

func (o *object) linkSet(def *schema.Attribute) *linkSet {
	for i := range o.links {
		if o.links[i].def == def {
			return &o.links[i]
		}
	}
	return nil
}

func (l *linkSet) find(to *object) *link {
	if l == nil {
		return nil
	}
	if l.at != nil {
		if i, ok := l.at[to]; ok {
			return &l.links[i]
		}
		return nil
	}
	for i := range l.links {
		if l.links[i].to == to {
			return &l.links[i]
		}
	}
	return nil
}

func (l *linkSet) append(to *object, usn uint64) {
	l.links = append(l.links, link{to: to, usn: usn})
	switch {
	case l.at != nil:
		l.at[to] = len(l.links) - 1
	case len(l.links) > manyLinks:
		l.at = make(map[*object]int, 2*len(l.links))
		for i := range l.links {
			l.at[l.links[i].to] = i
		}
	}
}

// drop removes every trace of a link, as the deletion of its target does.
func (l *linkSet) drop(to *object) {
	for i := range l.links {
		if l.links[i].to != to {
			continue
		}
		last := len(l.links) - 1
		l.links[i] = l.links[last]
		l.links = l.links[:last]
		if l.at != nil {
			delete(l.at, to)
			if i < last {
				l.at[l.links[i].to] = i
			}
		}
		return
	}
}

func (o *object) backSet(def *schema.Attribute) *backSet {
	for i := range o.back {
		if o.back[i].def == def {
			return &o.back[i]
		}
	}
	return nil
}

func (o *object) addBack(def *schema.Attribute, from *object) {
	b := o.backSet(def)
	if b == nil {
		o.back = append(o.back, backSet{def, map[*object]struct{}{}})
		b = &o.back[len(o.back)-1]
	}
	b.from[from] = struct{}{}
}

func (o *object) dropBack(def *schema.Attribute, from *object) {
	if b := o.backSet(def); b != nil {
		delete(b.from, from)
	}
}

// appendDN writes the distinguished name.
func (o *object) appendDN(dst []byte) []byte {
	for ; o != nil; o = o.parent {
		if o.parent == nil { // the head of a naming context carries its whole name
			return append(dst, o.rdn...)
		}
		dst = append(dst, rdnLabel(o.class)...)
		dst = append(dst, '=')
		if o.deleted {
			name, mark, _ := strings.Cut(o.rdn, "\n")
			dst = appendEscaped(dst, name)
			dst = append(dst, `\0A`...)
			dst = append(dst, mark...)
		} else {
			dst = appendEscaped(dst, o.rdn)
		}
		dst = append(dst, ',')
	}
	return dst
}

func (o *object) dn() string { return string(o.appendDN(make([]byte, 0, 128))) }

// within reports whether o is top or lies below it.
func (o *object) within(top *object) bool {
	for ; o != nil; o = o.parent {
		if o == top {
			return true
		}
	}
	return false
}

// head returns the head of the naming context that o lies in.
func (o *object) head() *object {
	for o.parent != nil {
		o = o.parent
	}
	return o
}

// rdnLabel is the naming attribute in upper case, as Active Directory writes it.
func rdnLabel(c *schema.Class) string {
	switch c.RDN.Name {
	case "cn":
		return "CN"
	case "ou":
		return "OU"
	case "dc":
		return "DC"
	}
	return strings.ToUpper(c.RDN.Name)
}

// guidString writes a GUID as people read it: the first three parts are
// little-endian in the sixteen bytes.
func guidString(g [16]byte) string {
	b := []byte{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6]}
	b = append(b, g[8:]...)
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// parseGUID reads what guidString writes, or the plain hex of the bytes, which
// Active Directory takes too.
func parseGUID(s string) (g [16]byte, ok bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		return g, false
	}
	copy(g[:], b)
	if strings.Contains(s, "-") {
		g[0], g[1], g[2], g[3] = b[3], b[2], b[1], b[0]
		g[4], g[5], g[6], g[7] = b[5], b[4], b[7], b[6]
	}
	return g, true
}

// objectSid returns the binary SID, or "".
func (d *directory) objectSid(o *object) string {
	if o.rid == 0 {
		return o.sid
	}
	return d.domainSID[:1] + "\x05" + d.domainSID[2:] + string(binary.LittleEndian.AppendUint32(nil, o.rid))
}

// sidString writes S-1-5-….
func sidString(b string) string {
	if len(b) < 8 {
		return ""
	}
	var auth uint64
	for i := 2; i < 8; i++ {
		auth = auth<<8 | uint64(b[i])
	}
	s := "S-" + strconv.Itoa(int(b[0])) + "-" + strconv.FormatUint(auth, 10)
	for i := 8; i+4 <= len(b); i += 4 {
		s += "-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32([]byte(b[i:i+4]))), 10)
	}
	return s
}

// parseSID reads what sidString writes.
func parseSID(s string) (string, bool) {
	f := strings.Split(s, "-")
	if len(f) < 3 || f[0] != "S" {
		return "", false
	}
	auth, err := strconv.ParseUint(f[2], 10, 48)
	if err != nil {
		return "", false
	}
	b := []byte{1, byte(len(f) - 3), byte(auth >> 40), byte(auth >> 32), byte(auth >> 24), byte(auth >> 16), byte(auth >> 8), byte(auth)}
	for _, p := range f[3:] {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return "", false
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return string(b), true
}
