package array

import (
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
}

// FragmentInfos describes the fragments of the snapshot, oldest first, without reading anything more.
func (a *Array) FragmentInfos() []FragmentInfo {
	infos := make([]FragmentInfo, len(a.fragments))
	for i, r := range a.fragments {
		f, n := r.Footer(), r.Name()
		infos[i] = FragmentInfo{
			Name: vfs.Base(r.URI()), Path: r.URI()[len(a.URI)+1:], Start: n.Start, End: n.End, Version: f.Version, Dense: f.Dense,
			SchemaName: f.SchemaName, NumTiles: f.NumTiles(), NumCells: f.NumCells(), NonEmptyDomain: r.NonEmptyDomain(),
			NBytes: uint64(f.Start+f.NBytes) + footerLengthBytes(f.Version),
		}
		for _, sizes := range [][]uint64{f.FileSizes, f.VarSizes, f.ValiditySizes} {
			for _, s := range sizes {
				infos[i].NBytes += s
			}
		}
	}
	return infos
}

// footerLengthBytes returns the size of the length field that ends a metadata file.
func footerLengthBytes(version uint32) uint64 {
	if version < 10 {
		return 0
	}
	return 8
}
