package filter

import (
	"encoding/binary"
	"fmt"
)

// byteshuffle is the stage of Byteshuffle (format_spec/tile.md): all first bytes of the values, then all second bytes
// and so on; bytes after the last whole value stay behind. Its metadata is
//
//	u32 parts | per part: u32 bytes
type byteshuffle struct{ width int }

// buildByteshuffle makes the stage of Byteshuffle.
func buildByteshuffle(_ Spec, in input) (stage, error) { return byteshuffle{in.t.Size()}, nil }

func (byteshuffle) passes() bool { return false }

func (s byteshuffle) forward(w *work, data []byte) ([]byte, error) {
	out := w.take(len(data))
	n := 1
	if w.empty {
		n = 0
	}
	pushSizes(w, []int{len(data)}[:n])
	shuffleBytes(out, data, s.width)
	w.empty = false
	return out, nil
}

func (s byteshuffle) reverse(w *work, in part, dst []byte) (part, error) {
	sizes, rest, err := shuffledSizes(in)
	if err != nil {
		return part{}, err
	}
	out, err := w.place(dst, uint64(len(in.data)))
	if err != nil {
		return part{}, err
	}
	for at := 0; len(sizes) > 0; sizes = sizes[4:] {
		n := int(binary.LittleEndian.Uint32(sizes))
		unshuffleBytes(out[at:at+n], in.data[at:at+n], s.width)
		at += n
	}
	return part{meta: rest, data: out}, nil
}

// pushSizes pushes the metadata of a shuffle of parts of these sizes.
func pushSizes(w *work, sizes []int) {
	meta := binary.LittleEndian.AppendUint32(w.take(4 + 4*len(sizes))[:0], uint32(len(sizes)))
	for _, n := range sizes {
		meta = binary.LittleEndian.AppendUint32(meta, uint32(n))
	}
	w.push(meta)
}

// shuffledSizes returns the sizes of the shuffled parts, 4 bytes each, and the metadata after them. They add up to the
// data.
func shuffledSizes(in part) (sizes, rest []byte, err error) {
	if len(in.meta) < 4 {
		return nil, nil, fmt.Errorf("%w: %d bytes of metadata for a shuffle", ErrCorrupt, len(in.meta))
	}
	n := uint64(binary.LittleEndian.Uint32(in.meta))
	if n*4 > uint64(len(in.meta)-4) {
		return nil, nil, fmt.Errorf("%w: %d shuffled parts in %d bytes of metadata", ErrCorrupt, n, len(in.meta))
	}
	sizes, rest = in.meta[4:4+n*4], in.meta[4+n*4:]
	total := uint64(0)
	for i := 0; i < len(sizes); i += 4 {
		total += uint64(binary.LittleEndian.Uint32(sizes[i:]))
	}
	if total != uint64(len(in.data)) {
		return nil, nil, fmt.Errorf("%w: shuffled parts of %d bytes in %d bytes", ErrCorrupt, total, len(in.data))
	}
	return sizes, rest, nil
}

// shuffleBytes puts the bytes of the values in src, width each, in planes. dst has the size of src.
func shuffleBytes(dst, src []byte, width int) {
	n := len(src) / width
	whole := n * width
	copy(dst[whole:], src[whole:])
	done := shuffleFast(dst, src, width, n)
	switch width {
	case 1:
		copy(dst, src)
	case 2:
		shuffle2(dst[:whole], src[:whole], n, done)
	case 4:
		shuffle4(dst[:whole], src[:whole], n, done)
	case 8:
		shuffle8(dst[:whole], src[:whole], n, done)
	}
}

// unshuffleBytes undoes shuffleBytes.
func unshuffleBytes(dst, src []byte, width int) {
	n := len(src) / width
	whole := n * width
	copy(dst[whole:], src[whole:])
	done := unshuffleFast(dst, src, width, n)
	switch width {
	case 1:
		copy(dst, src)
	case 2:
		unshuffle2(dst[:whole], src[:whole], n, done)
	case 4:
		unshuffle4(dst[:whole], src[:whole], n, done)
	case 8:
		unshuffle8(dst[:whole], src[:whole], n, done)
	}
}

func shuffle2(dst, src []byte, n, done int) {
	p0, p1 := dst[:n], dst[n:][:n]
	for i := done; i < len(p0); i++ {
		v := binary.LittleEndian.Uint16(src[2*i:])
		p0[i], p1[i] = byte(v), byte(v>>8)
	}
}

func shuffle4(dst, src []byte, n, done int) {
	p0, p1, p2, p3 := dst[:n], dst[n:][:n], dst[2*n:][:n], dst[3*n:][:n]
	for i := done; i < len(p0); i++ {
		v := binary.LittleEndian.Uint32(src[4*i:])
		p0[i], p1[i], p2[i], p3[i] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
	}
}

func shuffle8(dst, src []byte, n, done int) {
	p0, p1, p2, p3 := dst[:n], dst[n:][:n], dst[2*n:][:n], dst[3*n:][:n]
	p4, p5, p6, p7 := dst[4*n:][:n], dst[5*n:][:n], dst[6*n:][:n], dst[7*n:][:n]
	for i := done; i < len(p0); i++ {
		v := binary.LittleEndian.Uint64(src[8*i:])
		p0[i], p1[i], p2[i], p3[i] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
		p4[i], p5[i], p6[i], p7[i] = byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56)
	}
}

func unshuffle2(dst, src []byte, n, done int) {
	p0, p1 := src[:n], src[n:][:n]
	for i := done; i < len(p0); i++ {
		binary.LittleEndian.PutUint16(dst[2*i:], uint16(p0[i])|uint16(p1[i])<<8)
	}
}

func unshuffle4(dst, src []byte, n, done int) {
	p0, p1, p2, p3 := src[:n], src[n:][:n], src[2*n:][:n], src[3*n:][:n]
	for i := done; i < len(p0); i++ {
		v := uint32(p0[i]) | uint32(p1[i])<<8 | uint32(p2[i])<<16 | uint32(p3[i])<<24
		binary.LittleEndian.PutUint32(dst[4*i:], v)
	}
}

func unshuffle8(dst, src []byte, n, done int) {
	p0, p1, p2, p3 := src[:n], src[n:][:n], src[2*n:][:n], src[3*n:][:n]
	p4, p5, p6, p7 := src[4*n:][:n], src[5*n:][:n], src[6*n:][:n], src[7*n:][:n]
	for i := done; i < len(p0); i++ {
		v := uint64(p0[i]) | uint64(p1[i])<<8 | uint64(p2[i])<<16 | uint64(p3[i])<<24 |
			uint64(p4[i])<<32 | uint64(p5[i])<<40 | uint64(p6[i])<<48 | uint64(p7[i])<<56
		binary.LittleEndian.PutUint64(dst[8*i:], v)
	}
}
