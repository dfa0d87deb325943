package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/store/postgrestest"
)

// sharedStatements are all statements over tables that grow, by name.
var sharedStatements = map[string]string{
	"Code": selectCode, "spend a code": spendCode, "grant what a code says": insertGrantOfCode,
	"Grant": selectGrant, "GrantsOf": selectGrantsOfUser, "RotateRefresh": rotateGrant,
	"RevokeGrant": insertRevocations + byID, "RevokeGrants": insertRevocations + byUserAndClient, "revoke a client's": insertRevocations + byClient,
	"revoke the listed": revokeListed, "list what was revoked": listRevoked, "whether it is to be revoked": selectUnrevoked,
	"RevokeToken": insertRevocation, "Revoked": selectRevocation, "Revocations": selectRevocations, "LastRevocation": selectLastRevocation,
	"Registration": selectRegistration, "UpdateRegistration": updateRegistration, "DeleteRegistration": deleteRegistration, "use a registration": useRegistration,
	"count a registration": countRegistration, "count a resource's": countOfResource, "evict": evictRegistrations, "evict a resource's": evictOfResource,
	"TakePushedRequest": takePushedRequest, "Session": selectSession, "DeleteSession": deleteSession,
	"Consent": selectConsent, "ConsentsOf": selectConsentsOfUser, "DeleteConsents": deleteConsents,
	"Take": takeToken, "Refill": deleteBucket,
	"clean codes": deleteCodes, "clean revocations": deleteRevocations, "clean pushed requests": deletePushedRequests,
	"clean sessions": deleteSessions, "clean consents": deleteExpiredConsents, "clean keys": deleteUsedKeys, "clean buckets": deleteFullBuckets,
	"clean registrations": deleteRegistrations, "clean grants": deleteGrants, "put grants off": putOffGrants,
}

// A look-up that walks a table is fast in every test and slow in every year.
func TestSQLiteFindsEverythingByAnIndex(t *testing.T) {
	s, err := OpenSQLite(t.Context(), Config{Path: filepath.Join(t.TempDir(), "store.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db := s.(*sqlStore).db.(*sqlite).writer
	for name, statement := range sharedStatements {
		plan := planOf(t, db, "EXPLAIN QUERY PLAN "+statement, 3, make([]any, parameters(statement))...)
		for _, step := range plan {
			if strings.HasPrefix(step, "SCAN") && !harmless.MatchString(step) {
				t.Errorf("%s walks a table: %s", name, strings.Join(plan, "; "))
			}
		}
	}
}

// harmless are walks over what the statement itself has bounded.
var harmless = regexp.MustCompile(`^SCAN (CONSTANT ROW|found|\(subquery)`)

func TestPostgreSQLFindsEverythingByAnIndex(t *testing.T) {
	s, err := OpenPostgreSQL(t.Context(), PostgreSQLConfig{URL: postgrestest.Start(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := s.(*sqlStore).db.(*postgres).db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The tables are empty: whatever index there is counts as the cheaper way.
	for _, setting := range []string{"SET enable_seqscan = off", "SET plan_cache_mode = force_generic_plan"} {
		if _, err := conn.ExecContext(t.Context(), setting); err != nil {
			t.Fatal(err)
		}
	}
	number := 0
	statements := map[string]string{"RedeemCode": redeemAtOnce}
	for name, statement := range sharedStatements {
		statements[name] = statement
	}
	for name, statement := range statements {
		number++
		prepared := "plan" + strconv.Itoa(number)
		if _, err := conn.ExecContext(t.Context(), "PREPARE "+prepared+" AS "+statement); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		execute := prepared
		if n := parameters(statement); n > 0 {
			execute += "(" + strings.TrimSuffix(strings.Repeat("NULL,", n), ",") + ")"
		}
		plan := planOf(t, conn, "EXPLAIN EXECUTE "+execute, 0)
		if slices.ContainsFunc(plan, func(step string) bool { return strings.Contains(step, "Seq Scan") }) {
			t.Errorf("%s walks a table:\n%s", name, strings.Join(plan, "\n"))
		}
	}
}

// parameters is how many a statement has.
func parameters(statement string) int {
	most := 0
	for _, found := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(statement, -1) {
		n, _ := strconv.Atoi(found[1])
		most = max(most, n)
	}
	return most
}

// planOf is one column of what EXPLAIN returns.
func planOf(t *testing.T, db interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, explain string, column int, args ...any) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), explain, args...)
	if err != nil {
		t.Fatalf("%s: %v", explain, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan []string
	for rows.Next() {
		values, targets := make([]string, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, values[column])
	}
	if rows.Err() != nil || len(plan) == 0 {
		t.Fatalf("%s: no plan: %v", explain, rows.Err())
	}
	return plan
}
