package filter

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// none is the stage of None and of filters that leave values of some types as they are.
type none struct{}

// buildNone makes the stage of None.
func buildNone(Spec, input) (stage, error) { return none{}, nil }

func (none) passes() bool { return true }

func (none) forward(w *work, data []byte) ([]byte, error) {
	w.empty = w.empty || len(data) == 0
	return data, nil
}

func (none) reverse(_ *work, in part, _ []byte) (part, error) { return in, nil }

// checksum is the stage of ChecksumMD5 and ChecksumSHA256 (format_spec/tile.md). Data and metadata go on as they are;
// its own metadata is
//
//	u32 metadata parts | u32 data parts | per part: u64 bytes, digest
type checksum struct {
	none
	// nBytes is the size of a digest, which digest puts at the front of its result.
	nBytes int
	digest func([]byte) [sha256.Size]byte
}

// buildMD5 makes the stage of ChecksumMD5.
func buildMD5(Spec, input) (stage, error) {
	return checksum{nBytes: md5.Size, digest: func(b []byte) (sum [sha256.Size]byte) {
		short := md5.Sum(b)
		copy(sum[:], short[:])
		return sum
	}}, nil
}

// buildSHA256 makes the stage of ChecksumSHA256.
func buildSHA256(Spec, input) (stage, error) {
	return checksum{nBytes: sha256.Size, digest: sha256.Sum256}, nil
}

func (c checksum) forward(w *work, data []byte) ([]byte, error) {
	nData := 1
	if w.empty {
		nData = 0
	}
	out := w.take(8 + (len(w.meta)+nData)*(8+c.nBytes))[:0]
	out = binary.LittleEndian.AppendUint32(out, uint32(len(w.meta)))
	out = binary.LittleEndian.AppendUint32(out, uint32(nData))
	for _, m := range w.meta {
		out = c.appendSum(out, m)
	}
	if nData > 0 {
		out = c.appendSum(out, data)
	}
	w.push(out)
	return c.none.forward(w, data)
}

func (c checksum) appendSum(dst, b []byte) []byte {
	sum := c.digest(b)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(b)))
	return append(dst, sum[:c.nBytes]...)
}

func (c checksum) reverse(_ *work, in part, _ []byte) (part, error) {
	if len(in.meta) < 8 {
		return part{}, fmt.Errorf("%w: %d bytes of metadata for a checksum", ErrCorrupt, len(in.meta))
	}
	nMeta, nData := uint64(binary.LittleEndian.Uint32(in.meta)), uint64(binary.LittleEndian.Uint32(in.meta[4:]))
	size := uint64(8 + c.nBytes)
	if (nMeta+nData)*size > uint64(len(in.meta)-8) {
		return part{}, fmt.Errorf("%w: %d and %d checksums in %d bytes of metadata", ErrCorrupt, nMeta, nData, len(in.meta))
	}
	sums, rest := in.meta[8:8+(nMeta+nData)*size], in.meta[8+(nMeta+nData)*size:]
	if err := c.verify("metadata", sums[:nMeta*size], rest); err != nil {
		return part{}, err
	}
	if err := c.verify("data", sums[nMeta*size:], in.data); err != nil {
		return part{}, err
	}
	in.meta = rest
	return in, nil
}

// verify compares the checksums of the parts that b consists of.
func (c checksum) verify(what string, sums, b []byte) error {
	at := 0
	for len(sums) > 0 {
		n := binary.LittleEndian.Uint64(sums)
		if n > uint64(len(b)-at) {
			return fmt.Errorf("%w: a checksum of %d bytes at byte %d of %d bytes of %s", ErrCorrupt, n, at, len(b), what)
		}
		stored := sums[8 : 8+c.nBytes]
		if sum := c.digest(b[at : at+int(n)]); !bytes.Equal(sum[:c.nBytes], stored) {
			return c.mismatch(what, at, int(n), stored, sum)
		}
		at, sums = at+int(n), sums[8+c.nBytes:]
	}
	if at != len(b) {
		return fmt.Errorf("%w: %d bytes of %s without a checksum", ErrCorrupt, len(b)-at, what)
	}
	return nil
}

// mismatch takes the sum by value, so that only a fault moves it to the heap.
func (c checksum) mismatch(what string, at, n int, stored []byte, sum [sha256.Size]byte) error {
	return fmt.Errorf("%w: the stored checksum is %x, that of the %d bytes at byte %d of the %s is %x", ErrCorrupt, stored,
		n, at, what, sum[:c.nBytes])
}
