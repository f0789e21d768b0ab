package format

import (
	"errors"
	"fmt"

	"azulejo/filter"
	"azulejo/internal/bin"
)

// In an encrypted array every generic tile and every data tile is encrypted, and nothing else: not the names of files, not
// the footers of fragments, not the lines of commit and vacuum files. An encrypted generic tile has 1 in its encryption
// byte and AES_256_GCM, without options, behind the other filters of its pipeline.
//
// The functions of this package that decode and encode files know plain generic tiles only: what storage returns goes
// through Decrypt before, what storage gets through Encrypt after.

// The values of a generic tile's encryption byte.
const (
	plainTile     = 0
	encryptedTile = 1
)

// encryptionAt is the place of the encryption byte in a generic tile.
const encryptionAt = 29

// Decrypt returns the plain form of the generic tiles that b consists of. With a nil key they must be plain already, and b
// itself is returned. The error wraps filter.ErrKey when the key is not theirs, or there is none and they are encrypted,
// or there is one and they are not. Bytes that are no generic tile are passed on, for decoding to find fault with.
func Decrypt(k *filter.Key, b []byte) ([]byte, error) {
	if len(b) < genericHeaderLen {
		return b, nil
	}
	if k == nil {
		return b, checkPlain(b)
	}
	out := make([]byte, 0, len(b))
	for at := 0; at < len(b); {
		if len(b)-at < genericHeaderLen {
			return append(out, b[at:]...), nil
		}
		var n int
		var err error
		if out, n, err = decryptTile(k, out, b[at:]); err != nil {
			return nil, err
		}
		at += n
	}
	return out, nil
}

// checkPlain refuses a generic tile that is encrypted.
func checkPlain(b []byte) error {
	if b[encryptionAt] != encryptedTile || !known(getU32(b)) {
		return nil
	}
	return keyErr(b, fmt.Errorf("%w: it is encrypted with AES-256-GCM; open it with its key", filter.ErrKey))
}

func keyErr(b []byte, err error) error {
	return &Error{Offset: encryptionAt, Field: "generic tile/encryption", Version: getU32(b), Err: err}
}

// decryptTile appends the plain form of the generic tile that b begins with, and returns the bytes it takes.
func decryptTile(k *filter.Key, dst, b []byte) ([]byte, int, error) {
	r := bin.NewReader(b)
	head := r.Bytes("header", genericHeaderLen)
	version := getU32(head)
	switch e := head[encryptionAt]; {
	case !known(version):
		return append(dst, b...), len(b), nil
	case e == plainTile:
		return nil, 0, keyErr(b, fmt.Errorf("%w: it is not encrypted; open it without a key", filter.ErrKey))
	case e != encryptedTile:
		return nil, 0, keyErr(b, fmt.Errorf("%w: unknown encryption %d", ErrCorrupt, e))
	}
	p := readWhole(r, "filter pipeline", uint64(getU32(head[genericHeaderLen-4:])), version)
	disk := r.Bytes("tile", getU64(head[4:]))
	if last := len(p.Filters) - 1; r.Err() == nil && (last < 0 || p.Filters[last].Code != filter.AES256GCM) {
		r.Failf("filter pipeline", "%w: no %v at its end", ErrCorrupt, filter.AES256GCM)
	} else if last >= 0 {
		p.Filters = p.Filters[:last]
	}
	if err := readErr(r, "generic tile", version); err != nil {
		return nil, 0, err
	}
	dst, err := appendTile(dst, head, p, plainTile, func(dst []byte) ([]byte, error) { return k.AppendOpened(dst, disk) })
	return dst, r.Offset(), err
}

// appendTile appends a generic tile that differs from the one with this header by its pipeline, its encryption byte and
// its body, which body appends.
func appendTile(dst, head []byte, p filter.Pipeline, encryption byte, body func(dst []byte) ([]byte, error)) ([]byte, error) {
	start := len(dst)
	w := bin.Writer{B: append(dst, head...)}
	p.Encode(&w)
	at := len(w.B)
	out, err := body(w.B)
	if err != nil {
		if errors.Is(err, filter.ErrKey) {
			return nil, &Error{Offset: int64(at - start), Field: "generic tile/tile", Version: getU32(head), Err: err}
		}
		return nil, filterErr(err, "generic tile/tile", int64(at-start), getU32(head))
	}
	putU64(out[start+4:], uint64(len(out)-at))
	out[start+encryptionAt] = encryption
	putU32(out[start+genericHeaderLen-4:], uint32(at-start-genericHeaderLen))
	return out, nil
}

// Encrypt returns the encrypted form of a plain generic tile that this package made, or the tile itself when the key is nil.
func Encrypt(k *filter.Key, tile []byte) ([]byte, error) {
	if k == nil {
		return tile, nil
	}
	r := bin.NewReader(tile)
	head := r.Bytes("header", genericHeaderLen)
	if err := readErr(r, "generic tile", Version); err != nil {
		return nil, err
	}
	p := readWhole(r, "filter pipeline", uint64(getU32(head[genericHeaderLen-4:])), Version)
	disk := r.Bytes("tile", getU64(head[4:]))
	if err := finish(r, "generic tile", Version); err != nil {
		return nil, err
	}
	p.Filters = append(p.Filters, filter.Plain(filter.AES256GCM))
	return appendTile(nil, head, p, encryptedTile, func(dst []byte) ([]byte, error) { return k.AppendSealed(dst, disk) })
}
