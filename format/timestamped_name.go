package format

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
)

// The forms of a timestamped name (format_spec/timestamped_name.md), told apart as libtiledb does, by the number of
// underscores and the length of the last part:
//
//	__t1_t2_uuid_v   fragments and commits since version 5, group files
//	__t1_t2_uuid     schemas, metadata files, fragments of versions 3 and 4
//	__uuid_t2[_t1]   fragments of versions 1 and 2; only the last number counts
//	__uuid_0         enumerations

// Name is a timestamped name, "__t1_t2_uuid[_v]", without an extension. It is comparable.
type Name struct {
	// Start and End are milliseconds since 1970.
	Start, End uint64
	// UUID is 32 hexadecimal digits.
	UUID string
	// Version is the suffix, or 0 when there is none, as in schema and metadata files and fragments before version 5.
	Version uint32
}

// uuidLen is the number of digits of a UUID.
const uuidLen = 32

// ParseName parses the last part of a URI; an extension such as ".wrt" must have been cut off. Names of versions 1 and 2,
// "__uuid_t2[_t1]", are understood and get Version 2; String writes them in the newer form, so keep the original for
// addressing. The error wraps ErrCorrupt.
func ParseName(s string) (Name, error) {
	rest, ok := strings.CutPrefix(s, "__")
	var room [4]string
	parts := room[:0]
	for more := true; ok && more; {
		var part string
		part, rest, more = strings.Cut(rest, "_")
		ok = len(parts) < len(room)
		if ok {
			parts = append(parts, part)
		}
	}
	if !ok || len(parts) < 2 {
		return Name{}, nameErr(s)
	}
	var n Name
	times := parts[:2]
	switch {
	case len(parts) == 4:
		v, err := strconv.ParseUint(parts[3], 10, 32)
		if err != nil || v == 0 {
			return Name{}, nameErr(s)
		}
		n.UUID, n.Version = parts[2], uint32(v)
	case len(parts) == 3 && len(parts[2]) == uuidLen:
		n.UUID = parts[2]
	case len(parts[0]) != uuidLen:
		return Name{}, nameErr(s)
	default:
		last := parts[len(parts)-1]
		n.UUID, n.Version, times = parts[0], 2, []string{last, last}
	}
	var err1, err2 error
	n.Start, err1 = strconv.ParseUint(times[0], 10, 64)
	n.End, err2 = strconv.ParseUint(times[1], 10, 64)
	if err1 != nil || err2 != nil || n.Start > n.End || !isUUID(n.UUID) {
		return Name{}, nameErr(s)
	}
	return n, nil
}

func nameErr(s string) error { return fmt.Errorf("%w: %q is not a timestamped name", ErrCorrupt, s) }

// isUUID accepts what libtiledb and its predecessors put into names: letters and digits only, so that no name can leave
// its folder.
func isUUID(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return s != ""
}

// String returns "__t1_t2_uuid", followed by "_v" unless Version is 0.
func (n Name) String() string {
	b := make([]byte, 0, 80)
	b = append(b, "__"...)
	b = strconv.AppendUint(b, n.Start, 10)
	b = append(b, '_')
	b = strconv.AppendUint(b, n.End, 10)
	b = append(b, '_')
	b = append(b, n.UUID...)
	if n.Version != 0 {
		b = append(b, '_')
		b = strconv.AppendUint(b, uint64(n.Version), 10)
	}
	return string(b)
}

// Less orders names as libtiledb orders fragments: by start timestamp, then by the whole name as text.
func (n Name) Less(m Name) bool {
	if n.Start != m.Start {
		return n.Start < m.Start
	}
	return n.String() < m.String()
}

// labels makes the UUIDs of this process.
var labels = newLabeler()

// labeler makes UUIDs that sort in the order they were made: the first eight digits count up from a random start with its
// top bit clear, the others are random. libtiledb begins anew in every millisecond; going on orders things of one given
// time as well. Safe for concurrent use.
type labeler struct {
	counter atomic.Uint32
}

func newLabeler() *labeler {
	l := &labeler{}
	l.counter.Store(rand.Uint32() & 0x7FFFFFFF)
	return l
}

// next returns a label.
func (l *labeler) next() string {
	counter := l.counter.Add(1)
	var b [uuidLen / 2]byte
	binary.BigEndian.PutUint32(b[0:], counter)
	binary.BigEndian.PutUint32(b[4:], rand.Uint32())
	binary.BigEndian.PutUint64(b[8:], rand.Uint64())
	return hex.EncodeToString(b[:])
}

// NewName returns a name that no other process makes, for something that happened between start and end, in milliseconds
// since 1970. Names of one time that this process makes sort in the order they were made, so that the later one counts.
func NewName(start, end uint64, version uint32) Name {
	return Name{Start: start, End: end, UUID: labels.next(), Version: version}
}

// Naming returns a context in which NewNameIn makes names with the given UUID, as Name.UUID is one: whoever began a change can
// tell by it afterwards whether the change was written.
func Naming(ctx context.Context, uuid string) context.Context {
	return context.WithValue(ctx, namingKey{}, uuid)
}

// namingKey is where Naming keeps its UUID in a context.
type namingKey struct{}

// NewNameIn is NewName with the UUID that the context gives, if it does.
func NewNameIn(ctx context.Context, start, end uint64, version uint32) Name {
	n := NewName(start, end, version)
	if uuid, ok := ctx.Value(namingKey{}).(string); ok {
		n.UUID = uuid
	}
	return n
}

// NewEnumerationName returns the file name of a new enumeration, "__uuid_0".
func NewEnumerationName() string { return "__" + labels.next() + "_0" }
