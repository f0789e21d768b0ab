// Package filter implements TileDB's tile filters and the pipelines made of them (format_spec/filter_pipeline.md,
// format_spec/tile.md, format_spec/filters/*.md).
//
// A pipeline is stored and carried as plain Specs, a code and its option bytes, so that schemas, files and messages can
// hold filters that this build cannot run; running one of those is refused with ErrUnsupported that names it. To run a
// pipeline, make a Codec of it for the type of the values.
//
// A filtered tile is a list of chunks, each filtered on its own:
//
//	u64 number of chunks
//	per chunk: u32 original bytes | u32 filtered bytes | u32 metadata bytes | metadata | filtered data
//
// Every filter turns the data of a chunk into new data and puts its own metadata in front of that of the filters
// before it. A compressor also swallows the metadata in front of it: it compresses those parts, newest first, and then
// the data, and lists the sizes of both in its own. So reading a chunk's metadata from front to back serves the filters
// from last to first.
//
// To add a filter, write its file with a stage and a build function, and give it its rows in the two tables.
package filter

import (
	"errors"
	"fmt"
	"strings"

	"azulejo/datatype"
)

// ErrUnsupported is wrapped by the error for a filter that is known or unknown but cannot be run by this build.
var ErrUnsupported = errors.New("unsupported filter")

// ErrCorrupt is wrapped by the error for filtered data that cannot be reversed.
var ErrCorrupt = errors.New("corrupt filtered data")

// ErrUnfilterable is wrapped by the error for values or types that a filter refuses to store, such as a falling value
// in positive-delta or floats in double-delta.
var ErrUnfilterable = errors.New("values do not suit the filter")

// ErrOptions is wrapped by the error for option bytes that do not fit their filter.
var ErrOptions = errors.New("bad filter options")

// Code is the number of a filter in stored pipelines.
type Code uint8

// The filters of format version 22 (format_spec/filter_pipeline.md). AES256GCM is never part of a schema's pipelines.
const (
	None              Code = 0
	Gzip              Code = 1
	Zstd              Code = 2
	LZ4               Code = 3
	RLE               Code = 4
	Bzip2             Code = 5
	DoubleDelta       Code = 6
	BitWidthReduction Code = 7
	Bitshuffle        Code = 8
	Byteshuffle       Code = 9
	PositiveDelta     Code = 10
	AES256GCM         Code = 11
	ChecksumMD5       Code = 12
	ChecksumSHA256    Code = 13
	Dictionary        Code = 14
	FloatScale        Code = 15
	XOR               Code = 16
	WebP              Code = 18
	Delta             Code = 19
)

// DefaultMaxChunk is the chunk size in bytes that TileDB stores in pipelines and cuts tiles at.
const DefaultMaxChunk = 65536

// row is one filter of the table.
type row struct {
	name string
	// options is the layout of the option bytes.
	options layout
}

var table = [20]row{
	None:              {"NONE", plainLayout},
	Gzip:              {"GZIP", compressorLayout},
	Zstd:              {"ZSTD", compressorLayout},
	LZ4:               {"LZ4", compressorLayout},
	RLE:               {"RLE", compressorLayout},
	Bzip2:             {"BZIP2", compressorLayout},
	DoubleDelta:       {"DOUBLE_DELTA", reinterpretLayout},
	BitWidthReduction: {"BIT_WIDTH_REDUCTION", windowLayout},
	Bitshuffle:        {"BITSHUFFLE", plainLayout},
	Byteshuffle:       {"BYTESHUFFLE", plainLayout},
	PositiveDelta:     {"POSITIVE_DELTA", windowLayout},
	AES256GCM:         {"AES_256_GCM", plainLayout},
	ChecksumMD5:       {"CHECKSUM_MD5", plainLayout},
	ChecksumSHA256:    {"CHECKSUM_SHA256", plainLayout},
	Dictionary:        {"DICTIONARY_ENCODING", compressorLayout},
	FloatScale:        {"SCALE_FLOAT", floatScaleLayout},
	XOR:               {"XOR", plainLayout},
	WebP:              {"WEBP", webPLayout},
	Delta:             {"DELTA", reinterpretLayout},
}

// input is what a stage is built for: the values that reach it.
type input struct {
	// t is the type of the values after the filters before this one.
	t datatype.Type
	// cellSize is the bytes of a cell of the tile.
	cellSize int
	// version is the format version of the tile.
	version uint32
}

// builders has the function that makes the stage of each filter that this build can run.
var builders = [len(table)]func(Spec, input) (stage, error){
	None:              buildNone,
	Gzip:              buildGzip,
	Zstd:              buildZstd,
	LZ4:               buildLZ4,
	RLE:               buildRLE,
	Bzip2:             buildBzip2,
	DoubleDelta:       buildDoubleDelta,
	BitWidthReduction: buildBitWidth,
	Bitshuffle:        buildBitshuffle,
	Byteshuffle:       buildByteshuffle,
	PositiveDelta:     buildPositiveDelta,
	ChecksumMD5:       buildMD5,
	ChecksumSHA256:    buildSHA256,
	Dictionary:        buildDictionary,
	FloatScale:        buildFloatScale,
	XOR:               buildXOR,
	WebP:              buildWebP,
	Delta:             buildDelta,
}

// Valid reports whether c is a filter of the format.
func (c Code) Valid() bool { return int(c) < len(table) && table[c].name != "" }

// Supported reports whether this build can run the filter.
func (c Code) Supported() bool { return c.Valid() && builders[c] != nil }

// String returns the upper-case name that TileDB uses on the wire, such as "ZSTD" or "CHECKSUM_MD5", or a text with the
// number when c is unknown.
func (c Code) String() string {
	if !c.Valid() {
		return fmt.Sprintf("filter(%d)", uint8(c))
	}
	return table[c].name
}

// ParseCode returns the filter of an upper- or lower-case name as String gives it.
func ParseCode(name string) (Code, bool) {
	for c := range table {
		if table[c].name != "" && strings.EqualFold(table[c].name, name) {
			return Code(c), true
		}
	}
	return 0, false
}
