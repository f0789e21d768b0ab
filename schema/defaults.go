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

// compressor returns a pipeline of one compressor at level -1.
func compressor(c filter.Code) filter.Pipeline {
	return filter.Pipeline{MaxChunk: filter.DefaultMaxChunk, Filters: []filter.Spec{filter.Compressor(c, -1)}}
}

// FillImages gives every WebP filter the size of its images, that of a tile, as libtiledb does when an array is made. The
// attributes get new memory where they change.
func (a *Array) FillImages() {
	dims := a.Domain.Dimensions
	if len(dims) != 2 || dims[0].Extent == nil || dims[1].Extent == nil {
		return
	}
	attributes := append([]Attribute(nil), a.Attributes...)
	for i := range attributes {
		p := &attributes[i].Filters
		if !p.Has(filter.WebP) {
			continue
		}
		p.Filters = append([]filter.Spec(nil), p.Filters...)
		for k, f := range p.Filters {
			if o, ok := f.Image(); ok {
				o.YExtent, o.XExtent = uint16(number(dims[0].Type, dims[0].Extent)), uint16(number(dims[1].Type, dims[1].Extent))
				p.Filters[k] = filter.Image(o)
			}
		}
	}
	a.Attributes = attributes
}

// FillExtents gives every dimension of numbers that has no tile extent one that covers its whole domain, as libtiledb does
// with a domain that is set in a schema not in Hilbert order. Whole numbers wrap in their own width: -128..126 gets -1, which stands for 255. It replaces
// the dimensions by new ones.
func (a *Array) FillExtents() {
	dims := append([]Dimension(nil), a.Domain.Dimensions...)
	for i := range dims {
		d := &dims[i]
		switch {
		case d.Extent != nil || d.Var() || len(d.Domain) != 2*d.Type.Size():
		case d.Type == datatype.Float32:
			d.Extent = datatype.Bytes([]float32{float32(float(d.Type, d.Hi())) - float32(float(d.Type, d.Lo()))})
		case d.Type == datatype.Float64:
			d.Extent = datatype.Bytes([]float64{float(d.Type, d.Hi()) - float(d.Type, d.Lo())})
		default:
			d.Extent = datatype.Bytes([]uint64{number(d.Type, d.Hi()) - number(d.Type, d.Lo()) + 1})[:d.Type.Size()]
		}
	}
	a.Domain.Dimensions = dims
}

// NewAttribute returns an attribute as libtiledb makes one: no filters, not nullable, the type's fill value.
func NewAttribute(name string, t datatype.Type, cellValNum uint32) Attribute {
	return Attribute{
		Name: name, Type: t, CellValNum: cellValNum, Fill: DefaultFill(t, cellValNum),
		Filters: filter.Pipeline{MaxChunk: filter.DefaultMaxChunk},
	}
}

// New returns a schema with libtiledb's defaults and no fields: row-major orders, capacity, filters.
func New(t ArrayType) *Array {
	return &Array{
		Version: filter.Version, Type: t, Capacity: DefaultCapacity,
		CoordsFilters: DefaultCoordsFilters(), OffsetsFilters: DefaultOffsetsFilters(), ValidityFilters: DefaultValidityFilters(),
	}
}
