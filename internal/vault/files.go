package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"azulejo/format"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/vfs"
)

// Files are the files of namespaces as one subject may see and change them, by key: the files of assets and those that a
// namespace keeps beside them. It is safe for concurrent use. Errors are of the classes of packages access, catalog and vfs;
// vfs.ErrNotExist means that there is no such file, vfs.ErrExist that something is in the way of a new one.
//
// The catalogue is kept in step: who writes the files of an array or group that has no entry gives it one, and with an
// asset's last file its entry goes.
type Files struct {
	vault   *Vault
	subject access.Subject
}

// FileInfo is what can be said about a file.
type FileInfo struct {
	NBytes   int64
	Modified time.Time
	// Version names this content of the file.
	Version string
}

// Files returns the files as the subject of a grant may see them.
func (v *Vault) Files(subject access.Subject) *Files { return &Files{v, subject} }

// Find returns what permissions for a key's file are about. It tells nothing about whether there is one. A key that cannot
// be a file's is the namespace's.
func (f *Files) Find(ctx context.Context, namespaceID, key string) (access.Object, error) {
	places, err := f.vault.catalog.Files(ctx, namespaceID, key)
	if errors.Is(err, catalog.ErrInvalid) {
		return access.Object{Kind: access.Namespace, ID: namespaceID, NamespaceID: namespaceID}, nil
	}
	if err != nil {
		return access.Object{}, err
	}
	return places[0].Object(), nil
}

// assetActions are what a file action does to the asset that the file belongs to.
var assetActions = map[access.Action]map[catalog.Kind]access.Action{
	access.FileRead:   {catalog.Array: access.ArrayRead, catalog.Group: access.GroupRead},
	access.FileWrite:  {catalog.Array: access.ArrayWrite, catalog.Group: access.GroupWrite},
	access.FileDelete: {catalog.Array: access.ArrayDelete, catalog.Group: access.GroupDelete},
}

// grant asks for an action on a file: on files first, which tells nobody about an asset that is not theirs, then on the
// asset.
func (f *Files) grant(action access.Action, file catalog.File) (access.Grant, error) {
	g, err := access.Allowed(f.subject, action, file.Object())
	if err != nil || file.Asset.ID == "" {
		return g, err
	}
	whole, err := access.Allowed(f.subject, assetActions[action][file.Asset.Kind], file.Asset.Object())
	if err == nil && !whole.Everything() {
		err = fmt.Errorf("%w: you may see only a part of this", access.ErrDenied)
	}
	return g, err
}

// locate grants an action on a file and returns its place.
func (f *Files) locate(ctx context.Context, action access.Action, file catalog.File) (catalog.FilePlace, access.Grant, error) {
	g, err := f.grant(action, file)
	if err != nil {
		return catalog.FilePlace{}, g, err
	}
	at, err := f.vault.catalog.LocateFile(ctx, g, file)
	return at, g, err
}

// found is a file that is there.
type found struct {
	file  catalog.File
	at    catalog.FilePlace
	grant access.Grant
	info  vfs.Info
}

// find returns the file of a key, for an action that it needs to be there for. A directory is one when the key ends with a
// slash.
func (f *Files) find(ctx context.Context, action access.Action, namespaceID, key string) (found, error) {
	places, err := f.vault.catalog.Files(ctx, namespaceID, key)
	if errors.Is(err, catalog.ErrInvalid) {
		return found{}, missing(key)
	}
	if err != nil {
		return found{}, err
	}
	for _, file := range places {
		at, g, err := f.locate(ctx, action, file)
		if err != nil {
			return found{}, err
		}
		info, err := vfs.Stat(ctx, f.vault.fs, at.File.URI())
		if errors.Is(err, vfs.ErrNotExist) {
			continue
		}
		if err != nil {
			return found{}, err
		}
		if info.Link || info.Dir != strings.HasSuffix(key, "/") || info.Dir && file.Asset.ID != "" {
			continue
		}
		return found{file, at, g, info}, nil
	}
	return found{}, missing(key)
}

func missing(key string) error {
	return &vfs.Error{Op: "open", URI: key, Err: vfs.ErrNotExist}
}

func fileInfo(i vfs.Info) FileInfo { return FileInfo{i.NBytes, i.Modified, i.Version} }

// Stat describes the file of a key.
func (f *Files) Stat(ctx context.Context, namespaceID, key string) (FileInfo, error) {
	file, err := f.find(ctx, access.FileRead, namespaceID, key)
	return fileInfo(file.info), err
}

// Open opens the file of a key; its content stays what it is while it is open. An empty directory is an empty file.
func (f *Files) Open(ctx context.Context, namespaceID, key string) (vfs.File, FileInfo, error) {
	for tries := 0; ; tries++ {
		file, err := f.find(ctx, access.FileRead, namespaceID, key)
		if err != nil {
			return nil, FileInfo{}, err
		}
		if file.info.Dir {
			return emptyFile{}, fileInfo(file.info), nil
		}
		open, err := f.vault.fs.Open(ctx, file.at.File.URI())
		if err != nil {
			return nil, FileInfo{}, err
		}
		// The name may have got another file since it was looked at: then look again.
		if now, err := vfs.Stat(ctx, f.vault.fs, file.at.File.URI()); err == nil && now.Version == file.info.Version && open.Size() == now.NBytes || tries == openTries {
			return open, fileInfo(file.info), nil
		}
		if err := open.Close(); err != nil {
			return nil, FileInfo{}, err
		}
	}
}

// openTries is how often a file is opened anew because it was replaced at that moment.
const openTries = 10

// emptyFile is a file without content.
type emptyFile struct{}

// ReadAt implements vfs.File.
func (emptyFile) ReadAt(context.Context, []byte, int64) error { return nil }

// Size implements vfs.File.
func (emptyFile) Size() int64 { return 0 }

// Close implements vfs.File.
func (emptyFile) Close() error { return nil }

// Remove removes the file of a key. Directories that hold nothing then go too, and with an asset's last file its entry. A
// file that is not there is not an error.
func (f *Files) Remove(ctx context.Context, namespaceID, key string) error {
	file, err := f.find(ctx, access.FileDelete, namespaceID, key)
	if errors.Is(err, vfs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if file.info.Dir {
		return f.vault.prune(ctx, file.at.File.URI(), file.at.Root.URI())
	}
	if err := f.vault.fs.Remove(ctx, file.at.File.URI()); err != nil {
		return err
	}
	after := context.WithoutCancel(ctx) // a client that hangs up must not leave the catalogue behind
	if err := f.vault.prune(after, parent(file.at.File.URI()), file.at.Asset.URI()); err != nil {
		return err
	}
	if file.file.Asset.ID == "" {
		return nil
	}
	return f.forsake(after, file)
}

func parent(uri string) string { return uri[:strings.LastIndexByte(uri, '/')] }

// prune removes a directory if it is empty, and then those above it, up to but not including top.
func (v *Vault) prune(ctx context.Context, dir, top string) error {
	for ; strings.HasPrefix(dir, top+"/"); dir = parent(dir) {
		if err := vfs.RemoveEmpty(ctx, v.fs, dir); err != nil {
			return err
		}
		if _, err := vfs.Stat(ctx, v.fs, dir); !errors.Is(err, vfs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// forsake takes the entry of an asset away that has no files any more, but for those of other assets in its directory.
func (f *Files) forsake(ctx context.Context, file found) error {
	return f.vault.alone(ctx, f.vault.evolving, file.at.Asset.URI(), func() error { return f.forsakeEmpty(ctx, file) })
}

// forsakeEmpty is forsake for the one who alone does it.
func (f *Files) forsakeEmpty(ctx context.Context, file found) error {
	v, uri := f.vault, file.at.Asset.URI()
	if there, err := v.identified(ctx, uri); err != nil || there {
		return err
	}
	inside, err := v.catalog.Inside(ctx, file.file.Asset)
	if err != nil {
		return err
	}
	if any, err := v.anyFile(ctx, uri, "", inside); err != nil || any {
		return err
	}
	if err := v.atWork.stop(ctx, file.file.Asset.ID); err != nil {
		return err
	}
	if err := v.catalog.Forsake(ctx, file.grant, file.file.Asset); err != nil {
		return err
	}
	if err := v.pruneBelow(ctx, uri, "", inside); err != nil {
		return err
	}
	return v.prune(ctx, parent(uri), file.at.Root.URI())
}

// identified reports whether a directory has a file that makes it an array or a group. Empty directories of the kind that
// such files are in make none.
func (v *Vault) identified(ctx context.Context, uri string) (bool, error) {
	for _, dir := range []string{"__schema", "__group", ""} {
		list, err := v.fs.List(ctx, vfs.Join(uri, dir))
		if err != nil {
			return false, err
		}
		for _, e := range list {
			if !e.Dir && vfs.StageOf(vfs.Join(uri, dir, e.Name)) <= vfs.Identity {
				return true, nil
			}
		}
	}
	return false, nil
}

// anyFile reports whether there is a file below a directory, other than in the directories of the assets in it.
func (v *Vault) anyFile(ctx context.Context, uri, below string, inside map[string]catalog.Asset) (bool, error) {
	if _, ok := inside[below]; ok {
		return false, nil
	}
	list, err := v.fs.List(ctx, vfs.Join(uri, below))
	if err != nil {
		return false, err
	}
	for _, e := range list {
		if strings.HasPrefix(e.Name, catalog.HiddenPrefix) {
			continue
		}
		if !e.Dir {
			return true, nil
		}
		if any, err := v.anyFile(ctx, uri, join(below, e.Name), inside); err != nil || any {
			return any, err
		}
	}
	return false, nil
}

// pruneBelow removes a directory and those below it as far as they are empty, and what the server has begun there.
func (v *Vault) pruneBelow(ctx context.Context, uri, below string, inside map[string]catalog.Asset) error {
	if _, ok := inside[below]; ok {
		return nil
	}
	dir := vfs.Join(uri, below)
	list, err := v.fs.List(ctx, dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		switch {
		case strings.HasPrefix(e.Name, catalog.HiddenPrefix):
			err = v.fs.Remove(ctx, vfs.Join(dir, e.Name))
		case e.Dir:
			err = v.pruneBelow(ctx, uri, join(below, e.Name), inside)
		}
		if err != nil {
			return err
		}
	}
	return vfs.RemoveEmpty(ctx, v.fs, dir)
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// newObject says which array or group a file belongs to by its name alone: of what kind it would be, and how many parts
// above the file its directory is.
func newObject(key string) (kind catalog.Kind, up int) {
	name := vfs.Base(key)
	dir := vfs.Base(strings.TrimSuffix(key, name))
	switch {
	case dir == "__schema":
		return catalog.Array, 2
	case name == "__array_schema.tdb":
		return catalog.Array, 1
	case dir == "__group":
		return catalog.Group, 2
	case name == "__tiledb_group.tdb":
		return catalog.Group, 1
	}
	return "", 0
}

// kindOf turns what is stored into the kind of its entry.
func kindOf(t format.ObjectType) catalog.Kind {
	switch t {
	case format.ObjectArray:
		return catalog.Array
	case format.ObjectGroup:
		return catalog.Group
	}
	return ""
}
