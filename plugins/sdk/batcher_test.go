package sdk_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// What comes while a request is under way is one request, as far as it may be;
// another key does not wait; and all of a request hear how it ended.
func TestBatcher(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := sdk.NewBatcher[string, int, int](3)
		refused := errors.New("refused")
		var mu sync.Mutex
		var ran [][]int
		run := func(values []int) (int, error) {
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, slices.Clone(values))
			if slices.Contains(values, 5) {
				return 0, refused
			}
			return len(ran), nil
		}
		var callers sync.WaitGroup
		for i := range 6 { // 0 alone; 1, 2, 3; 4, 5
			callers.Go(func() {
				result, among, err := b.Do("sales", i, run)
				want, company := []int{1, 2, 2, 2, 0, 0}[i], []int{1, 3, 3, 3, 2, 2}[i]
				if result != want || among != company || (err != nil) != (i > 3) {
					t.Errorf("Do(%d) = %d, %d, %v; want %d, %d and an error of those with 5", i, result, among, err, want, company)
				}
			})
			synctest.Wait()
		}
		began := time.Now()
		if _, among, err := b.Do("legal", 9, func([]int) (int, error) { return 0, nil }); among != 1 || err != nil || time.Since(began) > 0 {
			t.Errorf("another key: among %d, %v after %v; want alone, at once", among, err, time.Since(began))
		}
		callers.Wait()
		if want := [][]int{{0}, {1, 2, 3}, {4, 5}}; !slices.EqualFunc(ran, want, slices.Equal) {
			t.Errorf("requests %v; want %v", ran, want)
		}
	})
}

// A request that panics leaves nobody waiting, and the next one is made.
func TestBatcher_panic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := sdk.NewBatcher[string, int, int](2)
		var callers sync.WaitGroup
		outcomes := make([]string, 5) // 0 alone; 1, 2; 3, 4
		for i := range outcomes {
			callers.Go(func() {
				defer func() {
					if p := recover(); p != nil {
						outcomes[i] = "panic"
					}
				}()
				_, _, err := b.Do("sales", i, func(values []int) (int, error) {
					time.Sleep(time.Second)
					if values[0] == 1 {
						panic("at once")
					}
					return 0, nil
				})
				if e, ok := errors.AsType[*sdk.Error](err); ok && e.Outcome == sdk.OutcomeUnknown {
					outcomes[i] = "unknown"
				} else if err == nil {
					outcomes[i] = "done"
				}
			})
			synctest.Wait()
		}
		callers.Wait()
		if want := []string{"done", "panic", "unknown", "done", "done"}; !slices.Equal(outcomes, want) {
			t.Errorf("outcomes %v; want %v", outcomes, want)
		}
	})
}
