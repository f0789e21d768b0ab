package wire

import (
	"encoding/binary"
	"math"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/bin"
	"azulejo/internal/wire/capnp"
)

// filterOption is how a filter's options travel.
type filterOption uint8

const (
	noOption     filterOption = iota
	levelOption               // data.int32: compression level
	typeOption                // data.uint8: reinterpreted type of a delta filter
	windowOption              // data.uint32: largest window in bytes
	scaleOption               // floatScaleConfig
	imageOption               // webpConfig
)

// filterRow ties a filter's code to its name on the wire and to the form of its options. Compressor is the second code
// that compressors store in front of their options.
type filterRow struct {
	code       filter.Code
	name       string
	option     filterOption
	compressor uint8
}

var filterRows = []filterRow{
	{code: filter.None, name: "NONE"},
	{filter.Gzip, "GZIP", levelOption, 1},
	{filter.Zstd, "ZSTD", levelOption, 2},
	{filter.LZ4, "LZ4", levelOption, 3},
	{filter.RLE, "RLE", levelOption, 4},
	{filter.Bzip2, "BZIP2", levelOption, 5},
	{filter.DoubleDelta, "DOUBLE_DELTA", typeOption, 6},
	{filter.Dictionary, "DICTIONARY_ENCODING", levelOption, 7},
	{filter.Delta, "DELTA", typeOption, 8},
	{code: filter.BitWidthReduction, name: "BIT_WIDTH_REDUCTION", option: windowOption},
	{code: filter.Bitshuffle, name: "BITSHUFFLE"},
	{code: filter.Byteshuffle, name: "BYTESHUFFLE"},
	{code: filter.PositiveDelta, name: "POSITIVE_DELTA", option: windowOption},
	{code: filter.AES256GCM, name: "AES_256_GCM"},
	{code: filter.ChecksumMD5, name: "CHECKSUM_MD5"},
	{code: filter.ChecksumSHA256, name: "CHECKSUM_SHA256"},
	{code: filter.FloatScale, name: "SCALE_FLOAT", option: scaleOption},
	{code: filter.XOR, name: "XOR"},
	{code: filter.WebP, name: "WEBP", option: imageOption},
}

// decodePipeline reads a filter pipeline; the zero value is one without filters.
func decodePipeline(p *place, m capnp.FilterPipeline, err error) filter.Pipeline {
	pipeline := filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}
	if !p.check(err) {
		return pipeline
	}
	p = p.at("filters")
	filters, err := m.Filters()
	for i := range p.length(filters, err) {
		pipeline.Filters = append(pipeline.Filters, decodeFilter(p.item(i), filters.At(i)))
	}
	return pipeline
}

// decodeFilter reads one filter into the form schema files store.
func decodeFilter(p *place, m capnp.Filter) filter.Spec {
	name, err := m.Type()
	p.check(err)
	for _, row := range filterRows {
		if row.name == name {
			return filter.Spec{Code: row.code, Options: filterOptions(p, row, m)}
		}
	}
	p.at("type").fail("unknown filter %q", name)
	return filter.Spec{}
}

// filterOptions returns the stored form of a filter's options.
func filterOptions(p *place, row filterRow, m capnp.Filter) []byte {
	var w bin.Writer
	switch row.option {
	case levelOption, typeOption:
		level, reinterpret := int32(-1), uint8(datatype.Any)
		if row.option == levelOption && m.Data().Which() == capnp.Filter_data_Which_int32 {
			level = m.Data().Int32()
		}
		if row.option == typeOption && m.Data().Which() == capnp.Filter_data_Which_uint8 {
			reinterpret = m.Data().Uint8()
			if !datatype.Type(reinterpret).Valid() {
				p.at("data.uint8").fail("unknown datatype %d", reinterpret)
			}
		}
		w.U8(row.compressor)
		w.U32(uint32(level))
		if row.option == typeOption {
			w.U8(reinterpret)
		}
	case windowOption:
		if m.Data().Which() != capnp.Filter_data_Which_uint32 {
			p.at("data").fail("a window in uint32 is missing")
			return nil
		}
		w.U32(m.Data().Uint32())
	case scaleOption:
		c, err := m.FloatScaleConfig()
		p.at("floatScaleConfig").check(err)
		w.F64(c.Scale())
		w.F64(c.Offset())
		w.U64(c.ByteWidth())
	case imageOption:
		c, err := m.WebpConfig()
		p.at("webpConfig").check(err)
		w.U32(math.Float32bits(c.Quality()))
		w.U8(c.Format())
		w.Bool(c.Lossless())
		w.U16(c.ExtentX())
		w.U16(c.ExtentY())
		w.U16(0) // the stored struct is padded to 12 bytes
	}
	return w.B
}

// pipeline writes a filter pipeline into m.
func (e *encoder) pipeline(v filter.Pipeline, m capnp.FilterPipeline, err error) {
	if !e.ok(err) || len(v.Filters) == 0 {
		return
	}
	filters, err := m.NewFilters(int32(len(v.Filters)))
	if !e.ok(err) {
		return
	}
	for i, spec := range v.Filters {
		e.filter(filters.At(i), spec)
	}
}

// filter writes one filter into m.
func (e *encoder) filter(m capnp.Filter, spec filter.Spec) {
	for _, row := range filterRows {
		if row.code != spec.Code {
			continue
		}
		e.ok(m.SetType(row.name))
		e.filterOptions(m, row, spec.Options)
		return
	}
	e.ok(&Error{Field: "filters", Err: filter.ErrUnsupported})
}

// filterOptions writes the stored options of a filter into m.
func (e *encoder) filterOptions(m capnp.Filter, row filterRow, options []byte) {
	r := bin.NewReader(options)
	switch row.option {
	case levelOption:
		r.U8("compressor")
		m.Data().SetInt32(int32(r.U32("level")))
	case typeOption:
		r.Bytes("compressor and level", 5)
		reinterpret := uint8(datatype.Any) // older schema files end here
		if r.Len() > 0 {
			reinterpret = r.U8("reinterpreted type")
		}
		m.Data().SetUint8(reinterpret)
	case windowOption:
		m.Data().SetUint32(r.U32("window"))
	case scaleOption:
		c, err := m.NewFloatScaleConfig()
		if e.ok(err) {
			c.SetScale(r.F64("scale"))
			c.SetOffset(r.F64("offset"))
			c.SetByteWidth(r.U64("byte width"))
		}
	case imageOption:
		c, err := m.NewWebpConfig()
		if e.ok(err) {
			c.SetQuality(math.Float32frombits(r.U32("quality")))
			c.SetFormat(r.U8("format"))
			c.SetLossless(r.U8("lossless") != 0)
			c.SetExtentX(r.U16("y extent"))
			c.SetExtentY(r.U16("x extent"))
		}
	}
	e.ok(r.Err())
}

// uint64s reads numbers stored as little-endian bytes, eight each.
func uint64s(p *place, b []byte, err error) []uint64 {
	if !p.check(err) || len(b) == 0 {
		return nil
	}
	if len(b)%8 != 0 {
		p.fail("%d bytes are no list of 64-bit numbers", len(b))
		return nil
	}
	v := make([]uint64, len(b)/8)
	for i := range v {
		v[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return v
}
