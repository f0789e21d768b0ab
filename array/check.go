package array

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/metadata"
	"azulejo/schema"
	"azulejo/vfs"
)

// Damage is a fault that Check found.
type Damage struct {
	// URI is the file or folder.
	URI string
	// Offset is the position in the file of the damaged part: a tile, a chunk of a tile, a part of fragment metadata. -1
	// when it is about the whole file.
	Offset int64
	Err    error
}

// String returns place and fault in one line.
func (d Damage) String() string {
	if d.Offset < 0 {
		return fmt.Sprintf("%s: %v", d.URI, d.Err)
	}
	return fmt.Sprintf("%s at byte %d: %v", d.URI, d.Offset, d.Err)
}

// Checked says how much Check looked at.
type Checked struct {
	// Files counts the files read; Fragments the committed fragments; Tiles the tiles of all their fields' files.
	Files, Fragments int
	Tiles            uint64
	// NBytes is the size of what was read.
	NBytes int64
	// Damaged counts the faults reported.
	Damaged int
}

// Check reads every file of the array at a URI and of the arrays of its dimension labels, all schemas, enumerations,
// commits, metadata and every tile of every committed fragment at all times, and calls report for each that does not decode to what it should: one call at a time,
// in no particular order. Fragments without a commit are not part of the array and are left alone. What this build
// cannot read is reported as well, with ErrUnsupported. The error is ErrNotFound's or a storage fault that ended the
// check; damage is not an error.
func Check(ctx context.Context, fs vfs.FS, uri string, report func(Damage), opts ...Option) (Checked, error) {
	c := &checker{fs: fs, uri: vfs.Trim(uri), out: report, key: collect(opts).key, schemas: map[string]*schema.Array{}}
	if err := c.run(ctx); err != nil {
		return c.sum, err
	}
	return c.sum, c.checkLabels(ctx)
}

// run checks the array without those of its dimension labels.
func (c *checker) run(ctx context.Context) error {
	d, err := readDirectory(ctx, c.fs, c.uri, true)
	if err != nil {
		return err
	}
	if len(d.schemas) == 0 {
		return &Error{"check", c.uri, ErrNotFound}
	}
	for _, step := range []func(context.Context, *directory) error{c.checkSchemas, c.checkMetadata, c.checkCommits, c.checkFragments} {
		if err := step(ctx, d); err != nil {
			return classify(err)
		}
	}
	return nil
}

// checkLabels checks the arrays inside this one that hold the labels of its dimensions. Those have no labels of their own.
func (c *checker) checkLabels(ctx context.Context) error {
	uris := map[string]bool{}
	for _, s := range c.schemas {
		for i := range s.Labels {
			if l := &s.Labels[i]; l.Relative && !l.External {
				uris[vfs.Join(c.uri, l.URI)] = true
			}
		}
	}
	for _, uri := range slices.Sorted(maps.Keys(uris)) {
		labels := &checker{fs: c.fs, uri: uri, out: c.out, key: c.key, schemas: map[string]*schema.Array{}}
		err := labels.run(ctx)
		c.count(labels.sum.Files, labels.sum.Tiles, labels.sum.NBytes)
		c.sum.Fragments += labels.sum.Fragments
		c.sum.Damaged += labels.sum.Damaged
		if errors.Is(err, ErrNotFound) {
			c.damage(uri, -1, fmt.Errorf("%w: %w", ErrCorrupt, err))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// checker is the state of one Check.
type checker struct {
	fs  vfs.FS
	uri string
	key *filter.Key
	// schemas has those that decode.
	schemas map[string]*schema.Array

	// mu guards sum and the calls of out.
	mu  sync.Mutex
	sum Checked
	out func(Damage)
}

// damage reports a fault of a file. base is added to the offset that a format error knows.
func (c *checker) damage(uri string, base int64, err error) {
	if fe, ok := errors.AsType[*format.Error](err); ok && base >= 0 {
		base += fe.Offset
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Damaged++
	c.out(Damage{uri, base, classify(err)})
}

// count adds to the sum.
func (c *checker) count(files int, tiles uint64, nBytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Files += files
	c.sum.Tiles += tiles
	c.sum.NBytes += nBytes
}

// fatal reports whether an error is not about one file's content, so that the check cannot go on.
func fatal(ctx context.Context, err error) bool {
	return ctx.Err() != nil || !errors.Is(err, vfs.ErrNotExist) && !errors.Is(err, io.ErrUnexpectedEOF)
}

// tile is file for files that are one generic tile; decode gets it decrypted.
func (c *checker) tile(ctx context.Context, uri string, decode func(content []byte) error) error {
	return c.file(ctx, uri, func(content []byte) error {
		plain, err := format.Decrypt(c.key, content)
		if err != nil {
			return err
		}
		return decode(plain)
	})
}

// file reads a file and calls decode with its content; what decode returns is damage of the file.
func (c *checker) file(ctx context.Context, uri string, decode func(content []byte) error) error {
	content, err := vfs.ReadAll(ctx, c.fs, uri)
	if err != nil {
		if fatal(ctx, err) {
			return err
		}
		c.damage(uri, -1, fmt.Errorf("%w: %w", ErrCorrupt, err))
		return nil
	}
	c.count(1, 0, int64(len(content)))
	if err := decode(content); err != nil {
		c.damage(uri, 0, err)
	}
	return nil
}

// checkSchemas checks every schema and enumeration file, those that no schema names too.
func (c *checker) checkSchemas(ctx context.Context, d *directory) error {
	enums := map[string]string{} // by file: the name that a schema gives it
	for _, name := range d.schemas {
		err := c.tile(ctx, d.schemaURI(name), func(content []byte) error {
			if name != oldSchemaFile {
				if _, err := format.ParseName(name); err != nil {
					return err
				}
			}
			s, err := format.DecodeArraySchema(content)
			if err != nil {
				return err
			}
			if err := s.CheckStored(); err != nil {
				return fmt.Errorf("%w: %w", ErrCorrupt, err)
			}
			s.Name = name
			c.schemas[name] = s
			for enum, file := range s.EnumerationFiles {
				enums[file] = enum
			}
			return supported(s)
		})
		if err != nil {
			return err
		}
	}
	stored, err := c.fs.List(ctx, vfs.Join(c.uri, enumerationsDir))
	if err != nil {
		return err
	}
	for _, e := range stored {
		if _, ok := enums[e.Name]; !ok {
			enums[e.Name] = ""
		}
	}
	for _, file := range slices.Sorted(maps.Keys(enums)) {
		if err := c.checkEnumeration(ctx, file, enums[file]); err != nil {
			return err
		}
	}
	return nil
}

// checkEnumeration checks one enumeration file; want is the name a schema gives it, or "".
func (c *checker) checkEnumeration(ctx context.Context, file, want string) error {
	uri := vfs.Join(c.uri, enumerationsDir, file)
	if _, err := format.ParseName(file); err != nil {
		c.damage(uri, -1, err)
		return nil
	}
	return c.tile(ctx, uri, func(content []byte) error {
		e, err := format.DecodeEnumeration(content)
		if err != nil {
			return err
		}
		if want != "" && e.Name != want {
			return fmt.Errorf("%w: holds enumeration %q, the schema says %q", ErrCorrupt, e.Name, want)
		}
		if err := e.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return nil
	})
}

// checkMetadata checks the files of the metadata folder, consolidated and vacuumed ones too.
func (c *checker) checkMetadata(ctx context.Context, _ *directory) error {
	dir := vfs.Join(c.uri, metadata.Folder)
	entries, err := c.fs.List(ctx, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		uri := vfs.Join(dir, e.Name)
		if e.Dir || strings.HasSuffix(e.Name, ".tmp") {
			continue
		}
		if _, err := format.ParseName(strings.TrimSuffix(e.Name, vacuumExt)); err != nil {
			c.damage(uri, -1, err)
			continue
		}
		err := c.file(ctx, uri, func(content []byte) error {
			if ext(e.Name) == vacuumExt {
				_, err := format.DecodePaths(content)
				return err
			}
			plain, err := format.Decrypt(c.key, content)
			if err == nil {
				_, err = format.DecodeMetadata(plain)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkCommit returns what checks the content of a commit file; a .wrt or .ok file says everything with its name. nil is
// for files that are somebody else's.
func (c *checker) checkCommit(name string) func(content []byte) error {
	switch x := ext(name); x {
	case writeExt, okExt:
		return func([]byte) error { return nil }
	case vacuumExt, ignoreExt:
		return func(content []byte) error { _, err := format.DecodePaths(content); return err }
	case deleteExt, updateExt:
		return func(content []byte) error { _, err := decodeDelete(c.key, name, content); return err }
	case consolidatedExt:
		return c.checkConsolidated
	case fragmentMetaExt:
		return func(content []byte) error {
			plain, err := format.Decrypt(c.key, content)
			if err == nil {
				_, _, err = format.DecodeGenericTile(plain)
			}
			return err
		}
	}
	return nil
}

// checkConsolidated checks a consolidated commits file and the conditions in it.
func (c *checker) checkConsolidated(content []byte) error {
	list, err := format.DecodeConsolidatedCommits(content)
	for _, commit := range list {
		if format.HasCondition(commit.Path) && err == nil {
			_, err = decodeDelete(c.key, commit.Path, commit.Condition)
		}
	}
	return err
}

// checkCommits checks the commit files and those of consolidated fragment metadata.
func (c *checker) checkCommits(ctx context.Context, d *directory) error {
	metas, err := c.fs.List(ctx, vfs.Join(c.uri, fragmentMetaDir))
	if err != nil {
		return err
	}
	for _, in := range []struct {
		dir     string
		entries []vfs.Entry
	}{{"", d.root}, {commitsDir, d.commits}, {fragmentMetaDir, metas}} {
		for _, e := range in.entries {
			if e.Dir {
				continue
			}
			uri := vfs.Join(c.uri, strings.TrimPrefix(in.dir+"/"+e.Name, "/"))
			decode := c.checkCommit(e.Name)
			if decode == nil {
				continue // somebody else's file
			}
			if _, err := format.ParseName(strings.TrimSuffix(e.Name, ext(e.Name))); err != nil {
				if in.dir != "" {
					c.damage(uri, -1, err)
				}
				continue
			}
			if err := c.file(ctx, uri, decode); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFragments checks every committed fragment of all times.
func (c *checker) checkFragments(ctx context.Context, d *directory) error {
	all, err := d.committed(ctx)
	if errors.Is(err, format.ErrCorrupt) {
		return nil // the file was reported by checkCommits
	}
	if err != nil {
		return err
	}
	for _, l := range all.fragments {
		c.sum.Fragments++
		if err := c.checkFragment(ctx, l); err != nil {
			return err
		}
	}
	return nil
}
