package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/intake"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/plan"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// evaluated is a target of 25 attributes: 15 copied, 10 made by expressions.
const evaluated = `system: app
site: hq
connector: scim
target:
  class: user
  name: displayName
  attributes:
    b01: employeeNumber
    b02: name.givenName
    b03: name.familyName
    b04: displayName
    b05: title
    b06: department
    b07: location
    b08: phoneNumbers.work
    b09: phoneNumbers.mobile
    b10: emails.work
    b11: costCenter
    b12: division
    b13: organization
    b14: nickName
    b15: userName
    c01: lower(name.givenName + "." + name.familyName) + "@corp.example"
    c02: upper(left(department, 3)) + "-" + employeeNumber
    c03: 'department == "Sales" ? "OU=Sales,DC=corp" : "OU=Staff,DC=corp"'
    c04: name.familyName + ", " + name.givenName
    c05: trim(title) + " (" + department + ")"
    c06: replace(phoneNumbers.work, " ", "")
    c07: 'location startsWith "B" ? "EU" : "US"'
    c08: lower(left(name.givenName, 1) + name.familyName)
    c09: 'nickName == "" ? name.givenName : nickName'
    c10: '"\\\\files\\home\\" + lower(userName)'
`

var saidDepartments, saidPlaces = strings.Fields("Sales Legal Research Finance Support Facilities Security Marketing"), strings.Fields("Berlin Porto Boston Kyiv Lagos Lima")

// said gives what is said of the nth person, 15 attributes.
func said(n int) directory.Attributes {
	given, family := givens[n%len(givens)], families[n/7%len(families)]+endings[n/211%len(endings)]
	var a directory.Attributes
	for _, v := range [][2]string{{"costCenter", fmt.Sprint("CC", n%400)}, {"department", saidDepartments[n%len(saidDepartments)]}, {"displayName", given + " " + family}, {"division", "EMEA"},
		{"emails.work", fmt.Sprintf("%s.%s%d@corp.example", given, family, n)}, {"employeeNumber", fmt.Sprintf("E%07d", n)}, {"location", saidPlaces[n/3%len(saidPlaces)]},
		{"name.familyName", family}, {"name.givenName", given}, {"organization", "Corp"}, {"phoneNumbers.mobile", fmt.Sprint("+49 170 ", n)},
		{"phoneNumbers.work", fmt.Sprint("+49 30 ", n/10, " ", n%10)}, {"title", "Engineer"}, {"userName", fmt.Sprint("u", n)}} {
		a.Set(v[0], v[1])
	}
	a.Set("nickName", nil)
	return a
}

// evalMemory evaluates the 25 attributes of people who are in memory, on all
// cores, against the same written by hand in Go; the two in turn, a tenth at a
// time. The goals are 150,000 people/s, and 2.5 times what it takes by hand.
func evalMemory(_ context.Context, b *bench) ([]Figure, error) {
	people, kept := b.count(1_000_000), 10_000
	s, err := mapping.Parse("app.yaml", []byte(evaluated))
	if err != nil {
		return nil, err
	}
	all := make([]directory.Person, kept)
	for i := range all {
		all[i].Attributes = said(i)
	}
	now := time.Now()
	if err := alike(s.Target, all[1], now); err != nil {
		return nil, err
	}
	var byRule, byHand time.Duration
	var failed atomic.Pointer[error]
	for range 10 {
		byRule += onAllCores(people/10, func(from, to int) {
			for i := from; i < to; i++ {
				if err := evaluate(s.Target, all[i%kept], now); err != nil {
					failed.Store(&err)
				}
			}
		})
		byHand += onAllCores(people/10, func(from, to int) {
			var out []string
			for i := from; i < to; i++ {
				out = handwritten(out[:0], all[i%kept].Attributes)
			}
		})
	}
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	rate := float64(people) / byRule.Seconds()
	return []Figure{against("eval_memory", rate, "people/s", 150_000), against("eval_memory_by_hand", byRule.Seconds()/byHand.Seconds(), "times the time by hand", 2.5)}, nil
}

// alike makes it an error if the document gives something else than what is written by hand.
func alike(t *mapping.Target, p directory.Person, now time.Time) error {
	v := t.View(p, now)
	defer v.Close()
	for i, want := range handwritten(nil, p.Attributes) {
		if got, err := v.Eval(t.Rules[i]); err != nil || got.First() != want {
			return fmt.Errorf("%s is %q, %w; by hand it is %q", t.Rules[i].Attribute, got.First(), err, want)
		}
	}
	return nil
}

func evaluate(t *mapping.Target, p directory.Person, now time.Time) error {
	v := t.View(p, now)
	defer v.Close()
	for _, r := range t.Rules {
		if _, err := v.Eval(r); err != nil {
			return err
		}
	}
	return nil
}

// handwritten gives what evaluated gives, as somebody writes it who needs just this.
func handwritten(out []string, a directory.Attributes) []string {
	given, family, department, nick := a.Text("name.givenName"), a.Text("name.familyName"), a.Text("department"), a.Text("nickName")
	number, title, location, phone, user := a.Text("employeeNumber"), a.Text("title"), a.Text("location"), a.Text("phoneNumbers.work"), a.Text("userName")
	ou, region := "OU=Staff,DC=corp", "US"
	if department == "Sales" {
		ou = "OU=Sales,DC=corp"
	}
	if strings.HasPrefix(location, "B") {
		region = "EU"
	}
	if nick == "" {
		nick = given
	}
	return append(out, number, given, family, a.Text("displayName"), title, department, location, phone, a.Text("phoneNumbers.mobile"),
		a.Text("emails.work"), a.Text("costCenter"), a.Text("division"), a.Text("organization"), a.Text("nickName"), user,
		strings.ToLower(given+"."+family)+"@corp.example", strings.ToUpper(first(department, 3))+"-"+number, ou, family+", "+given,
		strings.TrimSpace(title)+" ("+department+")", strings.ReplaceAll(phone, " ", ""), region, strings.ToLower(first(given, 1)+family),
		nick, `\\files\home\`+strings.ToLower(user))
}

// first gives the first n characters.
func first(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// onAllCores has do work on equal parts of n at once, and tells how long it took.
func onAllCores(n int, do func(from, to int)) time.Duration {
	began, cores := time.Now(), runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for i := range cores {
		group.Go(func() { do(n*i/cores, n*(i+1)/cores) })
	}
	group.Wait()
	return time.Since(began)
}

// evalStore takes from the SQLite store, by the coordinator's own code, how
// soon it is known whom an edited document touches, of 1,000,000 people. One
// edit of the time zone means that every rule may give something else: all 25
// are evaluated for everybody, by both documents. One of a single rule gives
// nobody anything else: their inputs have not changed, and of most of them no
// rule is evaluated. Nobody is planned again by either. The goals are 50,000
// and 500,000 people/s, and memory that does not grow with their number.
func evalStore(ctx context.Context, b *bench) ([]Figure, error) {
	count := b.count(1_000_000)
	st, err := store.Open(ctx, b.dir+"/coordinator.db")
	if err != nil {
		return nil, err
	}
	defer st.Close()
	in := &intake.Intake{Store: st, Systems: plan.NewSystems(), Log: slog.New(slog.DiscardHandler)}
	e := &editor{store: st, intake: in}
	if err := e.fill(ctx, count); err != nil {
		return nil, err
	}
	b.log("%d people stored", count)
	if _, _, err := e.apply(ctx, evaluated); err != nil {
		return nil, err
	}
	if err := e.forget(ctx); err != nil {
		return nil, err
	}
	all, _, err := e.apply(ctx, strings.Replace(evaluated, "target:", "time_zone: Europe/Berlin\ntarget:", 1))
	if err != nil {
		return nil, err
	}
	if err := e.none(ctx); err != nil {
		return nil, err
	}
	base := strings.Replace(evaluated, "target:", "time_zone: Europe/Berlin\ntarget:", 1)
	few, memory, err := e.apply(ctx, strings.Replace(base, `'department == "Sales" ? "OU=Sales,DC=corp" : "OU=Staff,DC=corp"'`, `'department != "Sales" ? "OU=Staff,DC=corp" : "OU=Sales,DC=corp"'`, 1))
	if err != nil {
		return nil, err
	}
	if err := e.none(ctx); err != nil {
		return nil, err
	}
	return []Figure{
		against("eval_store", float64(count)/all.Seconds(), "people/s, all 25 rules by both documents", 50_000),
		against("eval_nochange", float64(count)/few.Seconds(), "people/s", 500_000),
		{Name: "eval_nochange_memory", Value: memory, Unit: "MiB more of the heap at most"},
	}, nil
}

// An editor applies documents to a store as the coordinator does.
type editor struct {
	store  *store.Store
	intake *intake.Intake
}

func (e *editor) fill(ctx context.Context, n int) error {
	err := e.store.Write(ctx, func(tx *store.Tx) error { return tx.PutTenant(filledTenant) })
	for at := 0; at < n && err == nil; at += fillSlice {
		rows := make([]store.Person, 0, fillSlice)
		for i := at; i < min(n, at+fillSlice); i++ {
			a := said(i)
			p := directory.Person{Key: fmt.Sprintf("e%07d", i), Attributes: a}
			rows = append(rows, store.Person{Tenant: filledTenant, ID: fmt.Sprintf("%020x", i), Key: p.Key, Display: p.Display(), Attributes: string(a.AppendJSON(nil)),
				Spelled: strings.ToUpper(p.Key), Words: strings.Join(p.Words(), " ")})
		}
		err = e.store.Write(ctx, func(tx *store.Tx) error { return tx.PutPeople(rows) })
	}
	return err
}

// apply applies a document, and gives how long it took until it was known whom
// it touches, and by how many MiB the heap was larger meanwhile.
func (e *editor) apply(ctx context.Context, document string) (took time.Duration, memory float64, err error) {
	system, err := mapping.Parse("app.yaml", []byte(document))
	if err != nil {
		return 0, 0, err
	}
	err = e.store.Write(ctx, func(tx *store.Tx) error {
		revision, err := tx.ApplySystem(store.System{Tenant: filledTenant, Name: system.Name, Site: system.Site, Connector: system.Connector, Document: document})
		if err != nil {
			return err
		}
		return tx.SetReadAs(filledTenant, system.Name, revision)
	})
	if err != nil {
		return 0, 0, err
	}
	stop := heapWatch()
	began := time.Now()
	err = errors.Join(e.intake.Evaluate(ctx), e.intake.Touch(ctx))
	return time.Since(began), stop(), err
}

// forget takes it that whoever is due was planned.
func (e *editor) forget(ctx context.Context) error {
	for more := true; more; {
		err := e.store.Write(ctx, func(tx *store.Tx) error {
			due, err := tx.DuePeople(fillSlice)
			ids := make([]string, len(due))
			for i, d := range due {
				ids[i] = d.Person
			}
			more = len(due) > 0
			return errors.Join(err, tx.RemoveDue(filledTenant, ids))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// none makes it an error that anybody is due.
func (e *editor) none(ctx context.Context) error {
	return e.store.Read(ctx, func(tx *store.Tx) error {
		now, later, err := tx.CountDue(filledTenant)
		if now+later > 0 {
			return fmt.Errorf("%d people are to be planned again; the edit touches none", now+later)
		}
		return err
	})
}

// heapWatch looks at the heap until it is told to stop; then it gives by how many MiB it was larger at most.
func heapWatch() (stop func() float64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base := m.HeapAlloc
	done, most := make(chan struct{}), make(chan uint64)
	go func() {
		var seen []uint64
		for {
			select {
			case <-done:
				most <- slices.Max(append(seen, base))
				return
			case <-time.After(100 * time.Millisecond):
				runtime.ReadMemStats(&m)
				seen = append(seen, m.HeapAlloc)
			}
		}
	}()
	return func() float64 { close(done); return float64(<-most-base) / (1 << 20) }
}
