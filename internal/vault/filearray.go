package vault

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/metadata"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
)

// A file array holds a file as its clients expect it (spec page domains.md, section 6): dense, one dimension "position" of
// bytes from 0, one attribute "contents" of one byte, and in its metadata how many of the bytes count. Each fragment is a
// version of the whole file, filled up with zeros to whole tiles.

// The parts of a file array.
const (
	positionName = "position"
	contentsName = "contents"
	// FileSizeKey is the metadata key of the number of bytes.
	FileSizeKey = "file_size"
)

// ErrNotFile is the class of arrays that hold no file.
var ErrNotFile = errors.New("the array holds no file")

// makingFile lies in the directory of a file array until all of it is there.
const makingFile = catalog.HiddenPrefix + "making"

// pieceBytes is how much of a file is held at a time.
const pieceBytes = 1 << 20

// Content is a file that comes in.
type Content struct {
	// Body has the bytes; its errors are passed on.
	Body io.Reader
	// AtMost is how many there can be: room in the array for so many is filled. The error of more is of class ErrTooLong.
	AtMost uint64
	// Describe returns what is to be said about the file in the array's metadata but its size, once its length is known;
	// its error undoes everything. The first bytes of the file come along. It returns something.
	Describe func(n uint64, head []byte) ([]format.MetadataEntry, error)
}

// ErrTooLong is the class of files that are longer than was said.
var ErrTooLong = errors.New("the file is longer than was said")

// extent returns the extent of the tiles for a file, as libtiledb chooses it up to 1 GiB. Above it takes 100 MiB, which
// would have to be held whole for every byte that is read.
func extent(nBytes uint64) uint64 {
	switch {
	case nBytes > 100<<20:
		return 1 << 20
	case nBytes > 1<<20:
		return 256 << 10
	}
	return 1 << 10
}

// FileSchema returns the schema of an array for a file of a length: the one that libtiledb makes for files, or, compressed,
// the one that clients make for notebooks.
func FileSchema(nBytes uint64, compressed bool) *schema.Array {
	e := extent(nBytes)
	none := filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}
	s := &schema.Array{Version: format.Version, Type: schema.Dense, Capacity: schema.DefaultCapacity, CoordsFilters: schema.DefaultCoordsFilters(),
		OffsetsFilters: schema.DefaultOffsetsFilters(), ValidityFilters: schema.DefaultValidityFilters(),
		Domain: schema.Domain{Dimensions: []schema.Dimension{{Name: positionName, Type: datatype.Uint64, CellValNum: 1, Filters: none,
			Domain: datatype.Bytes([]uint64{0, math.MaxUint64 - e - 1}), Extent: datatype.Bytes([]uint64{e})}}},
		Attributes: []schema.Attribute{{Name: contentsName, Type: datatype.Blob, CellValNum: 1, Filters: none, Fill: schema.DefaultFill(datatype.Blob, 1)}}}
	if compressed {
		a := &s.Attributes[0]
		a.Type, a.Fill = datatype.Uint8, schema.DefaultFill(datatype.Uint8, 1)
		a.Filters, s.Domain.Dimensions[0].Filters = schema.DefaultCoordsFilters(), schema.DefaultCoordsFilters()
	}
	return s
}

// CreateFile makes an array of a schema for a file, with the file in it, and its catalogue entry; all or nothing. The grant
// is for creating in a namespace.
func (v *Vault) CreateFile(ctx context.Context, g access.Grant, n catalog.NewAsset, s *schema.Array, c Content) (catalog.Asset, error) {
	n.Kind, n.ArrayType = catalog.Array, TypeName(s.Type)
	return v.catalog.Create(ctx, g, n, func(ctx context.Context, at catalog.Location) error {
		uri := at.URI()
		if there, err := array.Exists(ctx, v.fs, uri); err != nil || there {
			return errors.Join(err, &array.Error{Op: "create", URI: uri, Err: array.ErrExists})
		}
		mark := vfs.Join(uri, makingFile)
		if err := vfs.WriteAll(ctx, v.fs, mark, nil); err != nil {
			return err
		}
		err := array.Create(ctx, v.fs, uri, s)
		if err == nil {
			err = writeFile(ctx, v.fs, uri, c, nil)
		}
		if err == nil {
			err = v.fs.Remove(ctx, mark)
		}
		if err != nil {
			return errors.Join(err, v.unmake(context.WithoutCancel(ctx), uri))
		}
		return nil
	})
}

// unmake removes a file array that was not finished.
func (v *Vault) unmake(ctx context.Context, uri string) error {
	if err := array.Delete(ctx, v.fs, uri); err != nil && !errors.Is(err, array.ErrNotFound) {
		return err
	}
	return errors.Join(v.fs.Remove(ctx, vfs.Join(uri, makingFile)), vfs.RemoveEmpty(ctx, v.fs, uri))
}

// made reports whether a new array is whole, and removes a file array that is not.
func (v *Vault) made(ctx context.Context, uri string) (bool, error) {
	_, err := vfs.Stat(ctx, v.fs, vfs.Join(uri, makingFile))
	switch {
	case err == nil:
		return false, v.unmake(ctx, uri)
	case errors.Is(err, vfs.ErrNotExist):
		return array.Exists(ctx, v.fs, uri)
	}
	return false, err
}

// WriteFile writes a new version of the file in a file array. The grant is for writing. The error is of class ErrNotFile for
// an array that is none.
func (v *Vault) WriteFile(ctx context.Context, g access.Grant, a catalog.Asset, c Content) error {
	return v.maintain(ctx, g, access.ArrayWrite, a, func(ctx context.Context, uri string, key *filter.Key) error {
		return writeFile(ctx, v.fs, uri, c, key)
	})
}

// writeFile writes a version of a file, and the metadata with it at the same time.
func writeFile(ctx context.Context, fs vfs.FS, uri string, c Content, key *filter.Key) (err error) {
	arr, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting(), array.WithKey(key))
	if err != nil {
		return err
	}
	if err := checkFile(arr.Schema); err != nil {
		return err
	}
	e := binary.LittleEndian.Uint64(arr.Schema.Domain.Dimensions[0].Extent)
	top := binary.LittleEndian.Uint64(arr.Schema.Domain.Dimensions[0].Domain[8:])
	if c.AtMost > math.MaxInt64 || (max(c.AtMost, 1)-1)/e >= top/e {
		return fmt.Errorf("%w: no array has room for %d bytes", ErrTooLong, c.AtMost)
	}
	room := ((max(c.AtMost, 1)-1)/e + 1) * e
	w, err := query.NewGlobalWriter(ctx, arr, &query.Write{Layout: schema.GlobalOrder,
		Subarray: query.Subarray{Ranges: [][]schema.Range{{{Lo: datatype.Bytes([]uint64{0}), Hi: datatype.Bytes([]uint64{room - 1})}}}}})
	if err != nil {
		return err
	}
	n, entries, err := fill(ctx, w, c, room)
	if err != nil {
		return errors.Join(err, w.Abort(context.WithoutCancel(ctx)))
	}
	entries = append(entries, format.MetadataEntry{Key: FileSizeKey, Type: datatype.Uint64, Num: 1, Value: datatype.Bytes([]uint64{n})})
	written, err := w.Finalize(ctx)
	if err != nil {
		return err
	}
	after := context.WithoutCancel(ctx)
	if err := arr.PutMetadata(after, entries, written.End); err != nil {
		_, undo := array.DeleteFragmentsNamed(after, fs, uri, []string{written.Fragment})
		return errors.Join(err, undo)
	}
	return nil
}

// end is what there is to say about a file of which n bytes came.
func (c Content) end(n uint64, head []byte) ([]format.MetadataEntry, error) {
	if n > c.AtMost {
		return nil, fmt.Errorf("%w: more than %d bytes came", ErrTooLong, c.AtMost)
	}
	return c.Describe(n, head)
}

// fill writes the bytes of a file and zeros up to room, and returns how many bytes the file has and what is said about it. That is asked
// before the zeros are written: of a file that is not what was announced there may be very many.
func fill(ctx context.Context, w *query.GlobalWriter, c Content, room uint64) (n uint64, entries []format.MetadataEntry, err error) {
	piece := make([]byte, pieceBytes)
	var head []byte
	ended := false
	for at := uint64(0); at < room; {
		p := piece[:min(room-at, pieceBytes)]
		have := 0
		if !ended {
			have, err = io.ReadFull(c.Body, p)
			if ended = err == io.EOF || err == io.ErrUnexpectedEOF; err != nil && !ended {
				return 0, nil, err
			}
		}
		if at == 0 {
			head = append(head, p[:min(have, 512)]...)
		}
		n += uint64(have)
		if ended && entries == nil {
			if entries, err = c.end(n, head); err != nil {
				return 0, nil, err
			}
		}
		clear(p[have:])
		if err := w.Submit(ctx, []query.Column{{Name: contentsName, Data: p}}); err != nil {
			return 0, nil, err
		}
		at += uint64(len(p))
	}
	if !ended {
		have, err := io.ReadFull(c.Body, piece[:1])
		if err != nil && err != io.EOF {
			return 0, nil, err
		}
		n += uint64(have)
	}
	if entries == nil {
		entries, err = c.end(n, head)
	}
	return n, entries, err
}

// checkFile returns an error of class ErrNotFile unless arrays of the schema can hold a file.
func checkFile(s *schema.Array) error {
	if d := s.Domain.Dimensions; s.Type != schema.Dense || len(d) != 1 || d[0].Type != datatype.Uint64 || len(d[0].Domain) != 16 ||
		binary.LittleEndian.Uint64(d[0].Domain) != 0 {
		return fmt.Errorf("%w: a file array is dense and has one dimension of UINT64 from 0", ErrNotFile)
	}
	if len(s.Attributes) != 1 || s.Attributes[0].Name != contentsName || s.Attributes[0].CellValNum != 1 || s.Attributes[0].Type.Size() != 1 || s.Attributes[0].Nullable {
		return fmt.Errorf("%w: a file array has the one attribute %q, of one byte", ErrNotFile, contentsName)
	}
	return nil
}

// File is a version of a file in a file array, opened under a grant to read. It is for use by one request.
type File struct {
	arr     *Array
	entries []format.MetadataEntry
	// NBytes is the length of the file.
	NBytes int64
}

// OpenFile opens the file in an array as it was in an interval of time. The error is of class ErrNotFile when there is none.
func (v *Vault) OpenFile(ctx context.Context, g access.Grant, a catalog.Asset, at array.Interval) (*File, error) {
	if err := permit(g, a, access.ArrayRead); err != nil {
		return nil, err
	}
	arr, err := v.OpenArray(ctx, g, a, at)
	if err != nil {
		return nil, err
	}
	if err := checkFile(arr.Schema()); err != nil {
		return nil, err
	}
	f := &File{arr: arr}
	if f.entries, err = arr.Metadata(ctx); err != nil {
		return nil, err
	}
	n, ok := number(f.entries, FileSizeKey)
	top := binary.LittleEndian.Uint64(arr.Schema().Domain.Dimensions[0].Domain[8:])
	if !ok || n > math.MaxInt64 || n > top {
		return nil, fmt.Errorf("%w: its metadata have no key %s that tells its length, or not at that time", ErrNotFile, FileSizeKey)
	}
	f.NBytes = int64(n)
	return f, nil
}

// number returns the value of a metadata key that is one whole number of any width, not negative.
func number(entries []format.MetadataEntry, key string) (uint64, bool) {
	for _, e := range entries {
		if e.Key != key || e.Num != 1 || len(e.Value) > 8 {
			continue
		}
		var b [8]byte
		copy(b[:], e.Value)
		n := binary.LittleEndian.Uint64(b[:])
		switch e.Type {
		case datatype.Uint64, datatype.Uint32, datatype.Uint16, datatype.Uint8:
			return n, true
		case datatype.Int64, datatype.Int32, datatype.Int16, datatype.Int8:
			return n, e.Value[len(e.Value)-1] < 0x80
		}
	}
	return 0, false
}

// Metadata returns the array's metadata, sorted by key.
func (f *File) Metadata() []format.MetadataEntry { return f.entries }

// Version names this content of the file.
func (f *File) Version() string {
	h := sha256.New()
	for _, name := range f.arr.Pin() {
		fmt.Fprintln(h, name)
	}
	fmt.Fprintln(h, f.arr.asset.ID, f.NBytes)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Modified returns when this version was written, the zero time if that is not known.
func (f *File) Modified() time.Time {
	ends := f.arr.EndTimes()
	if len(ends) == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(min(ends[len(ends)-1], math.MaxInt64)))
}

// CopyRange writes n bytes of the file from off on to w, a piece at a time. Both lie in the file.
func (f *File) CopyRange(ctx context.Context, w io.Writer, off, n int64) error {
	for n > 0 {
		// Pieces end where tiles can end, so that none is read twice.
		part := min(n, pieceBytes-off%pieceBytes)
		r := &query.Read{Layout: schema.RowMajor, Fields: []query.Want{{Name: contentsName, DataCap: -1, OffsetsCap: -1, ValidityCap: -1}},
			Subarray: query.Subarray{Ranges: [][]schema.Range{{{Lo: datatype.Bytes([]uint64{uint64(off)}), Hi: datatype.Bytes([]uint64{uint64(off + part - 1)})}}}}}
		err := f.arr.Read(ctx, r, Selection{}, func(result *query.Result) error {
			if len(result.Columns) != 1 || int64(len(result.Columns[0].Data)) != part {
				return fmt.Errorf("a piece of %d bytes of a file does not fit in the memory of one query", part)
			}
			_, err := w.Write(result.Columns[0].Data)
			return err
		})
		if err != nil {
			return err
		}
		off, n = off+part, n-part
	}
	return nil
}

// EndTimes returns the times in milliseconds since 1970 at which what the array holds was written, oldest first, each once; of
// a part of an array none, for they are those of the whole.
func (a *Array) EndTimes() []uint64 {
	if a.part != nil {
		return nil
	}
	var list []uint64
	for _, f := range a.arr.Fragments() {
		list = append(list, f.Name().End)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// VersionTimes returns the times at which each of EndTimes was complete: clients that write a file themselves write what
// belongs to it in the metadata after its fragment, at a later time, and who opens the array at that time gets both.
func (a *Array) VersionTimes(ctx context.Context) ([]uint64, error) {
	times := a.EndTimes()
	if len(times) == 0 {
		return nil, nil
	}
	list, err := a.arr.FS.List(ctx, vfs.Join(a.arr.URI, metadata.Folder))
	if err != nil {
		return nil, err
	}
	var noted []uint64
	for _, e := range list {
		if n, err := format.ParseName(e.Name); err == nil && !e.Dir {
			noted = append(noted, n.End)
		}
	}
	slices.Sort(noted)
	for i, t := range times {
		at, _ := slices.BinarySearch(noted, t)
		if at < len(noted) && (i+1 == len(times) || noted[at] < times[i+1]) {
			times[i] = noted[at]
		}
	}
	return times, nil
}

// PruneVersions removes the fragments of an array but those of the newest times, of which keep are left. The grant is for
// deleting.
func (v *Vault) PruneVersions(ctx context.Context, g access.Grant, a catalog.Asset, keep uint64) error {
	arr, err := v.OpenArray(ctx, g, a, array.Latest())
	if err != nil {
		return err
	}
	times := arr.EndTimes()
	if keep == 0 || uint64(len(times)) <= keep {
		return nil
	}
	first := times[uint64(len(times))-keep]
	names := []string{}
	for _, f := range arr.arr.Fragments() {
		if f.Name().End < first {
			names = append(names, vfs.Base(f.URI()))
		}
	}
	return v.DeleteFragments(ctx, g, a, array.Latest(), names)
}
