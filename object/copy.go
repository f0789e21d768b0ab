package object

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"azulejo/vfs"
)

// Place is a URI in a store.
type Place struct {
	FS  vfs.FS
	URI string
}

// Progress is how far copying has come.
type Progress struct {
	Files, AllFiles int
	// NBytes are the bytes copied so far, AllBytes those known of; sizes that a listing does not tell are added when the
	// file is reached.
	NBytes, AllBytes int64
}

// Options change how copying goes. The zero value is ready.
type Options struct {
	// Report is called after every step, for one step at a time; nil means not at all.
	Report func(Progress)
	// Parallel is how many files are copied at a time; 0 means 8.
	Parallel int
}

// pieceBytes is how much of a file is read at a time.
const pieceBytes = 8 << 20

// Copy copies the array or group at one place, with everything in its folder, to another, where nothing may be. Writers
// may go on meanwhile: the copy has what was committed when it began, and may have more; a vacuum or removal
// meanwhile makes it fail. After an error what was copied is removed again. The error wraps ErrNotFound, ErrExists or
// ErrInvalid, or is the store's.
func Copy(ctx context.Context, from, to Place, o Options) error {
	from.URI, to.URI = vfs.Trim(from.URI), vfs.Trim(to.URI)
	if err := check(ctx, "copy", from, to); err != nil {
		return err
	}
	files, err := tree(ctx, from.FS, from.URI)
	if err != nil {
		return err
	}
	c := &copying{from: from, to: to, o: o}
	c.progress.AllFiles = len(files)
	for _, f := range files {
		c.progress.AllBytes += max(f.nBytes, 0)
	}
	if err := c.all(ctx, files); err != nil {
		return errors.Join(err, c.undo(ctx))
	}
	return nil
}

// check refuses what cannot be copied or moved.
func check(ctx context.Context, op string, from, to Place) error {
	if from.FS == to.FS && (to.URI == from.URI || strings.HasPrefix(to.URI+"/", from.URI+"/") || strings.HasPrefix(from.URI+"/", to.URI+"/")) {
		return &Error{op, from.URI, fmt.Errorf("%w: %s is the same place, inside it or around it", ErrInvalid, to.URI)}
	}
	switch t, err := TypeOf(ctx, from.FS, from.URI); {
	case err != nil:
		return err
	case t == 0:
		return &Error{op, from.URI, ErrNotFound}
	}
	switch list, err := to.FS.List(ctx, to.URI); {
	case err != nil:
		return err
	case len(list) > 0:
		return &Error{op, to.URI, ErrExists}
	}
	return nil
}

// copying is one call of Copy.
type copying struct {
	from, to Place
	o        Options

	mu sync.Mutex
	// progress and written are guarded by mu; the latter are the files and folders of ours at the new place.
	progress Progress
	written  []written
}

// written is a file of ours, or a folder that we made.
type written struct {
	uri string
	dir bool
}

// steps puts files in the order in which they must appear: one step after the other, within one step at once.
func steps(files []found) [][]found {
	var stages [vfs.Data + 1][]found
	for _, f := range files {
		stage := vfs.StageOf("/" + f.path)
		stages[stage] = append(stages[stage], f)
	}
	// The newest schema of a folder, the last by name, comes before the older ones.
	schemas := stages[vfs.Schema]
	slices.SortFunc(schemas, func(a, b found) int { return strings.Compare(a.path, b.path) })
	var newest, older []found
	for i, f := range schemas {
		if i+1 < len(schemas) && folder(schemas[i+1].path) == folder(f.path) {
			older = append(older, f)
		} else {
			newest = append(newest, f)
		}
	}
	return [][]found{stages[vfs.Data], stages[vfs.Commit], stages[vfs.Identity], newest, older}
}

// folder is a path up to its last slash.
func folder(path string) string { return path[:strings.LastIndexByte(path, '/')+1] }

func (c *copying) all(ctx context.Context, files []found) error {
	for _, step := range steps(files) {
		group, ctx := errgroup.WithContext(ctx)
		if group.SetLimit(8); c.o.Parallel > 0 {
			group.SetLimit(c.o.Parallel)
		}
		for _, f := range step {
			group.Go(func() error { return c.one(ctx, f) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// one copies a file, a piece at a time, or makes an empty folder.
func (c *copying) one(ctx context.Context, f found) error {
	if f.dir {
		target := vfs.Join(c.to.URI, f.path)
		c.wrote(target, true)
		c.report(func(p *Progress) { p.Files++ })
		return c.to.FS.MakeDir(ctx, target)
	}
	in, err := c.from.FS.Open(ctx, vfs.Join(c.from.URI, f.path))
	if err != nil {
		return err
	}
	defer in.Close()
	if f.nBytes < 0 {
		c.report(func(p *Progress) { p.AllBytes += in.Size() })
	}
	target := vfs.Join(c.to.URI, f.path)
	out, err := c.to.FS.Create(ctx, target)
	if err != nil {
		return err
	}
	buf := make([]byte, min(in.Size(), pieceBytes))
	for off := int64(0); off < in.Size(); {
		p := buf[:min(int64(len(buf)), in.Size()-off)]
		err := in.ReadAt(ctx, p, off)
		if err == nil {
			_, err = out.Write(p)
		}
		if err != nil {
			return errors.Join(err, out.Abort())
		}
		off += int64(len(p))
		c.report(func(pr *Progress) { pr.NBytes += int64(len(p)) })
	}
	if err := out.Commit(ctx); err != nil {
		if !errors.Is(err, vfs.ErrExist) { // it may be there all the same, and is ours then
			c.wrote(target, false)
		}
		return err
	}
	c.wrote(target, false)
	c.report(func(p *Progress) { p.Files++ })
	return nil
}

func (c *copying) wrote(uri string, dir bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = append(c.written, written{uri, dir})
}

func (c *copying) report(change func(p *Progress)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.progress)
	if c.o.Report != nil {
		c.o.Report(c.progress)
	}
}

// undo removes what this call wrote, latest first, and folders that are empty then. Files of others stay.
func (c *copying) undo(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	folders := map[string]bool{c.to.URI: true}
	for _, w := range slices.Backward(c.written) {
		if w.dir {
			folders[w.uri] = true
		} else {
			errs = append(errs, c.to.FS.Remove(ctx, w.uri))
		}
		for dir := vfs.Trim(folder(w.uri)); len(dir) > len(c.to.URI); dir = vfs.Trim(folder(dir)) {
			folders[dir] = true
		}
	}
	list := make([]string, 0, len(folders))
	for dir := range folders {
		list = append(list, dir)
	}
	slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	for _, dir := range list {
		errs = append(errs, vfs.RemoveEmpty(ctx, c.to.FS, dir))
	}
	return errors.Join(errs...)
}

// Move moves the array or group at one place to another, where nothing may be. Where the store can rename a folder that is
// all; elsewhere it is copied and then removed. Nobody may write to it meanwhile: what is committed after the
// copying began can be lost. The error wraps ErrNotFound, ErrExists or ErrInvalid, or is the store's; when it is of the
// removal, both places have it.
func Move(ctx context.Context, from, to Place, o Options) error {
	from.URI, to.URI = vfs.Trim(from.URI), vfs.Trim(to.URI)
	if err := check(ctx, "move", from, to); err != nil {
		return err
	}
	if from.FS == to.FS {
		err := vfs.RemoveEmpty(ctx, to.FS, to.URI)
		if err == nil {
			err = vfs.Rename(ctx, from.FS, from.URI, to.URI)
		}
		switch {
		case errors.Is(err, vfs.ErrExist):
			return errors.Join(&Error{"move", to.URI, ErrExists}, err)
		case !errors.Is(err, errors.ErrUnsupported):
			return err
		}
	}
	if err := Copy(ctx, from, to, o); err != nil {
		return err
	}
	return from.FS.Remove(ctx, from.URI)
}
