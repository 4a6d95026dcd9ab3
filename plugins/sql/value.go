package sql

import (
	"bytes"
	"database/sql/driver"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A kind is what the values of a column are.
type kind int

const (
	text      kind = iota // decimals, too: as the database writes them
	padded                // text of fixed width, whose blanks at the end do not count
	integer               //
	number                // integer or decimal, as the value is; text to the contract
	boolean               // of the database
	switched              // a number, 0 or 1, that the settings call a boolean
	bit                   // MySQL's BIT: 0 or 1
	instant               // a point in time
	wall                  // date and time without a zone: needs time_zone
	day                   // a date; text
	octets                //
	guid                  // SQL Server's order of bytes
	reference             // text
	state                 // one of two values, see EnabledSettings
)

func (k kind) contract() connectorv1.Type {
	switch k {
	case integer:
		return connectorv1.Type_TYPE_INTEGER
	case boolean, switched, bit, state:
		return connectorv1.Type_TYPE_BOOLEAN
	case instant, wall:
		return connectorv1.Type_TYPE_TIMESTAMP
	case octets:
		return connectorv1.Type_TYPE_BINARY
	case reference:
		return connectorv1.Type_TYPE_REFERENCE
	}
	return connectorv1.Type_TYPE_STRING
}

// kindOf classifies a type by the name that the driver has for it.
func (d dialect) kindOf(name string) kind {
	name = strings.TrimPrefix(strings.ToUpper(name), "UNSIGNED ")
	name, _, _ = strings.Cut(name, "(")
	if k, ok := d.kind[strings.TrimSpace(name)]; ok {
		return k
	}
	switch strings.TrimSpace(name) {
	case "INT", "INT2", "INT4", "INT8", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "MEDIUMINT", "YEAR", "OID", "XID":
		return integer
	case "BOOL", "BOOLEAN", "BIT":
		return boolean
	case "TIMESTAMPTZ", "DATETIMEOFFSET", "TIMESTAMPTZ_DTY", "TIMESTAMPLTZ", "TIMESTAMPLTZ_DTY", "TIMESTAMP WITH TIME ZONE":
		return instant
	case "TIMESTAMP", "DATETIME", "DATETIME2", "SMALLDATETIME", "SECONDDATE", "LONGDATE", "TIMESTAMPDTY":
		return wall
	case "DATE", "DAYDATE":
		return day
	case "BYTEA", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY", "VARBINARY", "IMAGE", "RAW", "LONGRAW":
		return octets
	case "BPCHAR", "NCHAR":
		return padded
	}
	return text
}

// declared are the kinds by the words of the settings.
func declared(word string, of kind) kind {
	switch word {
	case "integer":
		return integer
	case "boolean":
		if of == boolean || of == bit {
			return of
		}
		return switched
	case "timestamp":
		if of == instant {
			return of
		}
		return wall
	case "binary":
		return octets
	case "reference":
		return reference
	}
	return text
}

var errNoZone = errors.New("it has date and time without a zone, and no zone is set")

// appendText appends a value that is not NULL in the form of the contract.
func (c *column) appendText(b []byte, v driver.Value) ([]byte, error) {
	if plain, ok := v.([]byte); ok && c.kind == text { // which most are
		return append(b, plain...), nil
	}
	switch c.kind {
	case state:
		has, err := c.held.appendText(nil, v)
		return strconv.AppendBool(b, string(has) == c.on), err
	case reference:
		b = append(append(b, c.refers...), ':')
	}
	switch v := v.(type) {
	case []byte:
		return c.appendBytes(b, v)
	case string:
		return c.appendBytes(b, []byte(v))
	case int64:
		return c.appendInteger(b, v)
	case uint64:
		return strconv.AppendUint(b, v, 10), nil
	case float64:
		if c.kind == integer && v == float64(int64(v)) {
			return strconv.AppendInt(b, int64(v), 10), nil
		}
		return strconv.AppendFloat(b, v, 'f', -1, 64), c.unless(text, number)
	case float32:
		return strconv.AppendFloat(b, float64(v), 'f', -1, 32), c.unless(text, number)
	case bool:
		return strconv.AppendBool(b, v), c.unless(boolean, switched)
	case time.Time:
		return c.appendTime(b, v)
	case *big.Rat:
		return append(b, strings.TrimRight(strings.TrimRight(v.FloatString(20), "0"), ".")...), nil
	case fmt.Stringer:
		return append(b, v.String()...), nil
	}
	return b, fmt.Errorf("it is of a type (%T) that is not known", v)
}

// unless complains when the column is of none of the kinds.
func (c *column) unless(kinds ...kind) error {
	for _, k := range kinds {
		if c.kind == k {
			return nil
		}
	}
	return c.misfit()
}

func (c *column) misfit() error {
	return fmt.Errorf("it is no %s, which the column is (%s)", strings.ToLower(strings.TrimPrefix(c.kind.contract().String(), "TYPE_")), c.native)
}

func (c *column) appendInteger(b []byte, v int64) ([]byte, error) {
	switch c.kind {
	case boolean, switched, bit:
		if v != 0 && v != 1 {
			return b, c.misfit()
		}
		return strconv.AppendBool(b, v == 1), nil
	case integer, text, number, reference, padded:
		return strconv.AppendInt(b, v, 10), nil
	}
	return b, c.misfit()
}

func (c *column) appendBytes(b, v []byte) ([]byte, error) {
	switch c.kind {
	case text, reference, day:
		if c.kind == day && bytes.HasPrefix(v, []byte("0000-00-00")) {
			return b, errors.New("it is the date 0000-00-00, which is none")
		}
		return append(b, v...), nil
	case padded:
		return append(b, bytes.TrimRight(v, " ")...), nil
	case integer, number, switched, boolean:
		if len(v) == 1 && v[0] >= '0' && v[0] <= '9' && c.kind == integer {
			return append(b, v...), nil
		}
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err == nil {
			return c.appendInteger(b, n)
		}
		if _, big := new(big.Int).SetString(string(v), 10); c.kind == number || big && c.kind == integer {
			return append(b, v...), nil
		}
		return b, c.misfit()
	case bit:
		if len(bytes.TrimLeft(v, "\x00")) == 0 {
			return append(b, "false"...), nil
		} else if v[len(v)-1] == 1 && len(bytes.TrimLeft(v, "\x00")) == 1 {
			return append(b, "true"...), nil
		}
		return b, c.misfit()
	case octets:
		return base64.StdEncoding.AppendEncode(b, v), nil
	case guid:
		if len(v) != 16 {
			return b, c.misfit()
		}
		return fmt.Appendf(b, "%02X%02X%02X%02X-%02X%02X-%02X%02X-%X-%X", v[3], v[2], v[1], v[0], v[5], v[4], v[7], v[6], v[8:10], v[10:]), nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, string(v)); err == nil {
			if strings.Contains(layout, "Z07") {
				return t.UTC().AppendFormat(b, time.RFC3339Nano), nil
			}
			return c.appendTime(b, t)
		}
	}
	return b, c.misfit()
}

func (c *column) appendTime(b []byte, t time.Time) ([]byte, error) {
	switch c.kind {
	case day:
		return t.AppendFormat(b, "2006-01-02"), nil
	case wall:
		if c.zone == nil {
			return b, errNoZone
		}
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), c.zone)
	case text:
		return t.AppendFormat(b, "15:04:05.999999999"), nil
	case instant:
	default:
		return b, c.misfit()
	}
	return t.UTC().AppendFormat(b, time.RFC3339Nano), nil
}

// arg is the parameter for a value in the form of the contract.
func (c *column) arg(value string) (any, error) {
	switch c.kind {
	case state:
		if value == "true" {
			return c.held.arg(c.on)
		}
		return c.held.arg(c.off)
	case reference:
		key, ok := keyOf(c.refers, value)
		if !ok {
			return nil, fmt.Errorf("%q is the id of no %s, to which column %s refers", short(value), c.refers, c.name)
		}
		return key, nil
	case integer:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			if _, ok := new(big.Int).SetString(value, 10); ok {
				return value, nil
			}
			return nil, fmt.Errorf("%q is no whole number, which column %s takes", short(value), c.name)
		}
		if c.base == text || c.base == padded {
			return value, nil
		}
		return n, nil
	case boolean, switched, bit:
		on, err := strconv.ParseBool(value)
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false, which column %s takes", short(value), c.name)
		}
		if c.kind == boolean && c.dialect != "oracle" {
			return on, nil
		}
		if c.base == text || c.base == padded {
			return map[bool]string{false: "0", true: "1"}[on], nil
		}
		return map[bool]int64{true: 1}[on], nil
	case octets:
		b, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return nil, fmt.Errorf("the value is no base64, which column %s takes", c.name)
		}
		return b, nil
	case instant, wall:
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return nil, fmt.Errorf("%q is no time of RFC 3339, which column %s takes", short(value), c.name)
		}
		if c.kind == instant {
			t = t.UTC()
		} else if c.zone == nil {
			return nil, fmt.Errorf("column %s: %w", c.name, errNoZone)
		} else {
			t = t.In(c.zone)
		}
		switch {
		case c.dialect == "postgresql" && c.kind == instant:
			return t.Format(time.RFC3339Nano), nil
		case c.dialect == "postgresql", c.dialect == "mysql", c.dialect == "sqlite":
			return t.Format("2006-01-02 15:04:05.999999999"), nil
		}
		return t, nil
	}
	if strings.ContainsRune(value, 0) {
		return nil, fmt.Errorf("the value holds a zero byte, which column %s does not take", c.name)
	}
	return value, nil
}

// short keeps a value in a message readable.
func short(v string) string {
	if len(v) > 20 {
		return strings.ToValidUTF8(v[:20], "") + "…"
	}
	return v
}
