package format

import (
	"fmt"

	"azulejo/internal/bin"
)

// A group file, __group/__t_t_uuid_2 (format_spec/group.md), is one generic tile with this payload:
//
//	u32 version 1 or 2 | u64 number of members
//	member: u32 version 1 or 2 | u8 object type | u8 relative | u64+URI | u8 named | if named: u64+name | u8 deleted (2)
//
// The page has a shorter count and says that the name is always there.

// ObjectType tells groups from arrays; the value is the stored one.
type ObjectType uint8

// The object types.
const (
	ObjectGroup ObjectType = 1
	ObjectArray ObjectType = 2
)

// GroupVersion is the version of group files that this package writes.
const GroupVersion uint32 = 2

// GroupMember is an entry of a group file.
type GroupMember struct {
	Type ObjectType
	// URI is below the group's own when Relative is set, without a leading slash.
	URI      string
	Relative bool
	// Name is the member's name in the group; Named tells whether it has one (it may be empty).
	Name  string
	Named bool
	// Deleted marks a member that was removed; only version 2 has such entries.
	Deleted bool
}

// GroupDetails is the content of a group file, __group/__t_t_uuid_2. Every file of version 2 is a full listing plus the
// members removed so far.
type GroupDetails struct {
	Version uint32
	Members []GroupMember
}

// EncodeGroupDetails returns the content of a group file in version 2 (format_spec/group.md).
func EncodeGroupDetails(members []GroupMember) ([]byte, error) {
	w := &bin.Writer{}
	w.U32(GroupVersion)
	w.U64(uint64(len(members)))
	for i := range members {
		m := &members[i]
		w.U32(GroupVersion)
		w.U8(uint8(m.Type))
		w.Bool(m.Relative)
		w.String64(m.URI)
		w.Bool(m.Named)
		if m.Named {
			w.String64(m.Name)
		}
		w.Bool(m.Deleted)
	}
	return AppendGenericTile(nil, w.B)
}

// DecodeGroupDetails decodes the content of a group file of version 1 or 2.
func DecodeGroupDetails(file []byte) (*GroupDetails, error) {
	payload, err := decodeWhole(file, "group")
	if err != nil {
		return nil, err
	}
	r := bin.NewReader(payload)
	g := &GroupDetails{Version: readGroupVersion(r)}
	n := r.Count("number of members", r.U64("number of members"), 15)
	for i := range n {
		g.Members = append(g.Members, readMember(r))
		if r.Err() != nil {
			return nil, readErr(r, fmt.Sprintf("group/member %d", i), g.Version)
		}
	}
	if err := finish(r, "group", g.Version); err != nil {
		return nil, err
	}
	return g, nil
}

func readGroupVersion(r *bin.Reader) uint32 {
	v := r.U32("version")
	if r.Err() == nil && v != 1 && v != GroupVersion {
		r.Fail("version", fmt.Errorf("%w: %d", ErrVersion, v))
	}
	return v
}

func readMember(r *bin.Reader) GroupMember {
	version := readGroupVersion(r)
	m := GroupMember{Type: ObjectType(r.U8("object type")), Relative: r.U8("relative") != 0, URI: r.String64("URI")}
	if r.Err() == nil && m.Type != ObjectGroup && m.Type != ObjectArray {
		r.Failf("object type", "%w: %d", ErrCorrupt, m.Type)
	}
	m.Named = r.U8("named") != 0
	if m.Named {
		m.Name = r.String64("name")
	}
	if version >= 2 {
		m.Deleted = r.U8("deleted") != 0
	}
	return m
}
