// Package catalog knows which arrays and groups exist in a namespace, under
// which names, and where they are stored.
//
// An asset is addressed by its name, its UUID or its storage URI. Assets made
// without a storage URI live in DIR/storage/<namespace id>/<asset id>, so that
// no name ever becomes a path and a rename moves nothing. What an asset holds
// is not kept here: schemas and the members of groups are in the stored files.
//
// Every storage path has exactly one owning namespace (see owner in paths.go),
// and only that namespace can create, register or add to a group there. The
// path of an asset leaves this package only as a Location, and a Location is
// only made for a valid access.Grant.
package catalog

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/db"
)

// Error classes.
var (
	ErrNotFound    = errors.New("not found")
	ErrExists      = errors.New("already exists")
	ErrInvalid     = errors.New("invalid name or storage path")
	ErrUnsupported = errors.New("storage is not supported yet")
	// ErrNotOwned means that the namespace does not own the storage path. It
	// says nothing about what is there.
	ErrNotOwned = errors.New("storage path is not the namespace's")
)

// Kind is what an asset is stored as.
type Kind string

// The kinds of asset.
const (
	Array Kind = "array"
	Group Kind = "group"
)

func (k Kind) object() access.ObjectKind {
	if k == Group {
		return access.Group
	}
	return access.Array
}

// Asset is one row of the catalog, as a value.
type Asset struct {
	ID          string // UUID
	NamespaceID string // UUID
	Namespace   string // name of the owning namespace
	Kind        Kind
	Name        string
	CreatedBy   string // user name
	CreatedAt   time.Time
	ArrayType   string // "dense", "sparse" or empty if not known
	Info        Info

	// shares are all that reach the asset, shareCount counts its own.
	shares     []access.Share
	shareCount int

	uri  string
	path string // absolute and canonical
	root string
	// storedPath is the path as it is kept, relative to root; home the namespace in whose storage it lies, if not its own.
	storedPath, home string
	// region is the one whose server stores it.
	region string
	// sealed is the key of an encrypted array.
	sealed []byte
	// part is the folder of an array inside the asset that is meant instead of the asset itself.
	part string
}

// stores returns the namespace in whose storage the asset lies.
func (a Asset) stores() string {
	if a.home != "" {
		return a.home
	}
	return a.NamespaceID
}

// Part returns the name of the array inside the asset that is meant instead of the asset itself, such as
// "__labels/l0", or nothing. It shares the asset's id and rights, and is read and written alone: it goes when the asset
// goes.
func (a Asset) Part() string { return a.part }

// The file types of arrays whose fragments are versions of a file.
const (
	FileType     = "file"
	NotebookType = "notebook"
	FunctionType = "user_defined_function"
	GraphType    = "registered_task_graph"
)

// Versioned reports whether the fragments of arrays of a file type are versions of a file.
func Versioned(fileType string) bool {
	return slices.Contains([]string{FileType, NotebookType, FunctionType, GraphType}, fileType)
}

// Info is what people say about an asset; none of it changes what is stored.
type Info struct {
	Description     string
	FileType        string // notebook, file, user_defined_function, ml_model or empty
	FileProperties  map[string]string
	Logo            string
	Tags            []string
	LicenseID       string
	LicenseText     string
	CredentialsName string
	ReadOnly        bool
}

// Object returns the asset as package access sees it.
func (a Asset) Object() access.Object {
	return access.Object{Kind: a.Kind.object(), ID: a.ID, NamespaceID: a.NamespaceID, ReadOnly: a.Info.ReadOnly, Shares: a.shares}
}

// ShareCount returns to how many namespaces the asset itself is shared.
func (a Asset) ShareCount() int { return a.shareCount }

// Public reports whether everybody who is logged in may see the asset.
func (a Asset) Public() bool {
	return slices.ContainsFunc(a.shares, func(s access.Share) bool { return s.NamespaceID == access.PublicNamespace })
}

// StorageURI returns the storage URI to show to people who may see the asset.
// Code that opens the asset uses Locate instead.
func (a Asset) StorageURI() string { return a.uri }

// SealedKey returns the key of an encrypted array as it is kept, sealed by whoever registered it, or nil. It must not be
// modified.
func (a Asset) SealedKey() []byte { return a.sealed }

// Location is a place in storage that the holder may use. The zero Location is
// no place.
type Location struct{ path string }

// URI returns the location as a file URI.
func (l Location) URI() string { return fileScheme + l.path }

// Path returns the location as an absolute path.
func (l Location) Path() string { return l.path }

// Catalog is the store of assets. It is safe for concurrent use.
type Catalog struct {
	db      *db.DB
	now     func() time.Time
	data    string   // canonical data directory: nobody's but for what is below storage
	storage string   // canonical directory of the default storage
	allowed []string // canonical directories of the admin
	admin   string   // name of the user that owns them
	regions Regions

	// assets remembers what Resolve found until an asset changes.
	assets *db.Memo[string, Asset]
	// stored remembers what ByStorage found for whole lists until an asset changes.
	stored *db.Memo[[sha256.Size]byte, map[string]Asset]
	// owners remembers what local answered until a grant changes.
	owners *db.Memo[struct{}, []prefix]
}

// Open returns the catalog in d. dataDir is the server's data directory, of
// which only the default storage can ever be named; allowed are directories
// from which the user admin may create and register. All of them are resolved
// now, so they must exist; the storage directory is made.
func Open(d *db.DB, now func() time.Time, dataDir string, allowed []string, admin string) (*Catalog, error) {
	c := &Catalog{db: d, now: now, admin: admin, assets: db.NewMemo[string, Asset](d, now), owners: db.NewMemo[struct{}, []prefix](d, now),
		stored: db.NewSmallMemo[[sha256.Size]byte, map[string]Asset](d, now, storedLists)}
	var err error
	if c.data, err = canonicalDir(dataDir); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	c.storage = filepath.Join(c.data, "storage")
	if err := os.MkdirAll(c.storage, 0o700); err != nil {
		return nil, fmt.Errorf("default storage: %w", err)
	}
	if resolved, err := canonicalDir(c.storage); err != nil || resolved != c.storage {
		return nil, fmt.Errorf("default storage %s must be a directory, not a link: %w", c.storage, errors.Join(err, ErrInvalid))
	}
	for _, dir := range allowed {
		resolved, err := canonicalDir(dir)
		if err != nil {
			return nil, fmt.Errorf("allowed path %s: %w", dir, err)
		}
		if within(resolved, c.data) {
			return nil, fmt.Errorf("allowed path %s is inside the data directory: %w", dir, ErrInvalid)
		}
		c.allowed = append(c.allowed, resolved)
	}
	return c, nil
}

// canonicalDir returns dir as an absolute path without links.
func canonicalDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	abs, err = filepath.EvalSymlinks(abs)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(abs)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", dir)
	}
	return abs, err
}

const assetColumns = `a.id, a.namespace_id, n.name, a.kind, a.name, a.root, a.path, a.created_by, a.created_at, a.array_type, a.file_type,
	a.file_properties, a.description, a.logo, a.tags, a.license_id, a.license_text, a.credentials_name, a.read_only, a.sealed_key, a.home, a.region
	FROM assets a JOIN namespaces n ON n.id = a.namespace_id`

type scanner interface{ Scan(...any) error }

func (c *Catalog) scan(row scanner) (Asset, error) {
	var a Asset
	var created int64
	var properties, tags string
	err := row.Scan(&a.ID, &a.NamespaceID, &a.Namespace, &a.Kind, &a.Name, &a.root, &a.path, &a.CreatedBy, &created, &a.ArrayType,
		&a.Info.FileType, &properties, &a.Info.Description, &a.Info.Logo, &tags, &a.Info.LicenseID, &a.Info.LicenseText,
		&a.Info.CredentialsName, &a.Info.ReadOnly, &a.sealed, &a.home, &a.region)
	if errors.Is(err, sql.ErrNoRows) {
		return Asset{}, ErrNotFound
	}
	if err == nil {
		err = errors.Join(json.Unmarshal([]byte(properties), &a.Info.FileProperties), json.Unmarshal([]byte(tags), &a.Info.Tags))
	}
	if err != nil {
		return Asset{}, fmt.Errorf("asset: %w", err)
	}
	a.CreatedAt = time.Unix(created, 0).UTC()
	a.storedPath = a.path
	a.path = c.absolute(a.root, a.path)
	a.uri = fileScheme + a.path
	return a, nil
}

// Resolve returns the asset of a namespace that ref names: a name, a UUID or a
// storage URI, or a name that it had before. The error is ErrNotFound alike for what does not exist, what is
// another namespace's, and what cannot be a reference at all.
func (c *Catalog) Resolve(ctx context.Context, namespaceID, ref string) (Asset, error) {
	return c.assets.Get(ctx, namespaceID+"/"+ref, func() (Asset, error) { return c.resolve(ctx, namespaceID, ref) })
}

// labelFolder is where in an array the arrays of its dimension labels lie. Clients open them by the address of the array
// with the folder behind it.
const labelFolder = "__labels/"

// resolvePart is resolve for references to an array inside another.
func (c *Catalog) resolvePart(ctx context.Context, namespaceID, ref string) (a Asset, ok bool, err error) {
	at := strings.LastIndex(ref, "/"+labelFolder)
	if at < 0 {
		return Asset{}, false, nil
	}
	part := ref[at+1:]
	if name := part[len(labelFolder):]; name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return Asset{}, true, ErrNotFound
	}
	a, err = c.resolve(ctx, namespaceID, ref[:at])
	if err == nil && (a.Kind != Array || a.part != "") {
		err = ErrNotFound
	}
	a.part = part
	return a, true, err
}

func (c *Catalog) resolve(ctx context.Context, namespaceID, ref string) (Asset, error) {
	if a, ok, err := c.resolvePart(ctx, namespaceID, ref); ok {
		return a, err
	}
	r, err := ParseRef(ref)
	if err != nil {
		return Asset{}, ErrNotFound
	}
	const live = " WHERE a.namespace_id = ? AND a.state = 'live' AND "
	var a Asset
	var root, rel string
	switch {
	case r.ID != "":
		a, err = c.one(ctx, live+"a.id = ?", namespaceID, r.ID)
	case r.Path != "":
		path, wrong := canonical(r.Path)
		if wrong != nil {
			return Asset{}, ErrNotFound
		}
		root, rel = c.relative(path)
		a, err = c.one(ctx, live+"a.root = ? AND a.path = ?", namespaceID, root, rel)
	default:
		a, err = c.one(ctx, live+"a.name = ?", namespaceID, r.Name)
	}
	if errors.Is(err, ErrNotFound) {
		return c.byOld(ctx, namespaceID, r, root, rel)
	}
	return a, err
}

// Locate returns where the asset is stored, for the holder of a grant on it.
// It looks once more whether the place is still the namespace's and no link to
// elsewhere; if not, the error is of class ErrNotOwned.
func (c *Catalog) Locate(ctx context.Context, g access.Grant, a Asset) (Location, error) {
	if err := g.Permits(g.Action(), a.ID); err != nil {
		return Location{}, err
	}
	return c.locate(ctx, a)
}

func (c *Catalog) locate(ctx context.Context, a Asset) (Location, error) {
	if err := c.here(a.region); err != nil {
		return Location{}, err
	}
	place := filepath.Join(a.path, a.part)
	if !linkFree(place) { // the fast way to say it; where it cannot, the slow one decides
		if path, err := canonical(place); err != nil || path != place {
			return Location{}, fmt.Errorf("%w: it was replaced by a link", ErrNotOwned)
		}
	}
	return Location{place}, c.own(ctx, a.stores(), a.path)
}

// forget forgets what is remembered of assets.
func (c *Catalog) forget() {
	c.assets.Forget()
	c.stored.Forget()
}

// update is db.DB.Update for everything that changes assets.
func (c *Catalog) update(ctx context.Context, fn func(tx *sql.Tx) error) error {
	defer c.forget()
	return c.db.Update(ctx, fn)
}

// Exclude is db.DB.Exclude.
func (c *Catalog) Exclude(ctx context.Context, key string) (release func() error, err error) {
	return c.db.Exclude(ctx, key)
}

// Shared reports whether other server processes may serve the same assets.
func (c *Catalog) Shared() bool { return c.db.Shared() }
