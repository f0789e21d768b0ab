package arrowio

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	arrowarray "github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"azulejo/datatype"
)

// An .npy file is magic, version, the length of the header (u16, from version 2 on u32), the header, a Python dictionary
// as text, and the elements back to back.
const (
	npyMagic = "\x93NUMPY"
	// maxHeader bounds the header of an .npy file.
	maxHeader = 1 << 20
	// maxText bounds the bytes of one fixed-size text.
	maxText = 1 << 24
)

// npyType is the element type of an .npy file.
type npyType struct {
	// field is the type of the values; texts of U are var-sized.
	field datatype.Type
	// width is the bytes of one element, swap tells that they are big-endian, unicode that they are UTF-32 texts.
	width   int
	swap    bool
	unicode bool
}

// npyHeader is what stands before the elements.
type npyHeader struct {
	typ     npyType
	shape   []int64
	fortran bool
	// start is the offset of the first element.
	start int64
	count int64
}

// The keys of the header's dictionary.
var (
	npyDescr   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	npyFortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9, ]*)\)`)
	npyKind    = regexp.MustCompile(`^([<>|=])([a-zA-Z])([0-9]+)(?:\[([a-zA-Z]+)\])?$`)
)

var npyNumbers = map[string]datatype.Type{
	"i1": datatype.Int8, "i2": datatype.Int16, "i4": datatype.Int32, "i8": datatype.Int64,
	"u1": datatype.Uint8, "u2": datatype.Uint16, "u4": datatype.Uint32, "u8": datatype.Uint64,
	"f4": datatype.Float32, "f8": datatype.Float64, "b1": datatype.Bool,
}

var npyUnits = map[string]int{"Y": 0, "M": 1, "W": 2, "D": 3, "h": 4, "m": 5, "s": 6, "ms": 7, "us": 8, "ns": 9, "ps": 10, "fs": 11, "as": 12}

// parseNPYType reads an element type such as <i4, |b1, >f8, <M8[ns], |S5 or <U7.
func parseNPYType(text string) (npyType, error) {
	m := npyKind.FindStringSubmatch(text)
	if m == nil {
		return npyType{}, fmt.Errorf("%w: element type %q; fields of records, objects and sub-arrays are not supported", ErrInvalid, text)
	}
	t := npyType{swap: m[1] == ">"}
	n, err := strconv.Atoi(m[3])
	if err != nil || n < 1 || n > maxText/4 {
		return t, fmt.Errorf("%w: element type %q", ErrInvalid, text)
	}
	t.width = n
	unit, known := npyUnits[m[4]]
	number, isNumber := npyNumbers[m[2]+m[3]]
	switch {
	case m[2] == "M" && n == 8 && known:
		t.field = datatype.DateTimeYear + datatype.Type(unit)
	case m[2] == "m" && n == 8 && known && unit >= npyUnits["h"]:
		t.field = datatype.TimeHR + datatype.Type(unit-npyUnits["h"])
	case m[4] != "":
		return t, fmt.Errorf("%w: element type %q has no counterpart", ErrInvalid, text)
	case m[2] == "S":
		t.field, t.swap = datatype.Char, false
	case m[2] == "U":
		t.field, t.unicode, t.width = datatype.StringUTF8, true, 4*n
	case isNumber:
		t.field = number
	default:
		return t, fmt.Errorf("%w: element type %q has no counterpart; convert it with astype", ErrInvalid, text)
	}
	return t, nil
}

// readNPYHeader reads what stands before the elements of a file of size bytes, and checks that they are all there.
func readNPYHeader(r io.ReaderAt, size int64) (*npyHeader, error) {
	head := make([]byte, 12)
	if n, err := r.ReadAt(head, 0); n < 12 && err != nil || string(head[:6]) != npyMagic {
		return nil, fmt.Errorf("%w: not an .npy file", ErrInvalid)
	}
	at, n := int64(10), int64(binary.LittleEndian.Uint16(head[8:]))
	if head[6] >= 2 {
		at, n = 12, int64(binary.LittleEndian.Uint32(head[8:]))
	}
	if n > maxHeader || n > size-at {
		return nil, fmt.Errorf("%w: a header of %d bytes in a file of %d", ErrInvalid, n, size)
	}
	text := make([]byte, n)
	if _, err := r.ReadAt(text, at); err != nil && err != io.EOF {
		return nil, err
	}
	h, err := parseNPYHeader(string(text))
	if err != nil {
		return nil, err
	}
	h.start = at + n
	if left := size - h.start; left/int64(h.typ.width) != h.count || left%int64(h.typ.width) != 0 {
		return nil, fmt.Errorf("%w: %d bytes of data for %d elements of %d bytes", ErrInvalid, left, h.count, h.typ.width)
	}
	return h, nil
}

func parseNPYHeader(text string) (*npyHeader, error) {
	descr, shape, fortran := npyDescr.FindStringSubmatch(text), npyShape.FindStringSubmatch(text), npyFortran.FindStringSubmatch(text)
	if descr == nil && strings.Contains(text, "'descr'") {
		return nil, fmt.Errorf("%w: records are not supported; save each field as an array of an .npz file", ErrInvalid)
	}
	if descr == nil || shape == nil || fortran == nil {
		return nil, fmt.Errorf("%w: .npy header %.200q", ErrInvalid, text)
	}
	typ, err := parseNPYType(descr[1])
	if err != nil {
		return nil, err
	}
	h := &npyHeader{typ: typ, fortran: fortran[1] == "True", count: 1}
	for _, part := range strings.Split(shape[1], ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n < 0 || n > 0 && h.count > math.MaxInt64/int64(typ.width)/n {
			return nil, fmt.Errorf("%w: shape (%s)", ErrInvalid, shape[1])
		}
		h.shape, h.count = append(h.shape, n), h.count*n
	}
	if len(h.shape) == 0 {
		return nil, fmt.Errorf("%w: a single value without a shape is no array", ErrInvalid)
	}
	return h, nil
}

// NPYSource returns the table of one NumPy array, whose cells are the rows of one column without a name. The error wraps
// ErrInvalid.
func NPYSource(ctx context.Context, f File) (*Source, error) {
	h, err := readNPYHeader(f.Data, f.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return npyTable(f.Name, []*npyColumn{{"", h, func() (io.Reader, error) { return io.NewSectionReader(f.Data, h.start, f.Size-h.start), nil }}})
}

// npyColumn is one array of a file: its name, header and elements.
type npyColumn struct {
	name   string
	header *npyHeader
	open   func() (io.Reader, error)
}

// npyTable returns the table whose columns are arrays of one shape.
func npyTable(name string, columns []*npyColumn) (*Source, error) {
	first := columns[0].header
	var fields []arrow.Field
	for _, c := range columns {
		h := c.header
		if !slices.Equal(h.shape, first.shape) || h.fortran != first.fortran && len(h.shape) > 1 {
			return nil, fmt.Errorf("%s: %w: arrays %q and %q have different shapes or orders, %v and %v", name, ErrInvalid, columns[0].name, c.name, first.shape, h.shape)
		}
		fields = append(fields, h.typ.arrowField(c.name))
	}
	s := &Source{Name: name, Schema: arrow.NewSchema(fields, nil), Shape: first.shape, ColMajor: first.fortran && len(first.shape) > 1}
	s.open = func(context.Context) (nextBatch, error) {
		var readers []io.Reader
		for _, c := range columns {
			r, err := c.open()
			if err != nil {
				return nil, err
			}
			readers = append(readers, r)
		}
		left := first.count
		return func() (arrow.RecordBatch, error) {
			if left == 0 {
				return nil, io.EOF
			}
			n := min(left, batchRows)
			for _, c := range columns {
				n = min(n, max(1, DefaultBatch/int64(c.header.typ.width)))
			}
			left -= n
			arrays := make([]arrow.Array, len(columns))
			for i, c := range columns {
				data := datatype.AlignedBytes(int(n) * c.header.typ.width)
				if _, err := io.ReadFull(readers[i], data); err != nil {
					return nil, hideEOF(err)
				}
				var err error
				if arrays[i], err = c.header.typ.array(data, int(n)); err != nil {
					return nil, err
				}
			}
			return arrowarray.NewRecordBatch(s.Schema, arrays, n), nil
		}, nil
	}
	return s, nil
}

// arrowField describes a column of the type; like the columns of an array, so that its type is kept.
func (t *npyType) arrowField(name string) arrow.Field {
	var dtype arrow.DataType
	switch {
	case t.unicode:
		dtype = arrow.BinaryTypes.LargeString
	case t.field == datatype.Char:
		dtype = &arrow.FixedSizeBinaryType{ByteWidth: t.width}
	case t.field == datatype.Bool:
		dtype = arrow.FixedWidthTypes.Boolean
	case t.field.IsTime() || narrow[t.field] != nil || plain[t.field] == nil:
		dtype = arrow.PrimitiveTypes.Int64 // all 64 bits
	default:
		dtype = plain[t.field]
	}
	return arrow.Field{Name: name, Type: dtype, Metadata: arrow.MetadataFrom(map[string]string{typeKey: t.field.String()})}
}

// array returns elements as an Arrow array; it may use data.
func (t *npyType) array(data []byte, n int) (arrow.Array, error) {
	if t.unicode {
		return t.unicodeArray(data)
	}
	if t.swap {
		for at := 0; at < len(data); at += t.width {
			slices.Reverse(data[at : at+t.width])
		}
	}
	if t.field == datatype.Bool {
		data = bits(data, n)
	}
	f := t.arrowField("")
	return arrowarray.MakeFromData(arrowarray.NewData(f.Type, n, []*memory.Buffer{nil, memory.NewBufferBytes(data)}, nil, 0, 0)), nil
}

// unicodeArray returns texts of UTF-32 without the zeros that fill them up.
func (t *npyType) unicodeArray(data []byte) (arrow.Array, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if t.swap {
		order = binary.BigEndian
	}
	b := arrowarray.NewLargeStringBuilder(memory.DefaultAllocator)
	var text []byte
	for ; len(data) > 0; data = data[t.width:] {
		element := data[:t.width]
		end := len(element)
		for end > 0 && bytes.Equal(element[end-4:end], []byte{0, 0, 0, 0}) {
			end -= 4
		}
		text = text[:0]
		for at := 0; at < end; at += 4 {
			r := order.Uint32(element[at:])
			if r > utf8.MaxRune || !utf8.ValidRune(rune(r)) {
				return nil, fmt.Errorf("%w: %#x is no character", ErrInvalid, r)
			}
			text = utf8.AppendRune(text, rune(r))
		}
		b.BinaryBuilder.Append(text)
	}
	return b.NewArray(), nil
}
