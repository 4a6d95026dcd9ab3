package mapping

// PushConnector is what the document of a source names as its connector where
// no agent reads it: an HR system pushes its records by SCIM instead.
const PushConnector = "scim-push"

// Pushed tells that the system's records are pushed; nothing is ever read from it.
func (s *System) Pushed() bool { return s.Connector == PushConnector }
