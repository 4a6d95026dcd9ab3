package activedirectory

import (
	"context"
	"strconv"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/dn"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// SetEnabled turns one bit of userAccountControl. The request deletes the whole
// value that was read and adds the new one: every other bit stays as it is,
// also one that somebody turns meanwhile.
func (s *System) SetEnabled(ctx context.Context, t sdk.Target, enabled bool) (sdk.Result, error) {
	target, err := s.target(ctx, t.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	const attempts = 5
	for attempt := 0; ; attempt++ {
		e, c, err := s.readOne(ctx, target, []string{"userAccountControl", "pwdLastSet"})
		if err != nil {
			return sdk.Result{}, err
		}
		if e == nil {
			return sdk.Result{}, gone(t.ID)
		}
		_, address := dn.Extended(e.DN)
		old, err := strconv.ParseInt(e.Value("userAccountControl"), 10, 64)
		if err != nil {
			return sdk.Result{}, sdk.Invalid("the object has no userAccountControl, or it cannot be read, so that it cannot be enabled or disabled",
				"Look whether it is an account, and whether the service account may read the attribute.").On(address).At("userAccountControl")
		}
		if (old&accountDisabled == 0) == enabled {
			return s.after(ctx, t, target, sdk.Result{Server: c.Root.Name, Unchanged: true}), nil
		}
		if enabled && old&passwordNotRequired != 0 && e.Value("pwdLastSet") == "0" {
			return sdk.Result{Server: c.Root.Name}, sdk.Invalid("the account may do without a password and has none; it is not enabled",
				"Give it a password, and take bit 0x20 off its userAccountControl.").On(address).At("userAccountControl")
		}
		result, c, err := s.write(ctx, wire.Modify{DN: target, Changes: []wire.Change{
			{Kind: wire.ChangeDelete, Attribute: wire.Attribute{Name: "userAccountControl", Values: []string{e.Value("userAccountControl")}}},
			{Kind: wire.ChangeAdd, Attribute: wire.Attribute{Name: "userAccountControl", Values: []string{strconv.FormatInt(old^accountDisabled, 10)}}},
		}})
		if err != nil {
			return sdk.Result{}, err
		}
		switch {
		case result.Code == wire.Success:
			return s.after(ctx, t, target, sdk.Result{Server: c.Root.Name}), nil
		case result.Code == wire.NoSuchObject:
			return sdk.Result{}, gone(t.ID)
		case (result.Code == wire.NoSuchAttribute || result.Code == wire.AttributeOrValueExists) && attempt+1 < attempts:
			continue // somebody turned another bit meanwhile
		}
		return sdk.Result{Server: c.Root.Name}, s.fault(result.Err(), about{
			server: c.Root.Server, doing: "enable or disable the account", object: address,
			right: "the right to write userAccountControl", attribute: "userAccountControl",
		})
	}
}
