package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
)

// tenant is the one of all tests.
const tenant = "t"

func open(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// both runs a test on a new store of each kind.
func both(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, storetest.OpenAs(t, filepath.Join(t.TempDir(), "coordinator.db")))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, storetest.OpenAs(t, storetest.Database(t, storetest.Server(t))))
	})
}

func write(t testing.TB, s *store.Store, do func(*store.Tx) error) {
	t.Helper()
	if err := s.Write(context.Background(), do); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, s *store.Store, do func(*store.Tx) error) {
	t.Helper()
	if err := s.Read(context.Background(), do); err != nil {
		t.Fatal(err)
	}
}

// The settings on which durability and speed rest are those of the file and of every connection.
func TestOpen_pragmas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a #b?.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of the store = %v, %v; want 0600", info.Mode().Perm(), err)
		}
	}
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("#", "%23", "?", "%3f", " ", "%20").Replace(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for pragma, want := range map[string]string{"page_size": "4096", "journal_mode": "wal"} {
		var got string
		if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("PRAGMA %s = %s, %v; want %s", pragma, got, err, want)
		}
	}
}

// An older coordinator must not open, and above all not rewrite, a newer store.
func TestOpen_newerIsLeftAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "coordinator.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(context.Background(), path); !errors.Is(err, store.ErrNewer) {
		t.Errorf("Open of a newer store = %v; want ErrNewer", err)
	}
}

// A transaction that ends with an error, or in a panic, leaves nothing and does not block the next.
func TestWrite_allOrNothing(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		boom := errors.New("boom")
		err := s.Write(context.Background(), func(tx *store.Tx) error {
			if err := tx.PutTenant("one"); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Errorf("Write = %v; want the function's error", err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = s.Write(context.Background(), func(tx *store.Tx) error {
				if err := tx.PutTenant("two"); err != nil {
					return err
				}
				panic("no")
			})
		}()
		write(t, s, func(tx *store.Tx) error {
			got, err := tx.Tenants()
			if len(got) != 0 {
				t.Errorf("tenants after two broken transactions = %v; want none", got)
			}
			return err
		})
	})
}

// Read sees the snapshot of its beginning, does not wait for the writer, and cannot write.
func TestRead_snapshot(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		write(t, s, func(tx *store.Tx) error {
			read(t, s, func(in *store.Tx) error {
				before, err := in.Tenants()
				if err != nil || len(before) != 0 {
					t.Errorf("tenants before the commit = %v, %v; want none", before, err)
				}
				if err := in.PutTenant("x"); err == nil {
					t.Error("a reading transaction wrote")
				}
				return nil
			})
			return tx.PutTenant("one")
		})
	})
}

// A signal is raised after the commit, and not by a transaction that left nothing.
func TestWrite_signals(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		woken := s.Due.Next()
		_ = s.Write(context.Background(), func(tx *store.Tx) error {
			if err := tx.MarkDue(tenant, tx.Now, "test", []string{"p"}); err != nil {
				t.Error(err)
			}
			return errors.New("not today")
		})
		select {
		case <-woken:
			t.Error("signalled without a commit")
		default:
		}
		write(t, s, func(tx *store.Tx) error { return tx.MarkDue(tenant, tx.Now, "test", []string{"p"}) })
		select {
		case <-woken:
		case <-time.After(10 * time.Second):
			t.Error("not signalled after the commit")
		}
	})
}

// childPath makes this test binary the child of TestStore_killed.
const childPath = "DRAWBRIDGE_TEST_STORE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		writeForever(path)
	}
	os.Exit(storetest.Main(m))
}

// writeForever writes, in each transaction, one row into each of three tables,
// and says after the commit which transaction it was.
func writeForever(path string) {
	s, err := store.Open(context.Background(), path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	count := 0
	if err := s.Read(context.Background(), func(tx *store.Tx) (err error) { count, err = tx.CountPeople(tenant); return err }); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for n := count; ; n++ {
		err := s.Write(context.Background(), func(tx *store.Tx) error {
			id := fmt.Sprintf("%09d", n)
			if err := tx.PutPeople([]store.Person{{Tenant: tenant, ID: id, Key: id, Attributes: strings.Repeat("x", 20_000)}}); err != nil {
				return err
			}
			if err := tx.MarkDue(tenant, tx.Now, "made", []string{id}); err != nil {
				return err
			}
			return tx.AddJobs([]store.Job{{Tenant: tenant, Person: id, State: store.JobQueued}})
		})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

// Whatever was committed before the process was killed is there, and of what was not, nothing is.
func TestStore_killed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "coordinator.db")
	told := -1
	for round := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childPath+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 5+7*round && lines.Scan(); n++ {
			if told, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(lines.Text())
			}
		}
		time.AfterFunc(time.Duration(round)*300*time.Microsecond, func() { _ = cmd.Process.Kill() })
		for lines.Scan() {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				told = n
			}
		}
		_ = cmd.Wait()

		s := open(t, path)
		read(t, s, func(tx *store.Tx) error {
			people, err := tx.CountPeople(tenant)
			if err != nil {
				return err
			}
			due, err := tx.DuePeople(1_000_000)
			if err != nil {
				return err
			}
			jobs, err := tx.CountJobs(tenant, store.JobQueued)
			if people < told+1 || people > told+2 || len(due) != people || jobs != people {
				t.Errorf("round %d: %d people, %d due, %d jobs after %d transactions were told committed", round, people, len(due), jobs, told+1)
			}
			return err
		})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Every column of every table comes back as it was written.
func TestRows_roundTrip(t *testing.T) {
	both(t, func(t *testing.T, s *store.Store) {
		var (
			token   = store.JoinToken{tenant, "ab", []byte{1}, "hq", 2, 3, 4, "h"}
			api     = store.APIToken{tenant, "cd", []byte{2}, "me", 5, 6, "viewer,auditor", 7, "her", "corp#7"}
			agent   = store.Agent{tenant, "a1", "hq", "h", "1.0.0", "linux/amd64", 1, "ff", 2, "s", 6, 3, 4, 5, "[]", 7, "r", 8, `{"b":2}`, 9, `{"mode":"enforce"}`, "canary", store.Update{"ready", "1.2.0", "why", "1.1.0", 10}}
			system  = store.System{tenant, "hr", "hq", "csv", 1, "system: hr", 0, []byte{3}, 0, `{"a":1}`, 9, 1, 1, 2, 1, "", ""}
			cycle   = store.Cycle{tenant, 7, "hr", "schedule", 1, 2, store.CycleHeld, 3, 4, 5, 6, "why"}
			reject  = store.Reject{tenant, "hr", "line 3", 7, "bad", "id", true}
			person  = store.Person{tenant, "p1", "k1", "Zoë", `{"a":"b"}`, 1, 2, "K1", "group", "zoe k1"}
			account = store.Account{tenant, "ad", "guid", "user", "CN=x", "m", "p1", []byte{1, 0, 2}, 3, 4, 5, 6, 1}
			name    = store.Name{tenant, "ad", "sAMAccountName", "x", "p1"}
			due     = store.Due{tenant, "p1", 1, "why", 2, 3, "00-t"}
			alarm   = store.Alarm{tenant, "p1", 2, "start"}
			waiting = store.Waiting{tenant, "ad", "k2", "p1"}
			problem = store.Problem{tenant, "p1", "ad", 1, "invalid", "{}", 2, 3, 4}
			job     = store.Job{9, tenant, "hq", "ad", "guid", "p1", 7, "create", store.JobSent, 8, 1, 2, 3, "a1", []byte{5}, `[1]`, 4, 5, 6, "DONE", "{}", true, 77, 5, "00-t", true}
			history = store.History{1, tenant, 2, "written", "ad", "p1", "guid", 9, "made", []byte(`{"a":1}`)}
		)
		write(t, s, func(tx *store.Tx) error {
			_, err := tx.ApplySystem(system)
			return errors.Join(err, tx.AddJoinToken(token), tx.PutAPIToken(api), tx.AddAgent(agent), tx.PutCycle(cycle),
				tx.SetSchema(tenant, "hr", []byte{3}), tx.SetHealth(tenant, "hr", `{"a":1}`),
				tx.PutRejects([]store.Reject{reject}), tx.PutPeople([]store.Person{person}), tx.PutAccounts([]store.Account{account}),
				tx.PutNames([]store.Name{name}), tx.MarkDueAs(due, []string{"p1"}), tx.ReplaceAlarms(tenant, []string{"p1"}, []store.Alarm{alarm}),
				tx.ReplaceWaiting(tenant, []string{"p1"}, []store.Waiting{waiting}), tx.PutProblems([]store.Problem{problem}),
				tx.AddJobs([]store.Job{job}), tx.AddHistory([]store.History{history}))
		})
		read(t, s, func(tx *store.Tx) error {
			same(t, token)(tx.JoinToken("ab"))
			same(t, api)(tx.APIToken("cd"))
			same(t, agent)(tx.Agent(tenant, "a1"))
			got, err := tx.System(tenant, "hr")
			if got.Applied == 0 || got.SchemaAt == 0 {
				t.Errorf("system applied %v, schema at %v; want instants", got.Applied, got.SchemaAt)
			}
			got.Applied, got.SchemaAt = 0, 0
			same(t, system)(got, err)
			same(t, cycle)(tx.Cycle(tenant, 7))
			same(t, []store.Reject{reject})(tx.Rejects(tenant, "hr", 9))
			same(t, []store.Person{person})(tx.People(tenant, []string{"p1", "<&\"'>"}))
			same(t, []store.Person{person})(tx.PeopleByKey(tenant, []string{"k1"}))
			same(t, []store.Account{account})(tx.Accounts(tenant, "ad", []string{"guid"}))
			same(t, []store.Account{account})(tx.AccountsOf(tenant, []string{"p1"}))
			same(t, []store.Name{name})(tx.Names(tenant, "ad", "sAMAccountName", []string{"x"}))
			same(t, []store.Due{due})(tx.DuePeople(9))
			same(t, []store.Alarm{alarm})(tx.AlarmsOf(tenant, []string{"p1"}))
			same(t, []store.Waiting{waiting})(tx.WaitsOf(tenant, "p1"))
			same(t, []store.Problem{problem})(tx.Problems(tenant, 9))
			same(t, []store.Job{job})(tx.JobsOfPerson(tenant, "p1", 9))
			same(t, []store.History{history})(tx.HistoryOf(tenant, "p1", 0, 9))
			return nil
		})
	})
}

func same[T any](t *testing.T, want T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%T: %v", want, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%T (-want +got):\n%s", want, diff)
		}
	}
}
