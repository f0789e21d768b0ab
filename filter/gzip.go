package filter

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zlib"

	"azulejo/internal/unpack"
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

func (gzipBlock) decompress(_ *work, dst, src []byte) error {
	if err := unpack.Zlib(dst, src); err != nil {
		return corrupt(err)
	}
	return nil
}
