package access

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// model is RightsOn said another way, by asking for each right alone whether somebody gives it.
func model(s Subject, o Object, right Rights) bool {
	levels := map[Role][]Rights{
		RoleReadOnly:        {CanRead, CanReadInfo, CanReadSchema, beMember},
		RoleReadWrite:       {CanWrite, CanCreate, CanRun, CanReadLogs, CanReadJobs, CanReadObjectLogs},
		RoleReadWriteDelete: {CanDelete},
		RoleAdmin:           {CanEdit, CanEditOrganization},
		RoleOwner:           {CanDeleteOrganization, CanEditBilling},
	}
	ladder := []Role{RoleReadOnly, RoleReadWrite, RoleReadWriteDelete, RoleAdmin, RoleOwner}
	inNamespace := func(id string) bool {
		if id == "" {
			return false
		}
		if id == s.NamespaceID {
			return right != beSelf && right != beAdmin
		}
		for _, m := range s.Memberships {
			if m.NamespaceID != id {
				continue
			}
			for _, step := range ladder[:slices.Index(ladder, m.Role)+1] {
				if slices.Contains(levels[step], right) {
					return true
				}
			}
			return false
		}
		return false
	}
	if inNamespace(o.NamespaceID) {
		return true
	}
	for _, share := range o.Shares {
		given := share.Rights&right != 0 && (share.Part == "" || right == CanRead || right == CanReadInfo || right == CanReadSchema)
		switch {
		case !given:
		case share.NamespaceID == PublicNamespace:
			if right == CanRead || right == CanReadInfo || right == CanReadSchema {
				return true
			}
		case right == CanRead, right == CanWrite, right == CanEdit, right == CanReadLogs, right == CanReadInfo, right == CanReadSchema:
			if inNamespace(share.NamespaceID) {
				return true
			}
		}
	}
	return false
}

// whole reports whether somebody gives one of the rights on all of an object.
func whole(s Subject, o Object, rights Rights) bool {
	var shares []Share
	for _, x := range o.Shares {
		if x.Part == "" {
			shares = append(shares, x)
		}
	}
	o.Shares = shares
	for right := CanRead; right <= beAdmin; right <<= 1 {
		if rights&right != 0 && model(s, o, right) {
			return true
		}
	}
	return false
}

// TestPartOfSeveral fixes which part counts of several that are shared.
func TestPartOfSeveral(t *testing.T) {
	s := Subject{Kind: APIToken, UserID: "u", NamespaceID: "n1", Scopes: Scopes{ScopeAll}, Memberships: []Membership{{NamespaceID: "o1", Role: RoleReadOnly}, {NamespaceID: "o2", Role: RoleOwner}}}
	all := []Share{{PublicNamespace, CanRead, "everybody's"}, {"o2", CanRead, "second's"}, {"o1", CanRead, "first's"}, {"n1", CanRead, "own"}, {"n2", CanRead, "another's"}}
	for _, tc := range []struct {
		shares []Share
		part   string
	}{
		{all, "own"}, {all[:3], "first's"}, {all[:2], "second's"}, {all[:1], "everybody's"},
		{append([]Share{{"o1", CanRead, ""}}, all...), ""},
		{append([]Share{{PublicNamespace, CanRead, ""}}, all...), ""},
		{append([]Share{{"n1", CanWrite.Shared(), ""}}, all...), "own"}, // writing gives no reading
		{append([]Share{{"n2", CanRead, ""}}, all...), "own"},           // not the subject's
	} {
		for range 2 {
			g, err := Allowed(s, ArrayRead, Object{Kind: Array, ID: "a", NamespaceID: "owner", Shares: tc.shares})
			if err != nil || g.Part() != tc.part || g.Everything() != (tc.part == "") {
				t.Errorf("%v: part %q, %v; want %q", tc.shares, g.Part(), err, tc.part)
			}
			slices.Reverse(tc.shares)
		}
	}
	if _, err := Allowed(s, ArrayRead, Object{Kind: Array, ID: "a", NamespaceID: "owner", Shares: all[4:]}); err == nil {
		t.Error("a share to another is the subject's")
	}
}

// TestRightsAgainstModel compares the rules with the model on random people, organizations and shares.
func TestRightsAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	spaces := []string{"n1", "n2", "n3", "o1", "o2", "o3", PublicNamespace, ""}
	for range 100_000 {
		s := Subject{Kind: APIToken, UserID: "u", NamespaceID: spaces[rng.IntN(3)], Scopes: Scopes{ScopeAll}}
		for _, org := range spaces[3:6] {
			if rng.IntN(2) == 0 {
				s.Memberships = append(s.Memberships, Membership{NamespaceID: org, Role: Roles()[rng.IntN(5)]})
			}
		}
		o := Object{Kind: []ObjectKind{Namespace, Array, Group}[rng.IntN(3)], ID: "a", NamespaceID: spaces[rng.IntN(len(spaces))]}
		for range rng.IntN(4) {
			o.Shares = append(o.Shares, Share{spaces[rng.IntN(len(spaces))], Rights(rng.Uint32()) & (beAdmin<<1 - 1), []string{"", "", "p", "q"}[rng.IntN(4)]})
		}
		got := RightsOn(s, o)
		for right := CanRead; right <= beAdmin; right <<= 1 {
			if want := model(s, o, right); got.Has(right) != want {
				t.Fatalf("right %b of %+v on %+v: %v, want %v", right, s, o, !want, want)
			}
		}
		for _, a := range Actions() {
			r := rules[a]
			g, err := Allowed(s, a, o)
			if err == nil && g.Everything() == (o.Kind == Array && r.do != 0 && !whole(s, o, r.do)) {
				t.Fatalf("%s of %+v on %+v covers part %q", a, s, o, g.Part())
			}
			want := r.needs(o.Kind) && (r.open || (r.see == 0 || got&r.see != 0) && (r.do == 0 || got&r.do != 0)) &&
				!slices.Contains(r.scopes, ScopePasswordReset) && !slices.Contains(r.scopes, ScopeConfirmEmail) &&
				(o.Kind != Array || r.do == 0 || r.parts || whole(s, o, r.do))
			if (err == nil) != want {
				t.Fatalf("%s of %+v on %+v: %v", a, s, o, err)
			}
		}
	}
}

func TestSharedRightsBringOthers(t *testing.T) {
	for _, tc := range []struct {
		texts string
		want  string
	}{
		{"read", "read read_array_info read_array_schema"},
		{"write", "write read_array_info read_array_schema"},
		{"edit", "edit read_array_info"},
		{"read_array_logs", "read_array_logs read_array_info"},
		{"", ""},
	} {
		set, ok := ParseRights(Array, strings.Fields(tc.texts))
		if got := strings.Join(set.Shared().Names(Array), " "); !ok || got != tc.want {
			t.Errorf("%q gives %q, want %q", tc.texts, got, tc.want)
		}
	}
	for kind, bad := range map[ObjectKind]string{Array: "delete", Group: "read_array_logs", Namespace: "fetch_udf", Self: "read"} {
		if _, ok := ParseRights(kind, []string{bad}); ok {
			t.Errorf("%q is no right on kind %d", bad, kind)
		}
	}
	if all := ofNamespace.Names(Namespace); len(all) != 12 || len(Rights(0).Names(Array)) != 0 {
		t.Errorf("an owner has %v", all)
	}
}

// somebody is a column of the document of permissions.
type somebody struct {
	title   string
	subject Subject
	shares  []Share
}

func somebodies() []somebody {
	stranger := Subject{Kind: APIToken, UserID: "u1", NamespaceID: "n1", Scopes: Scopes{ScopeAll}}
	list := []somebody{{"stranger", stranger, nil}, {"public", stranger, []Share{{PublicNamespace, anyRight, ""}}}}
	for _, right := range []string{"read", "write", "edit", "read_array_logs"} {
		set, _ := ParseRights(Array, []string{right})
		list = append(list, somebody{"shared " + right, stranger, []Share{{"n1", set.Shared(), ""}}})
	}
	list = append(list, somebody{partTitle, stranger, []Share{{"n1", publicly, "{}"}}})
	for _, role := range slices.Backward(Roles()) {
		member := stranger
		member.Memberships = []Membership{{NamespaceID: "owner", Role: role}}
		list = append(list, somebody{string(role), member, nil})
	}
	owner := stranger
	owner.NamespaceID = "owner"
	return append(list, somebody{"own", owner, nil})
}

// partTitle is the column of who has a share of a part of an array.
const partTitle = "shared a part"

const permissionsHead = `# Who may do what

Made from the rules by a test (` + "`go test ./internal/access -update`" + `); do not edit.

Each row is a kind of call, each column somebody who is logged in, as he stands to the thing the call is about: a stranger; anyone, for a thing shared
to *public*; somebody to whom it is shared with one right; somebody to whom a part of an array is shared (a policy, ` + "`docs/people.md`" + `), – where the call is not about arrays; a member of the organization that owns it, by role; its owner. **yes** is allowed, **403** refused
openly, **404** as if there were no such thing. Rights add up: of all that a person gets by ownership, roles, shares to himself, to his organizations (there as far as
his role goes) and to everybody, nothing takes anything away. The third gate is the token's scope, in the second column: without it the call is refused before anything is looked up.

`

// TestPermissionsDocument keeps docs/permissions.md true.
func TestPermissionsDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString(permissionsHead + "| call | scopes |")
	people := somebodies()
	for _, p := range people {
		fmt.Fprintf(&b, " %s |", strings.ReplaceAll(p.title, "_", " "))
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(people)) + "\n")
	for _, a := range Actions() {
		r := rules[a]
		if len(r.on) == 0 || !slices.ContainsFunc(r.on, func(k ObjectKind) bool { return k == Namespace || k == Array || k == Group }) {
			continue
		}
		fmt.Fprintf(&b, "| `%s` | `%s` |", a, joinScopes(r.scopes))
		for _, p := range people {
			kind := r.on[0]
			if p.title == partTitle {
				kind = Array
			}
			_, err := Allowed(p.subject, a, Object{Kind: kind, ID: "a", NamespaceID: "owner", Shares: p.shares})
			switch {
			case !slices.Contains(r.on, kind):
				b.WriteString(" – |")
			case err == nil:
				b.WriteString(" yes |")
			case strings.Contains(err.Error(), ErrNotFound.Error()):
				b.WriteString(" 404 |")
			default:
				b.WriteString(" 403 |")
			}
		}
		b.WriteByte('\n')
	}
	path := filepath.Join("..", "..", "docs", "permissions.md")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || b.String() != string(want) {
		t.Errorf("docs/permissions.md is not what the rules say (%v); look at the change and run with -update", err)
	}
}
