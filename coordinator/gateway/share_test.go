package gateway_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// A system that answers nothing holds half of the window, and what comes for
// another goes out at once. Of what comes free the other may have its share.
func TestConnect_slowSystem(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(hrDocument)
	b.write(func(tx *store.Tx) error {
		_, err := tx.ApplySystem(store.System{Tenant: tenant, Name: "app", Site: "hq", Connector: "csv", Document: strings.Replace(hrDocument, "system: hr", "system: app", 1)})
		return err
	})
	slow := b.queueOf("hr", 100)
	a := b.enrol("a1")
	a.connect(b, 32)
	if got := a.take(16); !slices.Equal(got, slow[:16]) {
		t.Fatalf("jobs = %v; want half of the window's 32: %v", got, slow[:16])
	}
	quick := b.queueOf("app", 100)
	got := a.take(8)
	if !slices.Equal(got, quick[:8]) {
		t.Errorf("jobs beside those of a slow system = %v; want %v", got, quick[:8])
	}
	for done := 8; done < 32; done += 8 { // it goes on, however the other stands
		a.results(got) // what comes next may come before they are confirmed
		if got = a.take(8); !slices.Equal(got, quick[done:done+8]) {
			t.Fatalf("jobs after %d were done = %v; want %v", done, got, quick[done:done+8])
		}
	}
	select {
	case f := <-a.frames:
		if f.GetJobs() != nil {
			t.Errorf("got %v; want nothing more of the slow system", f)
		}
	case <-time.After(50 * time.Millisecond):
	}
}
