package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"azulejo/internal/db"
)

// Roots of stored paths.
const (
	rootDefault = "default" // relative to DIR/storage
	rootLocal   = "local"   // absolute
)

// within reports whether path is dir or below it. Both are clean.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// canonical returns path with every symbolic link in it resolved. The part that
// does not exist yet is kept as it stands: it holds no "..", and a dangling link
// in it is refused. Every error is of class ErrInvalid and says no more.
func canonical(path string) (string, error) {
	rest := ""
	for p := path; ; {
		resolved, err := filepath.EvalSymlinks(p)
		if err == nil {
			return filepath.Join(resolved, rest), nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) || p == "/" {
			return "", fmt.Errorf("%w: the path cannot be used", ErrInvalid)
		}
		if _, err := os.Lstat(p); err == nil {
			return "", fmt.Errorf("%w: the path cannot be used", ErrInvalid) // a link to nothing
		}
		rest = filepath.Join(filepath.Base(p), rest)
		p = filepath.Dir(p)
	}
}

// relative splits a canonical path into the root and path of a row.
func (c *Catalog) relative(path string) (root, rel string) {
	if rest, ok := strings.CutPrefix(path, c.storage+"/"); ok {
		return rootDefault, rest
	}
	return rootLocal, path
}

func (c *Catalog) absolute(root, path string) string {
	if root == rootDefault {
		return filepath.Join(c.storage, path)
	}
	return path
}

// prefix is a directory and the namespace that owns it and all below it, but
// for what a longer prefix gives to another. An empty owner is nobody.
type prefix struct{ dir, owner string }

// local returns the prefixes outside the default storage: the data directory is
// nobody's, the allowed directories the admin's, and what the admin granted out
// of those the grantee's. A grant outside the allowed directories is void. The
// answer is remembered for a second, for the sake of Locate.
func (c *Catalog) local(ctx context.Context) ([]prefix, error) {
	if len(c.allowed) == 0 {
		return []prefix{{c.data, ""}}, nil
	}
	return c.owners.Get(ctx, struct{}{}, func() ([]prefix, error) { return c.readLocal(ctx) })
}

func (c *Catalog) readLocal(ctx context.Context) ([]prefix, error) {
	var admin string
	err := c.db.Read().QueryRowContext(ctx, "SELECT id FROM namespaces WHERE name_key = ?", strings.ToLower(c.admin)).Scan(&admin)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("owner: %w", err)
	}
	owners := map[string]string{c.data: ""}
	for _, dir := range c.allowed {
		owners[dir] = admin
	}
	grants, err := c.Grants(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		if c.inAllowed(g.Path) {
			owners[g.Path] = g.NamespaceID
		}
	}
	var list []prefix
	for dir, owner := range owners {
		list = append(list, prefix{dir, owner})
	}
	return list, nil
}

func (c *Catalog) inAllowed(path string) bool {
	for _, dir := range c.allowed {
		if within(path, dir) {
			return true
		}
	}
	return false
}

// DefaultStorage returns a storage URI below which a namespace's people may put assets at paths of their choice without
// having been given any place. The server's own choices lie beside it.
func (c *Catalog) DefaultStorage(namespaceID string) string {
	return fileScheme + filepath.Join(c.storage, namespaceID, "named")
}

// own checks that the namespace owns the canonical path with all that is below
// it: the longest prefix of the path must be the namespace's, and no prefix of
// anyone else may lie at or below it. The error is of class ErrNotOwned and the
// same whatever is there.
func (c *Catalog) own(ctx context.Context, namespaceID, path string) error {
	if rest, ok := strings.CutPrefix(path, c.storage+"/"); ok {
		if id, _, below := strings.Cut(rest, "/"); below && id == namespaceID {
			return nil
		}
		return errNotOwned()
	}
	list, err := c.local(ctx)
	if err != nil {
		return err
	}
	var best prefix
	for _, p := range list {
		if within(path, p.dir) && len(p.dir) > len(best.dir) {
			best = p
		}
		if p.owner != namespaceID && within(p.dir, path) {
			return errNotOwned()
		}
	}
	if best.owner == "" || best.owner != namespaceID {
		return errNotOwned()
	}
	return nil
}

func errNotOwned() error {
	return fmt.Errorf("%w: storage must be below a directory that the server's administrator allowed (--allow-path) for this namespace; "+
		"leave the storage URI out to let the server choose", ErrNotOwned)
}

// ownedPath resolves a parsed storage path and checks that the namespace owns it.
func (c *Catalog) ownedPath(ctx context.Context, namespaceID, path string) (string, error) {
	resolved, err := canonical(path)
	if err != nil {
		return "", errNotOwned() // nobody learns what is at a path that is not theirs
	}
	return resolved, c.own(ctx, namespaceID, resolved)
}

// Owned returns the canonical file URI of a storage URI below a directory that
// the namespace owns, as the members of its groups must be. Error classes:
// ErrInvalid, ErrUnsupported, ErrNotOwned.
func (c *Catalog) Owned(ctx context.Context, namespaceID, uri string) (string, error) {
	p, err := parseStorage(uri)
	if err != nil {
		return "", err
	}
	if p, err = c.ownedPath(ctx, namespaceID, p); err != nil {
		return "", err
	}
	return fileScheme + p, nil
}

// StorageGrant hands a directory to a namespace.
type StorageGrant struct {
	Path        string
	NamespaceID string
}

// GrantPath hands a directory, which must exist below an allowed one, to a
// namespace, which becomes its only owner. Error classes: ErrInvalid,
// ErrExists.
func (c *Catalog) GrantPath(ctx context.Context, namespaceID, dir string) error {
	resolved, err := canonicalDir(dir)
	if err != nil || !c.inAllowed(resolved) || within(resolved, c.data) || within(c.data, resolved) {
		return fmt.Errorf("%w: %s is not a directory below an allowed path", ErrInvalid, dir)
	}
	defer c.owners.Forget()
	return c.db.Update(ctx, func(tx *sql.Tx) error {
		var n int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM assets WHERE root = 'local' AND namespace_id <> ?1 AND
			(path = ?2 OR path > ?2 || '/' AND path < ?2 || '0')`, namespaceID, resolved).Scan(&n)
		if err != nil {
			return fmt.Errorf("grant: %w", err)
		}
		if n > 0 {
			return fmt.Errorf("%w: %d assets of other namespaces are stored there; deregister them first", ErrInvalid, n)
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO storage_grants (path, namespace_id, created_at) VALUES (?, ?, ?)",
			resolved, namespaceID, c.now().Unix())
		if db.IsTaken(err) {
			return fmt.Errorf("a grant of %s %w", dir, ErrExists)
		}
		return err
	})
}

// RevokePath takes a granted directory back; assets registered there can no
// longer be opened. The error is of class ErrNotFound if it was not granted.
func (c *Catalog) RevokePath(ctx context.Context, dir string) error {
	defer c.owners.Forget()
	return c.db.Update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM storage_grants WHERE path = ?", filepath.Clean(dir))
		if err != nil {
			return fmt.Errorf("grant: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		return nil
	})
}

// Grants lists all granted directories.
func (c *Catalog) Grants(ctx context.Context) ([]StorageGrant, error) {
	rows, err := c.db.Read().QueryContext(ctx, "SELECT path, namespace_id FROM storage_grants ORDER BY path")
	if err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}
	defer rows.Close()
	var list []StorageGrant
	for rows.Next() {
		var g StorageGrant
		if err := rows.Scan(&g.Path, &g.NamespaceID); err != nil {
			return nil, fmt.Errorf("grants: %w", err)
		}
		list = append(list, g)
	}
	return list, rows.Err()
}
