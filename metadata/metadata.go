// Package metadata reads and writes the folders of timestamped files that arrays and groups keep their metadata in
// (format_spec/metadata.md, format_spec/timestamped_name.md): which files count in an interval of time, what they add up
// to, and how one more is written.
//
// Files apply in the order of their start timestamps, those of one millisecond in the order of their names. A vacuum
// file hides the files it lists, which were consolidated into another.
package metadata

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/vfs"
)

// ErrInvalid is wrapped by the error for an entry that cannot be stored.
var ErrInvalid = errors.New("invalid metadata")

// Folder is the name of the metadata folder in an array's or group's own.
const Folder = "__meta"

// OwnPrefix begins the names of files and folders that Azulejo keeps for itself in an array's or group's own folder: what is
// being consolidated, what was replaced, cells of unfinished uploads. libtiledb does not look at names that begin with a dot.
const OwnPrefix = ".azulejo-"

// Interval is a closed stretch of time in milliseconds since 1970.
type Interval struct {
	Start, End uint64
}

// Now is the end of an Interval that stands for the moment it is used.
const Now uint64 = math.MaxUint64

// Latest is everything up to now.
func Latest() Interval { return Interval{0, Now} }

// Resolve returns the interval with an end of Now replaced by the clock.
func (i Interval) Resolve() Interval {
	if i.End == Now {
		i.End = uint64(time.Now().UnixMilli())
	}
	return i
}

// Contains reports whether the whole of start to end lies in the interval.
func (i Interval) Contains(start, end uint64) bool { return start >= i.Start && end <= i.End }

// Overlaps reports whether any moment of start to end lies in the interval.
func (i Interval) Overlaps(start, end uint64) bool { return start <= i.End && end >= i.Start }

// Stamped is a file with a timestamped name.
type Stamped struct {
	// File is the name in its folder, without an extension.
	File string
	format.Name
}

const (
	vacuumExt = ".vac"
	tempExt   = ".tmp"
)

// Files returns the files of a folder whose time lies wholly in the interval, in the order they apply; those that a
// vacuum file in the interval lists are left out. Partial files, named *.tmp, and sub-folders are not files of the
// folder; any other strange name is an error wrapping format.ErrCorrupt.
func Files(ctx context.Context, fs vfs.FS, dir string, at Interval) ([]Stamped, error) {
	entries, err := fs.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	var files []Stamped
	hidden := map[string]bool{}
	for _, e := range entries {
		if e.Dir || strings.HasSuffix(e.Name, tempExt) {
			continue
		}
		base, isVacuum := strings.CutSuffix(e.Name, vacuumExt)
		n, err := format.ParseName(base)
		if err != nil {
			return nil, &format.Error{URI: vfs.Join(dir, e.Name), Field: "name", Err: err}
		}
		if !at.Contains(n.Start, n.End) {
			continue
		}
		if !isVacuum {
			files = append(files, Stamped{base, n})
			continue
		}
		if err := hide(ctx, fs, vfs.Join(dir, e.Name), hidden); err != nil {
			return nil, err
		}
	}
	files = slices.DeleteFunc(files, func(f Stamped) bool { return hidden[f.File] })
	sort.SliceStable(files, func(i, j int) bool { return files[i].Start < files[j].Start })
	return files, nil
}

// hide adds the names that a vacuum file lists. Only the last part of each path counts: arrays may have been moved.
func hide(ctx context.Context, fs vfs.FS, uri string, hidden map[string]bool) error {
	content, err := vfs.ReadAll(ctx, fs, uri)
	if err != nil {
		return err
	}
	paths, err := format.DecodePaths(content)
	if err != nil {
		return format.WithURI(err, uri)
	}
	for _, p := range paths {
		hidden[vfs.Base(p)] = true
	}
	return nil
}

// Load returns the metadata that the files of a metadata folder add up to in the interval, sorted by key. The
// encryption key is nil unless they are encrypted.
func Load(ctx context.Context, fs vfs.FS, dir string, at Interval, key *filter.Key) ([]format.MetadataEntry, error) {
	files, err := Files(ctx, fs, dir, at)
	if err != nil {
		return nil, err
	}
	return add(ctx, fs, dir, files, key)
}

// add returns what files add up to, sorted by key.
func add(ctx context.Context, fs vfs.FS, dir string, files []Stamped, key *filter.Key) ([]format.MetadataEntry, error) {
	values := map[string]format.MetadataEntry{}
	for _, f := range files {
		uri := vfs.Join(dir, f.File)
		content, err := vfs.ReadAll(ctx, fs, uri)
		if err != nil {
			return nil, err
		}
		content, err = format.Decrypt(key, content)
		if err != nil {
			return nil, format.WithURI(err, uri)
		}
		entries, err := format.DecodeMetadata(content)
		if err != nil {
			return nil, format.WithURI(err, uri)
		}
		Apply(values, entries)
	}
	return Sorted(values), nil
}

// Apply makes the changes of one file to values, which are held by key.
func Apply(values map[string]format.MetadataEntry, entries []format.MetadataEntry) {
	for _, e := range entries {
		if e.Deleted {
			delete(values, e.Key)
		} else {
			values[e.Key] = e
		}
	}
}

// Sorted returns the values in the order of their keys.
func Sorted(values map[string]format.MetadataEntry) []format.MetadataEntry {
	list := make([]format.MetadataEntry, 0, len(values))
	for _, e := range values {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b format.MetadataEntry) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// Put writes the changes to a metadata folder as one file of that time in milliseconds, 0 for now, and returns the
// file's name. Of entries with the same key the last one counts. Without entries nothing is written. With a
// key the file is encrypted. The error wraps ErrInvalid when an entry cannot be stored.
func Put(ctx context.Context, fs vfs.FS, dir string, entries []format.MetadataEntry, millis uint64, key *filter.Key) (string, error) {
	byKey := map[string]format.MetadataEntry{}
	for _, e := range entries {
		if err := check(e); err != nil {
			return "", err
		}
		byKey[e.Key] = e
	}
	if len(byKey) == 0 {
		return "", nil
	}
	content, err := format.EncodeMetadata(Sorted(byKey))
	if err == nil {
		content, err = format.Encrypt(key, content)
	}
	if err != nil {
		return "", err
	}
	if millis == 0 {
		millis = uint64(time.Now().UnixMilli())
	}
	name := format.NewNameIn(ctx, millis, millis, 0).String()
	return name, vfs.WriteAll(ctx, fs, vfs.Join(dir, name), content)
}

// check tells whether an entry can be stored.
func check(e format.MetadataEntry) error {
	switch {
	case e.Deleted:
		return nil
	case !e.Type.Valid() || e.Type == datatype.Any:
		return fmt.Errorf("%w: value of %q has type %v", ErrInvalid, e.Key, e.Type)
	case uint64(len(e.Value)) != uint64(e.Num)*uint64(e.Type.Size()):
		return fmt.Errorf("%w: value of %q has %d bytes for %d of type %v", ErrInvalid, e.Key, len(e.Value), e.Num, e.Type)
	case len(e.Key) > math.MaxUint32:
		return fmt.Errorf("%w: key of %d bytes", ErrInvalid, len(e.Key))
	}
	return nil
}
