package store

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	connections = 16               // of a coordinator, the one that listens not counted
	reach       = 20 * time.Second // how long a transaction waits for a server that takes writes: a fail-over
)

// A server is a PostgreSQL database that several coordinators share.
type server struct {
	pool *pgxpool.Pool
	news *news
}

// isServer says whether a store is named by the address of a server and not by a path.
func isServer(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

func openServer(ctx context.Context, s *Store, address string) (*server, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, err // pgx leaves the password out
	}
	config.MaxConns = max(connections, config.MaxConns)
	config.ConnConfig.StatementCacheCapacity = maxStatements
	config.ConnConfig.RuntimeParams["application_name"] = "drawbridge-coordinator"
	config.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed"
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	if err := migrateServer(ctx, config.ConnConfig); err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &server{pool: pool, news: listen(s, pool)}, nil
}

// acquire tries again while the server is away: nothing has begun yet.
func (s *server) acquire(ctx context.Context, _ lock) (session, func(), error) {
	until := time.Now().Add(reach)
	for {
		c, err := s.pool.Acquire(ctx)
		if err == nil {
			err = c.Ping(ctx) // a connection that died while it was idle is found now, and not by what is written
			if err == nil {
				return &pgSession{conn: c.Conn()}, c.Release, nil
			}
			_ = c.Conn().Close(ctx)
			c.Release()
		}
		if ctx.Err() != nil || time.Now().After(until) {
			return nil, nil, err
		}
		timer := time.NewTimer(200 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (s *server) close() error {
	s.news.stop()
	s.pool.Close()
	return nil
}

// A pgSession is one connection to a server.
type pgSession struct {
	conn  *pgx.Conn
	reads bool
}

// Advisory locks, two numbers each: of the store, and of a tenant. Every
// transaction that writes takes the first, then the second, before it looks at
// anything, and each statement sees what was committed before it (READ
// COMMITTED): so a tenant has one writer at a time, as a file has.
const (
	lockStore   = 0x64726277 // "drbw"
	lockTenant  = 0x64726274 // "drbt"
	lockResults = 0x64726272 // "drbr": those that hold the tenant's together, one of what came back and those that claim
)

func (c *pgSession) begin(ctx context.Context, l lock, of string) error {
	batch := &pgx.Batch{}
	switch l {
	case snapshot:
		c.reads = true
		batch.Queue("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	case whole:
		batch.Queue("BEGIN")
		batch.Queue("SELECT pg_advisory_xact_lock($1, 0)", lockStore)
	case tenant:
		batch.Queue("BEGIN")
		batch.Queue("SELECT pg_advisory_xact_lock_shared($1, 0)", lockStore)
		batch.Queue("SELECT pg_advisory_xact_lock($1, $2)", lockTenant, tenantNumber(of))
	case claims, results:
		batch.Queue("BEGIN")
		batch.Queue("SELECT pg_advisory_xact_lock_shared($1, 0)", lockStore)
		batch.Queue("SELECT pg_advisory_xact_lock_shared($1, $2)", lockTenant, tenantNumber(of))
		if l == results {
			batch.Queue("SELECT pg_advisory_xact_lock($1, $2)", lockResults, tenantNumber(of))
		}
	}
	return c.conn.SendBatch(ctx, batch).Close()
}

func tenantNumber(tenant string) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(tenant))
	return int32(h.Sum32()) //nolint:gosec // any number will do
}

func (c *pgSession) commit(ctx context.Context) error {
	tag, err := c.conn.Exec(ctx, "COMMIT")
	if err == nil && tag.String() != "COMMIT" && !c.reads { // PostgreSQL calls it done and rolls back
		err = errors.New("a statement of the transaction had failed")
	}
	return err
}

func (c *pgSession) rollback(ctx context.Context) error {
	if c.conn.IsClosed() {
		return nil // the server has done so
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := c.conn.Exec(ctx, "ROLLBACK")
	return err
}

func (c *pgSession) exec(ctx context.Context, query string, args []any) (int, error) {
	tag, err := c.conn.Exec(ctx, forPostgres(query), plainAll(args)...)
	if err != nil {
		return 0, fmt.Errorf("%w in %s", err, brief(query))
	}
	return int(tag.RowsAffected()), nil
}

func (c *pgSession) query(ctx context.Context, query string, args []any, each func(scan scan) error) error {
	rows, err := c.conn.Query(ctx, forPostgres(query), plainAll(args)...)
	if err != nil {
		return fmt.Errorf("%w in %s", err, brief(query))
	}
	defer rows.Close()
	set := func(fields ...any) error {
		for i, f := range fields {
			if b, ok := f.(*bool); ok {
				fields[i] = (*flag)(b)
			}
		}
		return rows.Scan(fields...)
	}
	for rows.Next() {
		if err := each(set); err != nil {
			return fmt.Errorf("%w in %s", err, brief(query))
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%w in %s", err, brief(query))
	}
	return nil
}

// A flag is a bool in a column of numbers.
type flag bool

// ScanInt64 implements pgtype.Int64Scanner.
func (f *flag) ScanInt64(v pgtype.Int8) error {
	*f = v.Int64 != 0
	return nil
}

func plainAll(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a.(type) {
		case []string, []int64, [][]byte: // columns of insertArrays, plain already
			out[i] = a
		default:
			out[i] = plainPG(a)
		}
	}
	return out
}
