package consolidate

import (
	"context"
	"errors"
	"path"
	"strings"
	"sync"

	"azulejo/array"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/metadata"
	"azulejo/schema"
	"azulejo/vfs"
)

// notePrefix begins the name of a file in the array's or group's own folder that says which files, by path relative to it,
// were first seen replaced at the time in its name.
const notePrefix = metadata.OwnPrefix + "replaced-"

// note is such a file.
type note struct {
	file  string
	at    uint64
	paths []string
}

// sweeper removes what was replaced longer ago than the grace.
type sweeper struct {
	*upkeep
	// since is when files were first seen replaced.
	since map[string]uint64
	notes []note
	// waiting are the replaced files that stay, fresh those of them in no note.
	waiting map[string]bool
	fresh   []string
}

// sweep removes what was replaced longer ago than the grace in some modes, and notes what has to wait.
func (u *upkeep) sweep(ctx context.Context, modes ...Mode) error {
	s := &sweeper{upkeep: u, since: map[string]uint64{}, waiting: map[string]bool{}}
	if err := s.read(ctx); err != nil {
		return err
	}
	for _, m := range modes {
		counted := &removals{FS: u.fs, folders: m == ModeFragments}
		var failed error
		err := vacuum(ctx, counted, u.uri, m, func(path string) bool {
			due, err := s.due(ctx, m, path)
			failed = errors.Join(failed, err)
			return due
		})
		u.done.Removed += counted.files
		u.done.RemovedBytes += counted.nBytes
		if err := errors.Join(err, failed); err != nil {
			return err
		}
	}
	u.done.Waiting = len(s.waiting)
	return s.write(ctx)
}

// read reads the notes. One that another process has just removed says nothing any more.
func (s *sweeper) read(ctx context.Context) error {
	entries, err := s.fs.List(ctx, s.uri)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name, notePrefix)
		if !ok || e.Dir {
			continue
		}
		uri := vfs.Join(s.uri, e.Name)
		stamp, err := format.ParseName(name)
		if err != nil {
			return &format.Error{URI: uri, Field: "name", Err: err}
		}
		content, err := vfs.ReadAll(ctx, s.fs, uri)
		if errors.Is(err, vfs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		paths, err := format.DecodeLines(content)
		if err != nil {
			return format.WithURI(err, uri)
		}
		s.notes = append(s.notes, note{e.Name, stamp.Start, paths})
		for _, p := range paths {
			if at, known := s.since[p]; !known || stamp.Start < at {
				s.since[p] = stamp.Start
			}
		}
	}
	return nil
}

// due reports whether a replaced file may go, and notes it when not.
func (s *sweeper) due(ctx context.Context, m Mode, path string) (bool, error) {
	at, known := s.since[path]
	if !known {
		at = s.millis(0)
	}
	if at <= s.millis(s.Grace) {
		if due, err := s.forgettable(ctx, m, path); due || err != nil {
			return due, err
		}
	}
	s.waiting[path] = true
	if !known {
		s.fresh = append(s.fresh, path)
	}
	return false, nil
}

// forgettable reports whether nothing of the history is lost when what a vacuum file lists goes. Files of other kinds say
// nothing about the past.
func (s *sweeper) forgettable(ctx context.Context, m Mode, path string) (bool, error) {
	if m != ModeFragments && m != ModeArrayMeta && m != ModeGroupMeta {
		return true, nil
	}
	name := stem(path)
	n, err := format.ParseName(name)
	if err != nil {
		return false, &format.Error{URI: vfs.Join(s.uri, path), Field: "name", Err: err}
	}
	if n.End <= s.past() {
		return true, nil
	}
	if m != ModeFragments || s.kind == schema.Dense {
		return false, nil
	}
	// The fragment of the vacuum file's name has what the others had, unless it was made without the times of its cells or
	// without those of the deletes.
	a, err := array.Open(ctx, s.fs, s.uri, array.Latest(), array.WithFragments([]string{name}), array.WithKey(s.Key))
	if errors.Is(err, array.ErrSnapshotLost) {
		return false, nil
	}
	if err != nil || len(a.Fragments()) != 1 {
		return false, err
	}
	return keepsHistory(ctx, a.Fragments()[0])
}

// keepsHistory reports whether a merged fragment tells of every time what those it was made of told: deletes that may have
// concerned its cells left the times of deletion.
func keepsHistory(ctx context.Context, f *fragment.Reader) (bool, error) {
	if footer := f.Footer(); !footer.HasTimestamps || footer.HasDeletes {
		return footer.HasTimestamps, nil
	}
	paths, err := f.ProcessedConditions(ctx)
	for _, p := range paths {
		n, err := format.ParseName(stem(p))
		if err != nil || n.End >= f.Name().Start {
			return false, nil
		}
	}
	return err == nil, err
}

// write notes the files first seen replaced, and removes notes that say nothing of files that wait.
func (s *sweeper) write(ctx context.Context) error {
	if len(s.fresh) > 0 {
		content, err := format.EncodeLines(s.fresh)
		if err != nil {
			return err
		}
		name := notePrefix + format.NewName(s.millis(0), s.millis(0), format.Version).String()
		if err := vfs.WriteAll(ctx, s.fs, vfs.Join(s.uri, name), content); err != nil {
			return err
		}
	}
	for _, n := range s.notes {
		if !s.anyWaits(n.paths) {
			if err := s.fs.Remove(ctx, vfs.Join(s.uri, n.file)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sweeper) anyWaits(paths []string) bool {
	for _, p := range paths {
		if s.waiting[p] {
			return true
		}
	}
	return false
}

// removals counts what is removed.
type removals struct {
	vfs.FS
	// folders says that what has no extension is a folder.
	folders bool
	mu      sync.Mutex
	files   int
	nBytes  uint64
}

// Remove counts a file, or a folder with the bytes that lie in it, and removes it.
func (r *removals) Remove(ctx context.Context, uri string) error {
	var nBytes uint64
	if r.folders && path.Ext(uri) == "" {
		entries, err := r.FS.List(ctx, uri)
		if err != nil {
			return err
		}
		for _, e := range entries {
			n, err := e.NBytes, error(nil)
			if n < 0 && !e.Dir {
				n, err = vfs.Size(ctx, r.FS, vfs.Join(uri, e.Name))
			}
			if err != nil {
				return err
			}
			nBytes += uint64(n)
		}
	}
	if err := r.FS.Remove(ctx, uri); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files++
	r.nBytes += nBytes
	return nil
}
