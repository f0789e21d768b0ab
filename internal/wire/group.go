package wire

import (
	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/format"
	"azulejo/internal/wire/capnp"
)

// objectNames has the names of object types on the wire; INVALID leaves it to the server to find out.
var objectNames = [...]string{0: "INVALID", format.ObjectGroup: "GROUP", format.ObjectArray: "ARRAY"}

// GroupUpdate is the body of PATCH /v2/groups/{ns}/{group}: changes to the members of a group.
type GroupUpdate struct {
	// Add has full or relative URIs. A Type of 0 means that the client does not know what the member is. The client sends
	// a name even for members added without one, the last part of the URI.
	Add []format.GroupMember
	// Remove has URIs of members, also where the user removed by name.
	Remove []string
}

// DecodeGroupCreate reads the body of POST /v2/groups/{ns}: the storage URI or name of the new group.
func DecodeGroupCreate(body []byte) (uri string, err error) {
	root, err := openWhole(body)
	if err != nil {
		return "", err
	}
	p := newPlace()
	details, err := capnp.GroupCreate(root).GroupDetails()
	p.at("groupDetails").check(err)
	uri = p.at("groupDetails").at("uri").text(details.Uri())
	return uri, p.err()
}

// DecodeGroupUpdate reads the body of PATCH /v2/groups/{ns}/{group}.
func DecodeGroupUpdate(body []byte) (*GroupUpdate, error) {
	root, err := openWhole(body)
	if err != nil {
		return nil, err
	}
	p := newPlace()
	m, err := capnp.GroupUpdate(root).GroupUpdate()
	p = p.at("groupUpdate")
	p.check(err)
	v := &GroupUpdate{}
	remove, err := m.MembersToRemove()
	v.Remove = p.at("membersToRemove").texts(remove, err)
	add, err := m.MembersToAdd()
	p = p.at("membersToAdd")
	for i := range p.length(add, err) {
		v.Add = append(v.Add, decodeGroupMember(p.item(i), add.At(i)))
	}
	return v, p.err()
}

// decodeGroupMember reads one member.
func decodeGroupMember(p *place, m capnp.GroupMember) format.GroupMember {
	name, err := m.Type()
	v := format.GroupMember{
		Type:     named[format.ObjectType](p.at("type"), objectNames[:], name, err),
		URI:      p.at("uri").text(m.Uri()),
		Relative: m.Relative(),
		Name:     p.at("name").text(m.Name()),
		Named:    m.HasName(),
	}
	if v.URI == "" {
		p.at("uri").fail("missing")
	}
	return v
}

// EncodeGroup builds the answer of POST /v2/groups/{ns}/{group}: members with the URIs the client is to use, each of a
// known type, and the group's metadata. Deleted members are left out.
func EncodeGroup(members []format.GroupMember, metadata []format.MetadataEntry) ([]byte, error) {
	var live []format.GroupMember
	for _, x := range members {
		if !x.Deleted {
			live = append(live, x)
		}
	}
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootGroup_GroupDetails(seg)
		if !e.ok(err) {
			return
		}
		list, err := m.NewMembers(int32(len(live)))
		if !e.ok(err) {
			return
		}
		for i, x := range live {
			e.ok(list.At(i).SetUri(x.URI))
			e.ok(list.At(i).SetType(nameOf(objectNames[:], x.Type)))
			list.At(i).SetRelative(x.Relative)
			if x.Named {
				e.ok(list.At(i).SetName(x.Name))
			}
		}
		md, err := m.NewMetadata()
		e.metadata(md, err, metadata)
	})
}
