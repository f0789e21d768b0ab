package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"github.com/google/uuid"

	"azulejo/internal/access"
	"azulejo/internal/db"
)

// NewAsset says what to create or register.
type NewAsset struct {
	// ID is the UUID that it gets; empty for a new one.
	ID   string
	Kind Kind
	// Name is the name that was asked for: taken, it is an error. Empty, the
	// name is the last part of Storage, with "-1", "-2", … behind it if taken.
	Name string
	// Storage is a storage URI or absolute path; empty, the server chooses.
	Storage   string
	ArrayType string // "dense", "sparse" or empty
	Info      Info
	// SealedKey is the key of an encrypted array, sealed so that the catalog cannot read it; empty for none.
	SealedKey []byte
}

// FromRef fills Name or Storage from the last part of an address, as a client
// writes tiledb://ann/name or tiledb://ann/file:///directory/name.
func (n *NewAsset) FromRef(ref string) error {
	r, err := ParseRef(ref)
	switch {
	case err != nil:
		return err
	case r.ID != "":
		return fmt.Errorf("%w: a name is not a UUID", ErrInvalid)
	case r.Path != "":
		n.Storage = ref
	default:
		n.Name = r.Name
	}
	return nil
}

// newID makes the id of an asset.
func newID() string { return uuid.NewString() }

// draft is a checked NewAsset.
type draft struct {
	NewAsset
	id       string
	root     string
	path     string // as in the row
	explicit bool   // the name was asked for
	fresh    bool   // nothing was at the path before
}

// Create makes an asset. The grant must be for creating in a namespace. First
// its row is written, not yet visible, which holds its name and place; then
// store makes it in storage; then the row becomes visible. If store fails the
// row goes and its error is returned. After a crash in between, Recover ends
// what was begun.
//
// Error classes: ErrInvalid, ErrUnsupported, ErrExists, ErrNotOwned,
// access.ErrDenied for a grant that is not for this.
func (c *Catalog) Create(ctx context.Context, g access.Grant, n NewAsset, store func(context.Context, Location) error) (Asset, error) {
	namespaceID, err := creator(g, n.Kind, access.ArrayCreate, access.GroupCreate)
	if err != nil {
		return Asset{}, err
	}
	d, err := c.draft(ctx, namespaceID, n)
	if err != nil {
		return Asset{}, err
	}
	if err := c.reserve(ctx, g, &d, "pending"); err != nil {
		return Asset{}, err
	}
	loc := Location{c.absolute(d.root, d.path)}
	if d.root == rootDefault {
		err = os.MkdirAll(filepath.Dir(loc.path), 0o700)
	}
	if err == nil {
		err = store(ctx, loc)
	}
	after := context.WithoutCancel(ctx) // a client that hangs up must not leave a row behind
	if err != nil {
		return Asset{}, errors.Join(err, begun(c.abandon(after, d, loc)))
	}
	if err := c.appear(after, d.id); err != nil {
		return Asset{}, begun(err)
	}
	a, err := c.byID(after, d.id)
	return a, begun(err)
}

// Register gives an array or group that is already in storage a row. The grant
// must be for registering in a namespace; probe reports whether the location
// holds an asset of the kind. Error classes as for Create, and ErrNotFound.
func (c *Catalog) Register(ctx context.Context, g access.Grant, n NewAsset, probe func(context.Context, Location) (bool, error)) (Asset, error) {
	namespaceID, err := creator(g, n.Kind, access.ArrayRegister, access.GroupRegister)
	if err != nil {
		return Asset{}, err
	}
	if n.Storage == "" {
		return Asset{}, fmt.Errorf("%w: name the storage URI to register", ErrInvalid)
	}
	d, err := c.draft(ctx, namespaceID, n)
	if err != nil {
		return Asset{}, err
	}
	there, err := probe(ctx, Location{c.absolute(d.root, d.path)})
	if err != nil {
		return Asset{}, err
	}
	if !there {
		return Asset{}, fmt.Errorf("%w: no %s is stored at %s", ErrNotFound, n.Kind, n.Storage)
	}
	if err := c.reserve(ctx, g, &d, "live"); err != nil {
		return Asset{}, err
	}
	return c.byID(ctx, d.id)
}

// creator returns the namespace in which the grant allows to make a kind.
func creator(g access.Grant, k Kind, array, group access.Action) (string, error) {
	action := array
	if k == Group {
		action = group
	}
	id := g.Object().ID
	return id, g.Permits(action, id)
}

// draft checks name and place and decides both.
func (c *Catalog) draft(ctx context.Context, namespaceID string, n NewAsset) (draft, error) {
	d := draft{NewAsset: n, id: n.ID, explicit: n.Name != ""}
	if d.id == "" {
		d.id = newID()
	}
	if err := c.home(ctx, namespaceID); err != nil {
		return d, err
	}
	if n.Storage == "" {
		d.root, d.path, d.fresh = rootDefault, path.Join(namespaceID, d.id), true
		return d, CheckName(d.Name)
	}
	p, err := parseStorage(n.Storage)
	if err != nil {
		return d, err
	}
	if !d.explicit {
		d.Name = path.Base(p)
		if uuidForm.MatchString(d.Name) { // as a name it would hide the asset of that UUID
			d.Name = string(n.Kind) + "-" + d.Name
		}
	}
	if err := CheckName(d.Name); err != nil {
		return d, err
	}
	if p, err = c.ownedPath(ctx, namespaceID, p); err != nil {
		return d, err
	}
	_, err = os.Lstat(p)
	d.fresh = errors.Is(err, os.ErrNotExist)
	d.root, d.path = c.relative(p)
	return d, nil
}

// reserve writes the row in one transaction with the checks that must hold at
// that moment: the path is free, not inside an array, and an array not around
// another asset; the name is free or gets a suffix.
func (c *Catalog) reserve(ctx context.Context, g access.Grant, d *draft, state string) error {
	maker, err := c.db.Maker(ctx)
	if err != nil {
		return fmt.Errorf("new asset: %w", err)
	}
	return c.update(ctx, func(tx *sql.Tx) error {
		if err := checkPlace(ctx, tx, *d); err != nil {
			return err
		}
		if err := takeUp(ctx, tx, d.root, d.path); err != nil {
			return err
		}
		var err error
		if d.Name, err = freeName(ctx, tx, g.Object().ID, d.Name, d.explicit); err != nil {
			return err
		}
		properties, tags, err := encodeInfo(d.Info)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO assets (id, namespace_id, kind, name, root, path, state, fresh, created_by, created_at,
			array_type, file_type, file_properties, description, logo, tags, license_id, license_text, credentials_name, read_only, maker, sealed_key, region)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			d.id, g.Object().ID, string(d.Kind), d.Name, d.root, d.path, state, d.fresh, g.Subject().Namespace, c.now().Unix(),
			d.ArrayType, d.Info.FileType, properties, d.Info.Description, d.Info.Logo, tags, d.Info.LicenseID, d.Info.LicenseText,
			d.Info.CredentialsName, d.Info.ReadOnly, maker, append([]byte{}, d.SealedKey...), c.regions.Own)
		if db.IsTaken(err) {
			return fmt.Errorf("%s %q %w", d.Kind, d.Name, ErrExists)
		}
		if err != nil {
			return fmt.Errorf("new asset: %w", err)
		}
		if err := c.index(ctx, tx, d.id); err != nil {
			return err
		}
		if state != "live" {
			return nil // the name leads to what it led to until this one appears
		}
		return takeName(ctx, tx, d.id)
	})
}

// checkPlace looks at the assets at, above and below the draft's path. All of
// them are the namespace's own, since the path is, but for what it gave away:
// that counts as storage of others.
func checkPlace(ctx context.Context, tx *sql.Tx, d draft) error {
	var name, home string
	// '0' follows '/': the range holds exactly the paths below.
	err := tx.QueryRowContext(ctx, `SELECT name, home FROM assets WHERE root = ?1 AND (path = ?2 OR ?3 AND path > ?2 || '/' AND path < ?2 || '0')
		ORDER BY path LIMIT 1`, d.root, d.path, d.Kind == Array).Scan(&name, &home)
	if err == nil && home != "" {
		return errNotOwned()
	}
	if err == nil {
		return fmt.Errorf("%q %w at this storage path or below it", name, ErrExists)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("place: %w", err)
	}
	for up := path.Dir(d.path); up != "/" && up != "."; up = path.Dir(up) {
		err := tx.QueryRowContext(ctx, "SELECT name, home FROM assets WHERE root = ? AND path = ? AND (kind = 'array' OR home <> '')", d.root, up).Scan(&name, &home)
		if err == nil && home != "" {
			return errNotOwned()
		}
		if err == nil {
			return fmt.Errorf("%w: it is inside the array %q", ErrInvalid, name)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("place: %w", err)
		}
	}
	return nil
}

// freeName returns name if it is free, an error of class ErrExists if it was
// asked for and is not, else the first free of name-1, name-2, …
func freeName(ctx context.Context, tx *sql.Tx, namespaceID, name string, explicit bool) (string, error) {
	free := name
	for i := 1; ; i++ {
		var n int
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM assets WHERE namespace_id = ? AND name = ? AND state <> 'deleting'",
			namespaceID, free).Scan(&n)
		switch {
		case err != nil:
			return "", fmt.Errorf("name: %w", err)
		case n == 0:
			return free, nil
		case explicit:
			return "", fmt.Errorf("%q %w in this namespace; choose another name or delete it first", name, ErrExists)
		}
		free = name + "-" + strconv.Itoa(i)
	}
}

// abandon removes what a failed creation has left.
func (c *Catalog) abandon(ctx context.Context, d draft, loc Location) error {
	if d.root == rootDefault && d.fresh {
		if err := os.RemoveAll(loc.path); err != nil {
			return fmt.Errorf("after a failed creation: %w", err)
		}
	}
	return c.drop(ctx, d.id)
}

// appear makes a pending row visible.
func (c *Catalog) appear(ctx context.Context, id string) error {
	return c.update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE assets SET state = 'live' WHERE id = ? AND state = 'pending'", id)
		if err != nil {
			return fmt.Errorf("asset: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(errors.New("asset: another server took this one for dead and undid the creation; ask again"), err)
		}
		return takeName(ctx, tx, id)
	})
}

// vanish makes a row invisible; its deletion has begun.
func (c *Catalog) vanish(ctx context.Context, id string) error {
	maker, err := c.db.Maker(ctx)
	if err != nil {
		return fmt.Errorf("asset: %w", err)
	}
	return c.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE assets SET state = 'deleting', maker = ? WHERE id = ?", maker, id); err != nil {
			return fmt.Errorf("asset: %w", err)
		}
		return nil
	})
}

func (c *Catalog) drop(ctx context.Context, id string) error {
	return c.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM assets WHERE id = ?", id); err != nil {
			return fmt.Errorf("asset: %w", err)
		}
		return nil
	})
}

func (c *Catalog) byID(ctx context.Context, id string) (Asset, error) {
	return c.one(ctx, " WHERE a.id = ?", id)
}

// interrupted is a row that a crash left on its way in or out.
type interrupted struct {
	id, state, root, path string
	maker                 string
	kind                  Kind
	fresh                 bool
}

// Recover ends the creations and deletions that a crash interrupted: those of
// server processes that no longer run. The one server of a data directory calls
// it before it serves; several call it then and again. A creation in
// the default storage is undone, so that the client can ask again; elsewhere it
// is completed if the asset is there (exists) and was not before, else
// forgotten. Deletions are carried on with remove.
func (c *Catalog) Recover(ctx context.Context, exists func(context.Context, Kind, Location) (bool, error),
	remove func(context.Context, Kind, Location) error) error {
	release, err := c.db.Exclude(ctx, "recovery")
	if err != nil {
		return err
	}
	return errors.Join(c.recover(ctx, exists, remove), release())
}

func (c *Catalog) recover(ctx context.Context, exists func(context.Context, Kind, Location) (bool, error),
	remove func(context.Context, Kind, Location) error) error {
	list, err := c.interrupted(ctx)
	if err != nil {
		return err
	}
	for _, r := range list {
		alive, err := c.db.Alive(ctx, r.maker)
		if err != nil {
			return fmt.Errorf("recovery of asset %s: %w", r.id, err)
		}
		if alive {
			continue
		}
		loc := Location{c.absolute(r.root, r.path)}
		switch {
		case r.state == "deleting":
			err = c.finishDelete(ctx, r.id, loc, func(ctx context.Context, l Location) error { return remove(ctx, r.kind, l) })
		case r.root == rootDefault:
			err = c.abandon(ctx, draft{id: r.id, root: r.root, fresh: r.fresh}, loc)
		default:
			var there bool
			if there, err = exists(ctx, r.kind, loc); err == nil && there && r.fresh {
				err = c.appear(ctx, r.id)
			} else if err == nil {
				err = c.drop(ctx, r.id)
			}
		}
		if err != nil {
			return fmt.Errorf("recovery of asset %s: %w", r.id, err)
		}
	}
	return nil
}

func (c *Catalog) interrupted(ctx context.Context) ([]interrupted, error) {
	rows, err := c.db.Read().QueryContext(ctx, "SELECT id, state, kind, root, path, fresh, maker FROM assets WHERE state <> 'live' AND region = ?", c.regions.Own)
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	defer rows.Close()
	var list []interrupted
	for rows.Next() {
		var r interrupted
		if err := rows.Scan(&r.id, &r.state, &r.kind, &r.root, &r.path, &r.fresh, &r.maker); err != nil {
			return nil, fmt.Errorf("assets: %w", err)
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Deregister takes the asset out of the catalog and leaves its storage alone.
func (c *Catalog) Deregister(ctx context.Context, g access.Grant, a Asset) error {
	if err := permitsEither(g, a, access.ArrayDeregister, access.GroupDeregister); err != nil {
		return err
	}
	switch {
	case a.part != "":
		return ErrNotFound
	case a.home != "":
		// Whoever gave it could register it again, with all that was written since.
		return fmt.Errorf("%w: the data of %q lie in the storage of the namespace that gave it away, and would be that one's again; delete it, or give it back", ErrInvalid, a.Name)
	}
	return c.update(ctx, func(tx *sql.Tx) error {
		if err := c.leave(ctx, tx, a); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM assets WHERE id = ?", a.ID); err != nil {
			return fmt.Errorf("asset: %w", err)
		}
		return nil
	})
}

// Delete takes the asset out of the catalog and out of storage: it is no longer
// visible from the first moment on, then remove removes what is stored, then
// its row goes. Should remove fail, Recover carries on once this process has ended.
func (c *Catalog) Delete(ctx context.Context, g access.Grant, a Asset, remove func(context.Context, Location) error) error {
	if err := permitsEither(g, a, access.ArrayDelete, access.GroupDelete); err != nil {
		return err
	}
	if a.part != "" {
		return ErrNotFound
	}
	loc, err := c.Locate(ctx, g, a)
	if err != nil {
		return err
	}
	after := context.WithoutCancel(ctx)
	if err := c.vanish(after, a.ID); err != nil {
		return err
	}
	return begun(c.finishDelete(after, a.ID, loc, remove))
}

// begun returns an error that came after the first change: whatever it says of the database, to ask again would meet what
// was already done.
func begun(err error) error {
	if errors.Is(err, db.ErrUnavailable) {
		return fmt.Errorf("left to recovery: %v", err)
	}
	return err
}

func (c *Catalog) finishDelete(ctx context.Context, id string, loc Location, remove func(context.Context, Location) error) error {
	if err := remove(ctx, loc); err != nil {
		return err
	}
	if root, rel := c.relative(loc.path); root == rootDefault {
		var below int
		err := c.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM assets WHERE root = ?1 AND path > ?2 || '/' AND path < ?2 || '0'",
			root, rel).Scan(&below)
		if err != nil {
			return fmt.Errorf("storage: %w", err)
		}
		if below == 0 {
			if err := os.RemoveAll(loc.path); err != nil {
				return fmt.Errorf("storage: %w", err)
			}
		}
	}
	return c.drop(ctx, id)
}

func permitsEither(g access.Grant, a Asset, array, group access.Action) error {
	if a.Kind == Group {
		return g.Permits(group, a.ID)
	}
	return g.Permits(array, a.ID)
}
