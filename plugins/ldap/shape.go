package ldap

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
	class      class
	directory  *directory
	lock       EnabledSettings
	attributes []*schema.Attribute // of the object, in ascending order of name
	slots      map[string]int      // into attributes, by the name as the server gives it and in lower case
	twins      [][2]int            // slots of one attribute under two names: the second has what the first has
	request    []string            // what the server is asked for
	references []int               // slots of references
	memberOf   int                 // slot of memberOf where it is worked out, else -1
	derives    bool                // some are worked out from others
}

// shapeOf returns the shape of these attributes, which is made once.
func (s *System) shapeOf(ctx context.Context, c *dc.Conn, class class, attributes []string) (*shape, error) {
	key := class.name + "\x00" + strings.Join(attributes, "\x00")
	s.mu.Lock()
	known := s.shapes[key]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	sh := &shape{class: class, lock: s.settings.Enabled, slots: map[string]int{}, memberOf: -1}
	for _, name := range attributes {
		a, err := s.attribute(ctx, c, name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(sh.attributes, a) {
			sh.attributes = append(sh.attributes, a)
		}
	}
	var err error
	if sh.directory, err = s.known(ctx, c); err != nil {
		return nil, err
	}
	slices.SortFunc(sh.attributes, func(a, b *schema.Attribute) int { return strings.Compare(a.Name, b.Name) })
	for i, a := range sh.attributes {
		sh.place(i, a)
	}
	if sh.directory.id != byDN {
		sh.ask(sh.directory.id)
	}
	if len(sh.request) == 0 {
		sh.request = []string{"1.1"} // none
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.shapes) > 1000 { // whoever asks for ever new sets must not fill the memory
		clear(s.shapes)
	}
	s.shapes[key] = sh
	return sh, nil
}

// place gives an attribute its slot and asks the server for what it needs.
func (sh *shape) place(i int, a *schema.Attribute) {
	given := a.Name
	if a.Canonical != "" {
		given = a.Canonical
	}
	if first, twice := sh.slots[fold(given)]; twice {
		sh.twins = append(sh.twins, [2]int{first, i})
		return
	}
	sh.slots[fold(given)], sh.slots[given] = i, i
	if a.Kind == schema.Reference {
		sh.references = append(sh.references, i)
	}
	switch {
	case a.Name == schema.Enabled:
		sh.derives = true
		if sh.lock.Attribute != "" {
			sh.ask(sh.lock.Attribute)
		}
	case a.Name == schema.Container, a.Name == schema.RDN:
		sh.derives = true
	case a.Name == memberOf && sh.directory.derived:
		sh.memberOf = i
		sh.ask("uid")
	default:
		sh.ask(given)
	}
}

func (sh *shape) ask(name string) {
	if !slices.ContainsFunc(sh.request, func(other string) bool { return strings.EqualFold(other, name) }) {
		sh.request = append(sh.request, name)
	}
}

// A decoded object, whose memory serves the next one, too.
type decoded struct {
	sdk.Object
	texts [][]string // by slot: values that had to be turned
}

// decode fills o from e. What it does not find is known to be empty.
// References stay DNs.
func (sh *shape) decode(e *wire.Entry, o *decoded) {
	n := len(sh.attributes)
	if cap(o.Attributes) < n {
		o.Attributes, o.texts = make([]sdk.Attribute, n), make([][]string, n)
	}
	o.Attributes, o.Class, o.Address, o.ID = o.Attributes[:n], sh.class.name, e.DN, ""
	for i, a := range sh.attributes {
		o.Attributes[i] = sdk.Attribute{Name: a.Name}
	}
	id := sh.directory.id
	if id == byDN {
		o.ID = e.DN
	}
	locked := false
	for i := range e.Attributes {
		a := &e.Attributes[i]
		if len(a.Values) == 0 {
			continue
		}
		slot, ok := sh.slots[a.Name]
		if !ok {
			slot, ok = sh.slots[plainName(a.Name)]
		}
		if ok {
			o.Attributes[slot].Values = sh.text(slot, a.Values, o)
		}
		if o.ID == "" && (a.Name == id || strings.EqualFold(a.Name, id)) {
			o.ID = a.Values[0]
		}
		if sh.derives && strings.EqualFold(a.Name, sh.lock.Attribute) {
			locked = sh.lock.locks(a.Values)
		}
	}
	for _, t := range sh.twins {
		o.Attributes[t[1]].Values = o.Attributes[t[0]].Values
	}
	if sh.derives {
		sh.derive(o, locked)
	}
}

// plainName is a name as slots know it: in lower case, without the option that
// only says how values travel (RFC 4522). Another option, such as a language,
// makes another attribute.
func plainName(name string) string {
	return strings.TrimSuffix(fold(name), ";binary")
}

// locks tells whether an attribute with these values locks the account.
func (e EnabledSettings) locks(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, e.disabledValue()) })
}

// text turns values by the slot's kind; plain text stays where it is.
func (sh *shape) text(slot int, values []string, o *decoded) []string {
	a := sh.attributes[slot]
	if a.Kind == schema.String || a.Kind == schema.ExactString || a.Kind == schema.Integer {
		return values
	}
	texts := o.texts[slot][:0]
	for _, v := range values {
		if a.Kind == schema.Reference {
			texts = append(texts, v)
		} else {
			texts = append(texts, a.Text(v))
		}
	}
	o.texts[slot] = texts
	return texts
}

// derive fills in the virtual attributes.
func (sh *shape) derive(o *decoded, locked bool) {
	set := func(name, value string) {
		if slot, ok := sh.slots[name]; ok && value != "" {
			o.texts[slot] = append(o.texts[slot][:0], value)
			o.Attributes[slot].Values = o.texts[slot]
		}
	}
	if sh.lock.Attribute != "" {
		set(schema.Enabled, strconv.FormatBool(!locked))
	}
	_, name, parent, _ := dn.Split(o.Address)
	set(schema.Container, parent)
	set(schema.RDN, name)
}

// object reads the object that base names, nil if it is not there.
func (s *System) object(ctx context.Context, class class, base string, attributes []string) (*sdk.Object, error) {
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
	objects, err := s.finished(ctx, sh, []*wire.Entry{e})
	if err != nil {
		return nil, err
	}
	return objects[0], nil
}

// finished makes objects that are the caller's to keep. So must entries be.
func (s *System) finished(ctx context.Context, sh *shape, entries []*wire.Entry) ([]*sdk.Object, error) {
	w := s.window(sh)
	for _, e := range entries {
		o := &decoded{}
		sh.decode(e, o)
		w.objects = append(w.objects, o)
		w.uids = append(w.uids, valuesOf(e, "uid"))
	}
	if sh.memberOf >= 0 {
		if err := s.findGroups(ctx, w); err != nil {
			return nil, err
		}
	}
	if err := w.resolve(ctx); err != nil {
		return nil, err
	}
	objects := make([]*sdk.Object, len(w.objects))
	for i, o := range w.objects {
		objects[i] = &o.Object
	}
	return objects, nil
}
