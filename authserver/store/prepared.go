package store

import (
	"context"
	"database/sql"
)

// The statements that SQLite keeps prepared, since requests wait for them.
var (
	preparedReads = []string{
		selectCode, selectGrant, selectRegistration, selectSession, selectConsent, selectUnrevoked,
		selectRevocation, selectLastRevocation,
	}
	preparedChanges = []string{
		insertCode, spendCode, insertGrantOfCode, useRegistration, rotateGrant,
		insertPushedRequest, takePushedRequest, insertSession, useKey, takeToken,
	}
)

// prepare prepares statements on the connections of a pool.
func prepare(ctx context.Context, db *sql.DB, all []string) (map[string]*sql.Stmt, error) {
	prepared := make(map[string]*sql.Stmt, len(all))
	for _, statement := range all {
		stmt, err := db.PrepareContext(ctx, statement) //nolint:sqlclosecheck // lives as long as its pool
		if err != nil {
			return nil, err
		}
		prepared[statement] = stmt
	}
	return prepared, nil
}

// preparedPool runs statements each by itself, the prepared ones as such.
type preparedPool struct {
	plain
	prepared map[string]*sql.Stmt
}

func (p preparedPool) row(ctx context.Context, statement string, args ...any) *sql.Row {
	if stmt := p.prepared[statement]; stmt != nil {
		return stmt.QueryRowContext(ctx, args...)
	}
	return p.plain.row(ctx, statement, args...)
}

// preparedTx does so within a transaction.
type preparedTx struct {
	plain
	tx       *sql.Tx
	prepared map[string]*sql.Stmt
	// bound are the prepared ones that the transaction has used so far.
	bound map[string]*sql.Stmt
}

func (p *preparedTx) stmt(ctx context.Context, statement string) *sql.Stmt {
	if stmt := p.bound[statement]; stmt != nil {
		return stmt
	}
	stmt := p.prepared[statement]
	if stmt == nil {
		return nil
	}
	if p.bound == nil {
		p.bound = make(map[string]*sql.Stmt)
	}
	p.bound[statement] = p.tx.StmtContext(ctx, stmt)
	return p.bound[statement]
}

func (p *preparedTx) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	stmt := p.stmt(ctx, statement) //nolint:sqlclosecheck // ends with the transaction
	if stmt == nil {
		return p.plain.exec(ctx, statement, args...)
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (p *preparedTx) row(ctx context.Context, statement string, args ...any) *sql.Row {
	if stmt := p.stmt(ctx, statement); stmt != nil { //nolint:sqlclosecheck // ends with the transaction
		return stmt.QueryRowContext(ctx, args...)
	}
	return p.plain.row(ctx, statement, args...)
}
