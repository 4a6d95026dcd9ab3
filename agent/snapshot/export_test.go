package snapshot

// SetLimits makes bases and runs of few objects, so that tests pass every way quickly.
func (s *Snapshot) SetLimits(overlay, run int) { s.maxOverlay, s.perRun = overlay, run }
