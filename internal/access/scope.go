package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnknownScope is the class of errors about a text that is no scope.
var ErrUnknownScope = errors.New("unknown scope")

// Scope limits what a token may be used for; its text is what the API carries.
// The fifteen values are the published ones, their meaning is ours
// (tokens-page.md, TOK-41).
type Scope string

// The fifteen scopes in their published order.
const (
	ScopePasswordReset  Scope = "password_reset"
	ScopeConfirmEmail   Scope = "confirm_email"
	ScopeAll            Scope = "*"
	ScopeUserRead       Scope = "user:read"
	ScopeUserWrite      Scope = "user:read-write"
	ScopeUserAdmin      Scope = "user:admin"
	ScopeArrayRead      Scope = "array:read"
	ScopeArrayWrite     Scope = "array:read-write"
	ScopeArrayAdmin     Scope = "array:admin"
	ScopeOrganizationR  Scope = "organization:read"
	ScopeOrganizationRW Scope = "organization:read-write"
	ScopeOrganizationA  Scope = "organization:admin"
	ScopeGroupRead      Scope = "group:read"
	ScopeGroupWrite     Scope = "group:read-write"
	ScopeGroupAdmin     Scope = "group:admin"
)

// scopeText says what each scope permits, for the person who chooses one.
var scopeText = []struct {
	Scope Scope
	Text  string
}{
	{ScopePasswordReset, "Set a new password once, from a mailed link."},
	{ScopeConfirmEmail, "Confirm a mail address once, from a mailed link."},
	{ScopeAll, "Everything you may do."},
	{ScopeUserRead, "Read your profile, tasks, favorites and invitations."},
	{ScopeUserWrite, "Also change your profile and favorites and run tasks."},
	{ScopeUserAdmin, "Also manage your tokens and credentials and delete your account."},
	{ScopeArrayRead, "Read arrays and everything stored as arrays: files, notebooks, UDFs, models."},
	{ScopeArrayWrite, "Also create, write and describe them and run code on them."},
	{ScopeArrayAdmin, "Also delete, deregister and share them."},
	{ScopeOrganizationR, "Read your organizations and their members."},
	{ScopeOrganizationRW, "Also change them and invite members."},
	{ScopeOrganizationA, "Also delete them and manage roles, credentials and sign-on."},
	{ScopeGroupRead, "Read groups, their lists of members and their metadata."},
	{ScopeGroupWrite, "Also create groups and add and remove members."},
	{ScopeGroupAdmin, "Also delete, deregister and share groups."},
}

// ServiceScopes returns what tokens of service accounts can be for: work with assets. They make no tokens and change no
// organization.
func ServiceScopes() Scopes {
	return Scopes{ScopeUserWrite, ScopeArrayAdmin, ScopeOrganizationR, ScopeGroupAdmin}
}

// AllScopes lists the fifteen scopes in their published order.
func AllScopes() []Scope {
	list := make([]Scope, len(scopeText))
	for i, s := range scopeText {
		list[i] = s.Scope
	}
	return list
}

// Text says in one sentence what s permits; it is empty for an unknown scope.
func (s Scope) Text() string {
	for _, row := range scopeText {
		if row.Scope == s {
			return row.Text
		}
	}
	return ""
}

// includes reports whether holding s implies t: "*" implies everything, and
// within one family admin implies read-write implies read.
func (s Scope) includes(t Scope) bool {
	if s == t || s == ScopeAll {
		return true
	}
	family, level := s.split()
	wantFamily, want := t.split()
	return family == wantFamily && level != 0 && want != 0 && level >= want
}

// split returns family and level (1 read, 2 read-write, 3 admin) or 0.
func (s Scope) split() (family string, level int) {
	family, text, _ := strings.Cut(string(s), ":")
	return family, slices.Index([]string{"read", "read-write", "admin"}, text) + 1
}

// Scopes is a set of scopes, in published order, without repeats. The nil set
// allows nothing. Values are not changed once made.
type Scopes []Scope

// ParseScopes checks and orders a list of texts. An error is of class
// ErrUnknownScope.
func ParseScopes(texts []string) (Scopes, error) {
	for _, t := range texts {
		if Scope(t).Text() == "" {
			return nil, fmt.Errorf("%w %q: choose among %s", ErrUnknownScope, t, joinAll())
		}
	}
	var set Scopes
	for _, s := range AllScopes() {
		if slices.Contains(texts, string(s)) {
			set = append(set, s)
		}
	}
	return set, nil
}

func joinAll() string {
	texts := make([]string, 0, len(scopeText))
	for _, s := range AllScopes() {
		texts = append(texts, string(s))
	}
	return strings.Join(texts, ", ")
}

// Texts returns the scopes as the API carries them, never nil.
func (set Scopes) Texts() []string {
	texts := make([]string, len(set))
	for i, s := range set {
		texts[i] = string(s)
	}
	return texts
}

// Has reports whether the set implies s.
func (set Scopes) Has(s Scope) bool {
	return slices.ContainsFunc(set, func(held Scope) bool { return held.includes(s) })
}

// Covers reports whether the set implies every scope of other: a token with
// other could do nothing that one with set cannot (TOK-23).
func (set Scopes) Covers(other Scopes) bool {
	return !slices.ContainsFunc(other, func(s Scope) bool { return !set.Has(s) })
}

// Grantable lists the scopes that a holder of the set may give to a token it
// makes. The two single-use scopes are only ever made by the server itself.
func (set Scopes) Grantable() Scopes {
	var out Scopes
	for _, s := range AllScopes() {
		if s != ScopePasswordReset && s != ScopeConfirmEmail && set.Has(s) {
			out = append(out, s)
		}
	}
	return out
}

// allow reports whether the set implies all of needed. The single-use scopes
// are not part of "*": only a token made for that one call may make it.
func (set Scopes) allow(needed []Scope) bool {
	for _, s := range needed {
		single := s == ScopePasswordReset || s == ScopeConfirmEmail
		if single && !slices.Contains(set, s) || !set.Has(s) {
			return false
		}
	}
	return true
}
