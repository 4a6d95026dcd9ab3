package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

func (s *Server) retention(doc huma.API) {
	route(doc, "GET", "/v1/retention", "list-retention", "For how long what happened is kept, and what was removed", access.Viewer, s.listRetention)
}

func (s *Server) listRetention(ctx context.Context, _ *empty) (*items[client.Retention], error) {
	var list []client.Retention
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		removed, err := tx.Retired(who.tenant)
		for _, kind := range s.Keep.Kinds() {
			r := client.Retention{Name: kind.Name, Kept: time.Duration(kind.Kept).Seconds()}
			for _, row := range removed {
				if row.Name == kind.Name {
					r.Removed, r.Looked = row.N, row.At.Time()
				}
			}
			if err == nil {
				var at store.Instant
				at, err = tx.Oldest(who.tenant, kind.Name)
				r.Oldest = at.Time()
			}
			list = append(list, r)
		}
		return err
	})
	return listed(list), err
}
