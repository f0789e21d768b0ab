package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"azulejo/internal/access"
)

// SetFavorite makes an asset a favourite of the grant's subject, or no longer. Doing so again changes nothing.
func (c *Catalog) SetFavorite(ctx context.Context, g access.Grant, a Asset, on bool) error {
	if err := g.Permits(access.FavoriteWrite, a.ID); err != nil {
		return err
	}
	stmt, args := "DELETE FROM favorites WHERE user_id = ? AND asset_id = ?", []any{g.Subject().UserID, a.ID}
	if on {
		stmt, args = "INSERT INTO favorites (user_id, asset_id, created_at) VALUES (?, ?, ?) ON CONFLICT (user_id, asset_id) DO NOTHING", append(args, c.now().Unix())
	}
	return c.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, stmt, args...); err != nil {
			return fmt.Errorf("favourite: %w", err)
		}
		return nil
	})
}

// IsFavorite reports whether an asset is a favourite of the grant's subject.
func (c *Catalog) IsFavorite(ctx context.Context, g access.Grant, a Asset) (bool, error) {
	if err := g.Permits(g.Action(), a.ID); err != nil {
		return false, err
	}
	var n int
	err := c.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM favorites WHERE user_id = ? AND asset_id = ?", g.Subject().UserID, a.ID).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("favourite: %w", err)
	}
	return n > 0, nil
}

// FavoritesAmong returns those of some assets that are a user's favourites.
func (c *Catalog) FavoritesAmong(ctx context.Context, userID string, ids []string) (map[string]bool, error) {
	text, err := json.Marshal(ids)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	rows, err := c.db.Read().QueryContext(ctx, "SELECT asset_id FROM favorites WHERE user_id = ? AND asset_id IN (SELECT value FROM json_each(?))", userID, string(text))
	if err != nil {
		return nil, fmt.Errorf("favourites: %w", err)
	}
	defer rows.Close()
	found := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("favourites: %w", err)
		}
		found[id] = true
	}
	return found, rows.Err()
}

// ByIDs returns assets by UUID, with their shares; those that are not there are left out. Whether somebody may know of an
// asset is the caller's to ask.
func (c *Catalog) ByIDs(ctx context.Context, ids []string) (map[string]Asset, error) {
	text, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	list, err := c.query(ctx, " WHERE a.state = 'live' AND a.id IN (SELECT value FROM json_each(?))", string(text))
	if err != nil {
		return nil, err
	}
	found := make(map[string]Asset, len(list))
	for _, a := range list {
		found[a.ID] = a
	}
	return found, nil
}
