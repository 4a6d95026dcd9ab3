package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

const (
	objectLives = time.Second     // what was read of an object serves one write, soon
	groupsLive  = 2 * time.Second // which groups lie within protected ones
	mostObjects = 1000            // asked for at a time
)

// protectedRIDs are the groups and accounts of every domain that make, or are,
// administrators (MS-DTYP 2.4.2.4). Members of the groups, through any number
// of others, are protected with them.
var protectedRIDs = []string{"498", "500", "502", "512", "516", "517", "518", "519", "520", "521", "526", "527", "571", "572"}

// protectedSIDs are those that have the same security id everywhere:
// Administrators, and the operators of accounts, servers, printing, backup and
// replication.
var protectedSIDs = []string{"S-1-5-32-544", "S-1-5-32-548", "S-1-5-32-549", "S-1-5-32-550", "S-1-5-32-551", "S-1-5-32-552"}

// machineBits mark accounts that are no person's: computers, controllers, trusts.
const machineBits = 0x800 | 0x1000 | 0x2000

// protect works out which security ids are protected.
func (s *System) protect() {
	if s.neverSet == 0 && s.path == "" {
		s.neverSet = neverSet
	}
	s.protected = nil
	for _, list := range [][]string{protectedRIDs, protectedSIDs} {
		for _, id := range list {
			if !slices.Contains(s.MayTouch, id) {
				s.protected = append(s.protected, id)
			}
		}
	}
	s.protected = append(s.protected, s.NeverTouch...)
}

// covers returns the protected id that a security id is, or "". A RID is that
// of any domain.
func (s *System) covers(security string) string {
	for _, id := range s.protected {
		if security == id || strings.HasPrefix(security, "S-1-5-21-") && !strings.HasPrefix(id, "S-") && strings.HasSuffix(security, "-"+id) {
			return id
		}
	}
	return ""
}

// protectedRule is the rule that protects an id of the list.
func (s *System) protectedRule(id string) (Rule, bool) {
	if i := slices.Index(s.NeverTouch, id); i >= 0 {
		return s.rule(fmt.Sprintf("never_touch[%d]", i)), false
	}
	return builtIn("never-touch"), true
}

// facts is what is known of one system's objects, for moments.
type facts struct {
	mu      sync.Mutex // held while the system is asked, so that those who come meanwhile share the answer
	objects map[string]fact
	within  map[string]string // id and sid of every group in a protected one → the name it is known by
	asked   string            // for which groups
	at      time.Time         // when within was read
}

type fact struct {
	*connectorv1.Standing
	at time.Time
}

func (g *Guard) factsOf(system string) *facts {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.facts[system] == nil {
		g.facts[system] = &facts{objects: make(map[string]fact)}
	}
	return g.facts[system]
}

// needsFacts says whether an operation is on an object that is there.
func needsFacts(op *connectorv1.Operation) bool { return op.GetCreate() == nil }

// concerned are the objects that an operation touches: itself first.
func concerned(op *connectorv1.Operation) []string {
	if op == nil || !needsFacts(op) {
		return nil
	}
	ids := []string{op.GetId()}
	if m := op.GetChangeMembership(); m != nil {
		ids = append(append(ids, m.GetJoin()...), m.GetLeave()...)
	}
	return ids
}

// A refusedError is an answer of the connector that is no answer.
type refusedError struct {
	outcome connectorv1.Outcome
	fault   *connectorv1.Fault
}

func (e *refusedError) Error() string { return e.fault.GetCause() }

// judge returns what speaks against an operation by what the system says now,
// or which object of it is not there.
func (f *facts) judge(ctx context.Context, s *System, q Question, now time.Time, j *journal) (found []*denial, missing string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	op := q.Job.GetApply()
	if err := f.read(ctx, s, q, now); err != nil {
		return nil, "", err
	}
	add := func(d denial) { found = append(found, &d) }
	for i, id := range concerned(op) {
		o, known := f.objects[fold(id)]
		if !known {
			return nil, id, nil
		}
		f.touch(s, o, i > 0, op, add)
		j.sawObject(q.System.GetName(), o.Standing, i > 0)
	}
	delete(f.objects, fold(op.GetId())) // its own write will change it
	return found, "", nil
}

// read fetches what is not known, and what will be asked next with it.
func (f *facts) read(ctx context.Context, s *System, q Question, now time.Time) error {
	if len(f.objects) > 20*mostObjects {
		clear(f.objects)
	}
	fresh := func(id string) bool {
		o, known := f.objects[fold(id)]
		age := now.Sub(o.at)
		return known && age >= 0 && age < objectLives
	}
	var ids []string
	want := func(list []string) {
		for _, id := range list {
			if !fresh(id) && !slices.Contains(ids, id) && len(ids) < mostObjects {
				ids = append(ids, id)
			}
		}
	}
	want(concerned(q.Job.GetApply()))
	request := &connectorv1.InspectRequest{}
	sids := strings.Join(s.protected, " ")
	if age := now.Sub(f.at); age < 0 || age >= groupsLive || f.asked != sids {
		request.Groups = s.protected
	}
	if len(ids) == 0 && request.Groups == nil {
		return nil
	}
	if n := len(concerned(q.Job.GetApply())); n > mostObjects {
		return &refusedError{connectorv1.Outcome_OUTCOME_INVALID, &connectorv1.Fault{Cause: fmt.Sprintf("the operation touches %d objects at once", n)}}
	}
	for _, job := range q.Ahead {
		want(concerned(job.GetApply()))
	}
	request.Ids = ids
	response, err := q.Inspect(ctx, request)
	if err != nil {
		return err
	}
	if response.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
		return &refusedError{response.GetOutcome(), response.GetFault()}
	}
	for _, id := range ids { // one that has gone is not there
		delete(f.objects, fold(id))
	}
	for _, o := range response.GetObjects() {
		f.objects[fold(o.GetId())] = fact{o, now}
	}
	if request.Groups == nil {
		return nil
	}
	return f.keepGroups(s, response.GetGroups(), sids, now)
}

// keepGroups takes the groups within protected ones. A directory that shows no
// Domain Admins hides more than that.
func (f *facts) keepGroups(s *System, groups []*connectorv1.Standing, asked string, now time.Time) error {
	within := make(map[string]string, 2*len(groups))
	top := false
	for _, g := range groups {
		label := fmt.Sprintf("%s (%s)", g.GetAddress(), g.GetSid())
		within[fold(g.GetId())] = label
		if g.GetSid() != "" {
			within[fold(g.GetSid())] = label
		}
		top = top || strings.HasSuffix(g.GetSid(), "-512")
	}
	if !top && slices.Contains(s.protected, "512") {
		return &refusedError{connectorv1.Outcome_OUTCOME_DENIED, &connectorv1.Fault{Cause: "the directory does not show the group Domain Admins"}}
	}
	f.within, f.asked, f.at = within, asked, now
	return nil
}

// touch judges one object that would be touched: the one the operation is on,
// or a group that it would join or leave.
func (f *facts) touch(s *System, o fact, group bool, op *connectorv1.Operation, add func(denial)) {
	at := o.GetAddress()
	deny := func(rule Rule, own bool, format string, args ...any) {
		add(denial{rule: rule, builtIn: own, object: at, cause: at + " " + fmt.Sprintf(format, args...)})
	}
	for _, class := range o.GetClasses() {
		named := slices.ContainsFunc(s.Classes, func(c string) bool { return fold(c) == fold(class) })
		if slices.Contains(guarded, fold(class)) && !named {
			deny(builtIn("never-touch"), true, "is of class %s", class)
		}
	}
	is := func(c string) bool { return fold(c) == fold(op.GetClass()) }
	if !group && !slices.ContainsFunc(o.GetClasses(), is) {
		deny(builtIn("classes"), true, "is no %s, as the job says, but %s", op.GetClass(), strings.Join(o.GetClasses(), " "))
	}
	if o.GetAccountControl()&machineBits != 0 {
		deny(builtIn("never-touch"), true, "is the account of a computer or of a trust (userAccountControl 0x%x)", o.GetAccountControl())
	}
	if id := s.covers(o.GetSid()); id != "" {
		rule, own := s.protectedRule(id)
		deny(rule, own, "is protected by its security id %s", o.GetSid())
	}
	if o.GetAdmin() {
		deny(builtIn("never-touch"), true, "is protected as an administrator (adminCount=1)")
	}
	if o.GetCritical() && !(group && slices.Contains(s.Groups, o.GetSid())) {
		deny(builtIn("never-touch"), true, "is critical to the system (isCriticalSystemObject)")
	}
	if label := f.within[fold(o.GetId())]; label != "" && s.covers(o.GetSid()) == "" {
		deny(builtIn("never-touch"), true, "lies within a protected group")
	}
	for _, id := range append(slices.Clone(o.GetGroups()), o.GetPrimaryGroup()) {
		if label := f.within[fold(id)]; label != "" {
			deny(builtIn("never-touch"), true, "is a member of %s, which is, or lies within, a protected group", label)
			break
		}
	}
	if group {
		s.grant(o, add)
		return
	}
	if s.bases != nil && !withinAny(at, s.bases, true) {
		deny(s.rule("bases"), false, "is not within the bases")
	}
	for _, c := range op.GetModify().GetChanges() {
		if fold(c.GetName()) == "useraccountcontrol" {
			s.bits(c.GetWant(), o.GetAccountControl(), add)
		}
		if fold(c.GetName()) == "member" {
			s.grant(o, add)
		}
	}
}

// grant judges a group that would be joined or left.
func (s *System) grant(o fact, add func(denial)) {
	if s.Groups == nil {
		return
	}
	n, err := parseName(o.GetAddress())
	for _, g := range s.Groups {
		if g == o.GetSid() {
			return
		}
		if own, bad := parseName(g); bad == nil && err == nil && slices.Equal(own, n) {
			return
		}
	}
	if slices.ContainsFunc(s.below, func(base name) bool { return err == nil && n.within(base, true) }) {
		return
	}
	add(denial{rule: s.rule("groups"), object: o.GetAddress(), cause: o.GetAddress() + " is not among the groups that may be granted"})
}
