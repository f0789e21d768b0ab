package db

import (
	"context"
	"database/sql"
	"fmt"
)

// Faults returns what SQLite finds wrong with its file. Of PostgreSQL it returns nothing: its files are its own.
func (d *DB) Faults(ctx context.Context) ([]string, error) {
	if d.shared != nil {
		return nil, nil
	}
	list, err := texts(ctx, d.read.pool, "PRAGMA integrity_check(20)")
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if len(list) == 1 && list[0] == "ok" {
		return nil, nil
	}
	return list, nil
}

// Dangling says that rows of a table refer to rows of another one that are not there.
type Dangling struct {
	Table, Column, Parent string
	Rows                  int
	key                   string // of Parent
}

// references are what the rows of tables refer to.
var references = []Dangling{
	{Table: "users", Column: "namespace_id", Parent: "namespaces", key: "id"},
	{Table: "organizations", Column: "namespace_id", Parent: "namespaces", key: "id"},
	{Table: "members", Column: "organization_id", Parent: "organizations", key: "namespace_id"},
	{Table: "members", Column: "user_id", Parent: "users", key: "id"},
	{Table: "assets", Column: "namespace_id", Parent: "namespaces", key: "id"},
	{Table: "storage_grants", Column: "namespace_id", Parent: "namespaces", key: "id"},
	{Table: "shares", Column: "asset_id", Parent: "assets", key: "id"},
	{Table: "shares", Column: "namespace_id", Parent: "namespaces", key: "id"},
	{Table: "group_members", Column: "group_id", Parent: "assets", key: "id"},
	{Table: "group_members", Column: "asset_id", Parent: "assets", key: "id"},
	{Table: "old_names", Column: "asset_id", Parent: "assets", key: "id"},
	{Table: "old_names", Column: "namespace_id", Parent: "namespaces", key: "id"},
	{Table: "favorites", Column: "asset_id", Parent: "assets", key: "id"},
	{Table: "favorites", Column: "user_id", Parent: "users", key: "id"},
	{Table: "invitations", Column: "asset_id", Parent: "assets", key: "id"},
	{Table: "invitations", Column: "organization_id", Parent: "organizations", key: "namespace_id"},
	{Table: "invitations", Column: "namespace_id", Parent: "namespaces", key: "id"},
	{Table: "invitations", Column: "inviter_id", Parent: "users", key: "id"},
	{Table: "credentials", Column: "namespace_id", Parent: "namespaces", key: "id"},
	{Table: "tokens", Column: "user_id", Parent: "users", key: "id"},
	{Table: "service_accounts", Column: "user_id", Parent: "users", key: "id"},
	{Table: "service_accounts", Column: "organization_id", Parent: "organizations", key: "namespace_id"},
	{Table: "second_factors", Column: "user_id", Parent: "users", key: "id"},
}

func (x Dangling) where() string {
	return " FROM " + x.Table + " WHERE " + x.Column + " IS NOT NULL AND " + x.Column + " NOT IN (SELECT " + x.key + " FROM " + x.Parent + ")"
}

// Dangling looks for rows that refer to what is gone. The database refuses such rows, except to who switches that off.
func (d *DB) Dangling(ctx context.Context) ([]Dangling, error) {
	var found []Dangling
	for _, x := range references {
		if err := d.Read().QueryRowContext(ctx, "SELECT count(*)"+x.where()).Scan(&x.Rows); err != nil {
			return nil, fmt.Errorf("table %s: %w", x.Table, err)
		}
		if x.Rows > 0 {
			found = append(found, x)
		}
	}
	return found, nil
}

// RemoveDangling removes the rows of one finding.
func (d *DB) RemoveDangling(ctx context.Context, x Dangling) error {
	return d.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE"+x.where()); err != nil {
			return fmt.Errorf("table %s: %w", x.Table, err)
		}
		return nil
	})
}
