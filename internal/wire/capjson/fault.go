package capjson

import (
	"errors"
	"fmt"
	"strings"
)

// ErrMalformed is wrapped by every error for a body that is no JSON or not that of its message.
var ErrMalformed = errors.New("malformed JSON message")

// Error is a fault with its place: the path of the field, such as "domain.dimensions[0].type", empty for the whole body.
type Error struct {
	Field string
	Err   error
}

// Error returns the fault with its field.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Err.Error()
	}
	return e.Field + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// malformed makes the cause of an Error.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// within puts the name of a field, or the number of an element in brackets, before the place of an error.
func within(name string, err error) error {
	e := &Error{Err: err}
	errors.As(err, &e)
	switch {
	case e.Field == "":
		return &Error{Field: name, Err: e.Err}
	case strings.HasPrefix(e.Field, "["):
		return &Error{Field: name + e.Field, Err: e.Err}
	}
	return &Error{Field: name + "." + e.Field, Err: e.Err}
}
