package sql

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/sijms/go-ora/v2/network"
	"modernc.org/sqlite"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A deed is what was being done when an error came.
type deed struct {
	class     *class // nil: signing in
	id        string
	attribute string
	columns   []string // that were written: those that the server may complain about
	right     string   // that it takes, where it is not SELECT
	on        string   // what the right is on, if not the class's table
	reading   bool
}

// A failure is what a server's code means, whichever server it is.
type failure int

const (
	other failure = iota
	unique
	required // NULL where none may be
	foreign
	check
	tooLong
	wrongType
	noTable
	noColumn
	noRight
	badPassword
	noDatabase
	again    // deadlock, lock, shutting down, too many connections
	readOnly // a standby, or a server or file set to it
	syntax
	stale // the driver's plan is for columns that have changed since
)

// meaning classifies the code of the server, and names the column it told of.
func meaning(err error) (failure, string) {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		if f, known := sqlstates[e.Code]; known {
			return f, e.ColumnName
		}
		if len(e.Code) == 5 {
			return sqlstates[e.Code[:2]], e.ColumnName
		}
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return mysqlNumbers[e.Number], ""
	}
	if e, ok := errors.AsType[mssql.Error](err); ok {
		return sqlServerNumbers[e.Number], ""
	}
	if e, ok := errors.AsType[*network.OracleError](err); ok {
		return oracleNumbers[e.ErrCode], ""
	}
	if e, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		if _, lite := errors.AsType[*sqlite.Error](err); lite {
			return sqliteCodes[e.Code()], ""
		}
		return hanaCodes[e.Code()], ""
	}
	return other, ""
}

// fault makes an outcome of an error of the database.
func (s *System) fault(err error, d deed) error {
	if err == nil {
		return nil
	}
	if e, ours := errors.AsType[*sdk.Error](err); ours {
		if e.Object == "" && d.class != nil {
			e.Object = strings.TrimSpace(d.class.place() + " " + d.id)
		}
		return err
	}
	f, at := meaning(err)
	if d.attribute != "" {
		at = d.attribute
	} else if at == "" {
		at = blamed(err, d.columns)
	}
	object := s.settings.where()
	if d.class != nil {
		object = d.class.place()
	}
	if d.id != "" {
		object += " " + d.id
	}
	var e *sdk.Error
	switch f {
	case unique:
		e = sdk.Conflict("another row has the value already, and the database lets only one have it", "Free the value, or let the mapping choose another.")
		e.Taken = true
	case required:
		e = sdk.Invalid("a column that must not be NULL would be", "Map a value to the column, or give it a default in the database.")
	case foreign:
		e = sdk.Invalid("a row that is referred to is not there, or others refer to this one", "Look at the foreign key that the database names below.")
	case check:
		e = sdk.Invalid("the database refuses the value by a rule of its own", "Correct the value, or the check or trigger that is named below.")
	case tooLong:
		e = sdk.Invalid("a value is longer or greater than its column takes", "Shorten the value in the mapping, or widen the column.")
	case wrongType:
		e = sdk.Invalid("a value is not of the type that its column has", "Look whether the column has changed its type, and correct the mapping or `types`.")
	case noTable:
		e = sdk.Invalid("a table that the settings name is not there", "Restore the table, or correct `table` or `query` of the class.")
	case noColumn:
		e = sdk.Invalid("a column that a statement names is not there", "Restore the column, or correct the settings of the class.")
	case noRight:
		e = sdk.Denied(fmt.Sprintf("account %s may not do this", s.settings.User), d.grant(s.settings.User))
	case badPassword:
		e = sdk.Denied(fmt.Sprintf("the server refuses account %s or its password", s.settings.User),
			"Correct `user`, or give the password on the agent's host with `drawbridge-agent secret set SYSTEM password`.")
	case noDatabase:
		e = sdk.Invalid(fmt.Sprintf("database %q is not there", s.settings.Database), "Correct `database` in the settings of the system.")
	case syntax:
		e = sdk.Invalid("the database does not understand the statement", "Correct `query`, `where` or the procedure of the class.")
	case again:
		e = sdk.Unavailable("the database is busy with other transactions, or does not take more now", "Nothing: it is tried again by itself.")
	case stale:
		e = sdk.Unavailable("a table has got other columns", "Nothing: it is tried again by itself.")
	case readOnly:
		e = sdk.Unavailable("the database takes no writes now: it is a standby, or set to read-only", "Let `server` name the primary; it is tried again by itself.")
	default:
		e = lost(err, d)
	}
	return e.On(object).At(at).From(err)
}

// blamed is the column that the server complains of: the one that it names, or
// the only one that was written.
func blamed(err error, columns []string) string {
	text := err.Error()
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		text += " " + e.Detail
	}
	best := ""
	for _, name := range columns {
		for _, form := range []string{"'%s'", "`%s`", "%q", "(%s)", ".%s", "(%s,", ", %s)", "_%s_"} {
			if strings.Contains(text, fmt.Sprintf(form, name)) && len(name) > len(best) {
				best = name
			}
		}
	}
	if best == "" && len(columns) == 1 {
		return columns[0]
	}
	return best
}

// lost is the outcome of an error that has no code of a server.
func lost(err error, d deed) *sdk.Error {
	_, network := errors.AsType[net.Error](err)
	broken := network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case broken || d.class == nil || d.reading:
		return sdk.Unavailable("the database does not answer", "Look whether the server runs and can be reached; it is tried again by itself.")
	}
	return sdk.Invalid("the database refuses this", "Look at what it says below, and correct the mapping or the database.")
}

// grant names the right that is missing.
func (d deed) grant(user string) string {
	right, on := cmp.Or(d.right, "SELECT"), "the tables"
	if d.class != nil {
		on = cmp.Or(d.on, d.class.place())
	}
	return fmt.Sprintf("Let an administrator of the database GRANT %s ON %s TO %s.", right, on, user)
}

// PostgreSQL, Appendix A; two characters stand for a class.
var sqlstates = map[string]failure{"23505": unique, "23502": required, "23503": foreign, "23514": check, "23P01": check, "P0001": check,
	"22001": tooLong, "22003": tooLong, "22": wrongType, "42804": wrongType, "42883": wrongType, "42P01": noTable, "3F000": noTable, "42703": noColumn,
	"42501": noRight, "28": badPassword, "3D000": noDatabase, "40": again, "53": again, "57": again, "55P03": again, "25006": readOnly, "0A000": stale, "08": other, "42": syntax}

// MariaDB and MySQL, server errors.
var mysqlNumbers = map[uint16]failure{1062: unique, 1586: unique, 1048: required, 1364: required, 1451: foreign, 1452: foreign, 4025: check, 3819: check, 1644: check,
	1406: tooLong, 1264: tooLong, 1265: wrongType, 1366: wrongType, 1292: wrongType, 1146: noTable, 1051: noTable, 1054: noColumn, 1142: noRight, 1143: noRight, 1044: noRight,
	1227: noRight, 1370: noRight, 1045: badPassword, 1698: badPassword, 1049: noDatabase, 1205: again, 1213: again, 1040: again, 1203: again, 1053: again, 1290: readOnly, 1836: readOnly, 1792: readOnly, 1064: syntax}

// SQL Server, sys.messages.
var sqlServerNumbers = map[int32]failure{2627: unique, 2601: unique, 515: required, 547: foreign, 2628: tooLong, 8152: tooLong, 8115: tooLong, 245: wrongType, 241: wrongType,
	208: noTable, 207: noColumn, 229: noRight, 230: noRight, 18456: badPassword, 4060: noDatabase, 1205: again, 1222: again, 3906: readOnly, 102: syntax, 156: syntax}

// Oracle, ORA-.
var oracleNumbers = map[int]failure{1: unique, 1400: required, 1407: required, 2291: foreign, 2292: foreign, 2290: check, 12899: tooLong, 1438: tooLong, 1722: wrongType, 1861: wrongType,
	942: noTable, 904: noColumn, 1031: noRight, 1017: badPassword, 28000: badPassword, 12514: noDatabase, 60: again, 54: again, 18: again, 16000: readOnly, 900: syntax, 933: syntax}

// SAP HANA, M_ERROR_CODES.
var hanaCodes = map[int]failure{301: unique, 287: required, 461: foreign, 462: foreign, 677: check, 274: tooLong, 314: tooLong, 339: wrongType, 259: noTable, 260: noColumn,
	258: noRight, 10: badPassword, 414: badPassword, 131: again, 133: again, 257: syntax}

// SQLite, extended result codes.
var sqliteCodes = map[int]failure{2067: unique, 1555: unique, 2579: unique, 1299: required, 787: foreign, 275: check, 18: tooLong, 20: wrongType, 3091: wrongType, 5: again, 6: again, 517: again, 8: readOnly, 1032: readOnly, 1544: readOnly, 23: noRight, 14: noDatabase, 1: noTable}
