package sql

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/sijms/go-ora/v2/network"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A coded is an error of HANA's driver, as far as is looked at.
type coded int

func (c coded) Error() string { return "said so" }
func (c coded) Code() int     { return int(c) }

// Pain 5: whatever a database of whichever make answers, also a code that nobody
// has heard of, whoever must act is told what happened, to which row and column,
// what to do next, and what the server said in its own words.
func TestPain05_everyCodeSaysWhatToDo(t *testing.T) {
	t.Parallel()
	said := []error{errors.New("said so"), mssql.Error{Number: 4711, Message: "said so"}, &mysql.MySQLError{Number: 4711, Message: "said so"}, &pgconn.PgError{Code: "XX000", Message: "said so"}, coded(4711)}
	for code := range sqlstates {
		said = append(said, &pgconn.PgError{Code: (code + "000")[:5], Message: "said so"})
	}
	for code := range mysqlNumbers {
		said = append(said, &mysql.MySQLError{Number: code, Message: "said so"})
	}
	for code := range sqlServerNumbers {
		said = append(said, mssql.Error{Number: code, Message: "said so"})
	}
	for code := range oracleNumbers {
		said = append(said, &network.OracleError{ErrCode: code, ErrMsg: "said so"})
	}
	for code := range hanaCodes {
		said = append(said, coded(code))
	}
	s := &System{settings: Settings{User: "svc", Database: "hr"}}
	staff := &class{name: "row"}
	staff.Table = "staff"
	for _, err := range said {
		e, ok := errors.AsType[*sdk.Error](s.fault(err, deed{class: staff, id: "7", columns: []string{"title"}}))
		switch {
		case !ok || e.Outcome <= sdk.OutcomeDone:
			t.Errorf("%T %v is no outcome", err, err)
		case len(strings.Fields(e.Cause)) < 4, len(strings.Fields(e.NextStep)) < 3:
			t.Errorf("%T %v: cause %q, next step %q; want a sentence each", err, err, e.Cause, e.NextStep)
		case e.Object != "staff 7" || e.Attribute != "title":
			t.Errorf("%T %v is about %q of %q; want title of staff 7", err, err, e.Attribute, e.Object)
		case !strings.Contains(e.Raw, "said so"):
			t.Errorf("%T %v: raw %q; want the server's words", err, err, e.Raw)
		}
	}
}
