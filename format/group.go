package format

import "errors"

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

// GroupDetails is the content of a group file, __group/__t_t_uuid_2.
type GroupDetails struct {
	Version uint32
	Members []GroupMember
}

// EncodeGroupDetails returns the content of a group file in version 2 (format_spec/group.md).
func EncodeGroupDetails(members []GroupMember) ([]byte, error) {
	return nil, errors.New("not written yet")
}

// DecodeGroupDetails decodes the content of a group file of version 1 or 2.
func DecodeGroupDetails(file []byte) (*GroupDetails, error) {
	return nil, errors.New("not written yet")
}
