package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"azulejo/internal/access"
	"azulejo/vfs"
)

// An upload in parts is a directory of its own in the namespace's storage: a file that says for which key it is, one file
// per part, named by the part's number, and once the parts were joined a file that says what came of it. So uploads go
// on after a restart of the server. Those that nobody touches are removed after a time.

// The classes of errors of uploads.
var (
	// ErrNoUpload: there is no such upload for that key.
	ErrNoUpload = errors.New("there is no such upload")
	// ErrPart: a part is missing or is not the one that was uploaded.
	ErrPart = errors.New("there is no such part")
)

const (
	// uploadFile says what the upload is for, doneFile what came of it.
	uploadFile, doneFile = "upload", "done"
	// MaxPart is the greatest number of a part; the smallest is 1.
	MaxPart = 10000
	// uploadLife is how long an upload stays that nobody touches.
	uploadLife = 7 * 24 * time.Hour
)

var uploadForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// uploadNote is what an upload's file holds.
type uploadNote struct{ Key string }

// Upload is the target of an upload in parts.
type Upload struct{ NamespaceID, Key, ID string }

// Part is one part that was uploaded.
type Part struct {
	Number int
	FileInfo
}

// BeginUpload begins an upload in parts and returns its identifier. Uploads that nobody touched for a week are removed.
func (f *Files) BeginUpload(ctx context.Context, namespaceID, key string) (string, error) {
	dir, err := f.uploads(ctx, namespaceID, key)
	if err != nil {
		return "", err
	}
	if err := f.sweepUploads(ctx, dir); err != nil {
		return "", err
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	id := hex.EncodeToString(b[:])
	content, err := json.Marshal(uploadNote{key})
	if err != nil {
		return "", err
	}
	return id, vfs.WriteAll(ctx, f.vault.fs, vfs.Join(dir, id, uploadFile), content)
}

// uploads returns where the uploads of a namespace are, for who may write the file of a key.
func (f *Files) uploads(ctx context.Context, namespaceID, key string) (string, error) {
	places, err := f.vault.catalog.Files(ctx, namespaceID, key)
	if err != nil {
		return "", err
	}
	_, g, err := f.locate(ctx, access.FileWrite, places[0])
	if err != nil {
		return "", err
	}
	at, err := f.vault.catalog.Uploads(g)
	return at.URI(), err
}

func (f *Files) sweepUploads(ctx context.Context, dir string) error {
	list, err := f.vault.fs.List(ctx, dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		uri := vfs.Join(dir, e.Name)
		info, err := vfs.Stat(ctx, f.vault.fs, uri)
		if errors.Is(err, vfs.ErrNotExist) || err == nil && time.Since(info.Modified) < uploadLife {
			continue
		}
		if err == nil {
			err = f.vault.fs.Remove(ctx, uri)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// open returns the directory of an upload that the subject may go on with. The error wraps ErrNoUpload unless it is for
// that key.
func (f *Files) open(ctx context.Context, u Upload) (string, error) {
	dir, err := f.uploads(ctx, u.NamespaceID, u.Key)
	if err != nil {
		return "", err
	}
	if !uploadForm.MatchString(u.ID) {
		return "", ErrNoUpload
	}
	dir = vfs.Join(dir, u.ID)
	content, err := vfs.ReadAll(ctx, f.vault.fs, vfs.Join(dir, uploadFile))
	if errors.Is(err, vfs.ErrNotExist) {
		return "", ErrNoUpload
	}
	if err != nil {
		return "", err
	}
	var meant uploadNote
	if err := json.Unmarshal(content, &meant); err != nil || meant.Key != u.Key {
		return "", ErrNoUpload
	}
	return dir, nil
}

// running is open for an upload whose parts were not joined yet.
func (f *Files) running(ctx context.Context, u Upload) (string, error) {
	dir, err := f.open(ctx, u)
	if err != nil {
		return "", err
	}
	_, err = vfs.Stat(ctx, f.vault.fs, vfs.Join(dir, doneFile))
	if errors.Is(err, vfs.ErrNotExist) {
		return dir, nil
	}
	if err == nil {
		err = ErrNoUpload
	}
	return "", err
}

// PartWriter collects the bytes of a part, which counts, synced, from Commit on.
type PartWriter struct {
	files *Files
	uri   string
	w     vfs.Writer
}

// WritePart begins a part, which replaces one of the same number. The error wraps ErrNoUpload, or ErrPart for a number that
// no part can have.
func (f *Files) WritePart(ctx context.Context, u Upload, number int) (*PartWriter, error) {
	dir, err := f.running(ctx, u)
	if err != nil {
		return nil, err
	}
	if number < 1 || number > MaxPart {
		return nil, fmt.Errorf("%w: parts have numbers from 1 to %d", ErrPart, MaxPart)
	}
	uri := vfs.Join(dir, strconv.Itoa(number))
	w, err := vfs.Replace(ctx, f.vault.fs, uri)
	return &PartWriter{f, uri, w}, err
}

// Write appends p.
func (w *PartWriter) Write(p []byte) (int, error) { return w.w.Write(p) }

// Commit keeps the part and describes it.
func (w *PartWriter) Commit(ctx context.Context) (FileInfo, error) {
	if err := w.w.Commit(ctx); err != nil {
		return FileInfo{}, err
	}
	info, err := vfs.Stat(ctx, w.files.vault.fs, w.uri)
	return fileInfo(info), err
}

// Abort drops the part.
func (w *PartWriter) Abort() error { return w.w.Abort() }

// Parts returns the parts of an upload by number.
func (f *Files) Parts(ctx context.Context, u Upload) ([]Part, error) {
	dir, err := f.running(ctx, u)
	if err != nil {
		return nil, err
	}
	entries, err := f.vault.fs.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for _, e := range entries {
		have[e.Name] = true
	}
	var list []Part
	for number := 1; number <= MaxPart && len(list) < len(entries); number++ {
		if name := strconv.Itoa(number); have[name] {
			info, err := vfs.Stat(ctx, f.vault.fs, vfs.Join(dir, name))
			if err != nil {
				return nil, err
			}
			list = append(list, Part{number, fileInfo(info)})
		}
	}
	return list, nil
}

// Chosen says of which parts the finished file is to be made.
type Chosen struct {
	// Numbers are the parts in their order.
	Numbers []int
	// Matches reports whether the part at a place of Numbers is the one that is meant.
	Matches func(i int, info FileInfo) bool
	// Fresh makes it an error of class vfs.ErrExist when there is such a file already.
	Fresh bool
}

// Complete joins parts to the file that the upload is for. Done again it only says again what came of it. The error wraps
// ErrNoUpload or ErrPart, or is one of writing.
func (f *Files) Complete(ctx context.Context, u Upload, chosen Chosen) (FileInfo, error) {
	dir, err := f.open(ctx, u)
	if err != nil {
		return FileInfo{}, err
	}
	if info, err := f.outcome(ctx, dir); !errors.Is(err, vfs.ErrNotExist) {
		return info, err
	}
	have, err := f.Parts(ctx, u)
	if err != nil {
		return FileInfo{}, err
	}
	infos := map[int]FileInfo{}
	for _, p := range have {
		infos[p.Number] = p.FileInfo
	}
	for i, number := range chosen.Numbers {
		if info, ok := infos[number]; !ok || !chosen.Matches(i, info) {
			return FileInfo{}, fmt.Errorf("%w: number %d was not uploaded, or is another one now", ErrPart, number)
		}
	}
	w, err := f.Write(ctx, NewFile{NamespaceID: u.NamespaceID, Key: u.Key, Fresh: chosen.Fresh})
	if err != nil {
		return FileInfo{}, err
	}
	for _, number := range chosen.Numbers {
		if err := f.join(ctx, w, vfs.Join(dir, strconv.Itoa(number))); err != nil {
			return FileInfo{}, errors.Join(err, w.Abort())
		}
	}
	info, err := w.Commit(ctx)
	if err != nil {
		return FileInfo{}, err
	}
	return info, f.finish(context.WithoutCancel(ctx), dir, have, info)
}

// join appends a part to the file.
func (f *Files) join(ctx context.Context, w io.Writer, uri string) error {
	part, err := f.vault.fs.Open(ctx, uri)
	if err != nil {
		return err
	}
	defer part.Close()
	return CopyFile(ctx, w, part, 0, part.Size())
}

// outcome returns what came of an upload; the error wraps vfs.ErrNotExist when nothing has yet.
func (f *Files) outcome(ctx context.Context, dir string) (FileInfo, error) {
	content, err := vfs.ReadAll(ctx, f.vault.fs, vfs.Join(dir, doneFile))
	if err != nil {
		return FileInfo{}, err
	}
	var info FileInfo
	return info, json.Unmarshal(content, &info)
}

// finish notes what came of an upload and removes its parts.
func (f *Files) finish(ctx context.Context, dir string, parts []Part, info FileInfo) error {
	content, err := json.Marshal(info)
	if err == nil {
		err = vfs.WriteAll(ctx, f.vault.fs, vfs.Join(dir, doneFile), content)
	}
	if errors.Is(err, vfs.ErrExist) {
		err = nil // a repetition of the call came at the same time
	}
	for _, p := range parts {
		err = errors.Join(err, f.vault.fs.Remove(ctx, vfs.Join(dir, strconv.Itoa(p.Number))))
	}
	return err
}

// AbortUpload drops an upload with its parts.
func (f *Files) AbortUpload(ctx context.Context, u Upload) error {
	dir, err := f.running(ctx, u)
	if err != nil {
		return err
	}
	return f.vault.fs.Remove(ctx, dir)
}

// copyBytes is how much of a file is held at a time.
const copyBytes = 1 << 20

// CopyFile writes n bytes of a file from off on to w, a piece at a time.
func CopyFile(ctx context.Context, w io.Writer, file vfs.File, off, n int64) error {
	buf := make([]byte, min(n, copyBytes))
	for n > 0 {
		p := buf[:min(n, int64(len(buf)))]
		if err := file.ReadAt(ctx, p, off); err != nil {
			return err
		}
		if _, err := w.Write(p); err != nil {
			return err
		}
		off, n = off+int64(len(p)), n-int64(len(p))
	}
	return nil
}
