package format

import (
	"fmt"
	"sync"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/bin"
)

// A generic tile (format_spec/generic_tile.md) is a tile that brings its own description. Schemas, metadata, group files
// and every part of fragment metadata but the footer are generic tiles:
//
//	 0  u32 format version
//	 4  u64 persisted size: bytes of the chunks below, their count included
//	12  u64 tile size: bytes of the payload
//	20  u8  datatype, always CHAR
//	21  u64 cell size, always 1
//	29  u8  encryption: 0 none, 1 AES-256-GCM
//	30  u32 pipeline size
//	34  filter pipeline, always one GZIP at level 1
//	..  the tile: u64 number of chunks, then per chunk
//	       u32 original bytes | u32 filtered bytes | u32 metadata bytes | metadata | filtered data
const genericHeaderLen = 34

// maxRatio bounds the payload of a generic tile by its persisted size: DEFLATE cannot shrink data further than this, so
// a larger claim is damage and nothing is allocated for it.
const maxRatio = 1032

// genericPipeline is the pipeline of every generic tile written.
func genericPipeline() filter.Pipeline {
	return filter.Pipeline{MaxChunk: filter.DefaultMaxChunk, Filters: []filter.Spec{filter.Compressor(filter.Gzip, 1)}}
}

// genericCodec is the codec of genericPipeline, made once.
var genericCodec = sync.OnceValues(func() (*filter.Codec, error) {
	return filter.NewCodec(genericPipeline(), datatype.Char, 1)
})

// AppendGenericTile appends payload to dst as a generic tile: GZIP at level 1, version 22, unencrypted
// (format_spec/generic_tile.md).
func AppendGenericTile(dst, payload []byte) ([]byte, error) {
	codec, err := genericCodec()
	if err != nil {
		return nil, &Error{Field: "generic tile", Version: Version, Err: err}
	}
	start := len(dst)
	w := bin.Writer{B: dst}
	w.U32(Version)
	w.U64(0) // persisted size, filled in below
	w.U64(uint64(len(payload)))
	w.U8(uint8(datatype.Char))
	w.U64(1)
	w.U8(0)
	w.U32(0) // pipeline size, filled in below
	genericPipeline().Encode(&w)
	pipelineLen := len(w.B) - start - genericHeaderLen
	body := len(w.B)
	w.B, err = codec.Forward(w.B, payload)
	if err != nil {
		return nil, &Error{Field: "generic tile", Version: Version, Err: err}
	}
	putU64(w.B[start+4:], uint64(len(w.B)-body))
	putU32(w.B[start+30:], uint32(pipelineLen))
	return w.B, nil
}

// GenericHead is what a generic tile begins with (format_spec/generic_tile.md): enough to unfilter its chunks one by one,
// wherever they are. It is immutable and safe for concurrent use.
type GenericHead struct {
	// Body is the position in the tile at which the filtered payload begins, with the number of its chunks.
	Body int
	// Persisted is the length of the filtered payload in bytes, Size that of the payload.
	Persisted, Size uint64
	version         uint32
	codec           *filter.Codec
}

// DecodeGenericHead decodes the head of the generic tile that b begins with, of which the rest need not be there. The
// sizes are what the tile claims.
func DecodeGenericHead(b []byte) (*GenericHead, error) {
	r := bin.NewReader(b)
	h, err := readHead(r)
	return &h, err
}

// Reverse unfilters what disk holds, a number of chunks and the chunks, to dst of just the size.
func (h *GenericHead) Reverse(dst, disk []byte) error {
	if err := h.codec.Reverse(dst, disk); err != nil {
		return filterErr(err, "generic tile/tile", int64(h.Body), h.version)
	}
	return nil
}

// readHead reads the head of a generic tile.
func readHead(r *bin.Reader) (GenericHead, error) {
	h := GenericHead{version: r.U32("format version")}
	if r.Err() == nil && !known(h.version) {
		r.Fail("format version", fmt.Errorf("%w: %d", ErrVersion, h.version))
	}
	h.Persisted = r.U64("persisted size")
	h.Size = r.U64("tile size")
	if t := datatype.Type(r.U8("datatype")); r.Err() == nil && !t.Valid() {
		r.Failf("datatype", "%w: unknown datatype %d", ErrCorrupt, t)
	}
	cellSize := r.U64("cell size")
	if e := r.U8("encryption"); e != 0 && r.Err() == nil {
		r.Fail("encryption", encryptionErr(e))
	}
	pipeline := readWhole(r, "filter pipeline", uint64(r.U32("pipeline size")), h.version)
	h.Body = r.Offset()
	if r.Err() == nil && (h.Size/maxRatio > h.Persisted || cellSize == 0) {
		r.Failf("tile size", "%w: %d bytes in cells of %d out of %d filtered bytes", ErrCorrupt, h.Size, cellSize, h.Persisted)
	}
	if err := readErr(r, "generic tile", h.version); err != nil {
		return h, err
	}
	var err error
	if h.codec, err = codecOf(pipeline); err != nil {
		err = filterErr(err, "generic tile/tile", int64(h.Body), h.version)
	}
	return h, err
}

// DecodeGenericTile returns the unfiltered payload, in new memory, of the generic tile that b begins with, and the number
// of bytes of b that it takes. Encrypted tiles are refused: Decrypt comes first.
func DecodeGenericTile(b []byte) (payload []byte, consumed int, err error) {
	r := bin.NewReader(b)
	h, err := readHead(r)
	if err != nil {
		return nil, 0, err
	}
	disk := r.Bytes("tile", h.Persisted)
	if r.Err() == nil && h.Size > uint64(len(disk))*maxRatio {
		r.Failf("tile size", "%w: %d bytes out of %d filtered bytes", ErrCorrupt, h.Size, len(disk))
	}
	if err := readErr(r, "generic tile", h.version); err != nil {
		return nil, 0, err
	}
	payload = make([]byte, h.Size)
	if err := h.Reverse(payload, disk); err != nil {
		return nil, 0, err
	}
	return payload, r.Offset(), nil
}

// codecOf returns the codec of a stored pipeline; generic tiles hold single bytes.
func codecOf(p filter.Pipeline) (*filter.Codec, error) {
	if len(p.Filters) == 1 && p.Filters[0].Code == filter.Gzip {
		return genericCodec()
	}
	return filter.NewCodec(p, datatype.Char, 1)
}

// readWhole reads a pipeline that must take exactly n bytes.
func readWhole(r *bin.Reader, field string, n uint64, version uint32) filter.Pipeline {
	b := r.Bytes(field, n)
	if r.Err() != nil {
		return filter.Pipeline{}
	}
	inner := bin.NewReader(b)
	p := filter.Decode(inner, version)
	if err := inner.Err(); err != nil {
		r.Fail(field, fmt.Errorf("%w: %w", ErrCorrupt, err))
	} else if inner.Len() > 0 {
		r.Failf(field, "%w: %d bytes left over", ErrCorrupt, inner.Len())
	}
	return p
}

func encryptionErr(kind uint8) error {
	if kind == 1 {
		return fmt.Errorf("%w: it is encrypted with AES-256-GCM", filter.ErrKey)
	}
	return fmt.Errorf("%w: unknown encryption %d", ErrCorrupt, kind)
}

// decodeWhole decodes a file, or a part of one, that is exactly one generic tile; part names it in errors.
func decodeWhole(b []byte, part string) ([]byte, error) {
	payload, n, err := DecodeGenericTile(b)
	if err != nil {
		return nil, within(err, part)
	}
	if n != len(b) {
		return nil, corrupt(part, int64(n), 0, "%d bytes behind the generic tile", len(b)-n)
	}
	return payload, nil
}
