package plan

import (
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Systems keeps systems compiled. It is safe for concurrent use.
type Systems struct {
	mu   sync.Mutex
	kept map[systemKey]compiled
}

type systemKey struct{ tenant, name string }

type compiled struct {
	revision int64
	schemaAt store.Instant
	system   *mapping.System
}

// NewSystems makes an empty one.
func NewSystems() *Systems { return &Systems{kept: map[systemKey]compiled{}} }

// Get gives the row's system, compiled, knowing its schema.
func (s *Systems) Get(row store.System) (*mapping.System, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := systemKey{row.Tenant, row.Name}
	if c, ok := s.kept[key]; ok && c.revision == row.Revision && c.schemaAt == row.SchemaAt {
		return c.system, nil
	}
	system, err := mapping.Parse(row.Name, []byte(row.Document))
	if err != nil {
		return nil, fmt.Errorf("system %s, revision %d: %w", row.Name, row.Revision, err)
	}
	if len(row.Schema) > 0 {
		var schema connectorv1.SchemaResponse
		if err := proto.Unmarshal(row.Schema, &schema); err != nil {
			return nil, fmt.Errorf("schema of system %s: %w", row.Name, err)
		}
		system = system.WithSchema(&schema)
	}
	s.kept[key] = compiled{row.Revision, row.SchemaAt, system}
	return system, nil
}
