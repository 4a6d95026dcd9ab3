package reconcile_test

import (
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/reconcile"
)

// The sample document against an account that is as wanted: what nearly every
// person costs in nearly every cycle.
func BenchmarkPlan_unchanged(b *testing.B) {
	b.ReportAllocs()
	hr, ad := system(b, "hr.yaml"), system(b, "corp-ad.yaml")
	d := newDomain()
	boss := zoe.with("employee_id", "E9", "manager_id", "").person(b, hr, now)
	d.settle(b, ad.Target, boss, now)
	p := zoe.person(b, hr, now)
	d.settle(b, ad.Target, p, now)
	in := reconcile.Input{Now: now, Person: p, Target: ad.Target, Account: d.accounts["e1"].account(), Names: d, Refs: d}
	for b.Loop() {
		if out := reconcile.Plan(in); len(out.Ops) > 0 {
			b.Fatal(show(out))
		}
	}
}

// A hire: the create with its attributes and reasons.
func BenchmarkPlan_hire(b *testing.B) {
	b.ReportAllocs()
	hr, ad := system(b, "hr.yaml"), system(b, "corp-ad.yaml")
	d := newDomain()
	in := reconcile.Input{Now: now, Person: zoe.person(b, hr, now), Target: ad.Target, Names: d, Refs: d}
	for b.Loop() {
		if out := reconcile.Plan(in); len(out.Ops) != 1 {
			b.Fatal(show(out))
		}
	}
}
