package main

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

const (
	filledTenant = "default"
	fillSlice    = 5000
)

// filledDocuments are a source and a target as a company has them.
const filledDocuments = `system: hr
site: hq
connector: csv
settings: {path: /srv/hr/workers.csv, key: employee_id}
source:
  class: row
  key: employee_id
  attributes: {employeeNumber: employee_id, name.givenName: first_name, name.familyName: last_name, emails.work: mail, department: department}
---
system: corp-ad
site: hq
connector: activedirectory
settings: {servers: ["ldaps://dc1.corp.example"], base: "DC=corp,DC=example"}
target:
  class: user
  match: {employeeID: employeeNumber}
  name: name.givenName + " " + name.familyName
  container: '"OU=People,DC=corp,DC=example"'
  attributes:
    sAMAccountName: {value: 'firstUnique(lower(left(name.givenName, 1) + name.familyName))', apply: create}
    employeeID: employeeNumber
    givenName: name.givenName
    sn: name.familyName
    department: department
`

var (
	givens   = strings.Fields("Ada Grace Alan Edsger Barbara Donald Ken Dennis Frances Margaret Katherine Radia Leslie Tony Niklaus Adele Jean Kathleen Joan Lynn Anita Shafi Sophie Hedy Zoë Łucja Søren Jürgen Inès Märta")
	families = strings.Fields("Love Hop Tur Dijk Lis Knu Thomp Rit All Ham John Perl Lam Hoar Wir Gold Sam Booth Clark Con Borg Wass Wil Lam Müller Ortiz Ng Brown Silva Kowal")
	endings  = strings.Fields("lace per ing stra kov th son chie en ilton ston man port e th berg met er way aldi ski")
)

// fill stores n people as the product would leave them after everybody was hired: with a record,
// an account, a name, a job that was done and its answer, and what the log says; and many agents.
func fill(ctx context.Context, st *store.Store, n, agents int, log func(string, ...any)) error {
	systems, err := mapping.ParseFile("bench.yaml", []byte(filledDocuments))
	if err != nil {
		return err
	}
	err = st.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutTenant(filledTenant); err != nil {
			return err
		}
		for _, s := range systems {
			revision, err := tx.ApplySystem(store.System{Tenant: filledTenant, Name: s.Name, Site: s.Site, Connector: s.Connector, Document: s.Document})
			if err != nil {
				return err
			}
			if err := tx.SetReadAs(filledTenant, s.Name, revision); err != nil {
				return err
			}
			if err := tx.SetEvaluated(filledTenant, s.Name, revision); err != nil {
				return err
			}
		}
		for i := range agents {
			a := store.Agent{Tenant: filledTenant, ID: fmt.Sprintf("%032x", i), Site: fmt.Sprintf("site-%03d", i%500), Host: fmt.Sprintf("host-%05d.corp.example", i), Version: "1.0.0",
				Platform: "windows/amd64", Enrolled: tx.Now, CertSerial: fmt.Sprint(i), CertExpires: tx.Now.Add(1e15), Seen: tx.Now,
				Connectors: `[{"protocol":1,"name":"activedirectory","version":"1.0.0","capabilities":["CAPABILITY_READ","CAPABILITY_CREATE"],"settingsSchema":"{\"type\":\"object\"}"}]`,
				Guardrail:  `{"mode":"enforce","digest":"ab12","summary":["corp-ad: create, modify, disable"]}`}
			if err := tx.AddAgent(a); err != nil {
				return err
			}
		}
		return nil
	})
	for at := 0; at < n && err == nil; at += fillSlice {
		err = st.Write(ctx, func(tx *store.Tx) error { return fillPeople(tx, at, min(n, at+fillSlice)) })
		if at%100_000 == 0 && at > 0 {
			log("%d people stored", at)
		}
	}
	for more := fillSlice; more == fillSlice && err == nil; {
		err = st.Write(ctx, func(tx *store.Tx) (err error) {
			more, err = tx.IndexPeople(fillSlice, func(store.Person) string { return "-" })
			return err
		})
	}
	return err
}

func fillPeople(tx *store.Tx, from, to int) error {
	var people []store.Person
	var accounts []store.Account
	var names []store.Name
	var jobs []store.Job
	var answers []store.Answer
	var log []store.History
	first, err := tx.ReserveJobs(to - from)
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		given, family := givens[i%len(givens)], families[i/7%len(families)]+endings[i/211%len(endings)]
		key, id, user := fmt.Sprintf("e%07d", i), fmt.Sprintf("%020x", i*7919), strings.ToLower(given[:1]+family)+fmt.Sprint(i)
		var a directory.Attributes
		for _, v := range [][2]string{{"employeeNumber", key}, {"name.givenName", given}, {"name.familyName", family}, {"emails.work", user + "@corp.example"}, {"department", "Research"}} {
			a.Set(v[0], v[1])
		}
		p := directory.Person{Key: key, Attributes: a}
		people = append(people, store.Person{Tenant: filledTenant, ID: id, Key: key, Display: p.Display(), Attributes: string(a.AppendJSON(nil)), Made: tx.Now,
			Changed: tx.Now, Spelled: strings.ToUpper(key), Words: strings.Join(p.Words(), " ")})
		dn, native, job := fmt.Sprintf("CN=%s %s,OU=People,DC=corp,DC=example", given, family), fmt.Sprintf("guid-%016x", i*104729), first+int64(i-from)
		row := object("row", key, fmt.Sprintf("workers.csv line %d", i), "employee_id", key, "first_name", given, "last_name", family, "mail", user+"@corp.example", "department", "Research", "hire_date", "2020-01-01")
		account := object("user", native, dn, "sAMAccountName", user, "employeeID", key, "givenName", given, "sn", family, "department", "Research", "userAccountControl", "512")
		accounts = append(accounts, store.Account{Tenant: filledTenant, System: "hr", ID: key, Class: "row", Address: fmt.Sprintf("workers.csv line %d", i), Person: id, Object: row, Changed: tx.Now},
			store.Account{Tenant: filledTenant, System: "corp-ad", ID: native, Class: "user", Address: dn, Match: key, Person: id, Object: account, Changed: tx.Now})
		names = append(names, store.Name{Tenant: filledTenant, System: "corp-ad", Attribute: "sAMAccountName", Value: user, Holder: id})
		work, err := proto.Marshal(&linkv1.Job{Work: &linkv1.Job_Apply{Apply: &connectorv1.Operation{Class: "user", Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{Name: given + " " + family}}}}})
		if err != nil {
			return err
		}
		jobs = append(jobs, store.Job{ID: job, Tenant: filledTenant, Site: "hq", System: "corp-ad", Object: id, Person: id, Class: "create", State: store.JobDone, Agent: fmt.Sprintf("%032x", 1),
			Made: tx.Now, Sent: tx.Now, Ended: tx.Now, Outcome: "DONE", Work: work, Since: tx.Now})
		result, err := proto.Marshal(&linkv1.Result{Job: uint64(job), Outcome: connectorv1.Outcome_OUTCOME_DONE, Object: &connectorv1.Record{Id: native, Object: account}})
		if err != nil {
			return err
		}
		answers = append(answers, store.Answer{Tenant: filledTenant, ID: job, Answer: result})
		log = append(log, store.History{Tenant: filledTenant, Kind: "source-changed", System: "hr", Person: id, Text: "new in hr"},
			store.History{Tenant: filledTenant, Kind: "planned", System: "corp-ad", Person: id, Job: job, Text: "create " + given + " " + family},
			store.History{Tenant: filledTenant, Kind: "written", System: "corp-ad", Person: id, Account: native, Job: job, Text: "create " + given + " " + family, Body: []byte(`{"server":"dc1.corp.example"}`)})
	}
	for _, put := range []func() error{
		func() error { return tx.PutPeople(people) }, func() error { return tx.PutAccounts(accounts) }, func() error { return tx.PutNames(names) },
		func() error { return tx.AddJobs(jobs) }, func() error { return tx.AddAnswers(answers) }, func() error { return tx.AddHistory(log) },
		func() error { return tx.CountEnded(filledTenant, jobs) },
	} {
		if err := put(); err != nil {
			return err
		}
	}
	return nil
}

// object makes an encoded object of pairs of attribute and value.
func object(class, id, address string, pairs ...string) []byte {
	o := &connectorv1.Object{Class: class, Id: id, Address: address}
	for i := 0; i < len(pairs); i += 2 {
		o.Attributes = append(o.Attributes, &connectorv1.Attribute{Name: pairs[i], Values: []string{pairs[i+1]}})
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(o)
	if err != nil {
		panic(err) // an object made here always has a form
	}
	return text
}
