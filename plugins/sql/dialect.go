package sql

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	hdb "github.com/SAP/go-hdb/driver"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
	ora "github.com/sijms/go-ora/v2"
	"modernc.org/sqlite"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
)

// A dialect is how one kind of database differs from the others.
type dialect struct {
	name    string
	connect func(Settings) (driver.Connector, error)
	open    byte   // quotes of an identifier
	close   byte   //
	mark    string // of a parameter; its number follows unless it is ?
	fold    func(string) string
	// begin are statements that begin a snapshot for reading, end ends it.
	begin []string
	end   string
	// kind is that of a type which means another thing elsewhere.
	kind map[string]kind
	// day makes a date of a literal.
	day string
	// exact is a column as text that compares by the character.
	exact string
	// lock follows a SELECT whose rows are kept from others, or the table of it.
	lock, lockTable string
	// key is how the key is told that the database gave.
	key generated
	// call is a procedure and its parameters.
	call string
	// anew comes before the parameters of a read: the driver shall not take a
	// plan that it made when the columns may have been others.
	anew []any
}

// generated is how a database tells the key that it gave a new row.
type generated int

const (
	asked     generated = iota // by looking for the anchor
	returning                  // INSERT … RETURNING
	output                     // INSERT … OUTPUT
	last                       // with the answer to the INSERT
)

func dialects() map[string]dialect {
	same := func(s string) string { return s }
	return map[string]dialect{
		"postgresql": {name: "postgresql", connect: connectPostgres, open: '"', close: '"', mark: "$", fold: strings.ToLower, day: "CAST(%s AS date)",
			exact: "CAST(%s AS text)", lock: " FOR UPDATE", key: returning, call: "CALL %s(%s)", anew: []any{pgx.QueryExecModeDescribeExec},
			begin: []string{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}, end: "ROLLBACK"},
		"mysql": {name: "mysql", connect: connectMySQL, open: '`', close: '`', mark: "?", fold: same, day: "CAST(%s AS DATE)",
			exact: "CAST(CONVERT(%s USING utf8mb4) AS BINARY)", lock: " FOR UPDATE", key: last, call: "CALL %s(%s)",
			begin: []string{"START TRANSACTION READ ONLY"}, end: "ROLLBACK",
			kind: map[string]kind{"TIMESTAMP": instant, "BIT": bit}},
		"sqlserver": {name: "sqlserver", connect: connectSQLServer, open: '[', close: ']', mark: "@p", fold: same, day: "CAST(%s AS date)",
			exact: "CAST(%s AS nvarchar(max)) COLLATE Latin1_General_100_BIN2", lockTable: " WITH (UPDLOCK, ROWLOCK)", key: output, call: "EXEC %s %s",
			kind: map[string]kind{"TIMESTAMP": octets, "ROWVERSION": octets, "UNIQUEIDENTIFIER": guid}},
		"oracle": {name: "oracle", connect: connectOracle, open: '"', close: '"', mark: ":", fold: strings.ToUpper, day: "TO_DATE(%s, 'YYYY-MM-DD')",
			exact: "TO_CHAR(%s)", lock: " FOR UPDATE", call: "BEGIN %s(%s); END;",
			kind: map[string]kind{"DATE": wall, "NUMBER": number}},
		"hana": {name: "hana", connect: connectHANA, open: '"', close: '"', mark: "?", fold: strings.ToUpper,
			exact: "TO_NVARCHAR(%s)", lock: " FOR UPDATE", call: "CALL %s(%s)", day: "TO_DATE(%s, 'YYYY-MM-DD')"},
		"sqlite": {name: "sqlite", connect: connectSQLite, open: '"', close: '"', mark: "?", fold: same,
			exact: "CAST(%s AS text)", key: returning,
			day: "%s", begin: []string{"PRAGMA query_only = 1", "BEGIN"}, end: "ROLLBACK; PRAGMA query_only = 0"},
	}
}

// quote writes one name.
func (d dialect) quote(name string) string {
	return string(d.open) + strings.ReplaceAll(name, string(d.close), string(d.close)+string(d.close)) + string(d.close)
}

// path writes a name as the settings have it: parts with dots between, each
// folded as SQL does unless it stands in double quotes.
func (d dialect) path(text string) string {
	var parts []string
	for text != "" {
		part, rest := text, ""
		if strings.HasPrefix(text, `"`) {
			end := strings.IndexByte(text[1:], '"')
			if end < 0 {
				end = len(text) - 1
			}
			part, rest = text[1:1+end], strings.TrimPrefix(text[min(len(text), end+2):], ".")
		} else {
			part, rest, _ = strings.Cut(text, ".")
			part = d.fold(part)
		}
		parts, text = append(parts, d.quote(part)), rest
	}
	return strings.Join(parts, ".")
}

// param writes the nth parameter, from 1.
func (d dialect) param(n int) string {
	if d.mark == "?" {
		return "?"
	}
	return d.mark + strconv.Itoa(n)
}

func (s Settings) tls() (*tls.Config, error) {
	if s.TLS == "off" {
		return nil, nil
	}
	pool, _, err := dc.Trust(s.CA)
	host, _ := s.host("")
	return &tls.Config{RootCAs: pool, ServerName: host, MinVersion: tls.VersionTLS12}, err
}

func connectPostgres(s Settings) (driver.Connector, error) {
	host, port := s.host("5432")
	u := url.URL{Scheme: "postgres", Host: net.JoinHostPort(host, port), Path: "/" + s.Database, RawQuery: "sslmode=disable&connect_timeout=15"}
	c, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("%q: %w", "server", err)
	}
	c.User, c.Password = s.User, s.Password.Reveal()
	if c.TLSConfig, err = s.tls(); err != nil {
		return nil, err
	}
	c.Fallbacks = nil
	c.RuntimeParams = map[string]string{"application_name": "drawbridge", "TimeZone": "UTC", "DateStyle": "ISO"}
	return stdlib.GetConnector(*c), nil
}

func connectMySQL(s Settings) (driver.Connector, error) {
	host, port := s.host("3306")
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName, c.User, c.Passwd = "tcp", net.JoinHostPort(host, port), s.Database, s.User, s.Password.Reveal()
	c.ClientFoundRows, c.AllowCleartextPasswords = true, false
	c.Params = map[string]string{"time_zone": "'+00:00'", "sql_mode": "CONCAT(@@sql_mode,',STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES')"}
	c.Collation = "utf8mb4_bin"
	var err error
	c.TLS, err = s.tls()
	c.Logger = silent{}
	if err != nil {
		return nil, err
	}
	return mysql.NewConnector(c)
}

// silent keeps the driver from writing to standard error: what it has to say is in its errors.
type silent struct{}

func (silent) Print(...any) {}

func connectSQLServer(s Settings) (driver.Connector, error) {
	host, port := s.host("1433")
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%q: port %q", "server", port)
	}
	c := msdsn.Config{Host: host, Port: number, Database: s.Database, User: s.User, Password: s.Password.Reveal(), AppName: "drawbridge",
		Encryption: msdsn.EncryptionDisabled, Protocols: []string{"tcp"}, Parameters: map[string]string{}}
	if c.TLSConfig, err = s.tls(); err != nil {
		return nil, err
	}
	if c.TLSConfig != nil {
		c.Encryption = msdsn.EncryptionRequired
	}
	return mssql.NewConnectorConfig(c), nil
}

func connectOracle(s Settings) (driver.Connector, error) {
	host, port := s.host("1521")
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("%q: port %q", "server", port)
	}
	options := map[string]string{"CONNECTION TIMEOUT": "15"}
	config, err := s.tls()
	if err != nil {
		return nil, err
	}
	if config != nil {
		options["SSL"], options["SSL VERIFY"] = "enable", "true"
	}
	c := ora.NewConnector(ora.BuildUrl(host, number, s.Database, s.User, s.Password.Reveal(), options))
	if o, ok := c.(*ora.OracleConnector); ok && config != nil {
		o.WithTLSConfig(config)
	}
	return c, nil
}

func connectHANA(s Settings) (driver.Connector, error) {
	host, port := s.host("30015")
	c := hdb.NewBasicAuthConnector(net.JoinHostPort(host, port), s.User, s.Password.Reveal())
	config, err := s.tls()
	if err != nil {
		return nil, err
	}
	if config != nil {
		c.SetTLSConfig(config)
	}
	if s.Database != "" {
		c = c.WithDatabase(s.Database)
	}
	return c, nil
}

func connectSQLite(s Settings) (driver.Connector, error) {
	q := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)", "foreign_keys(1)"}, "_txlock": {"immediate"}}
	return fileConnector{"file:" + (&url.URL{Path: s.File}).EscapedPath() + "?" + q.Encode()}, nil
}

// A fileConnector opens a file of SQLite, whose driver has no connector.
type fileConnector struct{ name string }

func (c fileConnector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(c.name) }
func (c fileConnector) Driver() driver.Driver                        { return &sqlite.Driver{} }
