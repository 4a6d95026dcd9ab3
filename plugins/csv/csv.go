// Package csv is the connector to a file of rows, such as an HR system exports
// every night. It reads; it never writes.
//
// The way of a file:
//
//	taken     is it whole? (file.go)      not there, being written, cut off,
//	                                      a changed header: nothing of it is taken
//	surveyed  first pass (survey.go)      counts rows, finds keys that are there twice
//	read      second pass (read.go)       each row becomes an object, or is set
//	                                      aside with its line and the reason
//	looked at again                       changed while it was read: not complete
//
// A row's native id is the value of its key column. Every value is text; an
// empty field is an attribute known to be empty. Rows are lexed by rows.go,
// which follows RFC 4180 as encoding/csv does and goes on after a bad row;
// encoding.go makes UTF-8 of what the file holds.
//
// Memory: some buffers, and 8 bytes for each row during the first pass, the
// hashes of the keys: 8 MiB for a million rows. A file twice as large needs no
// more otherwise.
package csv

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// New returns the connector.
func New() sdk.Connector {
	return sdk.New(sdk.Description{
		Name: "csv", Version: "1.0.0", Summary: "rows of a file: comma-separated or the like, as HR systems export them",
		Capabilities: []sdk.Capability{sdk.CanRead, sdk.CanFind, sdk.CanWatch},
	}, func(_ context.Context, settings Settings, log *slog.Logger) (*System, error) {
		return &System{settings: settings, dialect: settings.dialect(), log: log}, nil
	})
}

// A System is one file.
type System struct {
	settings Settings
	dialect  dialect
	log      *slog.Logger
}

// Close has nothing to let go of: a file is open only while it is read.
func (s *System) Close() error { return nil }

// Probe looks whether the file could be read now.
func (s *System) Probe(ctx context.Context, _ []string, steps *sdk.Steps) {
	var f *file
	steps.Try("open "+s.settings.Path, func() (detail string, err error) {
		f, err = s.take(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d bytes, last written %s", f.info.Size(), f.info.ModTime().UTC().Format("2006-01-02 15:04:05Z")), nil
	})
	if f != nil {
		defer f.Close()
	}
	steps.Try("read the header", func() (string, error) {
		header, err := f.header()
		return strings.Join(header, ", "), err
	})
	steps.Try("survey the rows", func() (string, error) {
		found, err := f.survey(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d rows, %d of them bad, %d keys there more than once", found.rows, found.bad, len(found.twice)), nil
	})
}

// Schema returns the one class, whose attributes are the columns.
func (s *System) Schema(ctx context.Context) ([]*connectorv1.Class, error) {
	header := s.settings.Columns
	if s.settings.Header {
		f, err := s.take(ctx)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if header, err = f.header(); err != nil {
			return nil, err
		}
	}
	class := &connectorv1.Class{Name: s.settings.Class}
	for _, name := range header {
		class.Attributes = append(class.Attributes, &connectorv1.AttributeType{
			Name: name, Type: connectorv1.Type_TYPE_STRING, ReadOnly: true,
		})
	}
	return []*connectorv1.Class{class}, nil
}
