package double_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
)

// dial connects and binds as administrator.
func dial(t testing.TB, s *double.Server) *ldap.Conn {
	t.Helper()
	conn, err := ldap.DialURL(s.LDAPS, ldap.DialWithTLSConfig(&tls.Config{RootCAs: s.CA}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Bind(s.AdminDN, s.AdminPassword); err != nil {
		t.Fatal(err)
	}
	return conn
}

func addOU(t testing.TB, conn *ldap.Conn, dn string) {
	t.Helper()
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"top", "organizationalUnit"})
	if err := conn.Add(req); err != nil {
		t.Fatal(err)
	}
}

// userRequest has what a provisioned account usually has.
func userRequest(parent string, i int) *ldap.AddRequest {
	r := ldap.NewAddRequest(fmt.Sprintf("CN=Test User %d,%s", i, parent), nil)
	r.Attribute("objectClass", []string{"top", "person", "organizationalPerson", "user"})
	r.Attribute("sAMAccountName", []string{fmt.Sprintf("tu%d", i)})
	r.Attribute("userPrincipalName", []string{fmt.Sprintf("tu%d@corp.example.test", i)})
	r.Attribute("userAccountControl", []string{"514"})
	r.Attribute("employeeID", []string{fmt.Sprint(i)})
	r.Attribute("mail", []string{fmt.Sprintf("tu%d@example.test", i)})
	for _, a := range []string{"sn", "givenName", "displayName", "title", "department", "company", "l", "telephoneNumber"} {
		r.Attribute(a, []string{"Müller of " + a})
	}
	return r
}

func wantCode(t *testing.T, what string, err error, code uint16) {
	t.Helper()
	if !ldap.IsErrorWithCode(err, code) && (code != 0 || err != nil) {
		t.Errorf("%s: %v; want result %d", what, err, code)
	}
}

// What Samba does not do, so that the shared suite cannot ask for it.
func TestDouble_windowsAlone(t *testing.T) {
	t.Parallel()
	s := start(t, double.Options{})
	conn := dial(t, s)
	ou := "OU=Staff," + s.BaseDN
	addOU(t, conn, ou)
	for i := range 3 {
		if err := conn.Add(userRequest(ou, i)); err != nil {
			t.Fatal(err)
		}
	}
	search := func(limit int, controls ...ldap.Control) error {
		_, err := conn.Search(ldap.NewSearchRequest(ou, ldap.ScopeSingleLevel, 0, limit, 0, false, "(objectClass=user)", nil, controls))
		return err
	}
	wantCode(t, "search with a size limit", search(2), ldap.LDAPResultSizeLimitExceeded)
	wantCode(t, "search with a size limit that suffices", search(3), 0)
	wantCode(t, "search with an unknown critical control", search(0, ldap.NewControlString("1.2.3", true, "")), ldap.LDAPResultUnavailableCriticalExtension)

	// Names that differ in diacritics alone are the same name.
	if err := conn.ModifyDN(ldap.NewModifyDNRequest("CN=Test User 0,"+ou, "CN=Zoë", true, "")); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "rename to Zoe beside Zoë", conn.ModifyDN(ldap.NewModifyDNRequest("CN=Test User 1,"+ou, "CN=Zoe", true, "")), ldap.LDAPResultEntryAlreadyExists)

	long := userRequest(ou, 9)
	long.Attributes[1].Vals = []string{strings.Repeat("x", 21)}
	wantCode(t, "logon name of 21 characters", conn.Add(long), ldap.LDAPResultUnwillingToPerform)
}

// A tombstone comes back with its GUID, by the request that MS-ADTS describes.
func TestDouble_restore(t *testing.T) {
	t.Parallel()
	s := start(t, double.Options{})
	conn := dial(t, s)
	ou := "OU=Staff," + s.BaseDN
	addOU(t, conn, ou)
	if err := conn.Add(userRequest(ou, 1)); err != nil {
		t.Fatal(err)
	}
	dn := "CN=Test User 1," + ou
	guidOf := func() string {
		res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"objectGUID"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		return res.Entries[0].GetAttributeValue("objectGUID")
	}
	before := guidOf()
	if err := conn.Del(ldap.NewDelRequest(dn, nil)); err != nil {
		t.Fatal(err)
	}
	showDeleted := []ldap.Control{ldap.NewControlString("1.2.840.113556.1.4.417", true, "")}
	res, err := conn.Search(ldap.NewSearchRequest("CN=Deleted Objects,"+s.BaseDN, ldap.ScopeSingleLevel, 0, 0, 0, false, "(sAMAccountName=tu1)", nil, showDeleted))
	if err != nil || len(res.Entries) != 0 {
		t.Errorf("index still knows the deleted account: %v, %v", res, err)
	}
	res, err = conn.Search(ldap.NewSearchRequest("CN=Deleted Objects,"+s.BaseDN, ldap.ScopeSingleLevel, 0, 0, 0, false, "(isDeleted=TRUE)", nil, showDeleted))
	if err != nil || len(res.Entries) != 1 {
		t.Fatalf("deleted objects: %v, %v; want one", res, err)
	}
	req := ldap.NewModifyRequest(res.Entries[0].DN, showDeleted)
	req.Delete("isDeleted", nil)
	req.Replace("distinguishedName", []string{dn})
	if err := conn.Modify(req); err != nil {
		t.Fatal(err)
	}
	if after := guidOf(); after != before {
		t.Errorf("objectGUID after restore = %x; want %x", after, before)
	}
}

// An account with a right has that right, there and nowhere else.
func TestDouble_grant(t *testing.T) {
	t.Parallel()
	s := start(t, double.Options{})
	admin := dial(t, s)
	staff, other := "OU=Staff,"+s.BaseDN, "OU=Other,"+s.BaseDN
	addOU(t, admin, staff)
	addOU(t, admin, other)
	svc := userRequest(s.BaseDN, 0)
	svc.Attributes[3].Vals = []string{"512"}
	svc.Attribute("unicodePwd", []string{"\"\x00P\x00a\x00s\x00s\x00w\x000\x00r\x00d\x00!\x00\"\x00"})
	if err := admin.Add(svc); err != nil {
		t.Fatal(err)
	}
	if err := s.Grant(svc.DN, double.Right{Under: staff, Create: true, Write: []string{"title"}}); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, s)
	if err := conn.Bind(svc.DN, "Passw0rd!"); err != nil {
		t.Fatal(err)
	}
	set := func(dn, attr string) error {
		r := ldap.NewModifyRequest(dn, nil)
		r.Replace(attr, []string{"new"})
		return conn.Modify(r)
	}
	wantCode(t, "add where granted", conn.Add(userRequest(staff, 1)), 0)
	wantCode(t, "add elsewhere", conn.Add(userRequest(other, 2)), ldap.LDAPResultInsufficientAccessRights)
	wantCode(t, "write of a granted attribute", set("CN=Test User 1,"+staff, "title"), 0)
	wantCode(t, "write of another", set("CN=Test User 1,"+staff, "department"), ldap.LDAPResultInsufficientAccessRights)
	wantCode(t, "delete", conn.Del(ldap.NewDelRequest("CN=Test User 1,"+staff, nil)), ldap.LDAPResultInsufficientAccessRights)
	_, err := conn.Search(ldap.NewSearchRequest(s.BaseDN, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=*)", nil,
		[]ldap.Control{ldap.NewRequestControlDirSync(0, 1<<20, nil)}))
	wantCode(t, "DirSync", err, ldap.LDAPResultInsufficientAccessRights)
}

func TestDouble_fails(t *testing.T) {
	t.Parallel()
	s := start(t, double.Options{})
	conn := dial(t, s)
	ou := "OU=Staff," + s.BaseDN
	addOU(t, conn, ou)
	fail := func(f double.Fault) {
		t.Helper()
		if err := s.Fail(f); err != nil {
			t.Fatal(err)
		}
	}
	fail(double.Fault{Do: double.AnswerBusy, Ops: []string{"add"}})
	wantCode(t, "busy", conn.Add(userRequest(ou, 1)), ldap.LDAPResultBusy)
	fail(double.Fault{Do: double.AnswerUnavailable, Text: "Test User 2", Count: 2})
	wantCode(t, "after busy", conn.Add(userRequest(ou, 1)), 0)
	wantCode(t, "unavailable", conn.Add(userRequest(ou, 2)), ldap.LDAPResultUnavailable)
	s.Heal()
	wantCode(t, "healed", conn.Add(userRequest(ou, 2)), 0)

	fail(double.Fault{Delay: 30 * time.Millisecond})
	began := time.Now()
	wantCode(t, "slow", conn.Add(userRequest(ou, 3)), 0)
	if took := time.Since(began); took < 30*time.Millisecond {
		t.Errorf("add took %s; want at least 30ms", took)
	}

	exists := func(i int) bool {
		res, err := dial(t, s).Search(ldap.NewSearchRequest(ou, ldap.ScopeSingleLevel, 0, 0, 0, false, fmt.Sprintf("(sAMAccountName=tu%d)", i), nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		return len(res.Entries) == 1
	}
	fail(double.Fault{Do: double.DropBefore, Ops: []string{"add"}})
	if err := conn.Add(userRequest(ou, 4)); err == nil {
		t.Error("add was answered although dropped before")
	}
	if exists(4) {
		t.Error("add was done although dropped before")
	}
	conn = dial(t, s)
	fail(double.Fault{Do: double.DropAfter, Ops: []string{"add"}})
	if err := conn.Add(userRequest(ou, 5)); err == nil {
		t.Error("add was answered although dropped after")
	}
	if !exists(5) {
		t.Error("add was not done although only its answer was to be lost")
	}
	conn = dial(t, s)
	s.Unlisten()
	if err := conn.Add(userRequest(ou, 6)); err == nil {
		t.Error("add succeeded while the server was away")
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "back", dial(t, s).Add(userRequest(ou, 6)), 0)
}

// Full pages: the page size is cut to 1,000, and values of member to 1,500.
func TestDouble_limits(t *testing.T) {
	t.Parallel()
	s := start(t, double.Options{})
	conn := dial(t, s)
	ou := "OU=Staff," + s.BaseDN
	addOU(t, conn, ou)
	const users = 2100
	group := ldap.NewAddRequest("CN=All,"+s.BaseDN, nil)
	group.Attribute("objectClass", []string{"top", "group"})
	var members []string
	for i := range users {
		r := userRequest(ou, i)
		if err := conn.Add(r); err != nil {
			t.Fatal(err)
		}
		members = append(members, r.DN)
	}
	group.Attribute("member", members)
	if err := conn.Add(group); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Search(ldap.NewSearchRequest(ou, ldap.ScopeSingleLevel, 0, 0, 0, false, "(objectClass=user)", []string{"cn"}, nil))
	wantCode(t, "search of 2,100 without pages", err, ldap.LDAPResultSizeLimitExceeded)
	res, err := conn.SearchWithPaging(ldap.NewSearchRequest(ou, ldap.ScopeSingleLevel, 0, 0, 0, false, "(objectClass=user)", []string{"cn"}, nil), 5000)
	if err != nil || len(res.Entries) != users {
		t.Errorf("paged search: %d entries, %v; want %d", len(res.Entries), err, users)
	}
	res, err = conn.Search(ldap.NewSearchRequest(group.DN, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"member"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range res.Entries[0].Attributes {
		if a.Name != "member;range=0-1499" || len(a.Values) != 1500 {
			t.Errorf("%s with %d values; want member;range=0-1499 with 1500", a.Name, len(a.Values))
		}
	}
}

// BenchmarkAdd adds users with go-ldap from several connections: most of the
// time is the client's, which is the point.
func BenchmarkAdd(b *testing.B) {
	for _, conns := range []int{1, 4, 8} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			s := start(b, double.Options{})
			var all []*ldap.Conn
			for range conns {
				all = append(all, dial(b, s))
			}
			ou := "OU=Staff," + s.BaseDN
			addOU(b, all[0], ou)
			b.ResetTimer()
			var next atomic.Int64
			var wg sync.WaitGroup
			for _, conn := range all {
				for range 8 { // in flight on each
					wg.Go(func() {
						for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
							if err := conn.Add(userRequest(ou, i)); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "adds/s")
		})
	}
}
