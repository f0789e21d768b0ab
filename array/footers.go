package array

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"azulejo/format"
	"azulejo/internal/cache"
	"azulejo/vfs"
)

// footerSet has the footers that a consolidated fragment metadata file holds, by fragment.
type footerSet map[string][]byte

// relativeNamesVersion is the format version since which consolidated fragment metadata names fragments without a place.
const relativeNamesVersion = 9

// merged is a consolidated fragment metadata file; path is relative to the array.
type merged struct {
	path string
	format.Name
}

// mergedFooters returns the footers of those of the fragments, in their order and nil for the others, that consolidated fragment metadata files hold, reading the newest
// first and none that cannot hold what is still missing (format_spec/consolidated_fragment_metadata_file.md). Such files
// are a cache: fragments of which they say nothing, or of which a damaged one should, have their own.
func (a *Array) mergedFooters(ctx context.Context, live []located) ([][]byte, error) {
	found := make([][]byte, len(live))
	files, err := a.dir.metaFiles(ctx)
	if err != nil {
		return nil, err
	}
	wanted := make([]int, 0, len(live))
	for _, m := range files {
		wanted = wanted[:0]
		for i := range live {
			if l := &live[i]; found[i] == nil && l.Start >= m.Start && l.Start <= m.End {
				wanted = append(wanted, i)
			}
		}
		if len(wanted) == 0 {
			continue
		}
		set, err := a.footersIn(ctx, m.path)
		switch {
		case errors.Is(err, vfs.ErrNotExist), errors.Is(err, format.ErrCorrupt):
			continue
		case err != nil:
			return nil, err
		}
		for _, i := range wanted {
			found[i] = set[live[i].file]
		}
	}
	return found, nil
}

// metaFiles lists the consolidated fragment metadata files, newest first; strange names are not looked at. Before
// version 12 they lie in the array's own folder, before version 9 they name fragments by where these were then.
func (d *directory) metaFiles(ctx context.Context) ([]merged, error) {
	var files []merged
	entries, err := d.fs.List(ctx, vfs.Join(d.uri, fragmentMetaDir))
	for i, e := range slices.Concat(entries, d.root) {
		if e.Dir || ext(e.Name) != fragmentMetaExt {
			continue
		}
		path := e.Name
		if i < len(entries) {
			path = fragmentMetaDir + "/" + e.Name
		}
		if n, err := format.ParseName(strings.TrimSuffix(e.Name, fragmentMetaExt)); err == nil && n.Version >= relativeNamesVersion {
			files = append(files, merged{path, n})
		}
	}
	slices.SortFunc(files, func(x, y merged) int { return cmp.Or(cmp.Compare(y.End, x.End), cmp.Compare(y.path, x.path)) })
	return files, err
}

// footersIn reads a consolidated fragment metadata file.
func (a *Array) footersIn(ctx context.Context, path string) (footerSet, error) {
	uri := vfs.Join(a.URI, path)
	return cache.Load(a.Kept(), a.cacheName(uri), func() (footerSet, int64, error) {
		content, err := a.readFile(ctx, uri)
		if err != nil {
			return nil, 0, err
		}
		list, err := format.DecodeConsolidatedFragmentMetadata(content)
		set, nBytes := make(footerSet, len(list)), int64(1024)
		for _, f := range list {
			set[f.Fragment] = f.Footer
			nBytes += int64(2*len(f.Fragment)+len(f.Footer)) + 64
		}
		return set, nBytes, format.WithURI(err, uri)
	})
}
