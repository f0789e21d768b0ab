package wire

import (
	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/format"
	"azulejo/internal/bin"
	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

// fragmentFolderVersion is the first format version whose fragments lie in a folder of their own.
const fragmentFolderVersion = 12

// FragmentInfo is one fragment in the answer of POST …/fragment_info.
type FragmentInfo struct {
	// Name is the fragment's folder name; Start and End are its timestamps in milliseconds since 1970.
	Name       string
	Start, End uint64
	Footer     *format.Footer
	// RTree has the bounding boxes of a sparse fragment; nil when dense.
	RTree *format.RTree
	// NBytes is the size of all files of the fragment.
	NBytes uint64
	// Consolidated tells that the footer is in a file of consolidated fragment metadata.
	Consolidated bool
}

// EncodeFragmentInfo builds the answer of POST …/fragment_info. all has every schema that a fragment names; toVacuum the
// folder names of fragments that were consolidated and may go.
func EncodeFragmentInfo(latest *schema.Array, all []*schema.Array, fragments []FragmentInfo, toVacuum []string) ([]byte, error) {
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootFragmentInfo(seg)
		if !e.ok(err) {
			return
		}
		s, err := m.NewArraySchemaLatest()
		e.schema(s, err, latest)
		schemas, err := m.NewArraySchemasAll()
		e.schemas(schemas, err, all, latest, s)
		list, err := m.NewFragmentInfo(int32(len(fragments)))
		if !e.ok(err) {
			return
		}
		for i := range fragments {
			e.ok(list.At(i).SetArraySchemaName(fragments[i].Footer.SchemaName))
			list.At(i).SetFragmentSize(fragments[i].NBytes)
			meta, err := list.At(i).NewMeta()
			e.fragment(meta, err, &fragments[i])
		}
		vacuum, err := m.NewToVacuum(int32(len(toVacuum)))
		e.fillTexts(toVacuum, vacuum, err)
	})
}

// fragment writes what a footer and an R-tree say of a fragment. Positions, minima and the like of tiles are left out:
// the client loads those from files that it does not have.
func (e *encoder) fragment(m capnp.FragmentMetadata, err error, v *FragmentInfo) {
	if !e.ok(err) {
		return
	}
	f := v.Footer
	uri := v.Name
	if f.Version >= fragmentFolderVersion {
		uri = "__fragments/" + v.Name
	}
	e.ok(m.SetFragmentUri(uri))
	e.ok(m.SetArraySchemaName(f.SchemaName))
	m.SetVersion(f.Version)
	m.SetHasTimestamps(f.HasTimestamps)
	m.SetHasDeleteMeta(f.HasDeletes)
	m.SetHasConsolidatedFooter(v.Consolidated)
	m.SetSparseTileNum(f.SparseTiles)
	m.SetLastTileCellNum(f.LastTileCells)
	times, err := m.NewTimestampRange(2)
	fill(e, []uint64{v.Start, v.End}, times, err)
	e.numbers(m.NewFileSizes, f.FileSizes)
	e.numbers(m.NewFileVarSizes, f.VarSizes)
	e.numbers(m.NewFileValiditySizes, f.ValiditySizes)
	domain, err := m.NewNonEmptyDomain()
	e.nonEmptyDomain(domain, err, f.NonEmptyDomain, f.Schema.Domain.Dimensions)
	e.ok(m.SetRtree(encodeRTree(v.RTree, f.Schema.Domain.Dimensions)))
	e.parts(m, &f.Parts)
}

// parts writes where in the metadata file the parts begin.
func (e *encoder) parts(m capnp.FragmentMetadata, v *format.Parts) {
	offsets, err := m.NewGtOffsets()
	if !e.ok(err) {
		return
	}
	offsets.SetRtree(v.RTree)
	e.numbers(offsets.NewTileOffsets, v.TileOffsets)
	e.numbers(offsets.NewTileVarOffsets, v.VarOffsets)
	e.numbers(offsets.NewTileVarSizes, v.VarSizes)
	e.numbers(offsets.NewTileValidityOffsets, v.ValidityOffsets)
	e.numbers(offsets.NewTileMinOffsets, v.Mins)
	e.numbers(offsets.NewTileMaxOffsets, v.Maxes)
	e.numbers(offsets.NewTileSumOffsets, v.Sums)
	e.numbers(offsets.NewTileNullCountOffsets, v.NullCounts)
	offsets.SetFragmentMinMaxSumNullCountOffset(v.Summary)
	offsets.SetProcessedConditionsOffsets(v.ProcessedConditions)
}

// numbers makes a list with create and fills it; an empty one is left out.
func (e *encoder) numbers(create func(int32) (capnplib.UInt64List, error), v []uint64) {
	if len(v) > 0 {
		l, err := create(int32(len(v)))
		fill(e, v, l, err)
	}
}

// rtreeFanout is written for fragments without a tree.
const rtreeFanout = 10

// encodeRTree returns a tree as it travels, which is the stored form of format version 5 and later whatever the
// fragment's own is (format_spec/fragment.md, R-Tree).
func encodeRTree(t *format.RTree, dims []schema.Dimension) []byte {
	var w bin.Writer
	if t == nil {
		w.U32(rtreeFanout)
		w.U32(0)
		return w.B
	}
	w.U32(t.Fanout)
	w.U32(uint32(len(t.Levels)))
	for _, level := range t.Levels {
		w.U64(uint64(level.NumBoxes))
		for i := range level.NumBoxes {
			for d := range dims {
				r := level.Columns[d].Range(i, dims[d].Type.Size())
				if dims[d].Var() {
					w.U64(uint64(len(r.Lo) + len(r.Hi)))
					w.U64(uint64(len(r.Lo)))
				}
				w.Bytes(r.Lo)
				w.Bytes(r.Hi)
			}
		}
	}
	return w.B
}
