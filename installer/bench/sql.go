package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/plugins/sql/mariadb"
)

const sqlDocument = `system: hr
site: hq
connector: sql
settings:
  kind: mysql
  server: %q
  database: %q
  user: %q
  ca: %q
  classes: {worker: {table: workers, key: id}}
read: {every: 24h, full_every: 48h}
source:
  class: worker
  key: id
  attributes:
    employeeNumber: id
    name.givenName: given
    name.familyName: family
    displayName: name
    title: title
    department: department
    location: location
    phoneNumbers.work: phone
    emails.home: mail
    startDate: date(hired)
`

// sqlColumns are those that the document maps, the key first.
const sqlColumns = "id, given, family, name, title, department, location, phone, mail, hired"

const sqlTable = `CREATE TABLE workers (id varchar(12) PRIMARY KEY, given varchar(60), family varchar(60), name varchar(120), title varchar(60),
	department varchar(60), location varchar(60), phone varchar(30), mail varchar(120), hired date, salary decimal(10,2)) CHARSET utf8mb4`

const sqlRows = `INSERT INTO workers SELECT CONCAT('E', 100000 + seq), CONCAT('Given', seq), CONCAT('Family', seq), CONCAT('Given', seq, ' Family', seq), 'Analyst',
	ELT(1 + seq %% 4, 'Sales', 'Legal', 'Finance', 'Engineering'), 'Berlin', CONCAT('+49 30 ', seq), CONCAT('w', seq, '@home.example'), '2020-01-01', 12.50 FROM seq_1_to_%d`

// workersInMariaDB starts a server with a table of count workers, after which it
// runs more statements. The caller closes both.
func workersInMariaDB(ctx context.Context, count int, more ...string) (_ *mariadb.Server, _ *sql.DB, err error) {
	m, err := mariadb.Start(ctx)
	if err != nil {
		return nil, nil, err
	}
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/%s?tls=skip-verify", m.User, m.Password, m.Address, m.Database))
	if err != nil {
		return nil, nil, errors.Join(err, m.Remove())
	}
	for _, statement := range append([]string{sqlTable, fmt.Sprintf(sqlRows, count)}, more...) {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, nil, errors.Join(err, db.Close(), m.Remove())
		}
	}
	return m, db, nil
}

// sqlRead reads 300,000 rows of MariaDB through connector and agent; nothing
// has changed since they were imported, so that it is the read alone. The other
// side is the bare driver, scanning the same query over the same kind of
// connection into bytes that it owns. They take turns; the best of each counts.
func sqlRead(ctx context.Context, b *bench) ([]Figure, error) {
	count := b.count(300_000)
	m, db, err := workersInMariaDB(ctx, count)
	if err != nil {
		return nil, err
	}
	defer m.Remove()
	defer db.Close()
	s, err := stage.Start(ctx, stage.Options{Bin: b.bin, Dir: b.dir + "/product"})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.Apply(ctx, "hr.yaml", fmt.Sprintf(sqlDocument, m.Address, m.Database, m.User, m.CAFile)); err != nil {
		return nil, err
	}
	if err := s.SetSecret(ctx, stage.HR, "password", m.Password); err != nil {
		return nil, err
	}
	if err := s.Settle(ctx, time.Time{}); err != nil {
		return nil, err
	}
	if err := rest(ctx, s); err != nil {
		return nil, err
	}
	var read, scan time.Duration
	for range 5 { // in the first nothing is known yet of the order of rows
		took, err := fullCycle(ctx, s, 0)
		if err != nil {
			return nil, err
		}
		read = best(read, took)
		if took, err = sqlScan(ctx, db, count); err != nil {
			return nil, err
		}
		scan = best(scan, took)
		b.log("best of each so far: %v, bare %v", read, scan)
	}
	return []Figure{against("sql_read", float64(count)/read.Seconds(), "rows/s", float64(count)/scan.Seconds())}, nil
}

// sqlScan returns the time of scanning every row.
func sqlScan(ctx context.Context, db *sql.DB, count int) (time.Duration, error) {
	began := time.Now()
	rows, err := db.QueryContext(ctx, "SELECT "+sqlColumns+" FROM workers ORDER BY id")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	columns, into := make([][]byte, 10), make([]any, 10)
	for i := range columns {
		into[i] = &columns[i]
	}
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return 0, err
		}
	}
	if n != count {
		return 0, errors.Join(fmt.Errorf("scanned %d rows; want %d", n, count), rows.Err())
	}
	return time.Since(began), rows.Err()
}
