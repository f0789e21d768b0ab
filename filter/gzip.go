package filter

import (
	"sync"

	"azulejo/internal/pack"
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

var gzipEncoders = sync.Pool{New: func() any { return new(pack.Zlib) }}

func (gzipBlock) bound(n int) int { return n + n/1000 + 64 }

func (g gzipBlock) compress(_ *work, dst, src []byte) ([]byte, error) {
	e := gzipEncoders.Get().(*pack.Zlib)
	dst = e.Append(dst, src, g.level)
	gzipEncoders.Put(e)
	return dst, nil
}

func (g gzipBlock) decompress(w *work, dst, src []byte) error {
	return g.decompressHead(w, dst, src, len(dst))
}

func (gzipBlock) decompressHead(_ *work, dst, src []byte, size int) error {
	if err := unpack.ZlibHead(dst, src, size); err != nil {
		return corrupt(err)
	}
	return nil
}
