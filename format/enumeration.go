package format

import (
	"fmt"

	"azulejo/datatype"
	"azulejo/internal/bin"
	"azulejo/schema"
)

// An enumeration file (format_spec/enumeration.md) is one generic tile with this payload:
//
//	u32 version 0 | u32+name | u32+file name | u8 type | u32 values per label | u8 ordered
//	u64+labels back to back | only if of variable length: u64+byte positions of the labels, u64 each
//
// The page leaves out name and file name.

// DecodeEnumeration decodes the content of an enumeration file. Sizes and types are sound; the rules are for its Check.
func DecodeEnumeration(file []byte) (*schema.Enumeration, error) {
	payload, err := decodeWhole(file, "enumeration")
	if err != nil {
		return nil, err
	}
	r := bin.NewReader(payload)
	if v := r.U32("version"); v != 0 && r.Err() == nil {
		r.Fail("version", fmt.Errorf("%w: %d", ErrVersion, v))
	}
	e := &schema.Enumeration{Name: r.String32("name"), File: r.String32("file name")}
	e.Type = datatype.Type(r.U8("type"))
	e.CellValNum = r.U32("values per label")
	if r.Err() == nil && (!e.Type.Valid() || e.CellValNum == 0) {
		r.Failf("type", "%w: %d values of %s", ErrCorrupt, e.CellValNum, e.Type)
	}
	e.Ordered = r.U8("ordered") != 0
	e.Data = r.Bytes("labels", r.U64("size of labels"))
	if e.CellValNum == datatype.VarNum {
		e.Offsets = readOffsets(r, uint64(len(e.Data)))
	}
	if err := finish(r, "enumeration", 0); err != nil {
		return nil, err
	}
	return e, nil
}

// readOffsets reads a sized list of byte positions in nBytes bytes, in ascending order.
func readOffsets(r *bin.Reader, nBytes uint64) []uint64 {
	size := r.U64("size of offsets")
	if r.Err() == nil && size%8 != 0 {
		r.Failf("size of offsets", "%w: %d bytes", ErrCorrupt, size)
	}
	offsets := r.U64s("offsets", size/8)
	last := uint64(0)
	for _, off := range offsets {
		if off < last || off > nBytes {
			r.Failf("offsets", "%w: position %d after %d in %d bytes", ErrCorrupt, off, last, nBytes)
			return nil
		}
		last = off
	}
	return offsets
}

// EncodeEnumeration returns the content of an enumeration file, __schema/__enumerations/__uuid_0
// (format_spec/enumeration.md). e.Name and e.File are stored in it and must be set.
func EncodeEnumeration(e *schema.Enumeration) ([]byte, error) {
	w := &bin.Writer{}
	w.U32(0)
	w.String32(e.Name)
	w.String32(e.File)
	w.U8(uint8(e.Type))
	w.U32(e.CellValNum)
	w.Bool(e.Ordered)
	w.U64(uint64(len(e.Data)))
	w.Bytes(e.Data)
	if e.CellValNum == datatype.VarNum {
		w.U64(uint64(len(e.Offsets)) * 8)
		w.U64s(e.Offsets)
	}
	return AppendGenericTile(nil, w.B)
}
