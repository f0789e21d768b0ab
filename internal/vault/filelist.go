package vault

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/vfs"
)

// Listing says which files of a namespace to list.
type Listing struct {
	NamespaceID string
	// Prefix begins the keys of all that is listed.
	Prefix string
	// After is the key behind which to begin, Skip the beginning of keys to leave out; both may be empty.
	After, Skip string
}

// ErrStop ends a listing without an error.
var ErrStop = errors.New("the listing ends here")

// List calls visit with the files of a namespace in the order of their keys as bytes, until visit returns an error, which
// List returns unless it is ErrStop. From then on keys that begin with the text that visit returns are left out, unless it
// is empty. Symbolic links are left out, and what is not the subject's to read. An empty directory of the namespace's own
// files is a file whose key ends with a slash.
func (f *Files) List(ctx context.Context, l Listing, visit func(key string, info FileInfo) (skip string, err error)) error {
	w := &walk{files: f, l: l, visit: visit}
	top, err := w.top(ctx)
	if err == nil {
		err = w.node(ctx, top)
	}
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// walk is one listing.
type walk struct {
	files *Files
	l     Listing
	visit func(key string, info FileInfo) (string, error)
}

// node is a key that ends with a slash, or the empty one, with everything that can be below it.
type node struct {
	key  string
	dirs []directory
	// named are the assets whose names begin with the key, in the order of names.
	named []catalog.Asset
}

// directory is a directory of files: of several that have a file of one key the first counts.
type directory struct {
	uri string
	// below is its path below the directory that the walk came in by, inside the assets that are stored below that.
	below  string
	inside map[string]catalog.Asset
	// own says that empty directories count as files.
	own bool
}

// top returns the node of the listing's prefix up to its last slash.
func (w *walk) top(ctx context.Context) (node, error) {
	c := w.files.vault.catalog
	n := node{key: w.l.Prefix[:strings.LastIndexByte(w.l.Prefix, '/')+1]}
	places := []catalog.File{c.OwnFiles(w.l.NamespaceID)}
	var err error
	if n.key != "" {
		places, err = c.Files(ctx, w.l.NamespaceID, n.key)
		if errors.Is(err, catalog.ErrInvalid) {
			return node{}, nil // nothing has such a key
		}
		if err != nil {
			return node{}, err
		}
	}
	var refused error
	for _, place := range places {
		d, err := w.enter(ctx, place)
		switch {
		case hidden(err):
			refused = cmp.Or(refused, err)
			continue
		case err != nil:
			return node{}, err
		}
		d.own = !strings.HasPrefix(n.key, "file:") && place.Asset.ID == ""
		n.dirs = append(n.dirs, d)
	}
	if n.named, err = c.Named(ctx, w.l.NamespaceID, n.key); err == nil && len(n.dirs) == 0 {
		err = refused
	}
	return n, err
}

// enter comes to a directory that a key or an asset's name leads to.
func (w *walk) enter(ctx context.Context, place catalog.File) (directory, error) {
	at, _, err := w.files.locate(ctx, access.FileRead, place)
	if err != nil {
		return directory{}, err
	}
	inside, err := w.files.vault.catalog.Below(ctx, place)
	return directory{uri: at.File.URI(), inside: inside}, err
}

// child is what a node has under one name: files and directories that have it, or an asset.
type child struct {
	name string
	// file is the URI of the file of that name.
	file string
	// dirs are the directories of that name. A child has either a file or directories: a name that has both is two
	// children.
	dirs  []directory
	isDir bool
}

// key returns the child's key, which ends with a slash if it has directories.
func (c *child) key(n node) string {
	if c.isDir {
		return n.key + c.name + "/"
	}
	return n.key + c.name
}

// wanted reports whether a file of the key, or one below it, can be in the listing.
func (w *walk) wanted(key string, isDir bool) bool {
	switch {
	case w.l.Skip != "" && strings.HasPrefix(key, w.l.Skip):
		return false
	case !isDir:
		return strings.HasPrefix(key, w.l.Prefix) && key > w.l.After
	}
	return (strings.HasPrefix(key, w.l.Prefix) || strings.HasPrefix(w.l.Prefix, key)) && (key > w.l.After || strings.HasPrefix(w.l.After, key))
}

// node visits what is below a node.
func (w *walk) node(ctx context.Context, n node) error {
	children, empty, err := w.children(ctx, n)
	if err != nil {
		return err
	}
	if empty && w.wanted(n.key, false) {
		if err := w.marker(ctx, n); err != nil {
			return err
		}
	}
	for _, c := range children {
		key := c.key(n)
		if !w.wanted(key, c.isDir) {
			continue
		}
		if c.isDir {
			err = w.descend(ctx, n, c)
		} else {
			err = w.file(ctx, key, c.file)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// marker visits an empty directory.
func (w *walk) marker(ctx context.Context, n node) error {
	info, err := vfs.Stat(ctx, w.files.vault.fs, n.dirs[0].uri)
	if errors.Is(err, vfs.ErrNotExist) || err == nil && !info.Dir {
		return nil
	}
	if err != nil {
		return err
	}
	return w.tell(n.key, fileInfo(info))
}

// file visits a file unless it is gone or a link.
func (w *walk) file(ctx context.Context, key, uri string) error {
	info, err := vfs.Stat(ctx, w.files.vault.fs, uri)
	if errors.Is(err, vfs.ErrNotExist) || err == nil && (info.Link || info.Dir) {
		return nil
	}
	if err != nil {
		return err
	}
	return w.tell(key, fileInfo(info))
}

func (w *walk) tell(key string, info FileInfo) error {
	skip, err := w.visit(key, info)
	if skip != "" {
		w.l.Skip = skip
	}
	return err
}

// descend goes to the node of a child.
func (w *walk) descend(ctx context.Context, n node, c *child) error {
	next := node{key: c.key(n)}
	var dirs []directory
	from, _ := slices.BinarySearchFunc(n.named, n.key+c.name, func(a catalog.Asset, name string) int { return cmp.Compare(a.Name, name) })
	for _, a := range n.named[from:] {
		if a.Name == n.key+c.name {
			d, err := w.enter(ctx, w.files.vault.catalog.Directory(a))
			switch {
			case hidden(err):
				continue
			case err != nil:
				return err
			}
			dirs = append(dirs, d)
			continue
		}
		if strings.HasPrefix(a.Name, next.key) {
			next.named = append(next.named, a)
		} else if a.Name > next.key {
			break
		}
	}
	for _, d := range append(dirs, c.dirs...) {
		info, err := vfs.Stat(ctx, w.files.vault.fs, d.uri)
		if err == nil && info.Dir && !slices.ContainsFunc(next.dirs, func(o directory) bool { return o.uri == d.uri }) {
			next.dirs = append(next.dirs, d)
		} else if err != nil && !errors.Is(err, vfs.ErrNotExist) {
			return err
		}
	}
	return w.node(ctx, next)
}

// hidden reports whether an error means that something is not the subject's to read, or not to be reached any more.
func hidden(err error) bool {
	for _, class := range []error{access.ErrNotFound, access.ErrDenied, access.ErrScope, catalog.ErrNotOwned} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}

// children returns what a node has, in the order of keys, and whether it is an empty directory that counts as a file.
func (w *walk) children(ctx context.Context, n node) (list []*child, empty bool, err error) {
	files, dirs := map[string]*child{}, map[string]*child{}
	at := func(m map[string]*child, name string, isDir bool) *child {
		c := m[name]
		if c == nil {
			c = &child{name: name, isDir: isDir}
			m[name] = c
			list = append(list, c)
		}
		return c
	}
	empty = len(n.dirs) > 0 && n.dirs[0].own && n.key != "" && len(n.named) == 0
	for _, d := range n.dirs {
		entries, err := w.files.vault.fs.List(ctx, d.uri)
		if err != nil {
			return nil, false, err
		}
		empty = empty && len(entries) == 0
		for _, e := range entries {
			if strings.HasPrefix(e.Name, catalog.HiddenPrefix) {
				continue
			}
			uri := vfs.Join(d.uri, e.Name)
			if !e.Dir {
				if c := at(files, e.Name, false); c.file == "" {
					c.file = uri
				}
				continue
			}
			sub := directory{uri: uri, below: join(d.below, e.Name), inside: d.inside, own: d.own}
			if a, ok := d.inside[sub.below]; ok {
				if _, err := w.files.grant(access.FileRead, w.files.vault.catalog.Directory(a)); err != nil {
					continue
				}
				sub.own = false
			}
			c := at(dirs, e.Name, true)
			c.dirs = append(c.dirs, sub)
		}
	}
	for _, a := range n.named {
		if rest := strings.TrimPrefix(a.Name, n.key); rest != "" {
			name, _, _ := strings.Cut(rest, "/")
			at(dirs, name, true)
		}
	}
	slices.SortFunc(list, func(a, b *child) int { return cmp.Compare(a.key(n), b.key(n)) })
	return list, empty, nil
}
