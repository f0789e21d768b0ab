package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"azulejo/internal/access"
)

// Keys name files in a namespace, as the files of a bucket are named:
//
//	NAME/rest            a file of the asset of that name; UUID/rest likewise
//	file:/directory/rest a file below a directory that the namespace owns
//	anything else        a file that the namespace keeps in the default storage
//
// An asset's name can begin with another's, and a file that is not found in an asset may be one of the namespace's own
// files, so a key can lead to several places, the first of which counts.

// filesDir is the directory of a namespace's own files in its default storage. No asset can have it: those are UUIDs.
const filesDir = "files"

// File is where a key leads. The zero File is nowhere.
type File struct {
	// Asset is the innermost asset that the file belongs to; its ID is empty when there is none.
	Asset Asset

	namespaceID string
	path        string // canonical; empty when the key cannot be a path
	root        string // directory that holds all that keys of its form can name; empty when the path is not the namespace's
}

// Object returns what permissions for the file are about: its asset, or the namespace.
func (f File) Object() access.Object {
	if f.Asset.ID != "" {
		return f.Asset.Object()
	}
	return f.Namespace()
}

// Namespace returns the namespace of the file as an object of permissions.
func (f File) Namespace() access.Object {
	return access.Object{Kind: access.Namespace, ID: f.namespaceID, NamespaceID: f.namespaceID}
}

// checkKey returns an error of class ErrInvalid unless the key can name a file: keys are stored as paths. A slash at the
// end does not count.
func checkKey(key string) error {
	if len(key) > maxPath || !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl) {
		return fmt.Errorf("%w: a key is UTF-8 text without control characters of at most %d bytes", ErrInvalid, maxPath)
	}
	if strings.Count(key, "/") >= maxParts {
		return fmt.Errorf("%w: a key has at most %d parts", ErrInvalid, maxParts)
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(key, "/"), "/") {
		switch {
		case part == "" || part == "." || part == "..":
			return fmt.Errorf("%w: a key has no empty part and no part \".\" or \"..\"", ErrInvalid)
		case len(part) > maxPart || strings.HasPrefix(part, HiddenPrefix):
			return fmt.Errorf("%w: a part of a key has at most %d bytes and does not begin with %q", ErrInvalid, maxPart, HiddenPrefix)
		}
	}
	return nil
}

// HiddenPrefix begins the names of what the server itself keeps among files while it works; no key has one.
const HiddenPrefix = ".azulejo-"

const (
	maxParts = 256
	maxPart  = 255 // bytes between two slashes
)

// directoryKey returns the path that a key of the form file:/directory/rest names, as clients write it with any number of
// slashes.
func directoryKey(key string) (path string, ok bool) {
	rest, ok := strings.CutPrefix(key, "file:/")
	return "/" + strings.TrimLeft(rest, "/"), ok
}

// Files returns the places to which a key leads, best first; at least one. Nothing has been looked at there yet. The error
// is of class ErrInvalid for a key that cannot be one.
func (c *Catalog) Files(ctx context.Context, namespaceID, key string) ([]File, error) {
	path, isPath := directoryKey(key)
	if isPath {
		key = "file:" + path
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	key = strings.TrimSuffix(key, "/")
	if isPath {
		path = strings.TrimSuffix(path, "/")
		f, err := c.directoryFile(ctx, namespaceID, path)
		return []File{f}, err
	}
	assets, err := c.named(ctx, namespaceID, key)
	if err != nil {
		return nil, err
	}
	var list []File
	for _, a := range assets {
		f := c.Directory(a.Asset)
		f.path = filepath.Join(a.path, key[len(a.key):])
		if f.Asset, err = c.around(ctx, f.path); err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	f := c.OwnFiles(namespaceID)
	f.path = filepath.Join(f.path, key)
	f.Asset, err = c.around(ctx, f.path)
	return append(list, f), err
}

// directoryFile is the place of a path that a client names. A path that cannot be used is kept as no path, so that it is
// refused like one of somebody else.
func (c *Catalog) directoryFile(ctx context.Context, namespaceID, path string) (File, error) {
	f := File{namespaceID: namespaceID}
	resolved, err := canonical(path)
	if err != nil {
		return f, nil
	}
	f.path = resolved
	if f.root, err = c.ownedRoot(ctx, namespaceID, resolved); err != nil {
		return f, err
	}
	f.Asset, err = c.around(ctx, resolved)
	return f, err
}

// ownedRoot returns the longest directory around a path that is given to the namespace, or "".
func (c *Catalog) ownedRoot(ctx context.Context, namespaceID, path string) (string, error) {
	if dir := filepath.Join(c.storage, namespaceID); within(path, dir) {
		return dir, nil
	}
	list, err := c.local(ctx)
	best := ""
	for _, p := range list {
		if p.owner == namespaceID && within(path, p.dir) && len(p.dir) > len(best) {
			best = p.dir
		}
	}
	return best, err
}

// keyed is an asset with the part of a key that names it.
type keyed struct {
	Asset
	key string
}

// named returns the assets that a key or a beginning of it names, the longest such beginning first.
func (c *Catalog) named(ctx context.Context, namespaceID, key string) ([]keyed, error) {
	names := prefixes(key)
	id := ""
	if first := names[0]; uuidForm.MatchString(first) {
		id = strings.ToLower(first)
	}
	args := []any{namespaceID, id}
	for _, n := range names {
		args = append(args, n)
	}
	list, err := c.query(ctx, " WHERE a.namespace_id = ? AND a.state = 'live' AND (a.id = ? OR a.name IN (?"+strings.Repeat(", ?", len(names)-1)+
		"))", args...)
	if err != nil {
		return nil, err
	}
	found := make([]keyed, len(list))
	for i, a := range list {
		found[i] = keyed{a, a.Name}
		if a.ID == id {
			found[i].key = names[0]
		}
	}
	slices.SortFunc(found, func(a, b keyed) int { return len(b.key) - len(a.key) })
	return found, nil
}

// prefixes returns the beginnings of a key that end where a part of it ends, the shortest first.
func prefixes(key string) []string {
	var list []string
	for i := range len(key) {
		if key[i] == '/' {
			list = append(list, key[:i])
		}
	}
	return append(list, key)
}

// around returns the innermost asset at or around a path, the zero Asset if there is none. It is the namespace's that owns
// the place, or was.
func (c *Catalog) around(ctx context.Context, path string) (Asset, error) {
	root, rel := c.relative(path)
	args := []any{root}
	up := prefixes(rel)
	for _, p := range up {
		args = append(args, p)
	}
	list, err := c.query(ctx, " WHERE a.state = 'live' AND a.root = ? AND a.path IN (?"+strings.Repeat(", ?", len(up)-1)+
		") ORDER BY a.path DESC LIMIT 1", args...)
	if err != nil || len(list) == 0 {
		return Asset{}, err
	}
	return list[0], nil
}

// query returns the assets that meet a condition, with their shares.
func (c *Catalog) query(ctx context.Context, where string, args ...any) ([]Asset, error) {
	return c.queryWith(ctx, "", where, args...)
}

// Named returns the assets of a namespace whose names begin with a prefix, in the order of names as bytes.
func (c *Catalog) Named(ctx context.Context, namespaceID, prefix string) ([]Asset, error) {
	// No name holds the greatest character, which is not printable.
	return c.query(ctx, " WHERE a.namespace_id = ? AND a.state = 'live' AND a.name >= ? AND a.name < ? ORDER BY a.name",
		namespaceID, prefix, prefix+string(unicode.MaxRune))
}

// Inside returns the assets that are stored within another asset's directory, by their path below it.
func (c *Catalog) Inside(ctx context.Context, a Asset) (map[string]Asset, error) {
	return c.below(ctx, a.path)
}

// Below returns the assets that are stored below a directory of files, by their path below it.
func (c *Catalog) Below(ctx context.Context, f File) (map[string]Asset, error) {
	return c.below(ctx, f.path)
}

func (c *Catalog) below(ctx context.Context, path string) (map[string]Asset, error) {
	root, rel := c.relative(path)
	list, err := c.query(ctx, " WHERE a.state = 'live' AND a.root = ? AND a.path > ? AND a.path < ?",
		root, rel+"/", rel+"0") // '0' follows '/'
	if err != nil {
		return nil, err
	}
	found := make(map[string]Asset, len(list))
	for _, a := range list {
		found[strings.TrimPrefix(a.path, path+"/")] = a
	}
	return found, nil
}

// Directory returns the directory of an asset as a place of files.
func (c *Catalog) Directory(a Asset) File {
	f := File{Asset: a, namespaceID: a.NamespaceID, path: a.path, root: a.path}
	if own := c.OwnFiles(a.NamespaceID).path; within(a.path, own) {
		f.root = own
	}
	return f
}

// OwnFiles returns the directory of the files that a namespace keeps beside its assets.
func (c *Catalog) OwnFiles(namespaceID string) File {
	dir := filepath.Join(c.storage, namespaceID, filesDir)
	return File{namespaceID: namespaceID, path: dir, root: dir}
}

// FilePlace is where a file is and what stays when it goes.
type FilePlace struct {
	// File is the place of the file.
	File Location
	// Asset is the place of its asset; without an asset it is Root.
	Asset Location
	// Root is the directory that holds all files of keys of its form.
	Root Location
}

// LocateFile returns where a file is, or would be, for the holder of a grant on its asset or, without one, on the
// namespace. The error is of class ErrNotOwned when the place is not the namespace's or is reached through a link.
func (c *Catalog) LocateFile(ctx context.Context, g access.Grant, f File) (FilePlace, error) {
	if err := g.Permits(g.Action(), f.Object().ID); err != nil {
		return FilePlace{}, err
	}
	if f.Asset.ID != "" {
		if err := c.here(f.Asset.region); err != nil {
			return FilePlace{}, err
		}
	}
	if f.path == "" || f.root == "" {
		return FilePlace{}, errNotOwned()
	}
	if !linkFree(f.path) {
		if path, err := canonical(f.path); err != nil || path != f.path {
			return FilePlace{}, fmt.Errorf("%w: it is reached through a link", ErrNotOwned)
		}
	}
	at := FilePlace{File: Location{f.path}, Asset: Location{f.root}, Root: Location{f.root}}
	if f.Asset.ID != "" {
		at.Asset = Location{f.Asset.path}
	}
	owner := f.namespaceID
	if f.Asset.home != "" {
		owner = f.Asset.home
	}
	return at, c.own(ctx, owner, f.path)
}

// Parent returns the place of the directory around a file's, and false at the top of what keys of its form can name or of
// the asset that the file belongs to.
func (f File) Parent() (File, bool) {
	if f.path == f.root || f.Asset.ID != "" && f.path == f.Asset.path {
		return f, false
	}
	f.path = filepath.Dir(f.path)
	return f, true
}

// Top reports whether the place is the asset's own, or the one that holds all files of keys of its form.
func (f File) Top() bool { return f.path == f.root || f.Asset.ID != "" && f.path == f.Asset.path }

// Adopt gives the array or group whose files were written at a place its entry, under a name that is taken from its key.
// The grant is for registering in the namespace. Files that cannot be an asset of their own there, such as an array within
// an array, are left without: then and when it has an entry already the zero Asset is returned. n says the kind and what is
// said about it.
func (c *Catalog) Adopt(ctx context.Context, g access.Grant, f File, key string, n NewAsset, probe func(context.Context, Location) (bool, error)) (Asset, error) {
	n.Storage = fileScheme + f.path
	if _, isPath := directoryKey(key); !isPath {
		n.Name = key
	}
	for part := range strings.SplitSeq(f.path, "/") {
		if ourDirs[part] {
			return Asset{}, nil
		}
	}
	a, err := c.Register(ctx, g, n, probe)
	if errors.Is(err, ErrExists) || errors.Is(err, ErrInvalid) || errors.Is(err, ErrNotFound) {
		return Asset{}, nil
	}
	return a, err
}

// Forsake takes the entry of an asset out of the catalog whose last file was removed by the holder of a grant to delete
// its files.
func (c *Catalog) Forsake(ctx context.Context, g access.Grant, a Asset) error {
	if err := g.Permits(access.FileDelete, a.ID); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	return c.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM assets WHERE id = ? AND state = 'live'", a.ID)
		return err
	})
}

// Uploads returns the directory of a namespace's unfinished uploads, for the holder of a grant to write files.
func (c *Catalog) Uploads(g access.Grant) (Location, error) {
	o := g.Object()
	if err := g.Permits(access.FileWrite, o.ID); err != nil {
		return Location{}, err
	}
	return Location{filepath.Join(c.storage, o.NamespaceID, "uploads")}, nil
}
