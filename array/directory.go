package array

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"azulejo/format"
	"azulejo/metadata"
	"azulejo/vfs"
)

// The folders and files of an array (format_spec/array_file_hierarchy.md).
const (
	schemaDir       = "__schema"
	enumerationsDir = "__schema/__enumerations"
	commitsDir      = "__commits"
	fragmentsDir    = "__fragments"
	fragmentMetaDir = "__fragment_meta"
	labelsDir       = "__labels"
	// oldSchemaFile is the one schema of an array before version 10.
	oldSchemaFile = "__array_schema.tdb"
)

// The extensions of commit files (format_spec/timestamped_name.md).
const (
	writeExt        = ".wrt"
	okExt           = ".ok" // a fragment of versions 5 to 11, in the array's own folder
	deleteExt       = ".del"
	updateExt       = ".upd"
	vacuumExt       = ".vac"
	ignoreExt       = ".ign"
	consolidatedExt = ".con"
	fragmentMetaExt = ".meta"
)

// commitFolderVersion is the first format version with the folders __fragments and __commits.
const commitFolderVersion = 12

// cellTimesVersion is the first format version whose consolidated sparse fragments keep the time of every cell, so that
// they count when their time overlaps the interval instead of lying in it.
const cellTimesVersion = 15

// directory is one listing of an array.
type directory struct {
	fs   vfs.FS
	uri  string
	root []vfs.Entry
	// schemas has the schema files in the order libtiledb picks from: the old one, then the others by name.
	schemas []string
	commits []vfs.Entry
}

// located is a committed fragment.
type located struct {
	format.Name
	// file is the name of its folder.
	file string
	// inRoot says that the folder lies in the array's own one, as before version 12.
	inRoot bool
	// consolidated says that a consolidated commits file has its commit, single that the commit has a file of its own.
	consolidated, single bool
}

// uri returns the URI of the fragment's folder.
func (l *located) uri(array string) string {
	if l.inRoot {
		return array + "/" + l.file
	}
	return array + "/" + fragmentsDir + "/" + l.file
}

// commit returns the path of the fragment's commit file relative to the array, whether or not there is one.
func (l *located) commit() string {
	if l.Version < commitFolderVersion {
		return l.file + okExt
	}
	return commitsDir + "/" + l.file + writeExt
}

// within returns the name with its text a part of the folder's URI: what is kept for long must not hold on to the names of
// a whole listing.
func (l *located) within(uri string) format.Name {
	n := l.Name
	if at := strings.LastIndex(uri, n.UUID); at >= 0 {
		n.UUID = uri[at : at+len(n.UUID)]
	}
	return n
}

// readDirectory lists an array: the schemas alone or, with fragments, also the array's own folder and the commits.
func readDirectory(ctx context.Context, fs vfs.FS, uri string, fragments bool) (*directory, error) {
	d := &directory{fs: fs, uri: uri}
	var schemas []vfs.Entry
	dirs := []struct {
		to  *[]vfs.Entry
		uri string
	}{{&schemas, vfs.Join(uri, schemaDir)}, {&d.commits, vfs.Join(uri, commitsDir)}, {&d.root, uri}}
	if !fragments {
		dirs = dirs[:1]
	}
	list := func(i int) (err error) {
		*dirs[i].to, err = fs.List(ctx, dirs[i].uri)
		return err
	}
	if err := fetchAll(fs, len(dirs), list); err != nil {
		return nil, err
	}
	if !fragments && !slices.ContainsFunc(schemas, func(e vfs.Entry) bool { return !e.Dir }) {
		// An array of an old version, or none.
		var err error
		if d.root, err = fs.List(ctx, uri); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(d.root, func(e vfs.Entry) bool { return e.Name == oldSchemaFile && !e.Dir }) {
		d.schemas = append(d.schemas, oldSchemaFile)
	}
	for _, e := range schemas {
		if !e.Dir {
			d.schemas = append(d.schemas, e.Name)
		}
	}
	return d, nil
}

// schemaAt returns the file name of the schema that counts at a time: the last by name, as libtiledb picks it, of those
// not newer; the first of all when every one is newer.
func (d *directory) schemaAt(end uint64) (string, error) {
	found := ""
	for _, file := range d.schemas {
		if file == oldSchemaFile {
			continue
		}
		n, err := format.ParseName(file)
		if err != nil {
			return "", &format.Error{URI: vfs.Join(d.uri, schemaDir, file), Field: "name", Err: err}
		}
		if n.End <= end {
			found = file
		}
	}
	if found == "" {
		found = d.schemas[0]
	}
	return found, nil
}

// schemaURI returns the URI of a schema file.
func (d *directory) schemaURI(file string) string {
	if file == oldSchemaFile {
		return vfs.Join(d.uri, file)
	}
	return vfs.Join(d.uri, schemaDir, file)
}

// committed returns the commits of all times.
func (d *directory) committed(ctx context.Context) (*commits, error) {
	all := &commits{fragments: make([]located, 0, len(d.commits))}
	paths, err := d.consolidated(ctx, all)
	if err != nil {
		return nil, err
	}
	for path := range paths {
		if ext(path) != writeExt {
			continue
		}
		if err := all.addFragment(d, path, located{consolidated: true}); err != nil {
			return nil, err
		}
	}
	for _, e := range d.commits {
		switch ext(e.Name) {
		case writeExt:
			if err := all.addFragment(d, e.Name, located{single: true}); err != nil {
				return nil, err
			}
		case deleteExt, updateExt:
			if err := all.addDelete(d, commitsDir+"/"+e.Name, nil); err != nil {
				return nil, err
			}
		}
	}
	if err := d.committedInRoot(ctx, paths, all); err != nil {
		return nil, err
	}
	all.sortDeletes()
	all.sortFragments()
	return all, nil
}

// committedInRoot adds fragments of versions before 12, which lie in the array's own folder. Other sub-folders of it are
// not the array's.
func (d *directory) committedInRoot(ctx context.Context, paths map[string]bool, all *commits) error {
	single := map[string]bool{}
	for _, e := range d.root {
		if !e.Dir && ext(e.Name) == okExt {
			single[e.Name] = true
		}
	}
	for _, e := range d.root {
		if !e.Dir || ownFolders[e.Name] {
			continue
		}
		n, err := format.ParseName(e.Name)
		if err != nil {
			continue
		}
		commit := e.Name + okExt
		ok := single[commit] || paths[commit]
		if !ok && n.Version < 5 {
			// Before version 5 a fragment counts as soon as its metadata is there.
			_, err := vfs.Size(ctx, d.fs, vfs.Join(d.uri, e.Name, fragmentMetadataFile))
			if err != nil && !errors.Is(err, vfs.ErrNotExist) {
				return err
			}
			ok = err == nil
		}
		if ok {
			all.fragments = append(all.fragments, located{n, e.Name, true, paths[commit], single[commit]})
		}
	}
	return nil
}

// consolidated returns the paths of fragments in all consolidated commits files, without those that ignore files list
// (format_spec/consolidated_commits_file.md, format_spec/ignore_file.md), and adds their deletes, which libtiledb never
// ignores, to all.
func (d *directory) consolidated(ctx context.Context, all *commits) (map[string]bool, error) {
	ignored, paths := map[string]bool{}, map[string]bool{}
	for _, e := range d.commits {
		if ext(e.Name) != ignoreExt {
			continue
		}
		lines, err := d.lines(ctx, commitsDir+"/"+e.Name)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			ignored[l] = true
		}
	}
	for _, e := range d.commits {
		if ext(e.Name) != consolidatedExt {
			continue
		}
		uri := vfs.Join(d.uri, commitsDir, e.Name)
		content, err := vfs.ReadAll(ctx, d.fs, uri)
		if err != nil {
			return nil, err
		}
		list, err := format.DecodeConsolidatedCommits(content)
		if err != nil {
			return nil, format.WithURI(err, uri)
		}
		for _, c := range list {
			if format.HasCondition(c.Path) {
				if err := all.addDelete(d, c.Path, c.Condition); err != nil {
					return nil, err
				}
			} else if !ignored[c.Path] {
				paths[c.Path] = true
			}
		}
	}
	return paths, nil
}

// lines reads a vacuum or ignore file.
func (d *directory) lines(ctx context.Context, path string) ([]string, error) {
	uri := vfs.Join(d.uri, path)
	content, err := vfs.ReadAll(ctx, d.fs, uri)
	if err != nil {
		return nil, err
	}
	lines, err := format.DecodePaths(content)
	return lines, format.WithURI(err, uri)
}

// visible returns those of all fragments that count in the interval, oldest first, and the names of those hidden by vacuum
// files that count in it, sorted. The fragments in all are no more afterwards.
func (d *directory) visible(ctx context.Context, all *commits, at Interval, dense bool) ([]located, []string, error) {
	counts := func(n format.Name) bool {
		if !dense && n.Version >= cellTimesVersion {
			return at.Overlaps(n.Start, n.End)
		}
		return at.Contains(n.Start, n.End)
	}
	hidden, err := d.hidden(ctx, counts)
	if err == nil {
		err = d.hidePending(ctx, hidden, all, counts)
	}
	if err != nil {
		return nil, nil, err
	}
	live := all.fragments[:0]
	var vacuumed []string
	for _, l := range all.fragments {
		switch {
		case !counts(l.Name):
		case len(hidden) > 0 && hidden[l.file]:
			vacuumed = append(vacuumed, l.file)
		default:
			live = append(live, l)
		}
	}
	slices.SortFunc(live, func(x, y located) int {
		if c := cmp.Compare(x.Start, y.Start); c != 0 {
			return c
		}
		return strings.Compare(x.file, y.file)
	})
	return live, vacuumed, nil
}

// hidden returns the names of fragments that vacuum files which count list (format_spec/vacuum_file.md). Only the last
// part of each path is looked at: before version 19 the paths are absolute, and the array may have been moved since.
func (d *directory) hidden(ctx context.Context, counts func(format.Name) bool) (map[string]bool, error) {
	hidden := map[string]bool{}
	for _, at := range []struct {
		dir     string
		entries []vfs.Entry
	}{{"", d.root}, {commitsDir, d.commits}} {
		for _, e := range at.entries {
			if e.Dir || ext(e.Name) != vacuumExt {
				continue
			}
			path := strings.TrimPrefix(at.dir+"/"+e.Name, "/")
			n, err := format.ParseName(strings.TrimSuffix(e.Name, vacuumExt))
			if err != nil {
				return nil, &format.Error{URI: vfs.Join(d.uri, path), Field: "name", Err: err}
			}
			if !counts(n) {
				continue
			}
			lines, err := d.lines(ctx, path)
			if err != nil {
				return nil, err
			}
			for _, l := range lines {
				hidden[vfs.Base(l)] = true
			}
		}
	}
	return hidden, nil
}

// ext returns the extension of a file name with its dot, or "".
func ext(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i:]
	}
	return ""
}

// ownFolders are those that an array has in its own folder.
var ownFolders = map[string]bool{schemaDir: true, commitsDir: true, fragmentsDir: true, metadata.Folder: true, fragmentMetaDir: true, labelsDir: true}

// folders are the folders that every new array gets.
func folders() []string {
	return []string{commitsDir, fragmentsDir, metadata.Folder, fragmentMetaDir, labelsDir, enumerationsDir}
}
