package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"

	"azulejo/internal/db"
)

// What is here is for comparing entries with storage (package reconcile), which acts for the operator and not for a user.

// Row is an entry in whatever state, as the comparison needs it.
type Row struct {
	ID, NamespaceID, Namespace, Name string
	Kind                             Kind
	State                            string // live, pending or deleting
	// Path is absolute; Inside tells that it lies in the default storage.
	Path   string
	Inside bool
	// Encrypted tells that it was registered with a key.
	Encrypted bool
	// Maker is the server process that is or was at work on it: see db.DB.Alive.
	Maker string

	region string
}

const rowColumns = `a.id, a.namespace_id, n.name, a.name, a.kind, a.state, a.root, a.path, length(a.sealed_key) > 0, a.maker, a.region
	FROM assets a JOIN namespaces n ON n.id = a.namespace_id WHERE `

// Storage returns the directory of the default storage.
func (c *Catalog) Storage() string { return c.storage }

// Rows calls visit with every entry of this server's region, in whatever state, in the order of their ids.
func (c *Catalog) Rows(ctx context.Context, visit func(Row) error) error {
	for last := ""; ; {
		page, err := c.rows(ctx, "a.id > ? ORDER BY a.id LIMIT ?", last, eachPage)
		if err != nil || len(page) == 0 {
			return err
		}
		last = page[len(page)-1].ID
		for _, r := range page {
			if c.here(r.region) != nil {
				continue
			}
			if err := visit(r); err != nil {
				return err
			}
		}
	}
}

// RowsBelow returns the entries at or below a directory of the default storage, by path, whatever their state.
func (c *Catalog) RowsBelow(ctx context.Context, dir string) (map[string]Row, error) {
	root, rel := c.relative(dir)
	list, err := c.rows(ctx, "a.root = ?1 AND (a.path = ?2 OR a.path > ?2 || '/' AND a.path < ?2 || '0')", root, rel)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Row, len(list))
	for _, r := range list {
		found[r.Path] = r
	}
	return found, nil
}

// Row returns the entry of an id; the error is of class ErrNotFound.
func (c *Catalog) Row(ctx context.Context, id string) (Row, error) {
	list, err := c.rows(ctx, "a.id = ?", id)
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Row{}, err
	}
	return list[0], nil
}

func (c *Catalog) rows(ctx context.Context, where string, args ...any) ([]Row, error) {
	rows, err := c.db.Read().QueryContext(ctx, "SELECT "+rowColumns+where, args...)
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	defer rows.Close()
	var list []Row
	for rows.Next() {
		var r Row
		var root, path string
		if err := rows.Scan(&r.ID, &r.NamespaceID, &r.Namespace, &r.Name, &r.Kind, &r.State, &root, &path, &r.Encrypted, &r.Maker, &r.region); err != nil {
			return nil, fmt.Errorf("assets: %w", err)
		}
		r.Path, r.Inside = c.absolute(root, path), root == rootDefault
		list = append(list, r)
	}
	return list, rows.Err()
}

// leave notes that the files of an asset stay where the server put them, though no entry will name them.
func (c *Catalog) leave(ctx context.Context, tx *sql.Tx, a Asset) error {
	root, rel := c.relative(a.path)
	if root != rootDefault {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO deregistered (root, path, namespace_id, asset_id, kind, name, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
		ON CONFLICT (root, path) DO UPDATE SET at = excluded.at, name = excluded.name`,
		root, rel, a.NamespaceID, a.ID, string(a.Kind), a.Name, c.now().Unix())
	if err != nil {
		return fmt.Errorf("asset: %w", err)
	}
	return nil
}

// takeUp is the reverse of leave, for a place that gets an entry.
func takeUp(ctx context.Context, tx *sql.Tx, root, path string) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM deregistered WHERE root = ? AND path = ?", root, path); err != nil {
		return fmt.Errorf("asset: %w", err)
	}
	return nil
}

// Left reports whether the asset at a path was deregistered while its files stayed.
func (c *Catalog) Left(ctx context.Context, path string) (bool, error) {
	root, rel := c.relative(path)
	var n int
	if err := c.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM deregistered WHERE root = ? AND path = ?", root, rel).Scan(&n); err != nil {
		return false, fmt.Errorf("asset: %w", err)
	}
	return n > 0, nil
}

// Found gives an array or group that lies in the default storage of a namespace an entry again. Its id is that of its
// directory where that is one, so that what names it by id finds it. Error classes: ErrExists, ErrInvalid.
func (c *Catalog) Found(ctx context.Context, namespaceID, path string, n NewAsset) (Row, error) {
	root, rel := c.relative(path)
	id := filepath.Base(path)
	if root != rootDefault || filepath.Dir(rel) != namespaceID || !uuidForm.MatchString(id) {
		id = newID()
	}
	if n.Name = "recovered-" + filepath.Base(path); CheckName(n.Name) != nil {
		n.Name = "recovered-" + id
	}
	err := c.update(ctx, func(tx *sql.Tx) error {
		if err := checkPlace(ctx, tx, draft{NewAsset: n, id: id, root: root, path: rel}); err != nil {
			return err
		}
		name, err := freeName(ctx, tx, namespaceID, n.Name, false)
		if err != nil {
			return err
		}
		var owner string
		if err := tx.QueryRowContext(ctx, "SELECT name FROM namespaces WHERE id = ?", namespaceID).Scan(&owner); err != nil {
			return fmt.Errorf("namespace: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO assets (id, namespace_id, kind, name, root, path, state, created_by, created_at, array_type, region)
			VALUES (?, ?, ?, ?, ?, ?, 'live', ?, ?, ?, ?)`, id, namespaceID, string(n.Kind), name, root, rel, owner, c.now().Unix(), n.ArrayType, c.regions.Own)
		if db.IsTaken(err) {
			return fmt.Errorf("%s %q %w", n.Kind, name, ErrExists)
		}
		if err != nil {
			return fmt.Errorf("new asset: %w", err)
		}
		if err := c.index(ctx, tx, id); err != nil {
			return err
		}
		return takeName(ctx, tx, id)
	})
	if err != nil {
		return Row{}, err
	}
	return c.Row(ctx, id)
}

// SetKind corrects the kind of an entry that nothing refers to yet; it reports whether it did.
func (c *Catalog) SetKind(ctx context.Context, id string, k Kind) (changed bool, err error) {
	err = c.update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE assets SET kind = ?1, array_type = '' WHERE id = ?2 AND NOT EXISTS (SELECT 1 FROM shares WHERE asset_id = ?2)
			AND NOT EXISTS (SELECT 1 FROM invitations WHERE asset_id = ?2) AND NOT EXISTS (SELECT 1 FROM group_members WHERE group_id = ?2 OR asset_id = ?2)`,
			string(k), id)
		if err != nil {
			return fmt.Errorf("asset: %w", err)
		}
		n, err := res.RowsAffected()
		changed = n > 0
		return err
	})
	return changed, err
}

// retired is what is kept of an entry whose storage is gone.
type retired struct {
	Asset  map[string]any   `json:"asset"`
	Shares []map[string]any `json:"shares"`
}

// Retire takes an entry whose storage is gone out of the catalogue after keep has kept all that the database had of it, as
// JSON without the key of an encrypted array.
func (c *Catalog) Retire(ctx context.Context, id string, keep func([]byte) error) error {
	return c.update(ctx, func(tx *sql.Tx) error {
		all, err := records(ctx, tx, "SELECT * FROM assets WHERE id = ? AND state = 'live'", id)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return ErrNotFound
		}
		delete(all[0], "sealed_key")
		shares, err := records(ctx, tx, "SELECT * FROM shares WHERE asset_id = ?", id)
		if err != nil {
			return err
		}
		text, err := json.MarshalIndent(retired{all[0], shares}, "", "  ")
		if err == nil {
			err = keep(append(text, '\n'))
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM assets WHERE id = ?", id)
		}
		return err
	})
}

// records returns the rows of a query by column.
func records(ctx context.Context, q db.Querier, query string, args ...any) ([]map[string]any, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("asset: %w", err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var list []map[string]any
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		r := make(map[string]any, len(columns))
		for i, name := range columns {
			r[name] = values[i]
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Noted returns the ids of the assets that are noted as members of a group.
func (c *Catalog) Noted(ctx context.Context, groupID string) ([]string, error) {
	rows, err := c.db.Read().QueryContext(ctx, "SELECT asset_id FROM group_members WHERE group_id = ? ORDER BY asset_id", groupID)
	if err != nil {
		return nil, fmt.Errorf("members: %w", err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("members: %w", err)
		}
		list = append(list, id)
	}
	return list, rows.Err()
}

// Renote forgets assets as members of a group and notes others, which no share of the group reaches: whoever adds them again
// says whether he may share them.
func (c *Catalog) Renote(ctx context.Context, groupID string, gone, found []string) error {
	return c.update(ctx, func(tx *sql.Tx) error {
		for _, id := range gone {
			if _, err := tx.ExecContext(ctx, "DELETE FROM group_members WHERE group_id = ? AND asset_id = ?", groupID, id); err != nil {
				return fmt.Errorf("member: %w", err)
			}
		}
		for _, id := range found {
			_, err := tx.ExecContext(ctx, "INSERT INTO group_members (group_id, asset_id, shared) VALUES (?, ?, ?) ON CONFLICT (group_id, asset_id) DO NOTHING",
				groupID, id, false)
			if err != nil {
				return fmt.Errorf("member: %w", err)
			}
		}
		return nil
	})
}

// HasNamespace reports whether there is a namespace of an id.
func (c *Catalog) HasNamespace(ctx context.Context, id string) (bool, error) {
	var n int
	err := c.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM namespaces WHERE id = ?", id).Scan(&n)
	return n > 0, err
}
