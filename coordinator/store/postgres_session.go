package store

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// A pgSession is one connection to a server. Statements that nobody waits for
// are sent and not answered until something else is asked: meanwhile server and
// coordinator work side by side.
//
//	later, later ──► sent at once, the server begins
//	exec, query  ──► settle: their answers are read first
//	commit       ──► sent behind them, one way there and back for all
type pgSession struct {
	conn     *pgx.Conn
	prepared map[string]*pgconn.StatementDescription // of what later was given, for as long as the connection lives
	build    pgx.ExtendedQueryBuilder
	pipe     *pgconn.Pipeline // nil where everything was answered
	sent     []string         // what the pipe was given
	reads    bool
}

// preparedKey is where a connection keeps what is prepared on it.
const preparedKey = "drawbridge prepared"

func newSession(conn *pgx.Conn) *pgSession {
	data := conn.PgConn().CustomData()
	prepared, ok := data[preparedKey].(map[string]*pgconn.StatementDescription)
	if !ok {
		prepared = map[string]*pgconn.StatementDescription{}
		data[preparedKey] = prepared
	}
	return &pgSession{conn: conn, prepared: prepared}
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
	var tag pgconn.CommandTag
	var err error
	if c.pipe == nil {
		tag, err = c.conn.Exec(ctx, "COMMIT")
	} else {
		c.pipe.SendQueryParams("COMMIT", nil, nil, nil, nil)
		c.sent = append(c.sent, "COMMIT")
		tag, err = c.settle()
	}
	if err == nil && tag.String() != "COMMIT" && !c.reads { // PostgreSQL calls it done and rolls back
		err = errors.New("a statement of the transaction had failed")
	}
	return err
}

func (c *pgSession) rollback(ctx context.Context) error {
	if c.conn.IsClosed() {
		return nil // the server has done so
	}
	_, _ = c.settle() // why it is rolled back was said
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := c.conn.Exec(ctx, "ROLLBACK")
	return err
}

// later sends a statement and does not wait for its answer.
func (c *pgSession) later(ctx context.Context, query string, args []any) error {
	if c.reads { // which there is no commit for that would tell
		_, err := c.exec(ctx, query, args)
		return err
	}
	text := forPostgres(query)
	known := c.prepared[text]
	if known == nil {
		if _, err := c.settle(); err != nil {
			return err
		}
		var err error
		if known, err = c.conn.Prepare(ctx, text, text); err != nil {
			return fmt.Errorf("%w in %s", err, brief(query))
		}
		c.prepared[text] = known
	}
	if err := c.build.Build(c.conn.TypeMap(), known, plainAll(args)); err != nil {
		return fmt.Errorf("%w in %s", err, brief(query))
	}
	if c.pipe == nil {
		c.pipe = c.conn.PgConn().StartPipeline(ctx)
	}
	c.pipe.SendQueryStatement(known, c.build.ParamValues, c.build.ParamFormats, c.build.ResultFormats)
	c.sent = append(c.sent, query)
	if err := c.pipe.Flush(); err != nil {
		return fmt.Errorf("%w in %s", err, brief(query))
	}
	return nil
}

// settle reads the answers to what was sent, and returns the last one, or the first fault.
func (c *pgSession) settle() (last pgconn.CommandTag, err error) {
	if c.pipe == nil {
		return last, nil
	}
	pipe, sent := c.pipe, c.sent
	c.pipe, c.sent = nil, c.sent[:0]
	if err := pipe.Sync(); err != nil {
		return last, errors.Join(err, pipe.Close())
	}
	for _, query := range sent {
		var results any
		if results, err = pipe.GetResults(); err == nil {
			if r, ok := results.(*pgconn.ResultReader); ok {
				last, err = r.Close()
			}
		}
		if err != nil { // the server has let pass what came behind it
			return last, errors.Join(fmt.Errorf("%w in %s", err, brief(query)), closed(pipe))
		}
	}
	return last, pipe.Close()
}

// closed ends a pipe after a fault, which it tells once more.
func closed(pipe *pgconn.Pipeline) error {
	var told *pgconn.PgError
	if err := pipe.Close(); err != nil && !errors.As(err, &told) {
		return err
	}
	return nil
}

func (c *pgSession) exec(ctx context.Context, query string, args []any) (int, error) {
	if _, err := c.settle(); err != nil {
		return 0, err
	}
	tag, err := c.conn.Exec(ctx, forPostgres(query), plainAll(args)...)
	if err != nil {
		return 0, fmt.Errorf("%w in %s", err, brief(query))
	}
	return int(tag.RowsAffected()), nil
}

func (c *pgSession) query(ctx context.Context, query string, args []any, each func(scan scan) error) error {
	if _, err := c.settle(); err != nil {
		return err
	}
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
