// Package format turns the bytes of TileDB's files into values and back: one Go file per page of the format
// specification, each with a drawing of the bytes. It does no I/O: callers hand it what storage returned.
//
// Files are written in format version 22, as libtiledb 2.30 writes them, and read in the versions that the table in
// version.go lists. Decoders accept hostile input: counts are checked against the bytes left before anything is
// allocated, offsets against the file's size, and every error is an *Error with the place, wrapping ErrCorrupt,
// ErrVersion or ErrUnsupported. Decoded values share the memory of the input where their comment says so.
package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"azulejo/filter"
	"azulejo/internal/bin"
)

// ErrCorrupt is wrapped by the error for bytes that break the format.
var ErrCorrupt = errors.New("corrupt file")

// ErrVersion is wrapped by the error for a format version that this package does not read.
var ErrVersion = errors.New("unknown format version")

// ErrUnsupported is wrapped by the error for something that the format allows and this build cannot read; the
// message names it.
var ErrUnsupported = errors.New("not supported")

// Error is a decoding or encoding fault with its place. Lower layers leave URI empty; the layer that knows it fills it in.
type Error struct {
	URI string
	// Offset is the position in the file's bytes, or in the unfiltered bytes of the generic tile named by Field.
	Offset int64
	// Field is the path of the field, such as "fragment footer/file sizes".
	Field string
	// Version is the format version of the data, or 0 when it is not known yet.
	Version uint32
	Err     error
}

// Error returns the place and the cause in one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.URI != "" {
		fmt.Fprintf(&b, "%s: ", e.URI)
	}
	fmt.Fprintf(&b, "%s at byte %d", e.Field, e.Offset)
	if e.Version != 0 {
		fmt.Fprintf(&b, " (version %d)", e.Version)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// WithURI returns err with the URI filled in when it is an *Error without one, and err itself otherwise.
func WithURI(err error, uri string) error {
	var e *Error
	if !errors.As(err, &e) || e.URI != "" {
		return err
	}
	placed := *e
	placed.URI = uri
	return &placed
}

// corrupt returns an *Error wrapping ErrCorrupt.
func corrupt(field string, offset int64, version uint32, format string, args ...any) error {
	return &Error{Offset: offset, Field: field, Version: version, Err: fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)}
}

// readErr turns a cursor's fault into an *Error of class ErrCorrupt unless it already has a class; nil stays nil.
func readErr(r *bin.Reader, part string, version uint32) error {
	err := r.Err()
	if err == nil {
		return nil
	}
	var be *bin.Error
	if !errors.As(err, &be) {
		return &Error{Field: part, Version: version, Err: err}
	}
	cause := be.Err
	if !errors.Is(cause, ErrCorrupt) && !errors.Is(cause, ErrVersion) && !errors.Is(cause, ErrUnsupported) && !errors.Is(cause, filter.ErrKey) {
		cause = fmt.Errorf("%w: %w", ErrCorrupt, cause)
	}
	return &Error{Offset: int64(be.Offset), Field: part + "/" + be.Field, Version: version, Err: cause}
}

// finish reports a cursor's fault, or bytes left over.
func finish(r *bin.Reader, part string, version uint32) error {
	if r.Err() == nil && r.Len() > 0 {
		r.Failf("end", "%w: %d bytes left over", ErrCorrupt, r.Len())
	}
	return readErr(r, part, version)
}

// filterErr classes a filter's fault: what this build cannot run is ErrUnsupported, the rest ErrCorrupt.
func filterErr(err error, field string, offset int64, version uint32) error {
	class := ErrCorrupt
	if errors.Is(err, filter.ErrUnsupported) {
		class = ErrUnsupported
	}
	return &Error{Offset: offset, Field: field, Version: version, Err: fmt.Errorf("%w: %w", class, err)}
}

// within puts the name of a part of the file in front of the error's field path.
func within(err error, part string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	placed := *e
	placed.Field = part + "/" + e.Field
	return &placed
}

func putU32(b []byte, v uint32) { binary.LittleEndian.PutUint32(b, v) }

func putU64(b []byte, v uint64) { binary.LittleEndian.PutUint64(b, v) }

func getU32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

func getU64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
