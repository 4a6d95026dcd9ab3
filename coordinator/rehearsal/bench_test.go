//go:build unix

package rehearsal_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// plain is what a plain company writes: two names to be unique, ten attributes, a password.
const plain = `system: hr
site: hq
connector: csv
settings: {path: /srv/hr/workers.csv, key: employee_id}
source:
  class: row
  key: employee_id
  attributes:
    employeeNumber: employee_id
    name.givenName: first_name
    name.familyName: last_name
    displayName: join(" ", first_name, last_name)
    title: title
    department: department
    startDate: date(hire_date)
    active: status == "A"
---
system: corp-ad
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1.corp.example"], base: "DC=corp,DC=example"}
target:
  class: user
  match: {employeeID: employeeNumber}
  container: '"OU=" + dn(department) + ",OU=Staff,DC=corp,DC=example"'
  make_containers: true
  name: name.givenName + " " + name.familyName + " " + employeeNumber
  attributes:
    sAMAccountName: {value: 'firstUnique(sam(lower(left(name.givenName, 1) + name.familyName)))', apply: create}
    userPrincipalName: {value: 'firstUnique(lower(ascii(name.givenName + "." + name.familyName)) + "@corp.example")', apply: create}
    employeeID: employeeNumber
    givenName: name.givenName
    sn: name.familyName
    displayName: displayName
    title: title
    department: department
  password: {length: 20}
  lifecycle:
    create: 7d before start
    enable: at start
    leave: {at: at end, disable: true}
`

// BenchmarkHire tells what each of the four times costs that a hire passes the
// writer, in processor time: its record, its plan, the claim of its job, the result.
func BenchmarkHire(b *testing.B) {
	const people, frame = 20_000, 1000
	var spent [4]time.Duration
	for range b.N {
		w := rehearsal.New(b)
		w.Apply(plain)
		rows := make([]*connectorv1.Object, people)
		for i := range rows {
			rows[i] = rehearsal.Worker(fmt.Sprintf("E%05d", i+1), given[i%len(given)], family[i/7%len(family)], "department", departments[i%len(departments)])
		}
		measure(&spent[0], func() {
			for i := 0; i < people; i += frame {
				w.Read("hr", rows[i:i+frame]...)
			}
		})
		measure(&spent[1], w.Plan)
		for range people / frame {
			var claimed []*linkv1.Job
			measure(&spent[2], func() { claimed = w.Claim(frame) })
			results := w.Results(claimed...)
			measure(&spent[3], func() { w.Finish(results...) })
		}
		w.Plan()
		if len(w.Objects) != people {
			b.Fatalf("%d accounts; want %d", len(w.Objects), people)
		}
	}
	for i, step := range [4]string{"read", "plan", "claim", "result"} {
		b.ReportMetric(float64(spent[i].Nanoseconds())/1e3/float64(b.N*people), "µs/"+step)
	}
}

var (
	given  = []string{"Anna", "Björn", "Carla", "Dmitri", "Élise", "Fatima", "Goran", "Hanna", "Igor", "Jana", "Kofi", "Lena", "Marek"}
	family = func() (all []string) {
		for i := range 1500 {
			all = append(all, fmt.Sprintf("%c%smann", 'A'+i%26, string([]byte{byte('a' + i/26%26), byte('a' + i/676%26)})))
		}
		return all
	}()
	departments = []string{"Research", "Production", "Sales", "Finance", "Legal", "Operations"}
)

func measure(to *time.Duration, do func()) {
	before := used()
	do()
	*to += used() - before
}

// used gives the processor time of the process.
func used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPreview tells what a preview of the first cycle of so many people
// costs, in processor time, beside that cycle: planned, held as a plan and
// looked at, against planned and carried out.
func BenchmarkPreview(b *testing.B) {
	const people, frame = 10_000, 1000
	rows := make([]*connectorv1.Object, people)
	for i := range rows {
		rows[i] = rehearsal.Worker(fmt.Sprintf("E%05d", i+1), given[i%len(given)], family[i/7%len(family)], "department", departments[i%len(departments)])
	}
	company := func(mode string) *rehearsal.World {
		w := rehearsal.New(b)
		w.Apply(plain + "  mode: " + mode + "\n")
		for i := 0; i < people; i += frame {
			w.Read("hr", rows[i:i+frame]...)
		}
		return w
	}
	var preview, cycle time.Duration
	for range b.N {
		w := company("preview")
		measure(&preview, func() {
			w.Plan()
			w.Write(func(tx *store.Tx) error {
				plans, err := tx.Plans(rehearsal.Tenant, "", 10)
				if err == nil && (len(plans) != 1 || plans[0].Hash == "") {
					b.Fatalf("%d plans; want one, sealed", len(plans))
				}
				return err
			})
		})
		if n := w.Work(people); n != 0 {
			b.Fatalf("%d operations of a preview were carried out", n)
		}
		w = company("apply")
		measure(&cycle, func() {
			w.Plan()
			for w.Work(frame) > 0 {
			}
			w.Plan()
		})
		if len(w.Objects) != people {
			b.Fatalf("%d accounts; want %d", len(w.Objects), people)
		}
	}
	b.ReportMetric(float64(preview.Microseconds())/float64(b.N*people), "µs/preview")
	b.ReportMetric(float64(cycle.Microseconds())/float64(b.N*people), "µs/cycle")
	b.ReportMetric(float64(preview)/float64(cycle), "preview/cycle")
}
