package store

import (
	"context"
	"strings"
	"time"

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
				return newSession(c.Conn()), c.Release, nil
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
