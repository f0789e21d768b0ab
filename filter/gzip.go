package filter

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zlib"
)

// gzipBlock compresses into a zlib stream (RFC 1950); despite its name the filter has no gzip framing.
type gzipBlock struct{ level int }

// buildGzip makes the stage of Gzip. Levels below 0 are zlib's default, 6.
func buildGzip(s Spec, _ input) (stage, error) {
	level, _ := s.Level()
	if level < 0 {
		level = 6
	}
	return compressor{block: gzipBlock{int(min(level, 9))}}, nil
}

// gzipEncoder is a reusable writer with the slice it appends to.
type gzipEncoder struct {
	*zlib.Writer
	out appender
}

// appender is a writer that appends to itself.
type appender []byte

// Write appends b.
func (a *appender) Write(b []byte) (int, error) {
	*a = append(*a, b...)
	return len(b), nil
}

var gzipEncoders [10]sync.Pool

func (gzipBlock) bound(n int) int { return n + n/1000 + 64 }

func (g gzipBlock) compress(_ *work, dst, src []byte) ([]byte, error) {
	e, ok := gzipEncoders[g.level].Get().(*gzipEncoder)
	if !ok {
		e = new(gzipEncoder)
		w, err := zlib.NewWriterLevel(&e.out, g.level)
		if err != nil {
			return nil, fmt.Errorf("zlib encoder: %w", err)
		}
		e.Writer = w
	}
	e.out = dst
	e.Reset(&e.out)
	_, err := e.Write(src)
	if err == nil {
		err = e.Close()
	}
	dst, e.out = e.out, nil
	gzipEncoders[g.level].Put(e)
	return dst, err
}

// gzipDecoder is a reusable reader with its source.
type gzipDecoder struct {
	io.ReadCloser
	src bytes.Reader
}

var gzipDecoders sync.Pool

func (gzipBlock) decompress(_ *work, dst, src []byte) error {
	d, ok := gzipDecoders.Get().(*gzipDecoder)
	if !ok {
		d = new(gzipDecoder)
		d.src.Reset(src)
		r, err := zlib.NewReader(&d.src)
		if err != nil {
			return corrupt(err)
		}
		d.ReadCloser = r
	} else {
		d.src.Reset(src)
		if err := d.ReadCloser.(zlib.Resetter).Reset(&d.src, nil); err != nil {
			gzipDecoders.Put(d)
			return corrupt(err)
		}
	}
	defer gzipDecoders.Put(d)
	if _, err := io.ReadFull(d, dst); err != nil {
		return corrupt(err)
	}
	var more [1]byte
	if n, err := d.Read(more[:]); n != 0 || err != io.EOF {
		return fmt.Errorf("%w: the stream goes on after %d bytes: %v", ErrCorrupt, len(dst), err)
	}
	return nil
}
