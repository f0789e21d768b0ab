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
		given := share.Rights&right != 0
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
			o.Shares = append(o.Shares, Share{spaces[rng.IntN(len(spaces))], Rights(rng.Uint32()) & (beAdmin<<1 - 1)})
		}
		got := RightsOn(s, o)
		for right := CanRead; right <= beAdmin; right <<= 1 {
			if want := model(s, o, right); got.Has(right) != want {
				t.Fatalf("right %b of %+v on %+v: %v, want %v", right, s, o, !want, want)
			}
		}
		for _, a := range Actions() {
			r := rules[a]
			_, err := Allowed(s, a, o)
			want := r.needs(o.Kind) && (r.open || (r.see == 0 || got&r.see != 0) && (r.do == 0 || got&r.do != 0)) &&
				!slices.Contains(r.scopes, ScopePasswordReset) && !slices.Contains(r.scopes, ScopeConfirmEmail)
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
	list := []somebody{{"stranger", stranger, nil}, {"public", stranger, []Share{{PublicNamespace, anyRight}}}}
	for _, right := range []string{"read", "write", "edit", "read_array_logs"} {
		set, _ := ParseRights(Array, []string{right})
		list = append(list, somebody{"shared " + right, stranger, []Share{{"n1", set.Shared()}}})
	}
	for _, role := range slices.Backward(Roles()) {
		member := stranger
		member.Memberships = []Membership{{NamespaceID: "owner", Role: role}}
		list = append(list, somebody{string(role), member, nil})
	}
	owner := stranger
	owner.NamespaceID = "owner"
	return append(list, somebody{"own", owner, nil})
}

const permissionsHead = `# Who may do what

Made from the rules by a test (` + "`go test ./internal/access -update`" + `); do not edit.

Each row is a kind of call, each column somebody who is logged in, as he stands to the thing the call is about: a stranger; anyone, for a thing shared
to *public*; somebody to whom it is shared with one right; a member of the organization that owns it, by role; its owner. **yes** is allowed, **403** refused
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
			_, err := Allowed(p.subject, a, Object{Kind: r.on[0], ID: "a", NamespaceID: "owner", Shares: p.shares})
			switch {
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
