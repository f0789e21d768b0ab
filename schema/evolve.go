package schema

import "errors"

// Evolve returns a new schema with the changes of e applied, checked, with an empty Name and the version of the old one;
// a is left as it is. All enumerations that e extends must be loaded. The error wraps ErrInvalid.
func (a *Array) Evolve(e Evolution) (*Array, error) {
	return nil, errors.New("evolution is not written yet")
}
