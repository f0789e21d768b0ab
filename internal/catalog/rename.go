package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"azulejo/internal/access"
	"azulejo/internal/activity"
	"azulejo/internal/db"
)

// Names that an asset had lead to it until another one takes them (decision 146).

// oldNames is how many old names of an asset are kept.
const oldNames = 64

// renamed notes inside tx that an asset had a name until now, and gives up what else the name it has now led to.
func (c *Catalog) renamed(ctx context.Context, tx *sql.Tx, id, namespaceID, name string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO old_names (namespace_id, name, asset_id, since) VALUES (?, ?, ?, ?)
		ON CONFLICT (namespace_id, name) DO UPDATE SET asset_id = excluded.asset_id, since = excluded.since`, namespaceID, name, id, c.now().UnixMilli())
	if err == nil {
		_, err = tx.ExecContext(ctx, `DELETE FROM old_names WHERE asset_id = ?1 AND since <
			(SELECT since FROM old_names WHERE asset_id = ?1 ORDER BY since DESC LIMIT 1 OFFSET ?2)`, id, oldNames-1)
	}
	if err != nil {
		return fmt.Errorf("old name: %w", err)
	}
	return takeName(ctx, tx, id)
}

// takeName lets the name of an asset lead to no other one.
func takeName(ctx context.Context, tx *sql.Tx, id string) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM old_names WHERE (namespace_id, name) = (SELECT namespace_id, name FROM assets WHERE id = ?)", id)
	if err != nil {
		return fmt.Errorf("name: %w", err)
	}
	return nil
}

// byOld returns the asset that a reference led to in a namespace before: by a name that it had there, or, when it belongs to
// another namespace now, by its UUID or place.
func (c *Catalog) byOld(ctx context.Context, namespaceID string, r Ref, root, path string) (Asset, error) {
	const was = " AND EXISTS (SELECT 1 FROM old_names o WHERE o.asset_id = a.id AND o.namespace_id = ?)"
	const live = " WHERE a.state = 'live' AND "
	switch {
	case r.ID != "":
		return c.one(ctx, live+"a.id = ?"+was, r.ID, namespaceID)
	case r.Path != "":
		return c.one(ctx, live+"a.root = ? AND a.path = ?"+was, root, path, namespaceID)
	}
	return c.one(ctx, live+"a.id = (SELECT asset_id FROM old_names WHERE namespace_id = ? AND name = ?)", namespaceID, r.Name)
}

// note writes a line into the audit log, in the transaction of what it tells.
func (c *Catalog) note(ctx context.Context, tx *sql.Tx, g access.Grant, e activity.Event, detail string) error {
	return activity.Record(ctx, tx, activity.Entry{At: c.now(), Event: e, UserID: g.Subject().UserID, TokenID: g.Subject().TokenID, Detail: detail})
}

// Handover is an asset that goes to another namespace, with the grant to give it away.
type Handover struct {
	Asset Asset
	Grant access.Grant
	// SealedKey is the key of what is encrypted, sealed for the new namespace; empty for none.
	SealedKey []byte
}

// Transfer gives assets to another namespace, all or none. to says for each kind that the same subject may create there. name
// is that of the first one there, empty for the one it has; the others keep theirs. The data stay where they are: those in the
// default storage may stay there, those in a directory of the administrator's only if the new namespace owns it.
// What the assets are shared to stays shared, but neither invitations nor shares of groups of others go on. Old addresses lead
// to the new ones. Error classes: ErrExists, ErrInvalid, ErrNotFound, ErrNotOwned, access.ErrDenied.
func (c *Catalog) Transfer(ctx context.Context, list []Handover, to map[Kind]access.Grant, name string) error {
	for i, h := range list {
		target, err := c.mayTransfer(ctx, h, to[h.Asset.Kind])
		if err != nil {
			return err
		}
		if i > 0 && target != to[list[0].Asset.Kind].Object().ID {
			return fmt.Errorf("%w: all go to one namespace", ErrInvalid)
		}
	}
	ids := make([]string, len(list))
	return c.update(ctx, func(tx *sql.Tx) error {
		for i, h := range list {
			ids[i] = h.Asset.ID
			as := h.Asset.Name
			if i == 0 && name != "" {
				as = name
			}
			if err := c.transfer(ctx, tx, h, to[h.Asset.Kind].Object().ID, as); err != nil {
				return err
			}
		}
		text, err := json.Marshal(ids)
		if err != nil {
			return fmt.Errorf("transfer: %w", err)
		}
		_, err = tx.ExecContext(ctx, `UPDATE group_members SET shared = ?2 WHERE (asset_id IN (SELECT value FROM json_each(?1)) OR group_id IN (SELECT value FROM json_each(?1)))
			AND (SELECT namespace_id FROM assets WHERE id = asset_id) <> (SELECT namespace_id FROM assets WHERE id = group_id)`, string(text), false)
		if err != nil {
			return fmt.Errorf("transfer: %w", err)
		}
		return nil
	})
}

// mayTransfer checks what can be checked of a handover before it, and returns the new namespace.
func (c *Catalog) mayTransfer(ctx context.Context, h Handover, to access.Grant) (string, error) {
	a := h.Asset
	if err := permitsEither(h.Grant, a, access.ArrayTransfer, access.GroupTransfer); err != nil {
		return "", err
	}
	target, err := creator(to, a.Kind, access.ArrayCreate, access.GroupCreate)
	if err != nil {
		return "", err
	}
	switch {
	case a.part != "":
		return "", ErrNotFound
	case to.Subject().UserID != h.Grant.Subject().UserID:
		return "", fmt.Errorf("%w: the two grants are not one subject's", access.ErrDenied)
	case target == a.NamespaceID:
		return "", fmt.Errorf("%w: %q is %s's already", ErrInvalid, a.Name, a.Namespace)
	case a.root == rootDefault:
		return target, nil
	}
	if err := c.own(ctx, target, a.path); err != nil {
		if errors.Is(err, ErrNotOwned) {
			err = fmt.Errorf("%w: the data of %q lie in a directory of the server that the other namespace does not own; "+
				"let the administrator give it that directory, or copy the data", ErrNotOwned, a.Name)
		}
		return "", err
	}
	return target, nil
}

// transfer is Transfer for one asset, inside tx.
func (c *Catalog) transfer(ctx context.Context, tx *sql.Tx, h Handover, target, name string) error {
	a, home := h.Asset, ""
	if a.root == rootDefault {
		if home, _, _ = strings.Cut(a.storedPath, "/"); home == target {
			home = ""
		}
	}
	res, err := tx.ExecContext(ctx, `UPDATE assets SET namespace_id = ?, name = ?, home = ?, credentials_name = '', sealed_key = ?
		WHERE id = ? AND namespace_id = ? AND name = ? AND state = 'live'`, target, name, home, append([]byte{}, h.SealedKey...), a.ID, a.NamespaceID, a.Name)
	if db.IsTaken(err) {
		return fmt.Errorf("%q %w in that namespace; choose another name", name, ErrExists)
	}
	if err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrNotFound, err)
	}
	for _, stmt := range []string{"DELETE FROM shares WHERE asset_id = ? AND namespace_id = ?", "DELETE FROM invitations WHERE asset_id = ? AND ? <> ''"} {
		if _, err := tx.ExecContext(ctx, stmt, a.ID, target); err != nil {
			return fmt.Errorf("transfer: %w", err)
		}
	}
	if err := c.renamed(ctx, tx, a.ID, a.NamespaceID, a.Name); err != nil {
		return err
	}
	if err := c.index(ctx, tx, a.ID); err != nil {
		return err
	}
	return c.note(ctx, tx, h.Grant, activity.AssetTransferred, a.ID+" "+a.Namespace+"/"+a.Name+" to "+target+"/"+name)
}
