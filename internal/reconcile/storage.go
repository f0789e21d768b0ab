package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"azulejo/array"
	"azulejo/group"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/vfs"
	"azulejo/vfs/file"
)

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

const (
	// litterAge is how long a temporary file is left alone beside running servers.
	litterAge = time.Hour
	// uploadAge is how long an upload is left alone, as the server leaves it.
	uploadAge = 7 * 24 * time.Hour
)

// storage looks for what no entry names.
func (r *run) storage(ctx context.Context) error {
	namespaces, err := os.ReadDir(r.Catalog.Storage())
	if err != nil {
		return err
	}
	for _, n := range namespaces {
		path := filepath.Join(r.Catalog.Storage(), n.Name())
		if !n.IsDir() || !uuidForm.MatchString(n.Name()) {
			if err := r.unknown(path); err != nil {
				return err
			}
			continue
		}
		if err := r.namespace(ctx, n.Name(), path); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) unknown(path string) error {
	return r.found(Finding{Class: Unknown, Where: path, What: "the server puts nothing of that name there", Mend: "look at it, and take it away"}, nil)
}

func (r *run) namespace(ctx context.Context, id, path string) error {
	list, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	there, err := r.Catalog.HasNamespace(ctx, id)
	if err != nil {
		return err
	}
	if !there {
		return r.forsaken(ctx, path, list)
	}
	w := walk{run: r, namespaceID: id, seen: list}
	return w.top(ctx, path)
}

// forsaken puts the storage of a namespace aside that does not exist, but for assets in it that were given to others.
func (r *run) forsaken(ctx context.Context, path string, list []fs.DirEntry) error {
	rows, err := r.Catalog.RowsBelow(ctx, path)
	if err != nil {
		return err
	}
	aside := []string{path}
	if len(rows) > 0 {
		aside = nil
		for _, e := range list {
			at := filepath.Join(path, e.Name())
			used := false
			for p := range rows {
				used = used || p == at || strings.HasPrefix(p, at+"/")
			}
			if !used {
				aside = append(aside, at)
			}
		}
	}
	for _, at := range aside {
		if len(list) == 0 || gone(at) {
			continue
		}
		err := r.found(Finding{Class: NoNamespace, Where: at, What: "the namespace does not exist", Mend: "put it into quarantine"},
			func() error { return r.quarantine(at) })
		if err != nil {
			return err
		}
	}
	return nil
}

// gone reports whether nothing is at a path any more.
func gone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// walk goes through the storage of one namespace.
type walk struct {
	*run
	namespaceID string
	// seen is the listing of the namespace's directory, which came before rows was read.
	seen []fs.DirEntry
	// rows are the namespace's entries by path. Those that came later are looked up before anything is said.
	rows map[string]catalog.Row
	// above has the directories around entries.
	above map[string]bool
}

// read reads the entries; what was listed before and is in none of them is no entry's.
func (w *walk) read(ctx context.Context, path string) (err error) {
	if w.rows, err = w.Catalog.RowsBelow(ctx, path); err != nil {
		return err
	}
	w.above = map[string]bool{}
	for p := range w.rows {
		for up := filepath.Dir(p); len(up) > len(path); up = filepath.Dir(up) {
			w.above[up] = true
		}
	}
	return nil
}

func (w *walk) top(ctx context.Context, path string) error {
	if err := w.read(ctx, path); err != nil {
		return err
	}
	for _, e := range w.seen {
		at := filepath.Join(path, e.Name())
		var err error
		switch {
		case e.Name() == "files":
			// Files of people are nobody's entries.
		case e.Name() == "uploads":
			err = w.uploads(at)
		case e.Name() == "named":
			err = w.named(ctx, at)
		case strings.HasPrefix(e.Name(), file.TempPrefix):
			err = w.temporary(at)
		case uuidForm.MatchString(e.Name()):
			err = w.place(ctx, at, false)
		default:
			err = w.unknown(at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// named goes through the directory below which people choose paths.
func (w *walk) named(ctx context.Context, path string) error {
	list, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		at := filepath.Join(path, e.Name())
		if strings.HasPrefix(e.Name(), file.TempPrefix) {
			err = w.temporary(at)
		} else if e.IsDir() {
			err = w.place(ctx, at, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// place looks at a directory that should be an asset's or, where people choose paths, around one.
func (w *walk) place(ctx context.Context, path string, chosen bool) error {
	w.counts.Directories++
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, ok := w.rows[path]; ok || gone(path) {
		return nil
	}
	if left, err := w.Catalog.Left(ctx, path); err != nil || left {
		w.counts.Kept++
		return err
	}
	if w.above[path] {
		if isArray, isGroup, err := w.kinds(ctx, path); err == nil && (isArray || isGroup) {
			return w.orphan(ctx, path)
		}
		return w.named(ctx, path)
	}
	isArray, isGroup, err := w.kinds(ctx, path)
	if err != nil || isArray || isGroup || !chosen {
		return w.orphan(ctx, path)
	}
	// People keep files of their own there too. Only what is of an array or group is an orphan.
	list, err := os.ReadDir(path)
	if err == nil && slices.ContainsFunc(list, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), "__") }) {
		return w.orphan(ctx, path)
	}
	return w.named(ctx, path)
}

// orphan reports what no entry names. A whole array or group gets an entry; all else is put aside.
func (w *walk) orphan(ctx context.Context, path string) error {
	// A row may have come and gone while this was on its way.
	if rows, err := w.Catalog.RowsBelow(ctx, path); err != nil || rows[path].ID != "" || gone(path) {
		return err
	}
	n, err := w.whole(ctx, path)
	if err != nil {
		f := Finding{Class: Orphan, Where: path, What: "no entry names it, and it is no whole array or group", Mend: "put it into quarantine"}
		if w.above[path] {
			f.Mend = "look at it: assets lie below it"
			return w.found(f, nil)
		}
		return w.found(f, func() error { return w.quarantine(path) })
	}
	return w.found(Finding{Class: Orphan, Where: path, What: fmt.Sprintf("no entry names this %s", n.Kind), Mend: "register it"}, func() error {
		_, err := w.Catalog.Found(ctx, w.namespaceID, path, n)
		return err
	})
}

// whole returns what can be registered at a path, or an error.
func (w *walk) whole(ctx context.Context, path string) (catalog.NewAsset, error) {
	isArray, isGroup, err := w.kinds(ctx, path)
	switch {
	case err != nil:
		return catalog.NewAsset{}, err
	case isArray:
		arr, err := array.Open(ctx, w.fs, path, array.Latest())
		if err != nil {
			return catalog.NewAsset{}, err
		}
		return catalog.NewAsset{Kind: catalog.Array, ArrayType: vault.TypeName(arr.Schema.Type)}, nil
	case isGroup:
		opened, err := group.Open(ctx, w.fs, path, group.Latest())
		if err == nil {
			_, err = opened.Metadata(ctx)
		}
		return catalog.NewAsset{Kind: catalog.Group}, err
	}
	return catalog.NewAsset{}, vfs.ErrNotExist
}

// quarantine moves something of the storage aside.
func (r *run) quarantine(path string) error {
	rel, err := filepath.Rel(r.Catalog.Storage(), path)
	if err != nil {
		return err
	}
	to := filepath.Join(r.aside, rel)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.Rename(path, to)
}

// uploads looks for uploads of files that nobody goes on with.
func (w *walk) uploads(path string) error {
	list, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range list {
		at := filepath.Join(path, e.Name())
		info, err := e.Info()
		if err != nil || w.Now().Sub(info.ModTime()) < uploadAge {
			continue // it went meanwhile, or is young
		}
		err = w.found(Finding{Class: Abandoned, Where: at, What: "nobody went on with it for a week", Mend: "remove it, as the server does when the next one begins"},
			func() error { return os.RemoveAll(at) })
		if err != nil {
			return err
		}
	}
	return nil
}

// temporary reports a temporary file or directory, unless a server may be at work on it.
func (r *run) temporary(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !r.Alone && r.Now().Sub(info.ModTime()) < litterAge {
		return nil // it went meanwhile, or is young
	}
	return r.found(Finding{Class: Litter, Where: path, What: "it was being written or removed when its server died", Mend: "remove it"},
		func() error { return os.RemoveAll(path) })
}

// litter looks for temporary files in an asset's directory and in its folders.
func (r *run) litter(path string) error {
	list, err := os.ReadDir(path)
	if err != nil {
		return nil // it was deleted meanwhile
	}
	for _, e := range list {
		at := filepath.Join(path, e.Name())
		if strings.HasPrefix(e.Name(), file.TempPrefix) {
			if err := r.temporary(at); err != nil {
				return err
			}
		}
		if !e.IsDir() || !strings.HasPrefix(e.Name(), "__") {
			continue
		}
		below, err := os.ReadDir(at)
		for _, b := range below {
			if err == nil && strings.HasPrefix(b.Name(), file.TempPrefix) {
				err = r.temporary(filepath.Join(at, b.Name()))
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// members compares the members that a group has in storage with what is there and with what the catalogue notes.
func (r *run) members(ctx context.Context, row catalog.Row) error {
	noted, err := r.Catalog.Noted(ctx, row.ID)
	if err != nil {
		return err
	}
	opened, err := group.Open(ctx, r.fs, row.Path, group.Latest())
	if errors.Is(err, group.ErrNotFound) {
		return nil // it was deleted meanwhile
	}
	if err != nil {
		return r.found(Finding{Class: Unreadable, Where: address(row), What: err.Error(), Mend: "azulejo array info " + row.Path}, nil)
	}
	var uris []string
	for _, m := range opened.Members() {
		uri := opened.Resolve(m)
		uris = append(uris, uri)
		if path, err := file.Path(uri); err == nil && strings.HasPrefix(path, r.Catalog.Storage()+"/") && gone(path) {
			if err := r.memberGone(ctx, row, opened, m.Key(), path); err != nil {
				return err
			}
		}
	}
	known, err := r.Catalog.ByStorage(ctx, uris)
	if err != nil {
		return err
	}
	stored := map[string]bool{}
	var missing, stale []string
	for _, a := range known {
		if stored[a.ID] = true; !slices.Contains(noted, a.ID) {
			missing = append(missing, a.ID)
		}
	}
	for _, id := range noted {
		if !stored[id] {
			stale = append(stale, id)
		}
	}
	if len(missing)+len(stale) == 0 {
		return nil
	}
	f := Finding{Class: MemberNotes, Where: address(row), What: fmt.Sprintf("%d members are noted that are not stored, %d are stored and not noted", len(stale), len(missing)),
		Mend: "note what is stored"}
	if !r.Alone {
		f.What += "; a server may just be changing them"
	}
	return r.found(f, func() error { return r.Catalog.Renote(ctx, row.ID, stale, missing) })
}

// memberGone reports a stored member that is not there any more.
func (r *run) memberGone(ctx context.Context, row catalog.Row, g *group.Group, key, path string) error {
	f := Finding{Class: MemberGone, Where: address(row), What: fmt.Sprintf("nothing is at %s, where member %q should be", path, key), Mend: "take it out of the group"}
	if !r.Alone { // a change of a group writes all its members
		f.Mend += ", when no server runs"
		return r.found(f, nil)
	}
	return r.found(f, func() error { return g.Update(ctx, nil, []string{key}, 0) })
}
