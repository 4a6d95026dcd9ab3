package runner

import connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"

// discreet returns the fault of an operation without what it may tell of values
// that must not leave. A conflict quotes what the attribute holds, so a change
// that expects something wrong would read what no read may.
func discreet(allow allowed, op *connectorv1.Operation, fault *connectorv1.Fault) *connectorv1.Fault {
	if fault == nil {
		return nil
	}
	for _, change := range op.GetModify().GetChanges() {
		if len(allow.among([]string{change.GetName()})) > 0 {
			continue
		}
		return &connectorv1.Fault{
			Cause:     change.GetName() + " could not be changed as wanted; why would tell of values that may not leave this site",
			Attribute: change.GetName(), Object: fault.GetObject(), RetryAfter: fault.GetRetryAfter(),
			NextStep: "Map the attribute, or ask the domain's admin not to withhold it.",
		}
	}
	return fault
}
