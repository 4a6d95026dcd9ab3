package mapping

import (
	"errors"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// Parse compiles one document. name is the file's, for faults; the error is Faults.
func Parse(name string, document []byte) (*System, error) { return nil, errors.New("not there yet") }

// ParseFile compiles the documents of a file, separated by lines of "---".
// Lines of faults count from the start of the file.
func ParseFile(name string, file []byte) ([]*System, error) { return nil, errors.New("not there yet") }

func (e *RecordError) Error() string { return e.Attribute + ": " + e.Err.Error() }
func (e *RecordError) Unwrap() error { return e.Err }

func (s *System) attributes() []string                                       { return nil }
func (s *System) checkSchema(*connectorv1.SchemaResponse) Faults             { return nil }
func (s *System) withSchema(*connectorv1.SchemaResponse) *System             { return s }
func (s *Source) person([]byte) (k string, a directory.Attributes, err error) { return }
func (s *Source) explain([]byte) ([]Reason, error)                           { return nil, nil }
func (t *Target) threshold(string) Limit                                     { return Limit{} }
func (t *Target) matchValue(directory.Person) (string, error)                { return "", nil }
