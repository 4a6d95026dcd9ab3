package connkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

func moves(ctx context.Context, k *kit) error {
	i, done, err := k.make(ctx)
	if err != nil {
		return err
	}
	defer done()
	o, err := k.one(ctx, i, k.Attributes...)
	if err != nil {
		return err
	}
	move := func(from string) *connectorv1.Operation {
		return &connectorv1.Operation{Class: k.Class, Id: i.id, Verb: &connectorv1.Operation_Move{Move: &connectorv1.Move{
			ExpectAddress: from, Container: k.marks.Replace(k.Move), Name: i.create.GetName()}}}
	}
	if _, err := k.want(ctx, move(o.GetAddress()), "move", sdk.OutcomeDone, false); err != nil {
		return err
	}
	_, err = k.want(ctx, move(o.GetAddress()), "the same move again", sdk.OutcomeDone, true)
	faults := []error{err}
	back := move("not where it is")
	back.GetMove().Container = i.create.GetContainer()
	_, err = k.want(ctx, back, "a move from where it is not", sdk.OutcomeConflict, false)
	faults = append(faults, err)
	after, err := k.one(ctx, i, k.Attributes...)
	if err == nil && (after.GetAddress() == o.GetAddress() || after.GetId() != i.id) {
		err = fmt.Errorf("after the move its address is %q, as before", after.GetAddress())
	}
	return errors.Join(append(faults, err)...)
}

func enables(ctx context.Context, k *kit) error {
	op, anchor := k.create()
	c := op.GetCreate()
	if c.GetPassword() == nil && k.can(sdk.CanSetPassword) {
		c.Password = &connectorv1.PasswordRule{Length: 20}
	}
	i, done, err := k.makeFrom(ctx, op, anchor)
	if err != nil {
		return err
	}
	defer done()
	state := c.GetEnabled()
	var faults []error
	for range 2 {
		state = !state
		op := &connectorv1.Operation{Class: k.Class, Id: i.id, Verb: &connectorv1.Operation_SetEnabled{SetEnabled: &connectorv1.SetEnabled{Enabled: state}}}
		_, err := k.want(ctx, op, fmt.Sprintf("set enabled to %v", state), sdk.OutcomeDone, false)
		faults = append(faults, err)
		_, err = k.want(ctx, op, fmt.Sprintf("set enabled to %v again", state), sdk.OutcomeDone, true)
		faults = append(faults, err)
		if k.attribute("enabled") != nil {
			o, err := k.one(ctx, i, "enabled")
			if got := valuesOf(o, "enabled"); err != nil || !sameValues(got, []string{fmt.Sprint(state)}) {
				faults = append(faults, fmt.Errorf("set to %v, attribute enabled reads %q%s", state, got, also(err)))
			}
		}
	}
	return errors.Join(faults...)
}

func changesMembership(ctx context.Context, k *kit) error {
	group := k.Group.ID
	if group == "" {
		ctx, cancel := k.limit(ctx)
		defer cancel()
		r, err := k.p.Find(ctx, &connectorv1.FindRequest{Class: k.Group.Class, Attribute: k.Group.Attribute, Values: []string{k.Group.Value}})
		if err != nil || len(r.GetRecords()) != 1 {
			return fmt.Errorf("looking for the group of test.yaml gives %d objects %s%s", len(r.GetRecords()), r.GetFault().GetCause(), also(err))
		}
		group = r.GetRecords()[0].GetId()
	}
	i, done, err := k.make(ctx)
	if err != nil {
		return err
	}
	defer done()
	var faults []error
	for _, joins := range []bool{true, false} {
		change, word := &connectorv1.ChangeMembership{Join: []string{group}}, "join"
		if !joins {
			change, word = &connectorv1.ChangeMembership{Leave: []string{group}}, "leave"
		}
		op := &connectorv1.Operation{Class: k.Class, Id: i.id, Verb: &connectorv1.Operation_ChangeMembership{ChangeMembership: change}}
		_, err := k.want(ctx, op, word+" the group", sdk.OutcomeDone, false)
		faults = append(faults, err)
		_, err = k.want(ctx, op, word+" the group again", sdk.OutcomeDone, true)
		faults = append(faults, err)
		if k.Group.ShownIn != "" {
			o, err := k.one(ctx, i, k.Group.ShownIn)
			if got := valuesOf(o, k.Group.ShownIn); err != nil || slices.Contains(got, group) != joins {
				faults = append(faults, fmt.Errorf("after %s, %s shows %q%s", word, k.Group.ShownIn, got, also(err)))
			}
		}
	}
	return errors.Join(faults...)
}

func setsPassword(ctx context.Context, k *kit) error {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	i, done, err := k.make(ctx)
	if err != nil {
		return err
	}
	defer done()
	seen := map[string]bool{}
	for range 2 {
		op := &connectorv1.Operation{Class: k.Class, Id: i.id, Verb: &connectorv1.Operation_SetPassword{SetPassword: &connectorv1.SetPassword{
			Rule: &connectorv1.PasswordRule{Length: 24, Recipients: []string{identity.Recipient().String()}}}}}
		r, err := k.want(ctx, op, "set a password", sdk.OutcomeDone, false)
		if err != nil {
			return err
		}
		secret, err := sealed.Unseal(r.GetSealedPassword(), identity)
		if err != nil {
			return fmt.Errorf("the password cannot be unsealed by its recipient: %w", err)
		}
		password := secret.Reveal()
		if n := utf8.RuneCountInString(password); n != 24 {
			return fmt.Errorf("the rule says 24 characters, the password has %d", n)
		}
		if seen[password] {
			return errors.New("two passwords are the same; they must be random")
		}
		seen[password] = true
		k.watch.mu.Lock()
		k.watch.secrets[password] = "a generated password"
		k.watch.mu.Unlock()
	}
	return nil
}

func deletes(ctx context.Context, k *kit) error {
	i, _, err := k.make(ctx)
	if err != nil {
		return err
	}
	if _, err := k.want(ctx, deletion(k.Class, i.id), "delete", sdk.OutcomeDone, false); err != nil {
		return err
	}
	if _, err := k.want(ctx, deletion(k.Class, i.id), "the same delete again", sdk.OutcomeDone, true); err != nil {
		return err
	}
	all, err := k.with(ctx, k.p, i.anchor)
	if err == nil && len(all) != 0 {
		err = fmt.Errorf("after the delete there are %d objects with %s=%q", len(all), k.Create.Anchor, i.anchor)
	}
	return err
}

// atATime is how many operations are under way; an agent may have more.
const atATime = 40

func answersEach(ctx context.Context, k *kit) error {
	name, values, ok := k.sample()
	if !ok {
		return errors.New("no attribute can be written: give one in samples of test.yaml")
	}
	var items []item
	for range 4 {
		i, done, err := k.make(ctx)
		if err != nil {
			return err
		}
		defer done()
		items = append(items, i)
	}
	ctx, cancel := k.limit(ctx)
	defer cancel()
	stream, err := k.p.Apply(ctx)
	if err != nil {
		return fmt.Errorf("call Apply: %w", err)
	}
	for tag := range atATime {
		i := items[tag%len(items)]
		op := modification(k.Class, i.id, &connectorv1.Change{Name: name, Expect: []string{"never there"}, Want: values[1]})
		op.ReturnAttributes = []string{k.Create.Anchor}
		if err := stream.Send(&connectorv1.ApplyRequest{Tag: uint64(tag + 1), Operation: op}); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("call Apply: %w", err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	answered := map[uint64]int{}
	var faults []error
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("after %d of %d answers: %w", len(answered), atATime, err)
		}
		answered[r.GetTag()]++
		if want := items[int(r.GetTag()-1)%len(items)].id; r.GetObject() != nil && r.GetObject().GetId() != want {
			faults = append(faults, fmt.Errorf("tag %d is about object %q, and answered with %q", r.GetTag(), want, r.GetObject().GetId()))
		}
	}
	for tag := uint64(1); tag <= atATime; tag++ {
		if answered[tag] != 1 {
			faults = append(faults, fmt.Errorf("tag %d was answered %d times", tag, answered[tag]))
		}
	}
	return few(faults)
}
