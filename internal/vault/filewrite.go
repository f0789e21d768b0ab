package vault

import (
	"context"
	"errors"
	"strings"

	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/object"
	"azulejo/vfs"
)

// NewFile says what is to be written.
type NewFile struct {
	NamespaceID, Key string
	// Fresh makes it an error of class vfs.ErrExist when there is such a file already.
	Fresh bool
	// From is the key of the file of which this is a copy, in the same or another namespace: what is said about its asset
	// is said about the new one too.
	From *Source
}

// Source names a file.
type Source struct{ NamespaceID, Key string }

// FileWriter collects the bytes of a file, which appears whole and synced at Commit. Exactly one of Commit and Abort ends it;
// Abort after Commit does nothing. It is not safe for concurrent use.
type FileWriter struct {
	files *Files
	n     NewFile
	at    catalog.FilePlace
	w     vfs.Writer
	adopt adoption
}

// adoption is the entry that the directory of a file may get.
type adoption struct {
	kind  catalog.Kind
	file  catalog.File
	key   string
	grant access.Grant
}

// Write begins a file. A key that ends with a slash makes a directory, which must get no bytes.
func (f *Files) Write(ctx context.Context, n NewFile) (*FileWriter, error) {
	places, err := f.vault.catalog.Files(ctx, n.NamespaceID, n.Key)
	if err != nil {
		return nil, err
	}
	at, _, err := f.locate(ctx, access.FileWrite, places[0])
	if err != nil {
		return nil, err
	}
	w := &FileWriter{files: f, n: n, at: at}
	if strings.HasSuffix(n.Key, "/") {
		return w, nil
	}
	if w.adopt, err = f.adoption(n.Key, places[0]); err != nil {
		return nil, err
	}
	if err := f.makeRoom(ctx, at); err != nil {
		return nil, err
	}
	if n.Fresh {
		w.w, err = f.vault.fs.Create(ctx, at.File.URI())
	} else {
		w.w, err = vfs.Replace(ctx, f.vault.fs, at.File.URI())
	}
	if errors.Is(err, vfs.ErrNotExist) { // a file is where a directory is needed
		err = &vfs.Error{Op: "write", URI: n.Key, Err: vfs.ErrExist}
	}
	return w, err
}

// makeRoom refuses a file where a directory is that holds something.
func (f *Files) makeRoom(ctx context.Context, at catalog.FilePlace) error {
	info, err := vfs.Stat(ctx, f.vault.fs, at.File.URI())
	if err == nil && info.Dir {
		if err := vfs.RemoveEmpty(ctx, f.vault.fs, at.File.URI()); err != nil {
			return err
		}
		info, err = vfs.Stat(ctx, f.vault.fs, at.File.URI())
	}
	switch {
	case errors.Is(err, vfs.ErrNotExist):
		return nil
	case err == nil && (info.Dir || info.Link):
		return &vfs.Error{Op: "write", URI: vfs.Base(at.File.URI()), Err: vfs.ErrExist}
	}
	return err
}

// adoption says which array or group without an entry a file belongs to, and asks for the permission to give it one. It is
// zero when the file makes none.
func (f *Files) adoption(key string, file catalog.File) (adoption, error) {
	kind, up := newObject(key)
	if kind == "" {
		return adoption{}, nil
	}
	for range up {
		var ok bool
		if file, ok = file.Parent(); !ok {
			return adoption{}, nil
		}
		key = key[:max(strings.LastIndexByte(key, '/'), 0)]
	}
	if file.Top() {
		return adoption{}, nil // it has one, or there is no name for it
	}
	action := access.ArrayRegister
	if kind == catalog.Group {
		action = access.GroupRegister
	}
	g, err := access.Allowed(f.subject, action, file.Namespace())
	return adoption{kind, file, key, g}, err
}

// Write appends p.
func (w *FileWriter) Write(p []byte) (int, error) {
	if w.w == nil {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, &vfs.Error{Op: "write", URI: w.n.Key, Err: vfs.ErrExist}
	}
	return w.w.Write(p)
}

// Commit publishes the file and describes it.
func (w *FileWriter) Commit(ctx context.Context) (FileInfo, error) {
	v := w.files.vault
	var err error
	if w.w == nil {
		err = v.fs.MakeDir(ctx, w.at.File.URI())
	} else {
		err = w.w.Commit(ctx)
	}
	if err != nil {
		return FileInfo{}, err
	}
	info, err := vfs.Stat(ctx, v.fs, w.at.File.URI())
	if err != nil {
		return FileInfo{}, err
	}
	return fileInfo(info), w.register(context.WithoutCancel(ctx))
}

// register gives the array or group that the file has made its entry.
func (w *FileWriter) register(ctx context.Context) error {
	a := w.adopt
	if a.kind == "" {
		return nil
	}
	v := w.files.vault
	_, err := v.catalog.Adopt(ctx, a.grant, a.file, a.key, w.like(ctx), func(ctx context.Context, at catalog.Location) (bool, error) {
		t, err := object.TypeOf(ctx, v.fs, at.URI())
		return kindOf(t) == a.kind, err
	})
	return err
}

// like is a new asset like the one that the file is copied from.
func (w *FileWriter) like(ctx context.Context) catalog.NewAsset {
	n := catalog.NewAsset{Kind: w.adopt.kind}
	if w.n.From == nil {
		return n
	}
	places, err := w.files.vault.catalog.Files(ctx, w.n.From.NamespaceID, w.n.From.Key)
	if err != nil || places[0].Asset.ID == "" {
		return n
	}
	if _, err := w.files.grant(access.FileRead, places[0]); err != nil {
		return n
	}
	from := places[0].Asset
	n.Info = from.Info
	n.Info.ReadOnly = false // the rest of the copy is still to come
	if from.NamespaceID == w.n.NamespaceID {
		n.SealedKey = from.SealedKey()
	}
	return n
}

// Abort drops the file.
func (w *FileWriter) Abort() error {
	if w.w == nil {
		return nil
	}
	return w.w.Abort()
}
