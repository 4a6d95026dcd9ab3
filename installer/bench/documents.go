package main

import (
	"context"
	"fmt"

	"github.com/drawbridge-id/drawbridge/installer/stage"
)

// The benchmarks' own mappings: what a plain company writes, one operation a
// person, so that the bare program can do the same.
const hrDocument = `system: hr
site: hq
connector: csv
settings: {path: %q, key: employee_id, delimiter: ";"}
read: {watch: true, every: 24h, full_every: 48h}
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
    location: location
    phoneNumbers.work: phone
    startDate: date(hire_date)
    endDate: dateEnd(term_date)
    active: status != "T"
`

const adDocument = `system: corp-ad
site: hq
connector: activedirectory
settings: {servers: [%q], ca: %q, base: %q, bind: %q}
read: {every: 24h, full_every: 48h}
target:
  class: user
  match: {employeeID: employeeNumber}
  container: '"OU=" + dn(department) + ",OU=Staff,%s"'
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
    l: location
    telephoneNumber: phoneNumbers.work
  password: {length: 20}
  lifecycle:
    create: 7d before start
    enable: at start
    leave: {at: at end, disable: true}
`

func applyHR(ctx context.Context, s *stage.Stage) error {
	return s.Apply(ctx, "hr.yaml", fmt.Sprintf(hrDocument, s.File.Path))
}

func applyAD(ctx context.Context, s *stage.Stage) error {
	d := s.Domain
	if err := s.Apply(ctx, "corp-ad.yaml", fmt.Sprintf(adDocument, d.LDAPS, d.CA, d.Base, d.Bind, d.Base)); err != nil {
		return err
	}
	return s.SetSecret(ctx, stage.AD, "password", d.Password)
}
