// Package filter implements TileDB's tile filters and the pipelines made of them (format_spec/filter_pipeline.md,
// format_spec/filters/*.md).
//
// A pipeline is stored and carried as plain Specs, a code and its option bytes, so that schemas, files and messages can
// hold filters that this build cannot run; running one of those is refused with ErrUnsupported that names it.
package filter

import "errors"

// ErrUnsupported is wrapped by the error for a filter that is known or unknown but cannot be run by this build.
var ErrUnsupported = errors.New("unsupported filter")

// ErrCorrupt is wrapped by the error for filtered data that cannot be reversed.
var ErrCorrupt = errors.New("corrupt filtered data")

// ErrUnfilterable is wrapped by the error for values a filter refuses to store, such as a falling value in
// positive-delta.
var ErrUnfilterable = errors.New("values do not suit the filter")

// Code is the number of a filter in stored pipelines.
type Code uint8

// The filters of format version 22.
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
	AES256GCM         Code = 12
	ChecksumMD5       Code = 13
	ChecksumSHA256    Code = 14
	Dictionary        Code = 15
	FloatScale        Code = 16
	XOR               Code = 17
	WebP              Code = 18
	Delta             Code = 19
)

// DefaultMaxChunk is the chunk size in bytes that TileDB stores in pipelines and cuts tiles at.
const DefaultMaxChunk = 65536

// Spec is one filter of a pipeline: its code and its options exactly as the newest format version stores them.
// A Spec is immutable; Options may be shared.
type Spec struct {
	Code    Code
	Options []byte
}

// Pipeline is an ordered list of filters. The zero value stores data as it is, in chunks.
type Pipeline struct {
	// MaxChunk is the stored maximum chunk size in bytes. Writing cuts at DefaultMaxChunk whatever it says.
	MaxChunk uint32
	Filters  []Spec
}
