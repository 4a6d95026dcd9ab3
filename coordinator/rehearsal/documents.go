package rehearsal

import (
	"fmt"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Documents are an HR system and a directory, as small as serves.
const Documents = `system: hr
site: hq
connector: csv
settings: {path: /srv/hr/workers.csv, key: employee_id}
source:
  class: row
  key: employee_id
  attributes:
    employeeNumber: employee_id
    name.givenName: trim(first_name)
    name.familyName: trim(last_name)
    department: department
    title: title
    manager: manager_id
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
  container: '"OU=" + dn(department) + ",DC=corp,DC=example"'
  name: name.givenName + " " + name.familyName
  attributes:
    sAMAccountName: {value: 'firstUnique(lower(left(name.givenName, 1) + name.familyName))', apply: create}
    employeeID: employeeNumber
    givenName: name.givenName
    sn: name.familyName
    department: department
    title: title
    manager: {person: manager}
  lifecycle:
    create: 7d before start
    enable: at start
    leave: {disable: true, move: '"OU=Leavers,DC=corp,DC=example"'}
`

// Worker makes a row of the HR system. Pairs are of column and value, over what is said of everybody.
func Worker(key, given, family string, pairs ...string) *connectorv1.Object {
	row := Object("row", key, "workers.csv line "+key[1:], "employee_id", key, "first_name", given, "last_name", family, "department", "Research",
		"title", "Engineer", "manager_id", "", "hire_date", "2020-01-01", "status", "A")
	for i := 0; i < len(pairs); i += 2 {
		set(row, pairs[i], []string{pairs[i+1]})
	}
	return row
}

// Workers makes n rows with keys from E0001 on.
func Workers(n int, pairs ...string) []*connectorv1.Object {
	rows := make([]*connectorv1.Object, n)
	for i := range rows {
		rows[i] = Worker(fmt.Sprintf("E%04d", i+1), fmt.Sprintf("Given%d", i+1), fmt.Sprintf("Family%d", i+1), pairs...)
	}
	return rows
}
