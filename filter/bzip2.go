package filter

import (
	"bytes"
	stdbzip2 "compress/bzip2"
	"fmt"
	"io"

	"github.com/dsnet/compress/bzip2"
)

// bzip2Block compresses into one bzip2 stream.
type bzip2Block struct{ level int }

// buildBzip2 makes the stage of Bzip2. Levels below 1 are the default, 1.
func buildBzip2(s Spec, _ input) (stage, error) {
	level, _ := s.Level()
	return compressor{block: bzip2Block{int(min(max(level, 1), 9))}}, nil
}

func (bzip2Block) bound(n int) int { return n + n/100 + 600 }

func (b bzip2Block) compress(_ *work, dst, src []byte) ([]byte, error) {
	out := appender(dst)
	w, err := bzip2.NewWriter(&out, &bzip2.WriterConfig{Level: b.level})
	if err != nil {
		return nil, fmt.Errorf("bzip2 encoder: %w", err)
	}
	if _, err := w.Write(src); err != nil {
		return nil, fmt.Errorf("bzip2 encoder: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("bzip2 encoder: %w", err)
	}
	return out, nil
}

func (bzip2Block) decompress(_ *work, dst, src []byte) error {
	r := stdbzip2.NewReader(bytes.NewReader(src))
	if _, err := io.ReadFull(r, dst); err != nil {
		return corrupt(err)
	}
	var more [1]byte
	if n, err := r.Read(more[:]); n != 0 || err != io.EOF {
		return fmt.Errorf("%w: the stream goes on after %d bytes: %v", ErrCorrupt, len(dst), err)
	}
	return nil
}
