// Package npz reads and writes NumPy's .npz files: zip archives of .npy files, each one array of plain numbers.
//
// Only what the test corpora hold is supported: little-endian or single-byte elements in C order, no objects. Data is
// kept as bytes, exactly as stored. Test programs use it; it is not part of the product.
package npz

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// ErrFormat is wrapped by the error for a file that is not of the supported form.
var ErrFormat = errors.New("not a supported npz file")

const (
	magic = "\x93NUMPY"
	// maxArray bounds the bytes of one array, so that a broken file cannot ask for all memory.
	maxArray = 1 << 31
)

// Array is one array of a file.
type Array struct {
	// Name is the entry's name without ".npy".
	Name string
	// Type is NumPy's type text, such as "<i4", "|u1" or "<f8".
	Type string
	// Count is the number of elements.
	Count int
	// Data holds the elements, little-endian.
	Data []byte
}

// Read returns the arrays of a file by name.
func Read(path string) (map[string]Array, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, path, err)
	}
	defer z.Close()
	out := make(map[string]Array, len(z.File))
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			return nil, fmt.Errorf("%w: %s: entry %q is no .npy", ErrFormat, path, f.Name)
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		raw, err := io.ReadAll(io.LimitReader(r, maxArray))
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("%s: entry %q: %w", path, f.Name, err)
		}
		a, err := decode(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: entry %q: %w", path, f.Name, err)
		}
		a.Name = name
		out[name] = a
	}
	return out, nil
}

// The keys of an .npy header, a Python dictionary literal.
var (
	descrKey   = regexp.MustCompile(`'descr':\s*'([<|][a-zA-Z][0-9]+)'`)
	fortranKey = regexp.MustCompile(`'fortran_order':\s*False`)
	shapeKey   = regexp.MustCompile(`'shape':\s*\(([0-9, ]*)\)`)
)

// decode reads an .npy file: magic, version, header length (u16, from version 2 on u32), header text, elements.
func decode(raw []byte) (Array, error) {
	if len(raw) < 12 || string(raw[:6]) != magic {
		return Array{}, fmt.Errorf("%w: no .npy magic", ErrFormat)
	}
	at, n := 10, int(binary.LittleEndian.Uint16(raw[8:]))
	if raw[6] >= 2 {
		at, n = 12, int(binary.LittleEndian.Uint32(raw[8:]))
	}
	if n > len(raw)-at {
		return Array{}, fmt.Errorf("%w: header of %d bytes in a file of %d", ErrFormat, n, len(raw))
	}
	header, data := string(raw[at:at+n]), raw[at+n:]
	descr, shape := descrKey.FindStringSubmatch(header), shapeKey.FindStringSubmatch(header)
	if descr == nil || shape == nil || !fortranKey.MatchString(header) {
		return Array{}, fmt.Errorf("%w: header %q", ErrFormat, header)
	}
	width, err := strconv.Atoi(descr[1][2:])
	if err != nil || width < 1 || width > 16 {
		return Array{}, fmt.Errorf("%w: element type %q", ErrFormat, descr[1])
	}
	count := 1
	for _, part := range strings.Split(shape[1], ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		d, err := strconv.Atoi(part)
		if err != nil || d > maxArray || count*d > maxArray {
			return Array{}, fmt.Errorf("%w: shape (%s)", ErrFormat, shape[1])
		}
		count *= d
	}
	if len(data) != count*width {
		return Array{}, fmt.Errorf("%w: %d bytes of data for %d elements of %d bytes", ErrFormat, len(data), count, width)
	}
	return Array{Type: descr[1], Count: count, Data: data}, nil
}

// Write makes a file of the arrays, each one-dimensional with Count elements; Data is not kept. An existing file is
// replaced.
func Write(path string, arrays []Array) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := zip.NewWriter(f)
	for _, a := range arrays {
		w, err := z.CreateHeader(&zip.FileHeader{Name: a.Name + ".npy", Method: zip.Deflate})
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if _, err := w.Write(append(header(a), a.Data...)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return z.Close()
}

// header returns what stands before the elements: a multiple of 64 bytes.
func header(a Array) []byte {
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d,), }", a.Type, a.Count)
	n := (10 + len(text) + 1 + 63) / 64 * 64
	out := append([]byte(magic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(n-10))
	out = append(out, text...)
	for len(out) < n-1 {
		out = append(out, ' ')
	}
	return append(out, '\n')
}
