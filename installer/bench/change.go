package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/installer/stage"
	"github.com/drawbridge-id/drawbridge/plugins/sql/mariadb"
)

const (
	changesIdle = 100 // changes measured with nothing else to do
	changesBusy = 100 // at least, while everything is read
	changeWait  = 2 * time.Minute
)

// hrToAD takes the time from the commit of a changed row in the HR database to
// the changed account in the double of Active Directory. Each change is told by
// `run hr`, as a trigger of the database would: HR is asked what has changed,
// the person is made anew, planned, and written. First with nothing else to do;
// then while the HR system is read whole again and again, with all its 100,000
// workers. They changed long ago: rows of the last five minutes are asked for
// again by each read of changes, and a database is seldom filled in those. The goals are a median of 1 s and a 99th percentile of 5 s.
func hrToAD(ctx context.Context, b *bench) ([]Figure, error) {
	count := b.count(100_000)
	m, db, err := workersInMariaDB(ctx, count,
		"ALTER TABLE workers ADD COLUMN changed timestamp(6) NOT NULL DEFAULT '2020-01-01' ON UPDATE current_timestamp(6), ADD INDEX (changed)")
	if err != nil {
		return nil, err
	}
	defer m.Remove()
	defer db.Close()
	s, err := stage.Start(ctx, stage.Options{Bin: b.bin, Dir: b.dir + "/product"})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := followHR(ctx, s, m, count); err != nil {
		return nil, err
	}
	b.log("%d accounts", count)
	conn, err := s.Domain.Dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	c := &changer{stage: s, db: db, ldap: conn, count: count}
	idle, err := c.changes(ctx, func(n int) bool { return n < changesIdle })
	if err != nil {
		return nil, err
	}
	full, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	cycles := 0
	go func() {
		for full.Err() == nil {
			if _, err := fullCycle(full, s, -1); err != nil && full.Err() == nil {
				ended <- err
				return
			}
			cycles++
		}
		ended <- nil
	}()
	busy, err := c.changes(ctx, func(n int) bool { return n < changesBusy })
	stop()
	if err = errors.Join(err, <-ended); err != nil {
		return nil, err
	}
	b.log("%d changes while everything was read, %d times to the end", len(busy), cycles)
	return []Figure{
		against("hr_to_ad", quantile(idle, 0.5).Seconds(), "s, median, idle", 1),
		against("hr_to_ad_p99", quantile(idle, 0.99).Seconds(), "s, p99, idle", 5),
		against("hr_to_ad_cycle", quantile(busy, 0.5).Seconds(), "s, median, in full cycles", 1),
		against("hr_to_ad_cycle_p99", quantile(busy, 0.99).Seconds(), "s, p99, in full cycles", 5),
	}, nil
}

// followHR has the directory follow the HR database, and waits for all accounts.
func followHR(ctx context.Context, s *stage.Stage, m *mariadb.Server, count int) error {
	if err := s.Furnish(); err != nil {
		return err
	}
	document := fmt.Sprintf(sqlDocument, m.Address, m.Database, m.User, m.CAFile)
	document = strings.Replace(document, "{table: workers, key: id}", "{table: workers, key: id, changes: {column: changed}}", 1)
	if err := s.Apply(ctx, "hr.yaml", document); err != nil {
		return err
	}
	if err := s.SetSecret(ctx, stage.HR, "password", m.Password); err != nil {
		return err
	}
	if err := applyAD(ctx, s); err != nil {
		return err
	}
	return waitForAccounts(ctx, s, count)
}

// A changer changes one worker after the other and looks for each change in the directory.
type changer struct {
	stage *stage.Stage
	db    *sql.DB
	ldap  *ldap.Conn
	count int
	made  int
}

// changes makes changes while more says so, and returns what each took.
func (c *changer) changes(ctx context.Context, more func(n int) bool) (all []time.Duration, err error) {
	for n := 0; more(n); n++ {
		took, err := c.change(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, took)
	}
	return all, nil
}

func (c *changer) change(ctx context.Context) (time.Duration, error) {
	c.made++
	id, title := fmt.Sprint("E", 100_001+c.made*7919%c.count), fmt.Sprint("Analyst ", c.made)
	if _, err := c.db.ExecContext(ctx, "UPDATE workers SET title = ? WHERE id = ?", title, id); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := c.stage.API.Post(ctx, "/v1/systems/"+stage.HR+"/run", client.Run{}, &client.Started{}); err != nil {
		return 0, err
	}
	query := ldap.NewSearchRequest(c.stage.Domain.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(employeeID="+id+")", []string{"title"}, nil)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		found, err := c.ldap.Search(query)
		took := time.Since(began)
		switch {
		case err != nil:
			return 0, err
		case len(found.Entries) == 1 && found.Entries[0].GetAttributeValue("title") == title:
			return took, nil
		case took > changeWait:
			return 0, fmt.Errorf("the title of %s has not changed after %v", id, took.Round(time.Second))
		}
		if err := sleep(ctx, pause); err != nil {
			return 0, err
		}
	}
}

// quantile of the times, which are sorted.
func quantile(all []time.Duration, q float64) time.Duration {
	slices.Sort(all)
	return all[min(len(all)-1, int(q*float64(len(all))))]
}
