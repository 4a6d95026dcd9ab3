package sql

import (
	"context"
	"fmt"
	"strconv"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// SetEnabled writes the column of the state, and no other.
func (s *System) SetEnabled(ctx context.Context, t sdk.Target, enabled bool) (sdk.Result, error) {
	c, err := s.writing(ctx, t.Class)
	if err != nil {
		return sdk.Result{}, err
	}
	if c.Enabled.Column == "" {
		return sdk.Result{}, sdk.Invalid(fmt.Sprintf("the settings do not say how a %s is disabled", c.name),
			"Set `enabled` of the class, such as {column: status, on: A, off: L}; or set lifecycle.leave.disable to false in the mapping.").On(c.place()).At(enabledName)
	}
	procedure := "disable"
	if enabled {
		procedure = "enable"
	}
	col := c.column(enabledName)
	return s.transact(ctx, c, t, func(w *write) (sdk.Result, error) {
		w.deed.columns, w.deed.right = []string{col.stored()}, "UPDATE ("+col.stored()+")"
		return w.settle(ctx, []change{{col, []string{strconv.FormatBool(!enabled)}, []string{strconv.FormatBool(enabled)}}}, procedure)
	})
}
