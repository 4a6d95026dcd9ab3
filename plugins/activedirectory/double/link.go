package double

import "github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/schema"

// link makes o point to to and keeps the other side in step.
func (d *directory) link(o *object, def *schema.Attribute, to *object, usn uint64) {
	set := o.linkSet(def)
	if set == nil {
		o.links = append(o.links, linkSet{def: def})
		set = &o.links[len(o.links)-1]
	}
	set.usn = usn
	if l := set.find(to); l != nil {
		l.gone, l.usn = false, usn
	} else {
		set.append(to, usn)
	}
	to.addBack(def, o)
}

// unlink takes the pointer away and remembers that it was there.
func (d *directory) unlink(o *object, def *schema.Attribute, to *object, usn uint64) {
	set := o.linkSet(def)
	if l := set.find(to); l != nil && !l.gone {
		l.gone, l.usn, set.usn = true, usn, usn
		to.dropBack(def, o)
	}
}

// forget removes o from every link, both ways, without trace: this is what a
// deletion does to the other objects, whose change numbers stay as they were.
func (d *directory) forget(o *object) {
	for i := range o.links {
		for _, l := range o.links[i].links {
			if !l.gone {
				l.to.dropBack(o.links[i].def, o)
			}
		}
	}
	o.links = nil
	for i := range o.back {
		for from := range o.back[i].from {
			from.linkSet(o.back[i].def).drop(o)
		}
	}
	o.back = nil
}
