package schema

import "errors"

// Check tells whether the schema obeys every rule that libtiledb enforces when an array is created; the error wraps
// ErrInvalid and names the field. A schema read from disk should be checked before use too.
func (a *Array) Check() error { return errors.New("schema check is not written yet") }
