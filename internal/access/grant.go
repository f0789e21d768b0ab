package access

import "fmt"

// Grant is the permission to do one action to one object, and how much of the
// object it covers. Only Allowed makes valid ones; the zero Grant opens
// nothing. A Grant is a value, safe to copy and to read concurrently, and is
// good for the request it was made for, no longer.
type Grant struct {
	valid     bool
	action    Action
	object    Object
	subject   Subject
	fields    Fields
	region    Region
	condition Condition
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

// Fields says which attributes and dimensions the grant covers.
func (g Grant) Fields() Fields { return g.fields }

// Region says which cells the grant covers by their coordinates.
func (g Grant) Region() Region { return g.region }

// Condition says which cells the grant covers by their values.
func (g Grant) Condition() Condition { return g.condition }

// Everything reports whether nothing of the object is withheld. Code that
// cannot yet apply a restriction must refuse a grant for which this is false.
func (g Grant) Everything() bool {
	return g.valid && g.fields.All() && g.region.All() && g.condition.All()
}

// Fields is a set of attribute and dimension names. Today it always holds all.
type Fields struct{ names []string }

// All reports whether no field is withheld.
func (f Fields) All() bool { return f.names == nil }

// Has reports whether the field is in the set.
func (f Fields) Has(name string) bool {
	if f.names == nil {
		return true
	}
	for _, n := range f.names {
		if n == name {
			return true
		}
	}
	return false
}

// Region is a part of an array's domain. Today it is always the whole.
type Region struct{ text string }

// All reports whether the region is the whole domain.
func (r Region) All() bool { return r.text == "" }

// Condition is a restriction on cell values. Today there never is one.
type Condition struct{ text string }

// All reports whether every cell meets the condition.
func (c Condition) All() bool { return c.text == "" }
