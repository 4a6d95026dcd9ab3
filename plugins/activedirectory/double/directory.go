package double

import (
	"crypto/rand"
	"encoding/binary"
	mrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"
)

// A directory is the database: three naming contexts of objects in memory, the
// indexes over them, and the log of changes that DirSync reads. Its methods
// expect mu to be held, for writing where they change something.
type directory struct {
	mu sync.RWMutex

	flavor       Flavor
	schema       *schema.Schema
	at           wellKnown
	domain       *object // heads of the naming contexts
	config       *object
	schemaHead   *object
	deletedIn    map[*object]*object // head → its Deleted Objects
	domainSID    string
	dnsName      string // corp.example.test
	netBIOS      string
	invocationID [16]byte

	usn     uint64
	nextRID uint32
	changes []change // ascending by usn; an entry is stale once its object has changed again
	stale   int

	byGUID  map[[16]byte]*object
	indexes map[*schema.Attribute]map[string]posting
	cnIndex map[string]posting // by folded RDN value

	made       []constructed
	zeros      []*schema.Attribute                     // 0 on every account at first
	shown      []*schema.Attribute                     // constructed ones that a search for all attributes returns
	backOf     map[*schema.Attribute]*schema.Attribute // forward link to its back link
	guidSource *mrand.ChaCha8
	policy     Policy
}

// A change says that an object last changed at usn.
type change struct {
	usn uint64
	obj *object
}

// A posting is nearly always one object.
type posting struct {
	one  *object
	more []*object
}

// wellKnown are the attributes that code names.
type wellKnown struct {
	objectClass, objectCategory, objectGUID, objectSid, distinguishedName, name,
	instanceType, whenCreated, whenChanged, uSNCreated, uSNChanged, isDeleted,
	lastKnownParent, sAMAccountName, sAMAccountType, userPrincipalName,
	userAccountControl, unicodePwd, userPassword, pwdLastSet, accountExpires,
	lockoutTime, badPwdCount, badPasswordTime, primaryGroupID, groupType, member, memberOf, manager,
	employeeID, employeeNumber, mail, cn, isCriticalSystemObject, adminCount,
	servicePrincipalName, proxyAddresses *schema.Attribute
}

// indexed attributes answer an equality filter without a scan.
func (w *wellKnown) indexed() []*schema.Attribute {
	return []*schema.Attribute{w.sAMAccountName, w.userPrincipalName, w.employeeID, w.employeeNumber,
		w.mail, w.servicePrincipalName, w.proxyAddresses}
}

// fileTimeOffset is 1970 in 100 ns since 1601.
const fileTimeOffset = 116444736000000000

func (d *directory) nextUSN() uint64 {
	d.usn++
	return d.usn
}

// touch records that o changed at usn.
func (d *directory) touch(o *object, usn uint64, now int64) {
	if o.usnChanged != 0 {
		d.stale++
	}
	o.usnChanged, o.changed = usn, now
	d.changes = append(d.changes, change{usn, o})
	if d.stale > 1<<16 && d.stale > len(d.changes)/2 {
		d.changes = slices.DeleteFunc(d.changes, func(c change) bool { return c.obj.usnChanged != c.usn })
		d.stale = 0
	}
}

// since returns the changes after usn; those that are stale are among them.
func (d *directory) since(usn uint64) []change {
	i, _ := slices.BinarySearchFunc(d.changes, usn+1, func(c change, u uint64) int {
		switch {
		case c.usn < u:
			return -1
		case c.usn > u:
			return 1
		}
		return 0
	})
	return d.changes[i:]
}

// rdnKey is how a parent finds a child.
func (d *directory) rdnKey(attr *schema.Attribute, value string) string {
	return attr.Lower + "=" + d.fold(value)
}

// lookup finds the object with a distinguished name, or one given as
// <GUID=…> or <SID=…>. Without one it returns the deepest ancestor there is,
// which may be nil. It reports false for bad syntax.
func (d *directory) lookup(dn string) (found, best *object, ok bool) {
	if strings.HasPrefix(dn, "<") {
		o, ok := d.lookupBracketed(dn)
		return o, nil, ok
	}
	var parts [24]rdn
	n := 0
	for rest := dn; rest != ""; n++ {
		if n == len(parts) {
			return nil, nil, false
		}
		if parts[n], rest, ok = splitRDN(rest); !ok {
			return nil, nil, false
		}
	}
	head, depth := d.headOf(parts[:n])
	if head == nil {
		return nil, nil, true
	}
	o := head
	for i := n - depth - 1; i >= 0; i-- {
		a := d.schema.Attribute(parts[i].attr)
		if a == nil {
			return nil, o, true
		}
		kid := o.kids[d.rdnKey(a, parts[i].value)]
		if kid == nil {
			return nil, o, true
		}
		o = kid
	}
	return o, o, true
}

// headOf finds the naming context that a name ends in and how many of its
// parts name the context.
func (d *directory) headOf(parts []rdn) (*object, int) {
	var best *object
	depth := 0
	for _, h := range []*object{d.domain, d.config, d.schemaHead} {
		n, rest := 0, h.rdn
		match := true
		var want [24]rdn
		for rest != "" && n < len(want) {
			want[n], rest, _ = splitRDN(rest)
			n++
		}
		if n > len(parts) {
			continue
		}
		tail := parts[len(parts)-n:]
		for i := range n {
			if !strings.EqualFold(tail[i].attr, want[i].attr) || !strings.EqualFold(tail[i].value, want[i].value) {
				match = false
				break
			}
		}
		if match && n > depth {
			best, depth = h, n
		}
	}
	return best, depth
}

func (d *directory) lookupBracketed(dn string) (*object, bool) {
	end := strings.IndexByte(dn, '>')
	if end < 0 {
		return nil, false
	}
	kind, value, _ := strings.Cut(dn[1:end], "=")
	switch strings.ToUpper(kind) {
	case "GUID":
		g, ok := parseGUID(value)
		return d.byGUID[g], ok
	case "SID":
		sid, ok := parseSID(value)
		if !ok {
			return nil, false
		}
		return d.bySID(sid), true
	}
	return nil, false
}

func (d *directory) bySID(sid string) *object {
	if o := d.domain; sid == d.domainSID {
		return o
	}
	return d.indexes[d.at.objectSid][sid].one
}

// insert puts a new object below parent and into the indexes. The caller has
// checked that the name is free.
func (d *directory) insert(o, parent *object, usn uint64, now int64) {
	if o.guid == [16]byte{} {
		d.newGUID(&o.guid)
	}
	o.usnCreated, o.nameUSN, o.created = usn, usn, now
	d.byGUID[o.guid] = o
	if parent != nil {
		d.attach(o, parent)
	}
	for i := range o.attrs {
		d.indexAttr(o, &o.attrs[i])
	}
	if sid := d.objectSid(o); sid != "" {
		d.index(d.at.objectSid, sid, o)
	}
	d.touch(o, usn, now)
}

// newGUID makes a random GUID of version 4.
func (d *directory) newGUID(g *[16]byte) {
	binary.LittleEndian.PutUint64(g[:8], d.guidSource.Uint64())
	binary.LittleEndian.PutUint64(g[8:], d.guidSource.Uint64())
	g[7] = g[7]&0x0f | 0x40
	g[8] = g[8]&0x3f | 0x80
}

// attach links o into parent's list and maps.
func (d *directory) attach(o, parent *object) {
	o.parent, o.prev, o.next = parent, parent.last, nil
	if parent.last != nil {
		parent.last.next = o
	} else {
		parent.first = o
	}
	parent.last = o
	if parent.kids == nil {
		parent.kids = map[string]*object{}
	}
	parent.kids[d.rdnKey(o.class.RDN, o.rdn)] = o
	put(d.cnIndex, d.fold(o.rdn), o)
}

// detach takes o out of its parent.
func (d *directory) detach(o *object) {
	p := o.parent
	if o.prev != nil {
		o.prev.next = o.next
	} else {
		p.first = o.next
	}
	if o.next != nil {
		o.next.prev = o.prev
	} else {
		p.last = o.prev
	}
	delete(p.kids, d.rdnKey(o.class.RDN, o.rdn))
	take(d.cnIndex, d.fold(o.rdn), o)
}

func (d *directory) indexAttr(o *object, a *attribute) {
	if d.indexes[a.def] == nil {
		return
	}
	for _, v := range a.vals {
		d.index(a.def, d.fold(v), o)
	}
}

func (d *directory) unindexAttr(o *object, a *attribute) {
	m := d.indexes[a.def]
	if m == nil {
		return
	}
	for _, v := range a.vals {
		take(m, d.fold(v), o)
	}
}

func (d *directory) index(def *schema.Attribute, key string, o *object) {
	put(d.indexes[def], key, o)
}

func put(m map[string]posting, key string, o *object) {
	p := m[key]
	if p.one == nil {
		p.one = o
	} else {
		p.more = append(p.more, o)
	}
	m[key] = p
}

func take(m map[string]posting, key string, o *object) {
	p := m[key]
	if p.one == o {
		p.one = nil
		if n := len(p.more); n > 0 {
			p.one, p.more = p.more[n-1], p.more[:n-1]
		}
	} else if i := slices.Index(p.more, o); i >= 0 {
		p.more = slices.Delete(p.more, i, i+1)
	}
	if p.one == nil {
		delete(m, key)
		return
	}
	m[key] = p
}

// taken reports whether another object than o holds the value.
func (d *directory) taken(def *schema.Attribute, value string, o *object) bool {
	p := d.indexes[def][d.fold(value)]
	return p.one != nil && p.one != o || len(p.more) > 0
}

// newDirectory makes the objects a fresh domain has.
func newDirectory(opt Options) (*directory, error) {
	s, err := schema.Load()
	if err != nil {
		return nil, err
	}
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, err
	}
	d := &directory{
		flavor: opt.Flavor, schema: s, policy: opt.Policy,
		deletedIn: map[*object]*object{},
		byGUID:    map[[16]byte]*object{}, cnIndex: map[string]posting{},
		indexes:    map[*schema.Attribute]map[string]posting{},
		guidSource: mrand.NewChaCha8(seed), nextRID: 1103,
	}
	d.at = attributesByName(s)
	d.made = d.constructedAttributes()
	for _, name := range []string{"badPwdCount", "badPasswordTime", "codePage", "countryCode", "lastLogoff", "lastLogon", "logonCount"} {
		d.zeros = append(d.zeros, s.Attribute(name))
	}
	d.backOf = map[*schema.Attribute]*schema.Attribute{}
	forward := map[int]*schema.Attribute{}
	for _, a := range s.Attributes {
		if a.Forward() {
			forward[a.LinkID] = a
		}
	}
	for _, a := range s.Attributes {
		if f := forward[a.LinkID-1]; a.Back() && f != nil {
			d.backOf[f] = a
		}
		if d.made[a.ID] != nil && !a.Constructed || a == d.at.sAMAccountType {
			d.shown = append(d.shown, a)
		}
	}
	for _, a := range append(d.at.indexed(), d.at.objectSid) {
		d.indexes[a] = map[string]posting{}
	}
	d.newGUID(&d.invocationID)
	sid := []byte{1, 4, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0}
	for range 3 {
		sid = binary.LittleEndian.AppendUint32(sid, uint32(d.guidSource.Uint64()))
	}
	d.domainSID = string(sid)
	d.usn = 3000
	return d, d.furnish(opt, time.Now().Unix())
}

func attributesByName(s *schema.Schema) wellKnown {
	a := s.Attribute
	return wellKnown{
		objectClass: a("objectClass"), objectCategory: a("objectCategory"), objectGUID: a("objectGUID"),
		objectSid: a("objectSid"), distinguishedName: a("distinguishedName"), name: a("name"),
		instanceType: a("instanceType"), whenCreated: a("whenCreated"), whenChanged: a("whenChanged"),
		uSNCreated: a("uSNCreated"), uSNChanged: a("uSNChanged"), isDeleted: a("isDeleted"),
		lastKnownParent: a("lastKnownParent"), sAMAccountName: a("sAMAccountName"),
		sAMAccountType: a("sAMAccountType"), userPrincipalName: a("userPrincipalName"),
		userAccountControl: a("userAccountControl"), unicodePwd: a("unicodePwd"), userPassword: a("userPassword"),
		pwdLastSet: a("pwdLastSet"), accountExpires: a("accountExpires"), lockoutTime: a("lockoutTime"),
		badPwdCount: a("badPwdCount"), badPasswordTime: a("badPasswordTime"), primaryGroupID: a("primaryGroupID"), groupType: a("groupType"),
		member: a("member"), memberOf: a("memberOf"), manager: a("manager"), employeeID: a("employeeID"),
		employeeNumber: a("employeeNumber"), mail: a("mail"), cn: a("cn"),
		isCriticalSystemObject: a("isCriticalSystemObject"), adminCount: a("adminCount"),
		servicePrincipalName: a("servicePrincipalName"), proxyAddresses: a("proxyAddresses"),
	}
}
