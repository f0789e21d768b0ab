package filter

import (
	"fmt"
	"sync"

	"github.com/dsnet/compress/bzip2"

	"azulejo/internal/unpack"
)

// bzip2Block compresses into one bzip2 stream.
type bzip2Block struct{ level int }

// buildBzip2 makes the stage of Bzip2. Levels below 1 are the default, 1.
func buildBzip2(s Spec, _ input) (stage, error) {
	level, _ := s.Level()
	return compressor{block: bzip2Block{int(min(max(level, 1), 9))}}, nil
}

func (bzip2Block) bound(n int) int { return n + n/100 + 600 }

// bzip2Encoder is a reusable writer with the slice it appends to.
type bzip2Encoder struct {
	*bzip2.Writer
	out appender
}

// appender is a writer that appends to itself.
type appender []byte

// Write appends b.
func (a *appender) Write(b []byte) (int, error) {
	*a = append(*a, b...)
	return len(b), nil
}

var bzip2Encoders [10]sync.Pool

func (b bzip2Block) compress(_ *work, dst, src []byte) ([]byte, error) {
	e, ok := bzip2Encoders[b.level].Get().(*bzip2Encoder)
	if !ok {
		e = new(bzip2Encoder)
		w, err := bzip2.NewWriter(&e.out, &bzip2.WriterConfig{Level: b.level})
		if err != nil {
			return nil, fmt.Errorf("bzip2 encoder: %w", err)
		}
		e.Writer = w
	}
	e.out = dst
	err := e.Reset(&e.out)
	if err == nil {
		_, err = e.Write(src)
	}
	if err == nil {
		err = e.Close()
	}
	dst, e.out = e.out, nil
	bzip2Encoders[b.level].Put(e)
	return dst, err
}

func (bzip2Block) decompress(_ *work, dst, src []byte) error {
	if err := unpack.Bzip2(dst, src); err != nil {
		return corrupt(err)
	}
	return nil
}
