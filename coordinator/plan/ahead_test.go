package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"

	"github.com/drawbridge-id/drawbridge/coordinator/rehearsal"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// leavers is a world whose documents know an end date.
func leavers(t testing.TB) *rehearsal.World {
	w := rehearsal.New(t)
	w.Apply(strings.Replace(rehearsal.Documents, "    startDate: date(hire_date)\n", "    startDate: date(hire_date)\n    endDate: date(term_date)\n", 1))
	return w
}

func leavingAda(at time.Time, pairs ...string) *connectorv1.Object {
	return rehearsal.Worker("E1001", "Ada", "Lovelace", append(pairs, "term_date", at.UTC().Format(time.RFC3339))...)
}

// The lock-out of a leaver is placed once, holds no other change back, and is
// replaced when the date changes and taken back when it goes.
func TestStep_placesLeavers(t *testing.T) {
	t.Parallel()
	w := leavers(t)
	at := time.Now().Add(20 * 24 * time.Hour).Truncate(time.Second)
	w.Read("hr", leavingAda(at))
	w.Settle()
	if len(w.Placed) != 1 || !w.Placed[0].GetNotBefore().AsTime().Equal(at) || w.Placed[0].GetPriority() != store.PriorityPlaced ||
		w.Placed[0].GetNotAfter().AsTime().Before(at.AddDate(0, 0, 6)) {
		t.Fatalf("placed = %v; want one at %v, good for a week", w.Placed, at)
	}
	w.Read("hr", leavingAda(at, "title", "Advisor"))
	w.Settle()
	if got := w.Value("CN=Ada Lovelace"+research, "title"); got != "Advisor" || len(w.Placed) != 1 {
		t.Errorf("title = %q, placed = %d; want the change made beside the one placed", got, len(w.Placed))
	}
	w.Read("hr", leavingAda(at.Add(time.Hour)))
	w.Settle()
	if len(w.Placed) != 2 || !w.Placed[1].GetNotBefore().AsTime().Equal(at.Add(time.Hour)) {
		t.Fatalf("placed = %v; want another for the new instant", w.Placed)
	}
	if got, want := jobs(t, w, store.JobFilter{State: "open"}), []string{"disable rescinding", "disable sent"}; !slices.Equal(got, want) {
		t.Errorf("open = %q; want %q", got, want)
	}
	w.Finish(&linkv1.Result{Job: w.Placed[0].GetId(), Outcome: connectorv1.Outcome_OUTCOME_CONFLICT}) // the agent takes it back
	w.Read("hr", rehearsal.Worker("E1001", "Ada", "Lovelace", "term_date", ""))
	w.Settle()
	if got, want := jobs(t, w, store.JobFilter{State: "open"}), []string{"disable rescinding"}; !slices.Equal(got, want) {
		t.Errorf("open after the date has gone = %q; want %q", got, want)
	}
}

// Nothing is placed that is further ahead than a month, and in no hour more
// than the threshold lets pass.
func TestStep_placesNoMoreThanTheThreshold(t *testing.T) {
	t.Parallel()
	w := leavers(t)
	at := time.Now().Add(10 * 24 * time.Hour).Truncate(time.Second)
	rows := []*connectorv1.Object{leavingAda(time.Now().Add(40 * 24 * time.Hour))}
	for i := range 20 {
		rows = append(rows, rehearsal.Worker(fmt.Sprintf("E2%03d", i), fmt.Sprintf("Given%d", i), fmt.Sprintf("Family%d", i),
			"term_date", at.Add(time.Duration(i)*time.Minute).UTC().Format(time.RFC3339)))
	}
	w.Read("hr", rows...)
	w.Settle()
	if len(w.Placed) != 5 {
		t.Errorf("%d are placed within one hour; the threshold of 21 people is 5", len(w.Placed))
	}
}
