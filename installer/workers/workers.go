// Package workers makes the workforce of an invented company, as its HR system
// would export it: the demonstration, the benchmarks and the end-to-end tests
// load the same people. The same seed gives the same people, whatever their
// number: worker 17 of 100 is worker 17 of 1,000,000.
package workers

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Header names the columns of the file that Write writes.
const Header = "employee_id;first_name;last_name;title;department;location;phone;manager_id;hire_date;term_date;status;email_alias"

// A Worker is one row. Dates are as the HR system writes them: a day
// ("2006-01-02") or an instant (RFC 3339); empty means none.
type Worker struct {
	EmployeeID, FirstName, LastName    string
	Title, Department, Location, Phone string
	ManagerID                          string // empty for the head of the company
	HireDate, TermDate                 string
	Status                             string // A active, T terminated
	EmailAlias                         string // a former name's address, kept after a marriage
}

// Row returns the worker as a line of the file, without its end.
func (w Worker) Row() string {
	fields := []string{w.EmployeeID, w.FirstName, w.LastName, w.Title, w.Department, w.Location, w.Phone,
		w.ManagerID, w.HireDate, w.TermDate, w.Status, w.EmailAlias}
	for i, f := range fields {
		if strings.ContainsAny(f, ";\"\r\n") {
			fields[i] = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
		}
	}
	return strings.Join(fields, ";")
}

// At returns worker number i, counted from 0. All of them work here today;
// number 0 heads the company, every tenth leads nine others.
func At(i int) Worker {
	rnd := rand.New(rand.NewPCG(uint64(i), 0x6472617762726964))
	pick := func(of []string) string { return of[rnd.IntN(len(of))] }
	department := pick(departments)
	hired := time.Date(2005+rnd.IntN(20), time.Month(1+rnd.IntN(12)), 1+rnd.IntN(28), 0, 0, 0, 0, time.UTC)
	return Worker{
		EmployeeID: ID(i),
		FirstName:  pick(firstNames),
		LastName:   lastName(rnd, pick),
		Title:      pick(titles) + " " + department,
		Department: department,
		Location:   pick(locations),
		Phone:      fmt.Sprintf("+49 30 %07d", 1_000_000+i%9_000_000),
		ManagerID:  manager(i),
		HireDate:   hired.Format(time.DateOnly),
		Status:     "A",
	}
}

// Departments lists the departments that workers are in.
func Departments() []string { return slices.Clone(departments) }

// ID returns the employee id of worker number i.
func ID(i int) string { return "E" + strconv.Itoa(100_000+i) }

// lastName is one of a list, or for most people two of it: a large company has
// many more surnames than a list of invented people can name.
func lastName(rnd *rand.Rand, pick func([]string) string) string {
	name := pick(lastNames)
	if rnd.IntN(10) < 7 {
		name += "-" + pick(lastNames)
	}
	return name
}

func manager(i int) string {
	switch {
	case i == 0:
		return ""
	case i%10 == 0:
		return ID(i / 100 * 10) // a lead's lead is ten times as high up
	default:
		return ID(i / 10 * 10)
	}
}

// List returns the first n workers.
func List(n int) []Worker {
	list := make([]Worker, n)
	for i := range list {
		list[i] = At(i)
	}
	return list
}

// Write writes the header and the workers, UTF-8, semicolons, CRLF: what such
// systems export.
func Write(w io.Writer, list []Worker) error {
	out := bufio.NewWriterSize(w, 64<<10)
	out.WriteString(Header + "\r\n")
	for _, worker := range list {
		out.WriteString(worker.Row() + "\r\n")
	}
	return out.Flush()
}

// WriteFirst writes the first n workers without holding them all.
func WriteFirst(w io.Writer, n int) error { return WriteChanged(w, n, 0) }

// WriteChanged writes the first n workers, every one in each of them promoted;
// each 0 promotes nobody.
func WriteChanged(w io.Writer, n, each int) error {
	out := bufio.NewWriterSize(w, 64<<10)
	out.WriteString(Header + "\r\n")
	for i := range n {
		worker := At(i)
		if each > 0 && i%each == 0 {
			worker.Title = "Senior " + worker.Title
		}
		out.WriteString(worker.Row() + "\r\n")
	}
	return out.Flush()
}

// Read calls each for the fields of every row, in the order of the header; the
// slice is used again.
func Read(r io.Reader, each func([]string) error) error {
	rows := csv.NewReader(bufio.NewReaderSize(r, 64<<10))
	rows.Comma, rows.ReuseRecord = ';', true
	if _, err := rows.Read(); err != nil {
		return err
	}
	for {
		switch row, err := rows.Read(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		default:
			if err := each(row); err != nil {
				return err
			}
		}
	}
}
