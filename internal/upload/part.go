package upload

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
)

// pieceBytes bounds the cells that are held at a time, but for single cells that are larger.
const pieceBytes = 32 << 20

// maxHead bounds the list of columns at the start of a part.
const maxHead = 16 << 20

// part is the cells of one request, as they lie in its file.
type part struct {
	file    vfs.File
	offsets query.OffsetsFormat
	columns []placed
	// cells is the number of cells of each column, next the first one that was not taken yet.
	cells, next uint64
	// limit is about how many bytes of a column a piece has.
	limit uint64
}

// placed is a column and where its bytes begin in the file.
type placed struct {
	Column
	field schema.Field
	at    uint64
}

// openPart opens a file that Append wrote. The error wraps query.ErrInvalid when its columns do not fit the schema.
func openPart(ctx context.Context, fs vfs.FS, uri string, s *schema.Array, offsets query.OffsetsFormat) (*part, error) {
	file, err := fs.Open(ctx, uri)
	if err != nil {
		if errors.Is(err, vfs.ErrNotExist) {
			return nil, fmt.Errorf("%w: a part of it is missing", ErrGone)
		}
		return nil, err
	}
	p := &part{file: file, offsets: offsets, limit: pieceBytes}
	if err := p.read(ctx, s); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return p, nil
}

func (p *part) read(ctx context.Context, s *schema.Array) error {
	length := make([]byte, 4)
	if err := p.file.ReadAt(ctx, length, 0); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(length)
	if n > maxHead || int64(n)+4 > p.file.Size() {
		return fmt.Errorf("%w: a list of columns of %d bytes", ErrCorrupt, n)
	}
	head := make([]byte, n)
	if err := p.file.ReadAt(ctx, head, 4); err != nil {
		return err
	}
	var columns []Column
	if err := json.Unmarshal(head, &columns); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	at, end := uint64(4+n), uint64(p.file.Size())-sha256.Size
	for i, c := range columns {
		f, ok := s.Field(c.Name)
		if !ok {
			return fmt.Errorf("%w: the array has no field %q any more", query.ErrInvalid, c.Name)
		}
		if c.Fixed > end || c.Vary > end || c.Present > end || at+c.Fixed+c.Vary+c.Present > end {
			return fmt.Errorf("%w: column %q is longer than the file", ErrCorrupt, c.Name)
		}
		x := placed{c, f, at}
		cells := p.count(&x)
		if f.Nullable && c.Present != cells {
			return fmt.Errorf("%w: field %q has %d cells and the validity of %d", query.ErrInvalid, c.Name, cells, c.Present)
		}
		if i > 0 && cells != p.cells {
			return fmt.Errorf("%w: field %q has %d cells, but field %q has %d", query.ErrInvalid, c.Name, cells, columns[0].Name, p.cells)
		}
		p.cells = cells
		p.columns = append(p.columns, x)
		at += c.Fixed + c.Vary + c.Present
	}
	return nil
}

// count returns the number of cells of a column.
func (p *part) count(c *placed) uint64 {
	if !c.field.Var() {
		return c.Fixed / uint64(c.field.CellSize())
	}
	n := c.Fixed / offsetSize(p.offsets)
	if p.offsets.Extra && n > 0 {
		n--
	}
	return n
}

// piece returns the next cells, as many as the limit holds and at least one. Their offsets count bytes in 64 bits.
func (p *part) piece(ctx context.Context) ([]query.Column, error) {
	n, err := p.fitting(ctx)
	if err != nil {
		return nil, err
	}
	columns := make([]query.Column, len(p.columns))
	for i := range p.columns {
		if columns[i], err = p.column(ctx, &p.columns[i], n); err != nil {
			return nil, err
		}
	}
	p.next += n
	return columns, nil
}

// fitting returns how many of the next cells a piece has.
func (p *part) fitting(ctx context.Context) (uint64, error) {
	fixed := uint64(0)
	for i := range p.columns {
		fixed += uint64(p.columns[i].field.CellSize()) + 1
	}
	n := min(max(p.limit/fixed, 1), p.cells-p.next)
	for i := range p.columns {
		c := &p.columns[i]
		for c.field.Var() && n > 1 {
			from, to, err := p.span(ctx, c, n)
			if err != nil {
				return 0, err
			}
			if to-from <= p.limit {
				break
			}
			n = (n + 1) / 2
		}
	}
	return n, nil
}

// span returns where the values of the next n cells lie in a var-sized column.
func (p *part) span(ctx context.Context, c *placed, n uint64) (from, to uint64, err error) {
	if from, err = p.offset(ctx, c, p.next); err != nil {
		return 0, 0, err
	}
	if to = c.Vary; p.next+n < p.cells {
		if to, err = p.offset(ctx, c, p.next+n); err != nil {
			return 0, 0, err
		}
	}
	if from > to || to > c.Vary {
		return 0, 0, fmt.Errorf("%w: field %q: offsets do not rise, or leave the values", query.ErrInvalid, c.Name)
	}
	return from, to, nil
}

// offset returns where the values of one cell begin.
func (p *part) offset(ctx context.Context, c *placed, cell uint64) (uint64, error) {
	size := offsetSize(p.offsets)
	raw := datatype.AlignedBytes(int(size))
	if err := p.file.ReadAt(ctx, raw, int64(c.at+cell*size)); err != nil {
		return 0, err
	}
	return byteOffsets(raw, p.offsets, c.field.Type.Size())[0], nil
}

// column reads the next n cells of a column.
func (p *part) column(ctx context.Context, c *placed, n uint64) (query.Column, error) {
	out := query.Column{Name: c.Name}
	var err error
	if c.field.Nullable {
		if out.Validity, err = p.bytes(ctx, c.at+c.Fixed+c.Vary+p.next, n); err != nil {
			return out, err
		}
	}
	if !c.field.Var() {
		size := uint64(c.field.CellSize())
		out.Data, err = p.bytes(ctx, c.at+p.next*size, n*size)
		return out, err
	}
	from, to, err := p.span(ctx, c, n)
	if err != nil {
		return out, err
	}
	size := offsetSize(p.offsets)
	raw, err := p.bytes(ctx, c.at+p.next*size, n*size)
	if err != nil {
		return out, err
	}
	offsets := byteOffsets(raw, p.offsets, c.field.Type.Size())
	for i, at := range offsets {
		if at < from || at > to {
			return out, fmt.Errorf("%w: field %q: offsets do not rise, or leave the values", query.ErrInvalid, c.Name)
		}
		offsets[i] = at - from
	}
	out.Offsets = datatype.Bytes(offsets)
	out.Data, err = p.bytes(ctx, c.at+c.Fixed+from, to-from)
	return out, err
}

// bytes reads a part of the file. Its length was checked against that of the file.
func (p *part) bytes(ctx context.Context, at, n uint64) ([]byte, error) {
	b := datatype.AlignedBytes(int(n))
	return b, p.file.ReadAt(ctx, b, int64(at))
}
