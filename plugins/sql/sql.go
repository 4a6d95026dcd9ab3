// Package sql is the connector to tables of a database, such as an HR system's.
// It reads (read.go) and, where the settings let it, writes (transaction.go).
//
// The way of a row:
//
//	described  which columns has the table or query, of which types (catalogue.go)
//	streamed   in the order of the key, in one snapshot, off the wire (read.go, pass.go)
//	converted  to the contract's types, or set aside with the reason (value.go)
//
// What may go wrong: a table or column that is gone, a right that is missing, a
// value that the column does not take: fault.go makes an outcome of the
// server's code. A key that is NULL or there twice costs the rows that have it,
// and no other.
//
// What changed is found by a column that rises, if there is one (changes.go),
// else by the agent's fingerprints. Of dated rows the one in force is given
// (dated.go). How the databases differ is in dialect.go, and in fault.go their
// codes. Memory does not grow with the table: a row is converted and passed on
// before the next is fetched.
package sql

import (
	"context"
	"database/sql"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// New returns the connector.
func New() sdk.Connector {
	return sdk.New(sdk.Description{
		Name: "sql", Version: "1.0.0", Summary: "tables of a database: PostgreSQL, MySQL, MariaDB, SQL Server, Oracle, SAP HANA, SQLite",
		Capabilities: []sdk.Capability{sdk.CanRead, sdk.CanReadChanges, sdk.CanFind,
			sdk.CanCreate, sdk.CanModify, sdk.CanSetEnabled, sdk.CanChangeMembership, sdk.CanDelete},
	}, open)
}

// A System is one database.
type System struct {
	settings Settings
	dialect  dialect
	db       *sql.DB
	zone     *time.Location // nil: none is set
	log      *slog.Logger

	known  sync.Map // described classes by name, for writes
	seed   maphash.Seed
	making [64]sync.Mutex // creates that may be of one row
}

func open(_ context.Context, settings Settings, log *slog.Logger) (*System, error) {
	return openAs(dialects()[settings.Kind], settings, log)
}

// openAs opens a database that is spoken to in a dialect.
func openAs(d dialect, settings Settings, log *slog.Logger) (*System, error) {
	s := &System{settings: settings, dialect: d, log: log, seed: maphash.MakeSeed()}
	if settings.TimeZone != "" {
		var err error
		if s.zone, err = time.LoadLocation(settings.TimeZone); err != nil {
			return nil, err
		}
	}
	connector, err := s.dialect.connect(settings)
	if err != nil {
		return nil, sdk.Invalid("the settings do not serve: "+err.Error(), "Correct the settings of the system.")
	}
	s.db = sql.OpenDB(connector)
	s.db.SetMaxOpenConns(settings.Connections)
	s.db.SetMaxIdleConns(settings.Connections)
	s.db.SetConnMaxIdleTime(5 * time.Minute)
	return s, nil
}

// Close closes the connections.
func (s *System) Close() error { return s.db.Close() }

// Probe signs in, and describes and reads each class.
func (s *System) Probe(ctx context.Context, classes []string, steps *sdk.Steps) {
	steps.Try("sign in to "+s.settings.where(), func() (string, error) {
		return "", s.fault(s.db.PingContext(ctx), deed{reading: true})
	})
	for _, name := range slices.Sorted(maps.Keys(s.settings.Classes)) {
		if len(classes) > 0 && !slices.Contains(classes, name) {
			continue
		}
		steps.Try("read "+name, func() (string, error) {
			c, err := s.describe(ctx, name)
			if err != nil {
				return "", err
			}
			rows, err := s.db.QueryContext(ctx, "SELECT "+s.dialect.quote(c.key.name)+" FROM "+c.source()+" WHERE 1 = 0")
			if err != nil {
				return "", s.fault(err, deed{class: c, reading: true})
			}
			return fmt.Sprintf("%d columns, key %s", len(c.columns), c.key.name), rows.Close()
		})
	}
}

// Schema describes every class.
func (s *System) Schema(ctx context.Context) ([]*connectorv1.Class, error) {
	var classes []*connectorv1.Class
	for name := range s.settings.Classes {
		c, err := s.describe(ctx, name)
		if err != nil {
			return nil, err
		}
		class := &connectorv1.Class{Name: name}
		for _, col := range c.columns {
			class.Attributes = append(class.Attributes, &connectorv1.AttributeType{
				Name: col.name, Type: col.kind.contract(), ReadOnly: !c.writable(col), MaxLength: col.length, Multi: col.list != nil,
			})
		}
		classes = append(classes, class)
	}
	return classes, nil
}

// class returns the settings of a class by its name.
func (s *System) class(name string) (ClassSettings, error) {
	c, ok := s.settings.Classes[name]
	if !ok {
		return c, sdk.Invalid(fmt.Sprintf("the settings have no class %q; they have %s", name,
			strings.Join(slices.Sorted(maps.Keys(s.settings.Classes)), ", ")), "Correct the mapping, or `classes` of the system's settings.")
	}
	return c, nil
}
