package access

import "slices"

// Rights is a set of things that somebody may do to an asset or in a namespace. Rules (rules.go) ask for rights; ownership,
// roles in organizations, and shares give them.
type Rights uint32

// The rights. The first six can be shared on an asset; the rest come with a namespace.
const (
	CanRead       Rights = 1 << iota // read the cells, members, files, code
	CanWrite                         // change them
	CanEdit                          // describe and share
	CanReadLogs                      // see who did what
	CanReadInfo                      // see the catalogue's entry
	CanReadSchema                    // see an array's schema
	CanDelete                        // delete and deregister
	CanCreate                        // make assets in the namespace
	CanRun                           // run code at the namespace's cost
	CanReadJobs                      // see the namespace's tasks
	CanReadObjectLogs
	CanEditOrganization // members, settings, credentials
	CanDeleteOrganization
	CanEditBilling
	beMember // knows the organization from inside
	beSelf   // it is the caller's own account
	beAdmin  // may manage the server
)

const (
	anyRight = ^Rights(0)
	// shareable are the rights that a share of an asset can give.
	shareable = CanRead | CanWrite | CanEdit | CanReadLogs | CanReadInfo | CanReadSchema
	// publicly are the rights that everybody can be given.
	publicly = CanRead | CanReadInfo | CanReadSchema
	// ofNamespace are all the rights in a namespace, which its owner has.
	ofNamespace = shareable | CanDelete | CanCreate | CanRun | CanReadJobs | CanReadObjectLogs | CanEditOrganization |
		CanDeleteOrganization | CanEditBilling | beMember
)

// Has reports whether the set holds all of r.
func (set Rights) Has(r Rights) bool { return set&r == r }

// Role is a member's part in an organization; its text is what the API carries.
type Role string

// The published roles.
const (
	RoleOwner           Role = "owner"
	RoleAdmin           Role = "admin"
	RoleReadWriteDelete Role = "read_write_delete"
	RoleReadWrite       Role = "read_write"
	RoleReadOnly        Role = "read_only"
)

// Roles lists the roles, the most powerful first.
func Roles() []Role {
	return []Role{RoleOwner, RoleAdmin, RoleReadWriteDelete, RoleReadWrite, RoleReadOnly}
}

// Valid reports whether r is one of Roles.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Rights returns what a member of the role may do in the organization's namespace and to its assets (decision 130).
func (r Role) Rights() Rights {
	const (
		reader = CanRead | CanReadInfo | CanReadSchema | beMember
		writer = reader | CanWrite | CanCreate | CanRun | CanReadLogs | CanReadJobs | CanReadObjectLogs
	)
	switch r {
	case RoleOwner:
		return ofNamespace
	case RoleAdmin:
		return ofNamespace &^ (CanDeleteOrganization | CanEditBilling)
	case RoleReadWriteDelete:
		return writer | CanDelete
	case RoleReadWrite:
		return writer
	case RoleReadOnly:
		return reader
	}
	return 0
}

// Membership says that a subject is in an organization.
type Membership struct {
	NamespaceID string // UUID of the organization's namespace
	Name        string // the organization's name
	Role        Role
}

// PublicNamespace is the UUID of the namespace "public", which stands for everybody. What is shared to it, everybody who is
// logged in may do, as far as reading.
const PublicNamespace = "00000000-0000-4000-8000-000000000001"

// Share says that an asset is shared to a namespace: a user's, an organization's, or PublicNamespace.
type Share struct {
	NamespaceID string
	Rights      Rights
	// Part is the part of an array that is shared, in words of package part; empty for all of it. Such a share gives rights to
	// read only.
	Part string
}

// given returns the rights that the share gives a subject.
func (s Share) given(to Subject) Rights {
	r := s.Rights & shareable & to.rightsIn(s.NamespaceID)
	if s.NamespaceID == PublicNamespace {
		r = s.Rights & publicly
	}
	if s.Part != "" {
		r &= publicly
	}
	return r
}

// RightsOn returns what the subject may do to the object, whatever its token's scopes: as its owner, as a member of the
// organization that owns it, by shares to the subject or to everybody, and by shares to the subject's organizations as far
// as the role there goes. Nothing is taken away by any of them; the rights are the union.
func RightsOn(s Subject, o Object) Rights {
	if s.Kind == Anonymous || s.UserID == "" {
		return 0
	}
	switch o.Kind {
	case NoObject:
		return anyRight
	case Self:
		if o.ID == "" || o.ID == s.UserID {
			return beSelf
		}
		return 0
	case Server:
		if s.Admin {
			return beAdmin
		}
		return 0
	}
	r := s.rightsIn(o.NamespaceID)
	for _, share := range o.Shares {
		r |= share.given(s)
	}
	return r
}

// WholeRightsOn is RightsOn without what shares of parts give: what the subject may do to all of the object, and so pass on.
func WholeRightsOn(s Subject, o Object) Rights {
	o.Shares = slices.DeleteFunc(slices.Clone(o.Shares), func(x Share) bool { return x.Part != "" })
	return RightsOn(s, o)
}

// partOn returns the part of an array on which the subject has one of the rights needed, empty for all of it. The union of two
// parts is none that can be said: of several a share to the subject comes first, then those to its organizations, then one to
// everybody, and of two organizations that with the lower UUID (decision 141).
func partOn(s Subject, o Object, need Rights) (part string) {
	if WholeRightsOn(s, o)&need != 0 {
		return ""
	}
	best := [2]string{}
	for _, share := range o.Shares {
		if share.Part == "" || share.given(s)&need == 0 {
			continue
		}
		rank := [2]string{"2", share.NamespaceID}
		switch share.NamespaceID {
		case s.NamespaceID:
			rank[0] = "1"
		case PublicNamespace:
			rank[0] = "3"
		}
		if part == "" || rank[0] < best[0] || rank[0] == best[0] && rank[1] < best[1] {
			part, best = share.Part, rank
		}
	}
	return part
}

// rightsIn returns what the subject may do in a namespace.
func (s Subject) rightsIn(namespaceID string) Rights {
	if namespaceID == "" || s.Service && namespaceID == s.NamespaceID {
		return 0
	}
	if namespaceID == s.NamespaceID {
		return ofNamespace
	}
	for _, m := range s.Memberships {
		if m.NamespaceID == namespaceID {
			return m.Role.Rights()
		}
	}
	return 0
}

// Shared returns the rights that a share of these gives: rights that make no sense without others bring them along. Reading
// brings the schema and the catalogue's entry; every other right brings the entry, and writing the schema too.
func (set Rights) Shared() Rights {
	set &= shareable
	if set&(CanRead|CanWrite) != 0 {
		set |= CanReadSchema
	}
	if set != 0 {
		set |= CanReadInfo
	}
	return set
}

// PartRights are the rights that can be given on a part of an array.
func PartRights() Rights { return publicly }

// Public reports whether everybody may be given the rights.
func (set Rights) Public() bool { return set&^publicly == 0 }

// rightNames are the texts by which the API carries rights on each kind of thing.
var rightNames = map[ObjectKind][]struct {
	right Rights
	name  string
}{
	Array: {{CanRead, "read"}, {CanWrite, "write"}, {CanEdit, "edit"}, {CanReadLogs, "read_array_logs"},
		{CanReadInfo, "read_array_info"}, {CanReadSchema, "read_array_schema"}},
	Group: {{CanRead, "read"}, {CanWrite, "write"}, {CanEdit, "edit"}},
	Namespace: {{CanRead, "read"}, {CanWrite, "write"}, {CanCreate, "create"}, {CanDelete, "delete"}, {CanEdit, "edit"},
		{CanReadLogs, "read_array_logs"}, {CanReadJobs, "read_job_logs"}, {CanReadObjectLogs, "read_object_logs"}, {CanRun, "run_job"},
		{CanDeleteOrganization, "delete_organization"}, {CanEditOrganization, "edit_organization"}, {CanEditBilling, "edit_billing"}},
}

// Names returns the published names of the rights on a kind of object, in published order, never nil.
func (set Rights) Names(kind ObjectKind) []string {
	names := []string{}
	for _, row := range rightNames[kind] {
		if set.Has(row.right) {
			names = append(names, row.name)
		}
	}
	return names
}

// ParseRights returns the rights on a kind of object that texts name, or false for a text that names none.
func ParseRights(kind ObjectKind, texts []string) (Rights, bool) {
	var set Rights
	for _, text := range texts {
		found := false
		for _, row := range rightNames[kind] {
			if row.name == text {
				set, found = set|row.right, true
			}
		}
		if !found {
			return 0, false
		}
	}
	return set, true
}
