package activedirectory_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// BenchmarkCreate creates accounts through the connector, and the same by bare
// go-ldap, 16 at a time each, in turn. The connector looks the anchor up, reads
// the object back, and so sends two requests or three where go-ldap sends one.
func BenchmarkCreate(b *testing.B) {
	const atATime, round = 16, 4000
	d := startDouble(b, double.Windows)
	c := d.open(b)
	var bare []*ldap.Conn
	for range atATime {
		bare = append(bare, d.admin(b))
	}
	ou, n := d.ou(b, "Bench"), 0
	var ours, theirs time.Duration
	for b.Loop() {
		ours += timed(func() { b.Helper(); throughConnector(b, c, ou, n, round, atATime) })
		theirs += timed(func() { byGoLDAP(b, bare, ou, n+round, round) })
		n += 2 * round
	}
	b.ReportMetric(float64(round)*float64(b.N)/ours.Seconds(), "creates/s")
	b.ReportMetric(float64(round)*float64(b.N)/theirs.Seconds(), "go-ldap-adds/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "speed/go-ldap")
}

func timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

func benchUser(ou string, i int) *connectorv1.Operation {
	op := create(ou, fmt.Sprintf("Person %d", i), fmt.Sprintf("person%d", i), "givenName", "Given", "sn", "Surname", "title", "Clerk", "department", "Sales")
	op.ReturnAttributes = []string{"sAMAccountName", "employeeID"}
	op.GetCreate().Enabled, op.GetCreate().Password = false, nil
	return op
}

func throughConnector(b *testing.B, c *client, ou string, from, n, atATime int) {
	stream, err := c.Apply(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	sent := 0
	send := func() {
		if err := stream.Send(&connectorv1.ApplyRequest{Tag: uint64(sent), Operation: benchUser(ou, from+sent)}); err != nil {
			b.Fatal(err)
		}
		sent++
	}
	for range atATime {
		send()
	}
	for range n {
		r, err := stream.Recv()
		if err != nil || r.GetOutcome() != done {
			b.Fatal(r, err)
		}
		if sent < n {
			send()
		}
	}
	if err := stream.CloseSend(); err != nil {
		b.Fatal(err)
	}
}

func byGoLDAP(b *testing.B, conns []*ldap.Conn, ou string, from, n int) {
	var wg sync.WaitGroup
	for worker, conn := range conns {
		wg.Go(func() {
			for i := worker; i < n; i += len(conns) {
				op := benchUser(ou, from+i).GetCreate()
				add := ldap.NewAddRequest("CN="+op.GetName()+","+ou, nil)
				add.Attribute("objectClass", []string{"top", "person", "organizationalPerson", "user"})
				add.Attribute("userAccountControl", []string{"514"})
				for _, a := range op.GetAttributes() {
					add.Attribute(a.GetName(), a.GetValues())
				}
				if err := conn.Add(add); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
