package schema

import (
	"azulejo/datatype"
	"azulejo/filter"
)

// DefaultCapacity is the number of cells of a sparse tile unless the schema says otherwise.
const DefaultCapacity = 10000

// DefaultFill returns the fill value that a new attribute gets: the type's fill value once per value of a cell, or once
// when cells have variable length. The slice is new.
func DefaultFill(t datatype.Type, cellValNum uint32) []byte {
	if cellValNum == datatype.VarNum {
		cellValNum = 1
	}
	fill := make([]byte, 0, int(cellValNum)*t.Size())
	for range cellValNum {
		fill = append(fill, t.Fill()...)
	}
	return fill
}

// DefaultCoordsFilters returns the pipeline of coordinates in a new schema, Zstandard at its default level.
func DefaultCoordsFilters() filter.Pipeline { return compressor(filter.Zstd) }

// DefaultOffsetsFilters returns the pipeline of offsets in a new schema, Zstandard at its default level.
func DefaultOffsetsFilters() filter.Pipeline { return compressor(filter.Zstd) }

// DefaultValidityFilters returns the pipeline of validity bytes in a new schema, run-length encoding.
func DefaultValidityFilters() filter.Pipeline { return compressor(filter.RLE) }

// compressor returns a pipeline of one compressor at level -1; its options are its own code and the level.
func compressor(c filter.Code) filter.Pipeline {
	return filter.Pipeline{
		MaxChunk: filter.DefaultMaxChunk,
		Filters:  []filter.Spec{{Code: c, Options: []byte{byte(c), 0xFF, 0xFF, 0xFF, 0xFF}}},
	}
}
