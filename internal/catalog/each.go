package catalog

import (
	"context"
	"database/sql"
)

// eachPage is how many assets Each reads at a time.
const eachPage = 100

// Each calls visit with every asset and its place, one after the other in no order that means anything, until visit
// returns an error. It is for the server's own upkeep of what is stored, which acts for nobody and shows nothing to anybody.
// Assets whose place is no longer their namespace's are left out, as Locate refuses them; assets deleted meanwhile may
// still be visited.
func (c *Catalog) Each(ctx context.Context, visit func(context.Context, Asset, Location) error) error {
	for last := ""; ; {
		page, err := c.page(ctx, last)
		if err != nil || len(page) == 0 {
			return err
		}
		last = page[len(page)-1].ID
		for _, a := range page {
			at, err := c.locate(ctx, a)
			if err != nil {
				continue // not its namespace's any more
			}
			if err := visit(ctx, a, at); err != nil {
				return err
			}
		}
	}
}

// page returns the next assets by id.
func (c *Catalog) page(ctx context.Context, after string) ([]Asset, error) {
	return c.query(ctx, " WHERE a.state = 'live' AND a.id > ? ORDER BY a.id LIMIT ?", after, eachPage)
}

// Seals calls change with the sealed key of every asset that has one, and with the sealed secret of every credential and second
// factor, and keeps
// what it returns, all or, after an error, none. label is what each is bound to: the UUID of the asset's namespace, or the label
// of the credential. Nothing is written where that is what was there.
func (c *Catalog) Seals(ctx context.Context, change func(label string, sealed []byte) ([]byte, error)) error {
	type kept struct {
		table     int
		id, label string
		sealed    []byte
	}
	defer c.forget()
	return c.db.Update(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT 0, id, namespace_id, sealed_key FROM assets WHERE length(sealed_key) > 0
			UNION ALL SELECT 1, id, 'credential ' || namespace_id || ' ' || id, sealed FROM credentials
			UNION ALL SELECT 2, user_id, 'second factor ' || user_id, sealed FROM second_factors`)
		if err != nil {
			return err
		}
		defer rows.Close()
		var all []kept
		for rows.Next() {
			var k kept
			if err := rows.Scan(&k.table, &k.id, &k.label, &k.sealed); err != nil {
				return err
			}
			all = append(all, k)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for _, k := range all {
			sealed, err := change(k.label, k.sealed)
			if err == nil && string(sealed) != string(k.sealed) {
				_, err = tx.ExecContext(ctx, [...]string{"UPDATE assets SET sealed_key = ? WHERE id = ?", "UPDATE credentials SET sealed = ? WHERE id = ?",
					"UPDATE second_factors SET sealed = ? WHERE user_id = ?"}[k.table], sealed, k.id)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
