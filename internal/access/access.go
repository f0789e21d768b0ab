// Package access decides who may do what. It is pure: no database, no HTTP, no
// clock. All of it follows from one table of rules (rules.go).
//
// The order of the questions is fixed, and each has its own error class:
//
//  1. who are you?                              ErrUnauthenticated (401)
//  2. does your token allow this kind of call?  ErrScope           (403)
//  3. may you see the object?                   ErrNotFound        (404)
//  4. may you do this to it?                    ErrDenied          (403)
//  5. is it built?                              ErrNotBuilt        (501)
//
// ScopeAllows asks the first two and needs no object, so a caller asks it
// before any look-up: a token without the scope learns nothing about what
// exists. Allowed asks the first four and returns a Grant. The fifth is the
// router's, which knows what has a handler.
//
// A Grant is the only key that opens stored data. Nothing outside this package
// can make a valid one.
package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error classes, in the order in which they are decided.
var (
	ErrUnauthenticated = errors.New("log in or send a token")
	ErrScope           = errors.New("the token's scope does not allow this")
	ErrNotFound        = errors.New("not found")
	ErrDenied          = errors.New("permission denied")
	ErrNotBuilt        = errors.New("not available on this server yet")
)

// Kind says how a subject proved who it is.
type Kind uint8

// The kinds of credential.
const (
	Anonymous Kind = iota // none
	Password              // user name and password
	APIToken              // a token made by its user
	Session               // a login session, by header or by the console's cookie
	Notebook              // the token of a notebook server
	Task                  // the token of a running task
)

// Subject is who asks: a user, and the credential it came with. The zero
// Subject is nobody.
type Subject struct {
	Kind        Kind
	UserID      string // UUID
	NamespaceID string // UUID of the user's own namespace
	Namespace   string // its name, which is the user's name
	TokenID     string // UUID, empty for a password
	Scopes      Scopes // what the credential allows; everything for a password
	Admin       bool   // may manage the server's users
	Service     bool   // it is a program of an organization, not a person: nothing is its own
	// Memberships are the organizations that the user is in, at the time of the request. The slice is shared and not changed.
	Memberships []Membership
}

// ObjectKind says what an Object is.
type ObjectKind uint8

// The kinds of object that a rule can be about.
const (
	NoObject  ObjectKind = iota // the rule needs none
	Self                        // the subject's own account
	Namespace                   // a namespace as the place of assets
	Array                       // an array, or an asset stored as one
	Group                       // a group
	Server                      // the server itself
)

// Object is what an action is about. The zero Object stands for "nothing by
// that name": whoever looks something up and finds nothing passes it, and
// Allowed answers ErrNotFound exactly as for a thing the subject may not see.
type Object struct {
	Kind        ObjectKind
	ID          string // UUID of the asset or namespace
	NamespaceID string // UUID of the owning namespace
	ReadOnly    bool   // the owner has frozen the asset's content
	// Shares are to whom the asset is shared, by itself or as a member of groups. The slice is shared and not changed.
	Shares []Share
}

// ScopeAllows answers the first two questions for a call of the given action,
// with an error of class ErrUnauthenticated or ErrScope or nil. The message of
// the latter names the scope that is needed.
func ScopeAllows(s Subject, a Action) error {
	r, err := a.rule()
	if err != nil {
		return err
	}
	if r.open {
		return nil
	}
	if s.Kind == Anonymous || s.UserID == "" {
		return ErrUnauthenticated
	}
	if r.anyToken || s.Scopes.allow(r.scopes) {
		return nil
	}
	return fmt.Errorf("%w: %s needs the scope %s; create a token with it in Settings > API tokens",
		ErrScope, a, joinScopes(r.scopes))
}

// Allowed answers the questions one to four and returns the Grant with which
// the action may be done to the object.
func Allowed(s Subject, a Action, o Object) (Grant, error) {
	if err := ScopeAllows(s, a); err != nil {
		return Grant{}, err
	}
	r, err := a.rule()
	if err != nil {
		return Grant{}, err
	}
	if !r.needs(o.Kind) {
		return Grant{}, ErrNotFound
	}
	held := RightsOn(s, o)
	switch {
	case r.open:
	case r.see != 0 && held&r.see == 0:
		return Grant{}, ErrNotFound
	case r.do != 0 && held&r.do == 0:
		return Grant{}, fmt.Errorf("%w: you may not do %s here; ask the owner for it", ErrDenied, a)
	case r.changes && o.ReadOnly:
		return Grant{}, fmt.Errorf("%w: its owner marked it read-only", ErrDenied)
	}
	g := Grant{valid: true, action: a, object: o, subject: s}
	if o.Kind == Array && r.do != 0 {
		if g.part = partOn(s, o, r.do); g.part != "" && !r.parts {
			return Grant{}, fmt.Errorf("%w: only a part of the array is shared to you, and %s is about all of it; ask the owner for it", ErrDenied, a)
		}
	}
	return g, nil
}

func joinScopes(list []Scope) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = string(s)
	}
	return strings.Join(texts, " and ")
}

// needs reports whether an object of kind k fits the rule.
func (r rule) needs(k ObjectKind) bool {
	if len(r.on) == 0 {
		return k == NoObject
	}
	return slices.Contains(r.on, k)
}
