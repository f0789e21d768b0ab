package filter

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// KeyBytes is the size of an encryption key.
const KeyBytes = 32

// ErrKey is wrapped by the error for an encryption key that does not fit: of another size than KeyBytes, another one than
// the data was encrypted with, one for data that is not encrypted, or none for data that is.
var ErrKey = errors.New("encryption key does not fit")

// Key is a key for AES-256-GCM, the encryption of whole arrays. It does not tell its bytes: it prints as a fixed text. A
// nil *Key stands for no encryption. Keys are immutable and safe for concurrent use.
type Key struct {
	aead cipher.AEAD
	id   [sha256.Size]byte
}

// NewKey returns the key of KeyBytes bytes, which are not kept. The error wraps ErrKey and does not show them.
func NewKey(b []byte) (*Key, error) {
	if len(b) != KeyBytes {
		return nil, fmt.Errorf("%w: AES-256-GCM takes a key of %d bytes, not %d", ErrKey, KeyBytes, len(b))
	}
	block, err := aes.NewCipher(b)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Key{aead: aead, id: sha256.Sum256(append([]byte("azulejo key\x00"), b...))}, nil
}

// Format prints a fixed text, whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(encryption key)") } // best effort: fmt takes no errors

// ID tells keys apart, as in the names of cache entries: equal for equal keys, and empty for nil. It is not meant to be
// shown or stored.
func (k *Key) ID() string {
	if k == nil {
		return ""
	}
	return string(k.id[:])
}

// The sizes of a nonce, of a tag and of what stands for a part in the metadata.
const (
	ivBytes   = 12
	tagBytes  = 16
	partBytes = 8 + ivBytes + tagBytes
)

// encryption is the stage of AES256GCM, always the last one (format_spec/tile.md). Like a compressor it swallows the
// metadata before it; its own is
//
//	u32 metadata parts | u32 data parts | per part: u32 bytes, u32 encrypted bytes, nonce, tag
//
// and its data is the encrypted parts, those of the metadata first. Each part has a random nonce.
type encryption struct{ aead cipher.AEAD }

func (encryption) passes() bool { return false }

func (e encryption) forward(w *work, data []byte) ([]byte, error) {
	parts := w.meta
	if !w.empty {
		parts = append(parts, data)
	}
	size := tagBytes
	for _, p := range parts {
		size += len(p)
	}
	header := w.take(8 + partBytes*len(parts))[:0]
	header = binary.LittleEndian.AppendUint32(header, uint32(len(w.meta)))
	header = binary.LittleEndian.AppendUint32(header, uint32(len(parts)-len(w.meta)))
	out := w.take(size)[:0]
	for _, p := range parts {
		var iv [ivBytes]byte
		if _, err := rand.Read(iv[:]); err != nil {
			return nil, err
		}
		before := len(out)
		out = e.aead.Seal(out, iv[:], p, nil)
		tag := out[len(out)-tagBytes:]
		out = out[:len(out)-tagBytes]
		header = binary.LittleEndian.AppendUint32(header, uint32(len(p)))
		header = binary.LittleEndian.AppendUint32(header, uint32(len(out)-before))
		header = append(append(header, iv[:]...), tag...)
	}
	w.meta = append(w.meta[:0], header)
	w.empty = false
	return out, nil
}

func (e encryption) reverse(w *work, in part, dst []byte) (part, error) {
	nMeta, parts, total, err := encryptedParts(in)
	if err != nil {
		return part{}, err
	}
	var out part
	if nMeta > 0 {
		if out.meta, err = w.place(nil, total[0]); err != nil {
			return part{}, err
		}
	}
	if out.data, err = w.place(dst, total[1]); err != nil {
		return part{}, err
	}
	meta, data, src := out.meta, out.data, in.data
	sealed := w.take(len(in.data) + tagBytes)
	for i := 0; len(parts) > 0; i, parts = i+1, parts[partBytes:] {
		n := int(binary.LittleEndian.Uint32(parts))
		rest := &data
		if i < nMeta {
			rest = &meta
		}
		// The library wants the tag behind the encrypted bytes.
		s := append(append(sealed[:0], src[:n]...), parts[8+ivBytes:partBytes]...)
		if _, err := e.aead.Open((*rest)[:0:n], parts[8:8+ivBytes], s, nil); err != nil {
			return part{}, fmt.Errorf("%w: part %d does not decrypt with this key", ErrCorrupt, i)
		}
		*rest, src = (*rest)[n:], src[n:]
	}
	return out, nil
}

// encryptedParts checks the metadata of encryption and returns the number of metadata parts, what stands there for each
// part, and the bytes of all metadata parts and of all data parts, which add up to the data.
func encryptedParts(in part) (nMeta int, parts []byte, total [2]uint64, err error) {
	if len(in.meta) < 8 {
		return 0, nil, total, fmt.Errorf("%w: %d bytes of metadata for encryption", ErrCorrupt, len(in.meta))
	}
	m, d := uint64(binary.LittleEndian.Uint32(in.meta)), uint64(binary.LittleEndian.Uint32(in.meta[4:]))
	parts = in.meta[8:]
	if (m+d)*partBytes != uint64(len(parts)) {
		return 0, nil, total, fmt.Errorf("%w: %d and %d encrypted parts in %d bytes of metadata", ErrCorrupt, m, d, len(in.meta))
	}
	for i := range m + d {
		p := parts[i*partBytes:]
		n, encrypted := binary.LittleEndian.Uint32(p), binary.LittleEndian.Uint32(p[4:])
		if n != encrypted {
			return 0, nil, total, fmt.Errorf("%w: part %d of %d bytes in %d encrypted ones", ErrCorrupt, i, n, encrypted)
		}
		if i < m {
			total[0] += uint64(n)
		} else {
			total[1] += uint64(n)
		}
	}
	if total[0]+total[1] != uint64(len(in.data)) {
		return 0, nil, total, fmt.Errorf("%w: encrypted parts of %d bytes in %d bytes", ErrCorrupt, total[0]+total[1], len(in.data))
	}
	return int(m), parts, total, nil
}

// WithKey returns a codec whose tiles are encrypted on top of c's pipeline, or c itself, which may be nil, when the key is nil. c is left as
// it is.
func (c *Codec) WithKey(k *Key) *Codec {
	if k == nil || c == nil {
		return c
	}
	e := *c
	e.whole = c.whole || c.uncut
	e.stages = append(c.stages[:len(c.stages):len(c.stages)], encryption{k.aead})
	if e.target < 0 {
		e.target = len(c.stages)
	}
	return &e
}

// AppendSealed appends the encrypted form of a filtered tile to dst: what a codec with the key makes of the tile that disk
// is the filtered form of. The error wraps ErrCorrupt when disk is no filtered tile.
func (k *Key) AppendSealed(dst, disk []byte) ([]byte, error) {
	return k.eachChunk(dst, disk, func(w *work, in part) (part, error) {
		if len(in.meta) > 0 {
			w.push(in.meta)
		}
		w.empty = len(in.data) == 0 && len(in.meta) == 0
		data, err := encryption{k.aead}.forward(w, in.data)
		if err != nil {
			return part{}, err
		}
		return part{meta: w.meta[0], data: data}, nil
	})
}

// AppendOpened appends the filtered tile that disk is the encrypted form of to dst. The error wraps ErrKey when the key is
// another one, which damage cannot be told from, and ErrCorrupt when disk is no encrypted tile.
func (k *Key) AppendOpened(dst, disk []byte) ([]byte, error) {
	return k.eachChunk(dst, disk, func(w *work, in part) (part, error) {
		if _, _, _, err := encryptedParts(in); err != nil {
			return part{}, err
		}
		w.limit = len(in.data)
		out, err := encryption{k.aead}.reverse(w, in, nil)
		if err != nil {
			return part{}, fmt.Errorf("%w: it is another one than the data was encrypted with, or the data is damaged", ErrKey)
		}
		return out, nil
	})
}

// eachChunk appends a filtered tile whose chunks are those of disk, each one changed by do.
func (k *Key) eachChunk(dst, disk []byte, do func(w *work, in part) (part, error)) ([]byte, error) {
	r, err := newChunkReader(disk)
	if err != nil {
		return nil, err
	}
	dst = binary.LittleEndian.AppendUint64(dst, r.n)
	w := newWork()
	defer w.release()
	for r.more() {
		chunk, err := r.next()
		if err != nil {
			return nil, err
		}
		w.reset(chunk.NBytes)
		out, err := do(w, chunkPart(disk, chunk))
		if err != nil {
			return nil, fmt.Errorf("chunk %d at byte %d: %w", r.i-1, r.lastAt, err)
		}
		dst = binary.LittleEndian.AppendUint32(dst, uint32(chunk.NBytes))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(out.data)))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(out.meta)))
		dst = append(append(dst, out.meta...), out.data...)
	}
	return dst, r.end()
}
