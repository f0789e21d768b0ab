package filter

import (
	"encoding/binary"
	"fmt"

	"azulejo/datatype"
	"azulejo/internal/webp"
)

// images is the stage of WebP (format_spec/filters/webp.md): a tile is one image. Its rows are those of the tile, its
// pixels 3 or 4 values of a row. Its metadata, in front of that of the filters before it, is
//
//	u32 parts | per part: u32 bytes of the file
//
// and its data the files. libtiledb cuts no tile that has this filter, so there is one part.
type images struct {
	width, height int
	layout        webp.Layout
	lossless      bool
	quality       float32
}

// buildWebP makes the stage of WebP.
func buildWebP(s Spec, in input) (stage, error) {
	o, _ := s.Image()
	m := images{layout: webp.Layout(o.Format), lossless: o.Lossless, quality: o.Quality}
	if in.t != datatype.Uint8 {
		return nil, fmt.Errorf("%w: images of %s", ErrUnfilterable, in.t)
	}
	if !m.layout.Valid() {
		return nil, fmt.Errorf("%w: unknown colour format %d", ErrOptions, o.Format)
	}
	m.width, m.height = int(o.XExtent)/m.layout.Depth(), int(o.YExtent)
	if int(o.XExtent)%m.layout.Depth() != 0 || m.width < 1 || m.height < 1 || max(m.width, m.height) > webp.MaxSide {
		return nil, fmt.Errorf("%w: an image of %d rows of %d values", ErrOptions, o.YExtent, o.XExtent)
	}
	return m, nil
}

func (images) passes() bool { return false }

// nBytes returns the bytes of an image.
func (m images) nBytes() int { return m.width * m.height * m.layout.Depth() }

func (m images) forward(w *work, data []byte) ([]byte, error) {
	if len(data) != m.nBytes() {
		return nil, fmt.Errorf("%w: %d bytes in a tile of %d", ErrUnfilterable, len(data), m.nBytes())
	}
	var file []byte
	if m.lossless {
		file = webp.AppendLossless(nil, data, m.width, m.height, m.layout)
	} else {
		var err error
		if file, err = webp.AppendLossy(nil, data, m.width, m.height, m.layout, m.quality); err != nil {
			return nil, err
		}
	}
	header := binary.LittleEndian.AppendUint32(w.take(8)[:0], 1)
	w.push(binary.LittleEndian.AppendUint32(header, uint32(len(file))))
	return file, nil
}

func (m images) reverse(w *work, in part, dst []byte) (part, error) {
	if len(in.meta) < 8 || binary.LittleEndian.Uint32(in.meta) != 1 {
		return part{}, fmt.Errorf("%w: %d bytes of metadata for one image", ErrCorrupt, len(in.meta))
	}
	if n := binary.LittleEndian.Uint32(in.meta[4:]); uint64(n) != uint64(len(in.data)) {
		return part{}, fmt.Errorf("%w: an image of %d bytes in %d bytes", ErrCorrupt, n, len(in.data))
	}
	pixels, err := w.place(dst, uint64(m.nBytes()))
	if err != nil {
		return part{}, err
	}
	if err := webp.Decode(pixels, in.data, m.width, m.height, m.layout); err != nil {
		return part{}, corrupt(err)
	}
	return part{in.meta[8:], pixels}, nil
}
