package array

import (
	"context"
	"strings"

	"azulejo/format"
	"azulejo/vfs"
)

// Commits is one listing of what makes the writes of an array count, for the maintenance that package consolidate does.
// Paths are relative to the array.
type Commits struct {
	// Files has the consolidated commits files (.con), by name.
	Files []ConsolidatedFile
	// Single has the commits with a file of their own, in the order of their names: first those of old versions in the
	// array's own folder.
	Single []string
	// IgnoreFiles are the ignore files (.ign), and Ignored the paths that they list.
	IgnoreFiles []string
	Ignored     map[string]bool
	// Vacuums has the vacuum files of fragments (.vac), by name.
	Vacuums []VacuumFile
	// Folders has the paths of all fragment folders, committed or not.
	Folders []string
	// Pending has the consolidations that are under way or broke off.
	Pending []Pending
}

// ConsolidatedFile is a consolidated commits file.
type ConsolidatedFile struct {
	Path    string
	Commits []format.ConsolidatedCommit
}

// VacuumFile is a vacuum file of fragments: those it lists count no more, by the names of their folders.
type VacuumFile struct {
	Path      string
	Name      format.Name
	Fragments []string
}

// ListCommits lists the commits of the array at a URI as they are now, whatever their time. The error wraps ErrNotFound or
// ErrCorrupt, or is the storage's.
func ListCommits(ctx context.Context, fs vfs.FS, uri string) (*Commits, error) {
	d, err := readDirectory(ctx, fs, vfs.Trim(uri), true)
	if err == nil && len(d.schemas) == 0 {
		err = &Error{"open", vfs.Trim(uri), ErrNotFound}
	}
	if err != nil {
		return nil, classify(err)
	}
	c := &Commits{Ignored: map[string]bool{}}
	if c.Pending, err = d.pending(ctx); err != nil {
		return nil, classify(err)
	}
	if err := d.listFragments(ctx, c); err != nil {
		return nil, err
	}
	for _, e := range d.commits {
		if err := d.listCommit(ctx, c, commitsDir+"/"+e.Name); err != nil {
			return nil, classify(err)
		}
	}
	return c, nil
}

// listFragments lists the fragments' folders and what stands in the array's own folder.
func (d *directory) listFragments(ctx context.Context, c *Commits) error {
	for _, e := range d.root {
		switch _, err := format.ParseName(e.Name); {
		case !e.Dir && ext(e.Name) == okExt:
			c.Single = append(c.Single, e.Name)
		case !e.Dir && ext(e.Name) == vacuumExt:
			if err := d.listCommit(ctx, c, e.Name); err != nil {
				return classify(err)
			}
		case e.Dir && err == nil:
			c.Folders = append(c.Folders, e.Name)
		}
	}
	entries, err := d.fs.List(ctx, vfs.Join(d.uri, fragmentsDir))
	for _, e := range entries {
		if e.Dir {
			c.Folders = append(c.Folders, fragmentsDir+"/"+e.Name)
		}
	}
	return err
}

// listCommit adds one file of the commits folder.
func (d *directory) listCommit(ctx context.Context, c *Commits, path string) error {
	switch x := ext(path); x {
	case writeExt, deleteExt, updateExt:
		c.Single = append(c.Single, path)
	case ignoreExt:
		lines, err := d.lines(ctx, path)
		if err != nil {
			return err
		}
		c.IgnoreFiles = append(c.IgnoreFiles, path)
		for _, l := range lines {
			c.Ignored[l] = true
		}
	case vacuumExt:
		return d.listVacuum(ctx, c, path)
	case consolidatedExt:
		uri := vfs.Join(d.uri, path)
		content, err := vfs.ReadAll(ctx, d.fs, uri)
		if err != nil {
			return err
		}
		commits, err := format.DecodeConsolidatedCommits(content)
		if err != nil {
			return format.WithURI(err, uri)
		}
		c.Files = append(c.Files, ConsolidatedFile{path, commits})
	}
	return nil
}

func (d *directory) listVacuum(ctx context.Context, c *Commits, path string) error {
	n, err := format.ParseName(strings.TrimSuffix(vfs.Base(path), vacuumExt))
	if err != nil {
		return &format.Error{URI: vfs.Join(d.uri, path), Field: "name", Err: err}
	}
	lines, err := d.lines(ctx, path)
	if err != nil {
		return err
	}
	v := VacuumFile{Path: path, Name: n}
	for _, l := range lines {
		v.Fragments = append(v.Fragments, vfs.Base(l))
	}
	c.Vacuums = append(c.Vacuums, v)
	return nil
}

// CommitPath returns the path of the commit file of the fragment in a folder.
func CommitPath(folder string) string {
	if name, ok := strings.CutPrefix(folder, fragmentsDir+"/"); ok {
		return commitsDir + "/" + name + writeExt
	}
	return folder + okExt
}

// IsCommitted reports whether the fragment in a folder given by path counts, hidden or not.
func (c *Commits) IsCommitted(folder string) bool {
	path := CommitPath(folder)
	for _, p := range c.Single {
		if p == path {
			return true
		}
	}
	return c.IsConsolidated(path)
}

// IsConsolidated reports whether a consolidated commits file holds a commit, and no ignore file lists it.
func (c *Commits) IsConsolidated(path string) bool {
	if c.Ignored[path] {
		return false
	}
	for i := range c.Files {
		for _, commit := range c.Files[i].Commits {
			if commit.Path == path {
				return true
			}
		}
	}
	return false
}
