package activedirectory

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/dn"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/schema"
	"github.com/drawbridge-id/drawbridge/plugins/ldap/wire"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A shape turns entries into objects of a class with certain attributes. It
// does not change once it is made.
type shape struct {
	class      string
	attributes []*schema.Attribute // of the object, in ascending order of name
	slots      map[string]int      // into attributes, by the name as it stands there and in lower case
	request    []string            // what the server is asked for
	uac        bool                // some are worked out from userAccountControl
	extended   bool                // DNs hold ids
}

// shapeOf returns the shape of these attributes, which is made once.
func (s *System) shapeOf(ctx context.Context, c *dc.Conn, class string, attributes []string) (*shape, error) {
	key := class + "\x00" + strings.Join(attributes, "\x00")
	s.mu.Lock()
	known := s.shapes[key]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	sh := &shape{class: class, slots: map[string]int{}, extended: c.Root.Supports(extendedDN)}
	for _, name := range attributes {
		a, err := s.attribute(ctx, c, name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(sh.attributes, a) {
			sh.attributes = append(sh.attributes, a)
		}
	}
	slices.SortFunc(sh.attributes, func(a, b *schema.Attribute) int { return strings.Compare(a.Name, b.Name) })
	for i, a := range sh.attributes {
		sh.slots[strings.ToLower(a.Name)], sh.slots[a.Name] = i, i
		switch a.Name {
		case schema.Enabled:
			sh.uac = true
		case schema.Container, schema.RDN:
		default:
			sh.request = append(sh.request, a.Name)
		}
	}
	if sh.uac {
		sh.request = append(sh.request, "userAccountControl")
	}
	if !sh.extended {
		sh.request = append(sh.request, entryUUID)
	}
	if len(sh.request) == 0 {
		sh.request = []string{"1.1"} // none
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shapes == nil || len(s.shapes) > 1000 { // whoever asks for ever new sets must not fill the memory
		s.shapes = map[string]*shape{} // nil: nobody needed the schema yet
	}
	s.shapes[key] = sh
	return sh, nil
}

// A decoded object, whose memory serves the next one, too.
type decoded struct {
	sdk.Object
	texts  [][]string // by slot: values that had to be turned
	ranges []ranged
}

// ranged is an attribute of which the server gave only a part.
type ranged struct {
	slot int
	next int
}

// decode fills o from e. What it does not find is known to be empty.
func (sh *shape) decode(e *wire.Entry, o *decoded) {
	n := len(sh.attributes)
	if cap(o.Attributes) < n {
		o.Attributes, o.texts = make([]sdk.Attribute, n), make([][]string, n)
	}
	o.Attributes, o.ranges, o.Class = o.Attributes[:n], o.ranges[:0], sh.class
	for i, a := range sh.attributes {
		o.Attributes[i] = sdk.Attribute{Name: a.Name}
	}
	o.ID, o.Address = dn.Extended(e.DN)
	uac := ""
	for i := range e.Attributes {
		a := &e.Attributes[i]
		slot, ok := sh.slots[a.Name]
		if !ok {
			slot, ok = sh.slotOf(a.Name, o)
		}
		if sh.uac && uac == "" && len(a.Values) > 0 && strings.EqualFold(a.Name, "userAccountControl") {
			uac = a.Values[0]
		}
		if !sh.extended && o.ID == "" && len(a.Values) > 0 && strings.EqualFold(a.Name, entryUUID) {
			o.ID = a.Values[0]
		}
		if !ok || len(a.Values) == 0 {
			continue
		}
		o.Attributes[slot].Values = sh.texts(slot, a.Values, o)
	}
	o.ID = strings.ToLower(o.ID)
	sh.derive(o, uac)
}

// texts turns values by the slot's kind; plain text stays where it is.
func (sh *shape) texts(slot int, values []string, o *decoded) []string {
	a := sh.attributes[slot]
	if a.Kind == schema.String || a.Kind == schema.ExactString || a.Kind == schema.Integer {
		return values
	}
	texts := o.texts[slot][:0]
	for _, v := range values {
		texts = append(texts, a.Text(v))
	}
	o.texts[slot] = texts
	return texts
}

// slotOf finds the slot of a name in another spelling, or with a range.
func (sh *shape) slotOf(name string, o *decoded) (slot int, ok bool) {
	base, option, _ := strings.Cut(name, ";")
	if slot, ok = sh.slots[strings.ToLower(base)]; !ok {
		return 0, false
	}
	if option == "" {
		return slot, true
	}
	span, isRange := strings.CutPrefix(strings.ToLower(option), "range=")
	_, last, _ := strings.Cut(span, "-")
	if !isRange {
		return 0, false
	}
	if to, err := strconv.Atoi(last); err == nil { // else it is *, the end
		o.ranges = append(o.ranges, ranged{slot: slot, next: to + 1})
	}
	return slot, true
}

// derive fills in the virtual attributes.
func (sh *shape) derive(o *decoded, uac string) {
	set := func(name, value string) {
		if slot, ok := sh.slots[name]; ok && value != "" {
			o.texts[slot] = append(o.texts[slot][:0], value)
			o.Attributes[slot].Values = o.texts[slot]
		}
	}
	if sh.uac {
		if bits, err := strconv.ParseInt(uac, 10, 64); err == nil {
			set(schema.Enabled, strconv.FormatBool(bits&accountDisabled == 0))
		}
	}
	_, container := sh.slots[schema.Container]
	_, rdn := sh.slots[schema.RDN]
	if container || rdn {
		_, name, parent, _ := dn.Split(o.Address)
		set(schema.Container, parent)
		set(schema.RDN, name)
	}
}

// complete fetches what the server left out of attributes with many values
// (MS-ADTS 3.1.1.3.1.3.3).
func (s *System) complete(ctx context.Context, sh *shape, o *decoded) error {
	for _, r := range o.ranges {
		a := sh.attributes[r.slot]
		values := slices.Clone(o.Attributes[r.slot].Values)
		for next := r.next; next > 0; {
			e, _, err := s.ReadOne(ctx, dn.OfID(o.ID), []string{a.Name + ";range=" + strconv.Itoa(next) + "-*"})
			if err != nil {
				return err
			}
			next = 0
			if e == nil {
				break // deleted meanwhile
			}
			part := decoded{}
			sh.decode(e, &part)
			values = append(values, part.Attributes[r.slot].Values...)
			if len(part.ranges) > 0 {
				next = part.ranges[0].next
			}
		}
		o.Attributes[r.slot].Values = values
	}
	return nil
}

// object reads the object that base names, nil if it is not there.
func (s *System) object(ctx context.Context, class, base string, attributes []string) (*sdk.Object, error) {
	c, err := s.Conn(ctx)
	if err != nil {
		return nil, err
	}
	sh, err := s.shapeOf(ctx, c, class, attributes)
	if err != nil {
		return nil, err
	}
	e, _, err := s.ReadOne(ctx, base, sh.request)
	if err != nil || e == nil {
		return nil, err
	}
	return s.finished(ctx, sh, e)
}

// finished makes an object that is the caller's to keep. So must e be.
func (s *System) finished(ctx context.Context, sh *shape, e *wire.Entry) (*sdk.Object, error) {
	o := &decoded{}
	sh.decode(e, o)
	if err := s.complete(ctx, sh, o); err != nil {
		return nil, err
	}
	return &o.Object, nil
}

// resolve puts native ids in the place of DNs, where the server could not. A
// reference to something that is not there any more is left out.
func (sh *shape) resolve(o *decoded, names map[string]string) {
	for slot, a := range sh.attributes {
		if a.Kind != schema.Reference {
			continue
		}
		texts := o.texts[slot][:0]
		for _, name := range o.Attributes[slot].Values {
			if id := names[foldDN(name)]; id != "" {
				texts = append(texts, id)
			}
		}
		o.texts[slot], o.Attributes[slot].Values = texts, texts
	}
}

// foldDN makes two spellings of a DN by the same server one key.
func foldDN(name string) string { return strings.ToLower(name) }
