package activedirectory

import (
	"context"
	"encoding/binary"
	"strconv"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/fault"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
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
		e, c, err := s.ReadOne(ctx, target, []string{"userAccountControl", "pwdLastSet", "replPropertyMetaData"})
		if err != nil {
			return sdk.Result{}, err
		}
		if e == nil {
			return sdk.Result{}, fault.Gone(dn.OfID(t.ID))
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
		if enabled && hasNoPassword(e) {
			return sdk.Result{Server: c.Root.Name}, sdk.Invalid("the account has no password; it is not enabled",
				"Give it a password first.").On(address).At("userAccountControl")
		}
		result, c, err := s.Write(ctx, wire.Modify{DN: target, Changes: []wire.Change{
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
			return sdk.Result{}, fault.Gone(dn.OfID(t.ID))
		case (result.Code == wire.NoSuchAttribute || result.Code == wire.AttributeOrValueExists) && attempt+1 < attempts:
			continue // somebody turned another bit meanwhile
		}
		return sdk.Result{Server: c.Root.Name}, s.Fault(result.Err(), fault.About{
			Server: c.Root.Server, Doing: "enable or disable the account", Object: address,
			Right: "the right to write userAccountControl", Attribute: "userAccountControl",
		})
	}
}

// hasNoPassword tells whether the account never got a password. Windows refuses
// to enable such a one, unless the policy allows empty passwords; Samba never
// refuses. pwdLastSet is 0 also where the person must choose another, so the
// record of what was ever written decides (MS-ADTS 3.1.1.1.9): a password
// leaves supplementalCredentials.
func hasNoPassword(e *wire.Entry) bool {
	const supplementalCredentials, header, record = 0x9007d, 16, 48
	if last := e.Value("pwdLastSet"); last != "0" && last != "" {
		return false
	}
	written := []byte(e.Value("replPropertyMetaData"))
	if len(written) < header {
		return false // may not be read: the server decides
	}
	for written = written[header:]; len(written) >= record; written = written[record:] {
		if binary.LittleEndian.Uint32(written) == supplementalCredentials {
			return false
		}
	}
	return true
}
