package array

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"azulejo/condition"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/internal/cache"
	"azulejo/vfs"
)

// Deletion is a delete commit that counts in a snapshot (format_spec/delete_commit_file.md). It is immutable.
type Deletion struct {
	// Path is its file relative to the array, "__commits/__t_t_uuid_22.del": what fragments name as conditions that were
	// applied to their cells already.
	Path string
	// Time is when it was made, in milliseconds since 1970. Cells that are newer it leaves alone.
	Time uint64
	// Survives is the stored condition, the negation of what was asked to be deleted: cells survive for which it holds.
	// Labels of enumerations are stored as their index values.
	Survives *condition.Node
}

// Deletions returns the delete commits of the snapshot, oldest first: those of a sparse array whose time lies in the
// interval. Update commits count as deletes of what they would have changed, as in libtiledb. None when opened for
// writing or for the schema only. The slice must not be modified.
func (a *Array) Deletions() []Deletion { return a.deletes }

// commits are the commits of an array at all times.
type commits struct {
	// fragments has the committed fragments, those hidden by vacuum files included, sorted by the names of their folders.
	fragments []located
	// deletes are sorted by time.
	deletes []deleteCommit
}

// deleteCommit is a delete or update commit.
type deleteCommit struct {
	format.Name
	// path is relative to the array.
	path string
	// content is that of the file when a consolidated commits file has it, else nil.
	content []byte
}

// addFragment adds the fragment that a .wrt file of that path or name commits; l says how it is committed.
func (c *commits) addFragment(d *directory, path string, l located) error {
	l.file = strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], writeExt)
	var err error
	if l.Name, err = format.ParseName(l.file); err != nil {
		return &format.Error{URI: vfs.Join(d.uri, commitsDir, l.file+writeExt), Field: "name", Err: err}
	}
	c.fragments = append(c.fragments, l)
	return nil
}

// sortFragments puts them in order and leaves one of each, with all its commits.
func (c *commits) sortFragments() {
	inOrder := true
	for i := 1; i < len(c.fragments) && inOrder; i++ {
		inOrder = c.fragments[i-1].file < c.fragments[i].file
	}
	if inOrder { // as listings are
		return
	}
	slices.SortStableFunc(c.fragments, func(x, y located) int { return strings.Compare(x.file, y.file) })
	kept := c.fragments[:0]
	for _, l := range c.fragments {
		if n := len(kept); n > 0 && kept[n-1].file == l.file {
			l.consolidated, l.single = l.consolidated || kept[n-1].consolidated, l.single || kept[n-1].single
			kept[n-1] = l
			continue
		}
		kept = append(kept, l)
	}
	c.fragments = kept
}

// fragment returns the fragment in the folder of that name.
func (c *commits) fragment(file string) (located, bool) {
	i, ok := slices.BinarySearchFunc(c.fragments, file, func(l located, file string) int { return strings.Compare(l.file, file) })
	if !ok {
		return located{}, false
	}
	return c.fragments[i], true
}

// addDelete adds a delete or update commit.
func (c *commits) addDelete(d *directory, path string, content []byte) error {
	file := vfs.Base(path)
	n, err := format.ParseName(strings.TrimSuffix(file, ext(file)))
	if err != nil {
		return &format.Error{URI: vfs.Join(d.uri, path), Field: "name", Err: err}
	}
	c.deletes = append(c.deletes, deleteCommit{n, path, content})
	return nil
}

// sortDeletes puts them in order and leaves one of each.
func (c *commits) sortDeletes() {
	slices.SortStableFunc(c.deletes, func(x, y deleteCommit) int {
		return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(x.path, y.path))
	})
	c.deletes = slices.CompactFunc(c.deletes, func(x, y deleteCommit) bool { return x.path == y.path })
}

// counting returns the deletes of an interval.
func (c *commits) counting(at Interval) []deleteCommit {
	return slices.DeleteFunc(slices.Clone(c.deletes), func(d deleteCommit) bool { return !at.Contains(d.Start, d.End) })
}

// pick splits the names that Pin returned into fragments and deletes, in their order. Fragments that are held need not be
// committed. The error wraps ErrSnapshotLost.
func (c *commits) pick(uri string, names []string, held bool) (live []located, deletes []deleteCommit, err error) {
	for _, name := range names {
		if x := ext(name); x == deleteExt || x == updateExt {
			i := slices.IndexFunc(c.deletes, func(d deleteCommit) bool { return vfs.Base(d.path) == name })
			if i < 0 {
				return nil, nil, &Error{"open", vfs.Join(uri, commitsDir, name), ErrSnapshotLost}
			}
			deletes = append(deletes, c.deletes[i])
			continue
		}
		l, ok := c.fragment(name)
		if !ok && held {
			l, err = heldFragment(name)
			ok = err == nil
		}
		if !ok {
			return nil, nil, &Error{"open", vfs.Join(uri, fragmentsDir, name), ErrSnapshotLost}
		}
		live = append(live, l)
	}
	return live, deletes, nil
}

// openDeletes reads the conditions of delete commits.
func (a *Array) openDeletes(ctx context.Context, list []deleteCommit) error {
	a.deletes = make([]Deletion, len(list))
	return inParallel(len(list), func(i int) (err error) {
		a.deletes[i] = Deletion{Path: list[i].path, Time: list[i].Start}
		a.deletes[i].Survives, err = a.openDelete(ctx, &list[i])
		return err
	})
}

// openDelete reads the condition of a delete commit, which the cache may have.
func (a *Array) openDelete(ctx context.Context, d *deleteCommit) (*condition.Node, error) {
	uri := vfs.Join(a.URI, d.path)
	return cache.Load(a.Kept(), a.cacheName(uri), func() (*condition.Node, int64, error) {
		content, err := d.content, error(nil)
		if content == nil {
			if content, err = vfs.ReadAll(ctx, a.FS, uri); err != nil {
				return nil, 0, err
			}
		}
		n, err := decodeDelete(a.key, d.path, content)
		return n, 8*int64(len(content)) + 512, format.WithURI(err, uri)
	})
}

// decodeDelete decodes the content of a .del or .upd file; key is that of an encrypted array, else nil.
func decodeDelete(key *filter.Key, path string, content []byte) (*condition.Node, error) {
	content, err := format.Decrypt(key, content)
	if err != nil {
		return nil, err
	}
	if ext(path) == updateExt {
		return format.DecodeUpdateCommit(content)
	}
	return format.DecodeDeleteCommit(content)
}

// WriteDelete makes a delete commit of a time in milliseconds, 0 for now, and returns its path relative to the array and
// the time. survives is the condition as it is stored (see Deletion), checked by the caller. The commit appears as a whole
// or not at all. The error wraps ErrInvalid where the time lies inside a fragment that was consolidated without the times
// of its cells.
func (a *Array) WriteDelete(ctx context.Context, survives *condition.Node, millis uint64) (path string, at uint64, err error) {
	content, err := format.EncodeDeleteCommit(survives)
	if err == nil {
		content, err = format.Encrypt(a.key, content)
	}
	if err != nil {
		return "", 0, classify(err)
	}
	d, err := readDirectory(ctx, a.FS, a.URI, true)
	if err != nil {
		return "", 0, err
	}
	if len(d.schemas) == 0 {
		return "", 0, &Error{"delete", a.URI, ErrNotFound}
	}
	all, err := d.committed(ctx)
	if err != nil {
		return "", 0, classify(err)
	}
	if at = millis; at == 0 {
		at = Latest().Resolve().End
	}
	for _, l := range all.fragments {
		if l.Version < cellTimesVersion && l.Start <= at && at <= l.End {
			return "", 0, &Error{"delete", a.URI, fmt.Errorf("%w: time %d lies in that of fragment %s, which may have lost the times of its cells; "+
				"take a later one", ErrInvalid, at, l.file)}
		}
	}
	path = commitsDir + "/" + format.NewNameIn(ctx, at, at, format.Version).String() + deleteExt
	err = vfs.WriteAll(ctx, a.FS, vfs.Join(a.URI, path), content)
	if errors.Is(err, vfs.ErrExist) {
		return "", 0, &classed{ErrExists, err}
	}
	return path, at, err
}
