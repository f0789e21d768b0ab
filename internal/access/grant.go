package access

import "fmt"

// Grant is the permission to do one action to one object, and how much of the
// object it covers. Only Allowed makes valid ones; the zero Grant opens
// nothing. A Grant is a value, safe to copy and to read concurrently, and is
// good for the request it was made for, no longer.
type Grant struct {
	valid   bool
	action  Action
	object  Object
	subject Subject
	part    string
}

// Permits returns nil if the grant allows action a on the asset with the given
// UUID, else an error of class ErrDenied. Whatever opens stored data asks this
// first.
func (g Grant) Permits(a Action, assetID string) error {
	if !g.valid || g.action != a || g.object.ID != assetID || assetID == "" {
		return fmt.Errorf("%w: the grant is for another object or action", ErrDenied)
	}
	return nil
}

// Valid reports whether the grant came from Allowed.
func (g Grant) Valid() bool { return g.valid }

// Action returns the action that was granted.
func (g Grant) Action() Action { return g.action }

// Object returns the object that the grant is about.
func (g Grant) Object() Object { return g.object }

// Subject returns who was granted it.
func (g Grant) Subject() Subject { return g.subject }

// Part says which part of the array the grant covers, as it was given with the share; empty for all of it.
func (g Grant) Part() string { return g.part }

// Everything reports whether nothing of the object is withheld. Code that
// cannot apply a restriction must refuse a grant for which this is false.
func (g Grant) Everything() bool { return g.valid && g.part == "" }
