package arrowio

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"strings"
)

// NPZSource returns the table of an .npz file, whose arrays, all of one shape, are its columns. The error wraps
// ErrInvalid.
func NPZSource(ctx context.Context, f File) (*Source, error) {
	z, err := zip.NewReader(f.Data, f.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", f.Name, ErrInvalid, err)
	}
	if len(z.File) > maxColumns {
		return nil, fmt.Errorf("%s: %w: %d arrays", f.Name, ErrInvalid, len(z.File))
	}
	var columns []*npyColumn
	for _, entry := range z.File {
		name, ok := strings.CutSuffix(entry.Name, ".npy")
		if !ok {
			return nil, fmt.Errorf("%s: %w: entry %q is no .npy file", f.Name, ErrInvalid, entry.Name)
		}
		h, err := entryHeader(entry)
		if err != nil {
			return nil, fmt.Errorf("%s: array %q: %w", f.Name, name, err)
		}
		columns = append(columns, &npyColumn{name, h, func() (io.Reader, error) {
			r, err := entry.Open()
			if err != nil {
				return nil, err
			}
			_, err = io.CopyN(io.Discard, r, h.start)
			return r, err
		}})
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("%s: %w: no arrays", f.Name, ErrInvalid)
	}
	return npyTable(f.Name, columns)
}

// entryHeader reads the header of an array in a zip file, whose bytes can only be read from their beginning.
func entryHeader(entry *zip.File) (*npyHeader, error) {
	if entry.UncompressedSize64 > 1<<62 {
		return nil, fmt.Errorf("%w: %d bytes", ErrInvalid, entry.UncompressedSize64)
	}
	r, err := entry.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	defer r.Close() // best effort: nothing is written
	head, err := io.ReadAll(io.LimitReader(r, maxHeader+12))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return readNPYHeader(strings.NewReader(string(head)), int64(entry.UncompressedSize64))
}
