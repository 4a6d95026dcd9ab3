package stage

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
)

// Export saves the HR file and returns when everything that follows from it is
// done or held: the file has been read, nobody is due, no job is open.
func (s *Stage) Export(ctx context.Context) error {
	if err := s.File.Save(); err != nil {
		return err
	}
	return s.Settle(ctx, time.Now()) // a read that began sooner may have found the file of before
}

// Settle waits until the HR system was read after since, every system since
// its document was applied, and nothing is left to do.
func (s *Stage) Settle(ctx context.Context, since time.Time) error {
	called := time.Now()
	var last client.Status
	for {
		status, err := s.Status(ctx)
		if err == nil {
			last = status
			fresh := !status.Now.Before(called.Truncate(time.Millisecond)) // the coordinator answers the same for a moment
			if fresh && quiet(status) && readSince(status, since) {
				return nil
			}
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("wait for nothing left to do: %w; last: due %d, jobs %v, cycles %v, problems %d",
				err, last.Due, last.Jobs, last.Cycles, last.Problems)
		}
	}
}

// quiet tells whether nothing goes on that will end by itself.
func quiet(status client.Status) bool {
	if status.Due > 0 || status.Jobs["queued"]+status.Jobs["waiting"]+status.Jobs["sent"] > 0 {
		return false
	}
	for _, c := range status.Cycles {
		if c.State == "reading" {
			return false
		}
	}
	return true
}

// readSince tells whether the HR system was read after since, and every system
// since its document was applied. A read that failed does not count: it is
// repeated.
func readSince(status client.Status, since time.Time) bool {
	for _, system := range status.Systems {
		if system.Connector == mapping.PushConnector { // it is never read
			continue
		}
		after := system.Applied
		if system.Name == HR && since.After(after) {
			after = since
		}
		if system.Last == nil || system.Last.Ended.IsZero() || system.Last.State == "failed" || system.Last.Began.Before(after.Truncate(time.Millisecond)) {
			return false
		}
	}
	return len(status.Systems) > 0
}

// Jobs lists jobs that match the query, as `drawbridge job list` does.
func (s *Stage) Jobs(ctx context.Context, query url.Values) ([]client.Job, error) {
	var jobs []client.Job
	err := s.API.Items(ctx, "/v1/jobs", query, &jobs)
	return jobs, err
}
