//go:build amd64 && !purego

package filter

import (
	"golang.org/x/sys/cpu"

	"azulejo/datatype"
)

// The loops of the shuffles in shuffle_amd64.s use only what every amd64 has. The Go loops beside them are the
// reference, and do what is left over.

//go:noescape
func unshuffleWords2(dst, src *byte, stride, n int)

//go:noescape
func unshuffleWords4(dst, src *byte, stride, n int)

//go:noescape
func unshuffleWords8(dst, src *byte, stride, n int)

//go:noescape
func shuffleWords2(dst, src *byte, stride, n int)

//go:noescape
func shuffleWords4(dst, src *byte, stride, n int)

//go:noescape
func shuffleWords8(dst, src *byte, stride, n int)

//go:noescape
func joinBits(dst, src *byte, stride, n int)

//go:noescape
func splitBits(dst, src *byte, stride, n int)

// unshuffleFast makes the first values of planes of n bytes and returns how many; the slices hold n values.
func unshuffleFast(dst, src []byte, width, n int) int {
	m := n &^ 15
	if m == 0 || min(len(dst), len(src)) < n*width {
		return 0
	}
	switch width {
	case 2:
		unshuffleWords2(&dst[0], &src[0], n, m)
	case 4:
		unshuffleWords4(&dst[0], &src[0], n, m)
	case 8:
		unshuffleWords8(&dst[0], &src[0], n, m)
	}
	return m
}

// shuffleFast splits the first values into planes of n bytes and returns how many; the slices hold n values.
func shuffleFast(dst, src []byte, width, n int) int {
	m := n &^ 15
	if m == 0 || min(len(dst), len(src)) < n*width {
		return 0
	}
	switch width {
	case 2:
		shuffleWords2(&dst[0], &src[0], n, m)
	case 4:
		shuffleWords4(&dst[0], &src[0], n, m)
	case 8:
		shuffleWords8(&dst[0], &src[0], n, m)
	}
	return m
}

// unshuffleBitsFast is unshuffleBits for blocks that suit it; it reports whether this one did.
func unshuffleBitsFast(dst, src []byte, width int) bool {
	var planes [bitshuffleBlock]byte
	n := len(src) / width
	rows := n / 8
	if rows == 0 || rows%16 != 0 || len(src) > len(planes) || len(dst) < len(src) || n*width != len(src) {
		return false
	}
	to := planes[:n*width]
	if width == 1 {
		to = dst
	}
	for b := range width {
		joinBits(&to[b*n], &src[b*n], rows, rows)
	}
	if width > 1 {
		unshuffleFast(dst, to, width, n)
	}
	return true
}

// shuffleBitsFast is shuffleBits for blocks that suit it; it reports whether this one did.
func shuffleBitsFast(dst, src []byte, width int) bool {
	var planes [bitshuffleBlock]byte
	n := len(src) / width
	rows := n / 8
	if rows == 0 || rows%16 != 0 || len(src) > len(planes) || len(dst) < len(src) || n*width != len(src) {
		return false
	}
	from := src
	if width > 1 {
		from = planes[:n*width]
		shuffleFast(from, src, width, n)
	}
	for b := range width {
		splitBits(&dst[b*n], &from[b*n], rows, rows)
	}
	return true
}

// sumDoubleDeltas sums up n double deltas of bits bits and a sign each, n at least 1 and bits from 1 to 62, to values of 8
// bytes. last is the value before the first one, delta what that is more than the one before. The word behind the one that
// a value begins in is read. It needs BMI2.
//
//go:noescape
func sumDoubleDeltas(dst *uint64, words *byte, n, bits int, last, delta uint64)

// unpackFast makes the first values behind the first two and returns how many; words has all that is needed for the others.
func unpackFast[T integer](out []T, words []byte, nBits int) int {
	v, ok := datatype.Alias[uint64](datatype.Bytes(out))
	if !ok || widthOf[T]() != 8 || nBits < 1 || nBits > 62 || !cpu.X86.HasBMI2 {
		return 0
	}
	// Those that begin before the last word.
	n := min(len(v)-2, ((len(words)/8-1)*64+nBits)/(nBits+1))
	if n <= 0 {
		return 0
	}
	sumDoubleDeltas(&v[2], &words[0], n, nBits, v[1], v[1]-v[0])
	return n
}
