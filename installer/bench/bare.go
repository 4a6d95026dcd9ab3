package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/sync/errgroup"

	"github.com/drawbridge-id/drawbridge/installer/stage"
)

// written are the attributes that a create of the demonstration's mapping
// writes; the bare program writes the same ones with the same values.
var written = []string{"objectClass", "cn", "sAMAccountName", "userPrincipalName", "userAccountControl", "displayName", "givenName", "sn",
	"mail", "title", "department", "employeeID", "telephoneNumber", "l", "physicalDeliveryOfficeName", "accountExpires"}

// accounts reads back the people that the product wrote, as the adds that
// would have made them: the same values, and a password.
func accounts(d stage.Domain) ([]*ldap.AddRequest, error) {
	people, err := d.People(written...)
	if err != nil {
		return nil, err
	}
	adds := make([]*ldap.AddRequest, 0, len(people))
	for _, e := range people {
		add := ldap.NewAddRequest(e.DN, nil)
		for _, a := range e.Attributes {
			add.Attribute(a.Name, a.Values)
		}
		add.Attribute("unicodePwd", []string{stage.Quoted("Qx9-Vintage-4711")})
		adds = append(adds, add)
	}
	return adds, nil
}

// bareAdd makes the containers, then adds the entries over conns connections,
// and returns the time that the adding took.
func bareAdd(ctx context.Context, d stage.Domain, adds []*ldap.AddRequest, conns int) (time.Duration, error) {
	if err := makeContainers(d, adds); err != nil {
		return 0, err
	}
	var next atomic.Int64
	pool := make([]*ldap.Conn, conns)
	for i := range pool {
		conn, err := d.Dial()
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		pool[i] = conn
	}
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, conn := range pool {
		group.Go(func() error {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(adds) {
					return nil
				}
				if err := conn.Add(adds[i]); err != nil {
					return fmt.Errorf("add %s: %w", adds[i].DN, err)
				}
			}
			return context.Cause(ctx)
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

func makeContainers(d stage.Domain, adds []*ldap.AddRequest) error {
	conn, err := d.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	seen := map[string]bool{strings.ToLower(d.Base): true}
	var missing []string
	for _, add := range adds {
		for dn := parent(add.DN); dn != "" && !seen[strings.ToLower(dn)]; dn = parent(dn) {
			seen[strings.ToLower(dn)] = true
			missing = append(missing, dn)
		}
	}
	slices.SortFunc(missing, func(a, b string) int { return len(a) - len(b) })
	for _, dn := range missing {
		ou := ldap.NewAddRequest(dn, nil)
		ou.Attribute("objectClass", []string{"top", "organizationalUnit"})
		if err := conn.Add(ou); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists) {
			return fmt.Errorf("add %s: %w", dn, err)
		}
	}
	return nil
}

// parent returns the DN above dn; the demonstration's containers hold no escaped comma.
func parent(dn string) string {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',':
			return dn[i+1:]
		}
	}
	return ""
}
