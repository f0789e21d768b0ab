// Package fragment reads and writes one fragment: a folder with a metadata file and the tiles of every field
// (format_spec/fragment.md).
//
// A Reader is made from the footer alone; every other part of the metadata and every tile is fetched when it is asked
// for. Readers are safe for concurrent use and hold no open file.
package fragment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/internal/pool"
	"azulejo/schema"
	"azulejo/vfs"
)

// MetadataFile is the name of the metadata file in a fragment's folder.
const MetadataFile = "__fragment_metadata.tdb"

// ErrCorrupt is wrapped by the error for a fragment whose files do not fit together.
var ErrCorrupt = errors.New("corrupt fragment")

// tailBytes is how much of the end of the metadata file Open reads; most metadata fits in it as a whole.
const tailBytes = 16 << 10

// Reader gives access to the tiles and statistics of one fragment. Safe for concurrent use.
type Reader struct {
	fs     vfs.FS
	uri    string
	name   format.Name
	key    *filter.Key
	footer *format.Footer
	// room is what footer points to, unless oldest has it: a pointer less to follow and to collect.
	room  format.Footer
	slots format.Slots
	// end is the end of the metadata file: Open reads and may keep it, else it is read when another part is first needed.
	end atomic.Pointer[fileEnd]

	// rtree, processed and fields are made when they are first asked for. Two goroutines may do it at the same time; the first one
	// to end wins, and what it made is never changed.
	rtree     atomic.Pointer[format.RTree]
	processed atomic.Pointer[[]string]
	fields    []atomic.Pointer[Field]
	// oldest is the whole metadata of a fragment before version 3; nil for all others.
	oldest *format.FragmentMetadata
}

// fileEnd is the last bytes of a file of size bytes.
type fileEnd struct {
	tail []byte
	size int64
}

// Open reads the footer of the fragment in folder uri, in one read of the end of its metadata file. keepEnd says whether to
// keep all that was read, up to 16 KiB, because other parts will be wanted. schemaOf returns the schema with that file name;
// it is called once. The key is nil unless the array is encrypted; a wrong one shows when parts of the metadata are read.
func Open(ctx context.Context, fs vfs.FS, uri string, name format.Name, keepEnd bool, schemaOf func(name string) (*schema.Array, error), key *filter.Key) (*Reader, error) {
	r := &Reader{fs: fs, uri: uri, name: name, key: key}
	var err error
	if name.Version == 1 || name.Version == 2 {
		err = r.readOldest(ctx, schemaOf)
	} else {
		err = r.readFooter(ctx, keepEnd, schemaOf)
	}
	if err != nil {
		return nil, format.WithURI(err, r.metadataURI())
	}
	return r, r.settle()
}

// OpenLone makes the reader of the fragment in folder uri from its footer, as a consolidated fragment metadata file holds
// it, without reading anything.
func OpenLone(fs vfs.FS, uri string, name format.Name, footer []byte, schemaOf func(name string) (*schema.Array, error), key *filter.Key) (*Reader, error) {
	r := &Reader{fs: fs, uri: uri, name: name, key: key}
	if err := r.room.DecodeLone(footer, name.Version, schemaOf); err != nil {
		return nil, err
	}
	r.footer = &r.room
	return r, r.settle()
}

// settle checks the footer and makes room for the fields.
func (r *Reader) settle() error {
	if err := r.checkFooter(); err != nil {
		return err
	}
	r.slots = r.footer.Slots()
	// Zipped coordinates share a slot; their fields come after all others.
	r.fields = make([]atomic.Pointer[Field], r.slots.Len()+len(r.Schema().Domain.Dimensions))
	return nil
}

func (r *Reader) readFooter(ctx context.Context, keepEnd bool, schemaOf func(name string) (*schema.Array, error)) error {
	want := tailBytes
	for {
		need, err := r.readFooterIn(ctx, want, keepEnd, schemaOf)
		if need == 0 {
			return err
		}
		want = need
	}
}

// readFooterIn reads the footer from the last n bytes of the metadata file. If those are too few, need is how many it takes.
func (r *Reader) readFooterIn(ctx context.Context, n int, keepEnd bool, schemaOf func(name string) (*schema.Array, error)) (need int, err error) {
	room := pool.Get(n)
	defer room.Release()
	tail, size, err := vfs.ReadTail(ctx, r.fs, r.metadataURI(), room.B)
	if err != nil {
		return 0, err
	}
	r.room = format.Footer{}
	err = r.room.Decode(tail, size, r.name.Version, schemaOf)
	var short *format.TailError
	if err != nil && errors.As(err, &short) && short.Need > int64(n) && int64(n) < size {
		return int(min(short.Need, size)), nil
	}
	r.footer = &r.room
	if keepEnd {
		r.end.Store(&fileEnd{slices.Clone(tail), size})
	}
	return 0, err
}

// loadEnd returns the end of the metadata file, reading it at first use.
func (r *Reader) loadEnd(ctx context.Context) (*fileEnd, error) {
	if end := r.end.Load(); end != nil {
		return end, nil
	}
	room := pool.Get(tailBytes)
	defer room.Release()
	tail, size, err := vfs.ReadTail(ctx, r.fs, r.metadataURI(), room.B)
	if err != nil {
		return nil, err
	}
	r.end.CompareAndSwap(nil, &fileEnd{slices.Clone(tail), size})
	return r.end.Load(), nil
}

// MetadataBytes returns the size of the metadata file.
func (r *Reader) MetadataBytes(ctx context.Context) (int64, error) {
	if f := r.footer; f.Start != format.UnknownStart && r.oldest == nil {
		return f.Start + f.NBytes + f.LengthBytes(), nil
	}
	end, err := r.loadEnd(ctx)
	if err != nil {
		return 0, err
	}
	return end.size, nil
}

// RawFooter returns the bytes of the footer without the length behind it, in new memory.
func (r *Reader) RawFooter(ctx context.Context) ([]byte, error) {
	end, err := r.loadEnd(ctx)
	if err != nil {
		return nil, err
	}
	b := make([]byte, r.footer.NBytes)
	start := end.size - r.footer.NBytes - r.footer.LengthBytes()
	if tailStart := end.size - int64(len(end.tail)); start >= tailStart {
		copy(b, end.tail[start-tailStart:])
		return b, nil
	}
	if start < 0 {
		return nil, r.corrupt("a footer of %d bytes in a file of %d", r.footer.NBytes, end.size)
	}
	file, err := r.fs.Open(ctx, r.metadataURI())
	if err != nil {
		return nil, err
	}
	defer file.Close() // best effort: it was only read
	return b, file.ReadAt(ctx, b, start)
}

// checkFooter holds what the footer says against the schema it names.
func (r *Reader) checkFooter() error {
	f := r.footer
	n := f.Slots().Len()
	for _, list := range [][]uint64{f.FileSizes, f.VarSizes, f.ValiditySizes, f.Parts.TileOffsets, f.Parts.VarOffsets,
		f.Parts.VarSizes, f.Parts.ValidityOffsets, f.Parts.Mins, f.Parts.Maxes, f.Parts.Sums, f.Parts.NullCounts} {
		if list != nil && len(list) != n {
			return r.corrupt("the footer counts %d fields where the schema has %d", len(list), n)
		}
	}
	if f.NonEmptyDomain != nil && len(f.NonEmptyDomain) != len(f.Schema.Domain.Dimensions) {
		return r.corrupt("the non-empty domain has %d dimensions", len(f.NonEmptyDomain))
	}
	if f.Dense && f.Schema.Type != schema.Dense {
		return r.corrupt("a dense fragment of a sparse array")
	}
	return nil
}

func (r *Reader) corrupt(text string, args ...any) error {
	return fmt.Errorf("fragment %s: %w: %s", r.uri, ErrCorrupt, fmt.Sprintf(text, args...))
}

func (r *Reader) metadataURI() string { return vfs.Join(r.uri, MetadataFile) }

// URI returns the fragment's folder.
func (r *Reader) URI() string { return r.uri }

// Name returns the fragment's name, which has its timestamps.
func (r *Reader) Name() format.Name { return r.name }

// Footer returns the decoded footer; it must not be modified.
func (r *Reader) Footer() *format.Footer { return r.footer }

// Schema returns the schema that the fragment was written with.
func (r *Reader) Schema() *schema.Array { return r.footer.Schema }

// Dense reports whether the fragment is dense.
func (r *Reader) Dense() bool { return r.footer.Dense }

// NonEmptyDomain returns one range per dimension, or nil when the fragment says that it has none; not to be modified.
func (r *Reader) NonEmptyDomain() []schema.Range { return r.footer.NonEmptyDomain }

// NumTiles returns the number of tiles.
func (r *Reader) NumTiles() uint64 { return r.footer.NumTiles() }

// TileCells returns the number of cells of tile i.
func (r *Reader) TileCells(i uint64) uint64 { return r.footer.TileCells(i) }

// part calls decode with the bytes of the generic tile at a position of the footer's Parts.
func (r *Reader) part(ctx context.Context, pos uint64, decode func(b []byte) error) error {
	end, err := r.loadEnd(ctx)
	if err != nil {
		return err
	}
	start, n := r.footer.PartExtent(pos)
	if n < 0 {
		n = end.size - r.footer.NBytes - r.footer.LengthBytes() - start
	}
	if start < 0 || n <= 0 || start > end.size || n > end.size-start {
		return r.corrupt("a part of the metadata lies at byte %d of %d", pos, end.size)
	}
	if tailStart := end.size - int64(len(end.tail)); start >= tailStart {
		at := start - tailStart
		return r.decode(end.tail[at:at+n], decode)
	}
	file, err := r.fs.Open(ctx, r.metadataURI())
	if err != nil {
		return err
	}
	defer file.Close() // best effort: it was only read
	b := pool.Get(int(n))
	defer b.Release()
	if err := file.ReadAt(ctx, b.B, start); err != nil {
		return err
	}
	return r.decode(b.B, decode)
}

// decode calls decode with the plain form of a part.
func (r *Reader) decode(part []byte, decode func(b []byte) error) error {
	plain, err := format.Decrypt(r.key, part)
	if err == nil {
		err = decode(plain)
	}
	return format.WithURI(err, r.metadataURI())
}

// RTree returns the bounding boxes of a sparse fragment's tiles; the tree of a dense one is empty.
func (r *Reader) RTree(ctx context.Context) (*format.RTree, error) {
	if t := r.rtree.Load(); t != nil {
		return t, nil
	}
	tree := r.loneBox()
	if tree == nil {
		err := r.part(ctx, r.footer.Parts.RTree, func(b []byte) (err error) {
			tree, err = r.footer.DecodeRTree(b)
			return err
		})
		if err == nil {
			err = r.checkTree(tree)
		}
		if err != nil {
			return nil, err
		}
	}
	r.rtree.CompareAndSwap(nil, tree)
	return r.rtree.Load(), nil
}

// loneBox returns the tree of a sparse fragment of one tile, whose box is the non-empty domain; nil for others.
func (r *Reader) loneBox() *format.RTree {
	if r.footer.Dense || r.NumTiles() != 1 || r.footer.NonEmptyDomain == nil {
		return nil
	}
	d := &r.Schema().Domain
	leaf := format.RTreeLevel{NumBoxes: 1, Columns: make([]format.RangeColumn, len(d.Dimensions))}
	for i := range leaf.Columns {
		leaf.Columns[i].Append(&d.Dimensions[i], r.footer.NonEmptyDomain[i])
	}
	return format.NewRTree(d, leaf)
}

// checkTree tells whether there is a box for every tile and dimension.
func (r *Reader) checkTree(t *format.RTree) error {
	if r.footer.Dense {
		return nil
	}
	leaves, n := t.Leaves(), r.NumTiles()
	if leaves == nil {
		if n == 0 {
			return nil
		}
		return r.corrupt("no bounding boxes for %d tiles", n)
	}
	if uint64(leaves.NumBoxes) != n || len(leaves.Columns) != len(r.Schema().Domain.Dimensions) {
		return r.corrupt("%d bounding boxes of %d dimensions for %d tiles", leaves.NumBoxes, len(leaves.Columns), n)
	}
	return nil
}
