package store

import "context"

// A lock says what a transaction keeps others from while it lasts.
type lock int

const (
	snapshot lock = iota // nothing: it reads
	whole                // every other that writes
	tenant               // every other that writes for the tenant
	claims               // every other that writes for the tenant, save those that claim and those of what came back
	results              // every other that writes for the tenant, save those that claim
)

// A database is where a store keeps its rows.
type database interface {
	// acquire gives a connection, which release takes back.
	acquire(ctx context.Context, l lock) (c session, release func(), err error)
	close() error
}

// A session is one connection, which has one transaction at a time.
type session interface {
	begin(ctx context.Context, l lock, tenant string) error
	commit(ctx context.Context) error
	rollback(ctx context.Context) error
	// exec runs a statement and returns the number of rows it changed.
	exec(ctx context.Context, query string, args []any) (int, error)
	// later runs a statement of whose result only a fault matters. That may be
	// told by whatever the session does next, at the latest by its commit.
	later(ctx context.Context, query string, args []any) error
	// query calls each for every row that a statement gives.
	query(ctx context.Context, query string, args []any, each func(scan scan) error) error
}
