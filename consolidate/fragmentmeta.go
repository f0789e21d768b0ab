package consolidate

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"

	"azulejo/array"
	"azulejo/format"
	"azulejo/vfs"
)

// parallelReads bounds the files that are read or removed at a time.
const parallelReads = 16

// footerVersion is the first format version whose fragments have a footer.
const footerVersion = 3

// FragmentMeta merges the footers of all fragments of the array at a URI into one file, with which opening the array takes
// one read for all of them (format_spec/consolidated_fragment_metadata_file.md). Of fewer than two it makes none.
func FragmentMeta(ctx context.Context, fs vfs.FS, uri string, o Options) error {
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.WithKey(o.Key))
	if err != nil {
		return err
	}
	var footers []format.ConsolidatedFooter
	var paths []string
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelReads)
	fragments := a.Fragments()
	footers = make([]format.ConsolidatedFooter, len(fragments))
	n := 0
	for _, f := range fragments {
		if f.Footer().Version < footerVersion {
			continue
		}
		footer := &footers[n]
		n++
		footer.Fragment = vfs.Base(f.URI())
		paths = append(paths, footer.Fragment)
		group.Go(func() (err error) {
			footer.Footer, err = f.RawFooter(gctx)
			return err
		})
	}
	if err := group.Wait(); err != nil || n < 2 {
		return err
	}
	content, err := format.EncodeConsolidatedFragmentMetadata(footers[:n])
	if err == nil {
		content, err = format.Encrypt(o.Key, content)
	}
	if err != nil {
		return err
	}
	name, err := spanOf(paths)
	if err != nil {
		return err
	}
	return vfs.WriteAll(ctx, fs, vfs.Join(a.URI, fragmentMetaFolder, name.String()+metaExt), content)
}

// vacuumFragmentMeta removes all consolidated fragment metadata files but those of the latest time.
func vacuumFragmentMeta(ctx context.Context, fs vfs.FS, uri string, due dueFunc) error {
	entries, err := fs.List(ctx, vfs.Join(uri, fragmentMetaFolder))
	if err != nil {
		return err
	}
	latest, ends := uint64(0), map[string]uint64{}
	for _, e := range entries {
		if e.Dir || !strings.HasSuffix(e.Name, metaExt) {
			continue
		}
		n, err := format.ParseName(stem(e.Name))
		if err != nil {
			return &format.Error{URI: vfs.Join(uri, fragmentMetaFolder, e.Name), Field: "name", Err: err}
		}
		ends[fragmentMetaFolder+"/"+e.Name] = n.End
		latest = max(latest, n.End)
	}
	var old []string
	for path, end := range ends {
		if end != latest && due(path) {
			old = append(old, path)
		}
	}
	return removeAll(ctx, fs, uri, old)
}
