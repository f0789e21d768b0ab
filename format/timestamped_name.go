package format

import "errors"

// Name is a timestamped name, "__t1_t2_uuid[_v]" (format_spec/timestamped_name.md), without an extension. It is
// comparable.
type Name struct {
	// Start and End are milliseconds since 1970.
	Start, End uint64
	// UUID is 32 lower-case hexadecimal digits.
	UUID string
	// Version is the suffix, or 0 when there is none, as in schema and metadata files and fragments before version 5.
	Version uint32
}

// ParseName parses the last part of a URI; an extension such as ".wrt" must have been cut off. Names of versions 1 and 2,
// "__uuid_t1[_t2]", are understood; String writes them in the newer form, so keep the original for addressing.
func ParseName(s string) (Name, error) { return Name{}, errors.New("not written yet") }

// NewName returns a name that no other process makes, for something that happened between start and end, in milliseconds
// since 1970. Names made by this process within one millisecond of the clock sort in the order they were made.
func NewName(start, end uint64, version uint32) Name { return Name{} }

// String returns "__t1_t2_uuid", followed by "_v" unless Version is 0.
func (n Name) String() string { return "" }

// NewEnumerationName returns the file name of a new enumeration, "__uuid_0".
func NewEnumerationName() string { return "" }

// Less orders names as libtiledb orders fragments: by start timestamp, then by the whole name as text.
func (n Name) Less(m Name) bool { return n.Start < m.Start }
