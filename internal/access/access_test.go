package access

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

func subject(scopes ...Scope) Subject {
	return Subject{Kind: APIToken, UserID: "u1", NamespaceID: "n1", Namespace: "ann", TokenID: "t1", Scopes: scopes}
}

func array(ns string) Object { return Object{Kind: Array, ID: "a1", NamespaceID: ns} }

// The order of checks: each case fails at exactly one step though later steps
// would fail too.
func TestOrderOfChecks(t *testing.T) {
	frozen := array("n1")
	frozen.ReadOnly = true
	for _, tc := range []struct {
		name    string
		subject Subject
		action  Action
		object  Object
		want    error
	}{
		{"nobody", Subject{}, ArrayWrite, Object{}, ErrUnauthenticated},
		{"nobody with scopes", Subject{Scopes: Scopes{ScopeAll}}, ArrayWrite, array("n1"), ErrUnauthenticated},
		{"scope before look-up", subject(ScopeArrayRead), ArrayWrite, Object{}, ErrScope},
		{"scope before foreign", subject(ScopeArrayRead), ArrayWrite, array("n2"), ErrScope},
		{"missing", subject(ScopeAll), ArrayWrite, Object{}, ErrNotFound},
		{"foreign", subject(ScopeAll), ArrayWrite, array("n2"), ErrNotFound},
		{"no owner", subject(ScopeAll), ArrayWrite, array(""), ErrNotFound},
		{"wrong kind", subject(ScopeAll), GroupRead, array("n1"), ErrNotFound},
		{"read-only", subject(ScopeAll), ArrayWrite, frozen, ErrDenied},
		{"not admin", subject(ScopeAll), UsersAdmin, Object{Kind: Server}, ErrDenied},
		{"no action", subject(ScopeAll), NoAction, array("n1"), ErrDenied},
		{"beyond the table", subject(ScopeAll), actions, array("n1"), ErrDenied},
		{"read a frozen one", subject(ScopeAll), ArrayRead, frozen, nil},
		{"own", subject(ScopeArrayWrite), ArrayWrite, array("n1"), nil},
		{"public", Subject{}, Public, Object{}, nil},
		{"revoke itself", subject(ScopeGroupRead), TokenRevokeSelf, Object{Kind: Self}, nil},
		{"another's account", subject(ScopeAll), SelfRead, Object{Kind: Self, ID: "u2"}, ErrNotFound},
	} {
		g, err := Allowed(tc.subject, tc.action, tc.object)
		if !errors.Is(err, tc.want) || tc.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if g.Valid() != (err == nil) {
			t.Errorf("%s: grant valid %v with error %v", tc.name, g.Valid(), err)
		}
	}
}

func TestMissingReadsLikeForeign(t *testing.T) {
	_, missing := Allowed(subject(ScopeAll), ArrayRead, Object{})
	_, foreign := Allowed(subject(ScopeAll), ArrayRead, array("n2"))
	if missing.Error() != foreign.Error() {
		t.Errorf("%q and %q can be told apart", missing, foreign)
	}
}

func TestDenialNamesTheScope(t *testing.T) {
	err := ScopeAllows(subject(ScopeArrayRead), ArrayWrite)
	if err == nil || !strings.Contains(err.Error(), "array:read-write") {
		t.Errorf("message %v", err)
	}
}

func TestGrantIsForOneObjectAndAction(t *testing.T) {
	g, err := Allowed(subject(ScopeAll), ArrayRead, array("n1"))
	if err != nil || g.Permits(ArrayRead, "a1") != nil || !g.Everything() || g.Part() != "" {
		t.Fatalf("%+v, %v", g, err)
	}
	for name, err := range map[string]error{"zero": Grant{}.Permits(ArrayRead, "a1"), "zero, zero": Grant{}.Permits(NoAction, ""),
		"action": g.Permits(ArrayWrite, "a1"), "object": g.Permits(ArrayRead, "a2")} {
		if !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (Grant{}).Everything() {
		t.Error("the zero grant covers everything")
	}
}

// TOK-23: never wider.
func TestScopesCover(t *testing.T) {
	for _, tc := range []struct {
		held, asked Scopes
		want        bool
	}{
		{Scopes{ScopeAll}, Scopes{ScopeArrayAdmin, ScopeUserRead, ScopeAll}, true},
		{Scopes{ScopeArrayWrite}, Scopes{ScopeArrayRead}, true},
		{Scopes{ScopeArrayWrite}, Scopes{ScopeArrayAdmin}, false},
		{Scopes{ScopeArrayAdmin}, Scopes{ScopeGroupRead}, false},
		{Scopes{ScopeArrayAdmin, ScopeGroupAdmin, ScopeUserAdmin, ScopeOrganizationA}, Scopes{ScopeAll}, false},
		{nil, Scopes{ScopeUserRead}, false},
		{Scopes{ScopePasswordReset}, Scopes{ScopeConfirmEmail}, false},
		{nil, nil, true},
	} {
		if got := tc.held.Covers(tc.asked); got != tc.want {
			t.Errorf("%v covers %v: %v", tc.held, tc.asked, got)
		}
	}
}

func TestParseScopes(t *testing.T) {
	set, err := ParseScopes([]string{"group:read", "array:read", "group:read"})
	if err != nil || strings.Join(set.Texts(), " ") != "array:read group:read" {
		t.Errorf("%v, %v", set, err)
	}
	for _, bad := range []string{"", "array", "array:", "array:write", "*:read", "ARRAY:READ"} {
		if _, err := ParseScopes([]string{bad}); !errors.Is(err, ErrUnknownScope) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if len(AllScopes()) != 15 || len(Scopes{ScopeAll}.Grantable()) != 13 {
		t.Error("15 scopes, 13 of them grantable, expected")
	}
}

// TOK-40 in table form: every action under every single scope, compared with
// the golden table. The API repeats it for every route.
func TestScopeTable(t *testing.T) {
	var b strings.Builder
	for _, a := range Actions() {
		fmt.Fprintf(&b, "%-20s", a)
		for _, s := range AllScopes() {
			if ScopeAllows(subject(s), a) == nil {
				fmt.Fprintf(&b, " %s", s)
			}
		}
		b.WriteByte('\n')
	}
	path := filepath.Join("testdata", "scopes.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || b.String() != string(want) {
		t.Errorf("the scope table changed (%v); look at it and run with -update:\n%s", err, b.String())
	}
}

func TestEveryActionHasARow(t *testing.T) {
	names := map[string]bool{}
	for a := NoAction + 1; a < actions; a++ {
		if !a.Valid() || names[a.String()] {
			t.Errorf("action %d: %q", a, a)
		}
		names[a.String()] = true
	}
}

func FuzzParseScopes(f *testing.F) {
	f.Add("*", "array:read")
	f.Fuzz(func(t *testing.T, a, b string) {
		set, err := ParseScopes([]string{a, b})
		if err == nil && !(Scopes{ScopeAll}).Covers(set) {
			t.Errorf("%v is wider than everything", set)
		}
	})
}
