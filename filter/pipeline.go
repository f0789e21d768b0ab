package filter

import (
	"fmt"

	"azulejo/datatype"
	"azulejo/internal/bin"
)

// Pipeline is an ordered list of filters. The zero value stores data as it is, in chunks.
type Pipeline struct {
	// MaxChunk is the stored maximum chunk size in bytes. Writing cuts at DefaultMaxChunk whatever it says, except
	// that 0 means never to cut.
	MaxChunk uint32
	Filters  []Spec
}

// Encode appends the pipeline as schemas and generic tiles of format version 22 store it
// (format_spec/filter_pipeline.md): u32 largest chunk, u32 number of filters, then per filter u8 code, u32 option bytes
// and the options.
func (p Pipeline) Encode(w *bin.Writer) {
	w.U32(p.MaxChunk)
	w.U32(uint32(len(p.Filters)))
	for _, s := range p.Filters {
		w.U8(uint8(s.Code))
		w.U32(uint32(len(s.Options)))
		w.Bytes(s.Options)
	}
}

// Decode reads a pipeline that format version `version` stored; the fault is left in r. Options of older versions are
// completed to those of version 22, so that a pipeline means the same wherever it is written again. Unknown filters and
// odd options are kept as they are: Check and NewCodec refuse them by name. The Specs do not share r's memory.
func Decode(r *bin.Reader, version uint32) Pipeline {
	p := Pipeline{MaxChunk: r.U32("pipeline / largest chunk")}
	n := r.Count("pipeline / number of filters", uint64(r.U32("pipeline / number of filters")), 5)
	for i := 0; i < n && r.Err() == nil; i++ {
		s := Spec{Code: Code(r.U8("pipeline / filter code"))}
		options := r.Bytes("pipeline / filter options", uint64(r.U32("pipeline / size of filter options")))
		if len(options) > 0 {
			s.Options = append(make([]byte, 0, len(options)+1), options...)
		}
		if len(options) == compressorLayout.nBytes() && (s.Code == Delta && version < 19 || s.Code == DoubleDelta && version < 20) {
			s.Options = append(s.Options, byte(datatype.Any))
		}
		p.Filters = append(p.Filters, s)
	}
	if r.Err() != nil {
		return Pipeline{}
	}
	return p
}

// Has reports whether one of the filters is c.
func (p Pipeline) Has(c Code) bool {
	for _, s := range p.Filters {
		if s.Code == c {
			return true
		}
	}
	return false
}

// TakesOffsets reports whether the pipeline, used for var-sized values of type t, stores their offsets itself: it holds
// RLE or Dictionary and t is STRING_ASCII or STRING_UTF8. The tile of the offsets then has no chunks.
func (p Pipeline) TakesOffsets(t datatype.Type) bool { return p.takesOffsets(t, Version) }

func (p Pipeline) takesOffsets(t datatype.Type, version uint32) bool {
	switch t {
	case datatype.StringASCII:
		return version >= 12 && p.Has(RLE) || version >= 13 && p.Has(Dictionary)
	case datatype.StringUTF8:
		return version >= 17 && (p.Has(RLE) || p.Has(Dictionary))
	}
	return false
}

// Check tells whether TileDB would let a field of type t have this pipeline; isVar says that its cells have variable
// length. The error wraps ErrOptions, ErrUnfilterable or, for codes that the format does not know, ErrUnsupported.
// Filters that this build cannot run pass: NewCodec refuses them.
func (p Pipeline) Check(t datatype.Type, isVar bool) error {
	if !t.Valid() {
		return fmt.Errorf("%w: datatype %d", ErrUnfilterable, t)
	}
	for i, s := range p.Filters {
		if err := s.Check(); err != nil {
			return err
		}
		if s.Code == AES256GCM {
			return fmt.Errorf("%w: %s is not for schemas", ErrUnsupported, s.Name())
		}
		if i > 0 && isVar && (t == datatype.StringASCII || t == datatype.StringUTF8) && (s.Code == RLE || s.Code == Dictionary) {
			return fmt.Errorf("%w: %s must be the first filter of texts of variable length", ErrUnfilterable, s.Name())
		}
	}
	for _, s := range p.Filters {
		if !s.accepts(t) {
			return fmt.Errorf("%w: %s does not take %s", ErrUnfilterable, s.Name(), t)
		}
		t = s.outputType(t)
	}
	return nil
}

// accepts reports whether the filter takes values of type t.
func (s Spec) accepts(t datatype.Type) bool {
	switch s.Code {
	case BitWidthReduction, PositiveDelta:
		return t.IsInteger() || t.IsDateTime() || t.IsTime() || isByte(t) || t == datatype.Bool
	case Delta, DoubleDelta:
		as, _ := s.Reinterpret()
		if as == datatype.Any {
			return !t.IsFloat()
		}
		return !as.IsFloat() && t.Size()%as.Size() == 0
	case FloatScale:
		return t.Size() == 4 || t.Size() == 8
	case XOR:
		return t.Size() <= 8
	case WebP:
		return t == datatype.Uint8
	}
	return true
}

// isByte reports whether t is one of the types of uninterpreted bytes.
func isByte(t datatype.Type) bool {
	return t == datatype.Blob || t == datatype.GeomWKB || t == datatype.GeomWKT
}

// outputType returns the type of the values that the filter hands to the next one.
func (s Spec) outputType(t datatype.Type) datatype.Type {
	switch s.Code {
	case Delta, DoubleDelta:
		if as, ok := s.Reinterpret(); ok && as != datatype.Any && as.Valid() {
			return as
		}
	case FloatScale:
		o, _ := s.Scaling()
		return intOfWidth(o.ByteWidth, t)
	case XOR:
		return intOfWidth(uint64(t.Size()), t)
	case AES256GCM:
		return datatype.Blob
	}
	return t
}

// intOfWidth returns the signed integer type of that many bytes, or otherwise when there is none.
func intOfWidth(nBytes uint64, otherwise datatype.Type) datatype.Type {
	switch nBytes {
	case 1:
		return datatype.Int8
	case 2:
		return datatype.Int16
	case 4:
		return datatype.Int32
	case 8:
		return datatype.Int64
	}
	return otherwise
}
