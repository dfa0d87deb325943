//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"; the store's package registers "sqlite"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

const (
	fewGrants  = 10_000
	manyGrants = 1_000_000
	// boundGrowth is how much slower a look-up may be among many than among few.
	boundGrowth = 1.5
	// lookUps and redemptions are how many are timed in a round, one after another.
	lookUps     = 2000
	redemptions = 300
	// filledAtOnce bounds a transaction that fills, in grants.
	filledAtOnce = 100_000
)

// measureGrowth compares databases with few and with many grants in them.
func (b *bench) measureGrowth(ctx context.Context) error {
	for _, fresh := range []func() (storage, error){
		b.newSQLite, func() (storage, error) { return b.newPostgreSQL(ctx) },
	} {
		few, err := fresh()
		if err != nil {
			return err
		}
		many, err := fresh()
		if err != nil {
			return err
		}
		if err := b.compareGrowth(ctx, few, many); err != nil {
			return fmt.Errorf("%s: %w", few.name, err)
		}
	}
	return nil
}

func (b *bench) compareGrowth(ctx context.Context, few, many storage) (err error) {
	var all [2]*filled
	sizes := [2]int{fewGrants, manyGrants}
	defer func() {
		for _, f := range all {
			if f != nil {
				err = errors.Join(err, f.close())
			}
		}
	}()
	for i, s := range []storage{few, many} {
		b.say(fmt.Sprintf("filling %s with %s grants", s.name, report.Count(float64(sizes[i]))))
		if all[i], err = b.fill(ctx, s, sizes[i]); err != nil {
			return err
		}
	}
	return b.cluster.frozen(func() error { return b.timeGrowth(ctx, few.name, all) })
}

func (b *bench) timeGrowth(ctx context.Context, database string, all [2]*filled) error {
	var found, redeemed [2][]time.Duration
	for range b.rounds {
		for i, f := range all {
			took, err := f.lookUp(ctx)
			if err != nil {
				return err
			}
			found[i] = append(found[i], took)
			if took, err = f.redeem(ctx, b.issuer); err != nil {
				return err
			}
			redeemed[i] = append(redeemed[i], took)
		}
	}
	b.addGrowth("look a grant up, "+database, found)
	b.addGrowth("look a code up and redeem it, "+database, redeemed)
	return nil
}

// addGrowth takes down the times among few and among many grants, a round each.
func (b *bench) addGrowth(figure string, took [2][]time.Duration) {
	few, many := report.Median(took[0]), report.Median(took[1])
	var ratios []float64
	for round := range took[0] {
		ratios = append(ratios, float64(took[1][round])/float64(max(took[0][round], 1)))
	}
	ratio := report.Median(ratios)
	b.add(report.Row{
		Figure:   figure,
		Measured: report.Time(many) + " among " + report.Count(manyGrants), Beside: report.Time(few) + " among " + report.Count(fewGrants),
		Ratio: report.Ratio(ratio), Bound: "≤ " + report.Ratio(boundGrowth), Verdict: report.Held(ratio <= boundGrowth),
	})
}

// filled is a store with grants in it.
type filled struct {
	store.Store
	// ids are some of the grants', in no order.
	ids []string
}

func (f *filled) close() error { return f.Close() }

// fill multiplies one grant, which the store itself has made, by SQL.
func (b *bench) fill(ctx context.Context, s storage, grants int) (_ *filled, err error) {
	kept, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	f := &filled{Store: kept}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	codes, err := makeCodes(ctx, kept, b.issuer, 1)
	if err != nil {
		return nil, err
	}
	template, err := kept.RedeemCode(ctx, credential.HashOf(codes[0]), time.Now())
	if err != nil {
		return nil, err
	}
	db, err := s.openSQL()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for left := grants - 1; left > 0; left -= filledAtOnce {
		if err := s.multiply(ctx, db, template.ID, min(left, filledAtOnce)); err != nil {
			return nil, fmt.Errorf("fill the database: %w", err)
		}
	}
	if _, err := db.ExecContext(ctx, s.settled()); err != nil {
		return nil, err
	}
	f.ids, err = readIDs(ctx, db)
	return f, err
}

// openSQL opens the database beside the store.
func (s storage) openSQL() (*sql.DB, error) {
	if s.folder == "" {
		return sql.Open("pgx", s.url)
	}
	// What is filled here need not be durable, and is done sooner with memory.
	db, err := sql.Open("sqlite", "file:"+s.file()+"?_pragma=busy_timeout(5000)&_pragma=synchronous(OFF)&_pragma=cache_size(-524288)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// settled brings a database into the state that a long life would have brought it to.
func (s storage) settled() string {
	if s.folder == "" {
		return "VACUUM ANALYZE"
	}
	return "PRAGMA wal_checkpoint(TRUNCATE)"
}

// multiply inserts n grants that are as the template but for their ids, their users
// and when cleaning looks at them.
func (s storage) multiply(ctx context.Context, db *sql.DB, template string, n int) error {
	columns, err := columnsOf(ctx, db)
	if err != nil {
		return err
	}
	numbers, random := "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT i FROM n) AS n", "lower(hex(randomblob(11)))"
	if s.folder == "" {
		numbers, random = "generate_series(1, $1::bigint) AS n(i)", "substr(md5(random()::text || n.i), 1, 22)"
	}
	values := slices.Clone(columns)
	for i, column := range columns {
		switch column {
		case "grant_id":
			values[i] = random
		case "user_subject":
			values[i] = "'people|' || n.i % 20000"
		case "sweep_at":
			values[i] = "sweep_at + n.i * 1000"
		}
	}
	_, err = db.ExecContext(ctx, "INSERT INTO grants ("+strings.Join(columns, ", ")+") SELECT "+strings.Join(values, ", ")+
		" FROM grants, "+numbers+" WHERE grant_id = $2", n, template)
	return err
}

func columnsOf(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM grants LIMIT 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	return columns, errors.Join(err, rows.Err())
}

// readIDs takes a few thousand ids, which are random and so from all over the table.
func readIDs(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT grant_id FROM grants ORDER BY user_subject, created_at, grant_id LIMIT $1", 5*lookUps)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// lookUp is the median time that a grant takes to be found.
func (f *filled) lookUp(ctx context.Context) (time.Duration, error) {
	took := make([]time.Duration, lookUps)
	for i := range took {
		id := f.ids[i*len(f.ids)/lookUps]
		begin := time.Now()
		if _, err := f.Grant(ctx, id, begin); err != nil {
			return 0, fmt.Errorf("look a grant up: %w", err)
		}
		took[i] = time.Since(begin)
	}
	return report.Median(took), nil
}

// redeem is the median time that a code takes to be found and redeemed.
func (f *filled) redeem(ctx context.Context, issuer string) (time.Duration, error) {
	codes, err := makeCodes(ctx, f, issuer, redemptions)
	if err != nil {
		return 0, err
	}
	took := make([]time.Duration, redemptions)
	for i := range took {
		hash, begin := credential.HashOf(codes[i]), time.Now()
		if _, err := f.Code(ctx, hash); err != nil {
			return 0, fmt.Errorf("look a code up: %w", err)
		}
		if _, err := f.RedeemCode(ctx, hash, begin); err != nil {
			return 0, fmt.Errorf("redeem a code: %w", err)
		}
		took[i] = time.Since(begin)
	}
	return report.Median(took), nil
}
