package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	gooselock "github.com/pressly/goose/v3/lock"
)

// The schema of each database, one file for each step. Steps have the same
// numbers in both.
//
//go:embed migrations/*.sql migrations/postgres/*.sql
var migrations embed.FS

func migrateFile(ctx context.Context, dsn string) (err error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return migrate(ctx, goose.DialectSQLite3, db, "migrations")
}

// migrateServer waits while another coordinator migrates.
func migrateServer(ctx context.Context, config *pgx.ConnConfig) (err error) {
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	locker, err := gooselock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	return migrate(ctx, goose.DialectPostgres, db, "migrations/postgres", goose.WithSessionLocker(locker))
}

func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, folder string, opts ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, files, opts...)
	if err != nil {
		return err
	}
	have, known := int64(0), int64(0)
	if have, err = p.GetDBVersion(ctx); err != nil {
		return err
	}
	for _, m := range p.ListSources() {
		known = max(known, m.Version)
	}
	if have > known {
		return fmt.Errorf("%w: schema %d, this one knows %d: start the newer release, or restore the copy made before it", ErrNewer, have, known)
	}
	if have == known {
		return nil
	}
	_, err = p.Up(ctx)
	return err
}
