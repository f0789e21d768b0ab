package array

import (
	"context"

	"azulejo/schema"
	"azulejo/vfs"
)

// FragmentInfo describes one fragment of a snapshot.
type FragmentInfo struct {
	// Name is the fragment's name; Path its folder relative to the array, with slashes and none at the start.
	Name, Path string
	// Start and End are its timestamps in milliseconds.
	Start, End uint64
	// Version is the format version of its metadata.
	Version uint32
	Dense   bool
	// SchemaName is the file name of the schema it was written with.
	SchemaName string
	// NumTiles counts its tiles and NumCells their cells, those of dense tiles outside the domain in use included.
	NumTiles, NumCells uint64
	// NBytes is the size of all its files.
	NBytes uint64
	// NonEmptyDomain has one range per dimension; shared, not to be modified.
	NonEmptyDomain []schema.Range
	// ConsolidatedMetadata tells whether a consolidated fragment metadata file has its footer.
	ConsolidatedMetadata bool
}

// FragmentInfos describes the fragments of the snapshot, oldest first. It reads consolidated fragment metadata files, and
// of fragments that were opened through one the metadata file, for its size.
func (a *Array) FragmentInfos(ctx context.Context) ([]FragmentInfo, error) {
	merged, err := a.mergedFooters(ctx, a.locations())
	if err != nil {
		return nil, classify(err)
	}
	infos := make([]FragmentInfo, len(a.fragments))
	err = fetchAll(a.FS, len(infos), func(i int) error {
		r := a.fragments[i]
		f, n, file := r.Footer(), r.Name(), vfs.Base(r.URI())
		size, err := r.MetadataBytes(ctx)
		infos[i] = FragmentInfo{
			Name: file, Path: r.URI()[len(a.URI)+1:], Start: n.Start, End: n.End, Version: f.Version, Dense: f.Dense,
			SchemaName: f.SchemaName, NumTiles: f.NumTiles(), NumCells: f.NumCells(), NonEmptyDomain: r.NonEmptyDomain(),
			NBytes: uint64(size), ConsolidatedMetadata: merged[i] != nil,
		}
		for _, sizes := range [][]uint64{f.FileSizes, f.VarSizes, f.ValiditySizes} {
			for _, s := range sizes {
				infos[i].NBytes += s
			}
		}
		return err
	})
	return infos, classify(err)
}

// locations returns the names of the fragments of the snapshot.
func (a *Array) locations() []located {
	list := make([]located, len(a.fragments))
	for i, r := range a.fragments {
		list[i] = located{Name: r.Name(), file: vfs.Base(r.URI())}
	}
	return list
}
