package filter

import (
	"fmt"

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
	if err := bunzip2(dst, src); err != nil {
		return corrupt(err)
	}
	return nil
}
