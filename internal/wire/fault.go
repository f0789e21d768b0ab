package wire

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrMalformed is wrapped by every error for a message or body that breaks the rules of the protocol.
var ErrMalformed = errors.New("malformed message")

// ErrTooLarge is wrapped by the error for a message longer than the caller allows.
var ErrTooLarge = errors.New("message too large")

// ErrUnsupported is wrapped by the error for a well-formed request for something that is not built.
var ErrUnsupported = errors.New("not supported")

// Error is a fault with its place. Field is the path in the message, such as "domain.dimensions[0].type"; it is empty
// when the message could not be read at all.
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

// malformed makes an Error without a field.
func malformed(format string, args ...any) error {
	return &Error{Err: fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))}
}

// place is where a decoder stands in a message. The first fault of a message is kept; decoders go on with zero values
// and look at it once, at their end.
type place struct {
	fault *error
	up    *place
	name  string
	index int
}

// newPlace returns the root of a message.
func newPlace() *place { return &place{fault: new(error), index: -1} }

// err returns the first fault found anywhere in the message.
func (p *place) err() error { return *p.fault }

// at returns the place of a field.
func (p *place) at(name string) *place { return &place{fault: p.fault, up: p, name: name, index: -1} }

// item returns the place of a list's element.
func (p *place) item(i int) *place { return &place{fault: p.fault, up: p, index: i} }

// path returns the place in words.
func (p *place) path() string {
	if p.up == nil {
		return ""
	}
	up := p.up.path()
	if p.index >= 0 {
		return up + "[" + strconv.Itoa(p.index) + "]"
	}
	if up == "" {
		return p.name
	}
	return up + "." + p.name
}

// fail records a breach of the protocol.
func (p *place) fail(format string, args ...any) {
	p.record(fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...)))
}

// unsupported records a request for something that is not built.
func (p *place) unsupported(what string) { p.record(fmt.Errorf("%w: %s", ErrUnsupported, what)) }

func (p *place) record(err error) {
	if *p.fault == nil {
		*p.fault = &Error{Field: p.path(), Err: err}
	}
}

// check records a pointer that could not be read and reports whether it could.
func (p *place) check(err error) bool {
	if err != nil {
		p.fail("%v", err)
	}
	return err == nil
}

// text returns a text field; it is a copy.
func (p *place) text(s string, err error) string {
	p.check(err)
	return s
}

// data returns a copy of a data field, nil when it is absent or empty.
func (p *place) data(b []byte, err error) []byte {
	if !p.check(err) || len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b...)
}

// length returns the number of elements of a list field, 0 after a fault.
func (p *place) length(l interface{ Len() int }, err error) int {
	if !p.check(err) {
		return 0
	}
	return l.Len()
}

// texts returns a list of texts.
func (p *place) texts(l textList, err error) []string {
	n := p.length(l, err)
	if n == 0 {
		return nil
	}
	v := make([]string, n)
	for i := range v {
		s, err := l.At(i)
		v[i] = p.item(i).text(s, err)
	}
	return v
}

// textList is what the generated list of texts offers.
type textList interface {
	Len() int
	At(int) (string, error)
}

// valueList is what the generated lists of numbers offer.
type valueList[T any] interface {
	Len() int
	At(int) T
}

// values copies a list of numbers. One call per element costs about 3 ns, which is of no account for the lists that
// requests carry (sizes of ranges, two ends of a domain); columns of cells never travel as lists.
func values[T any, L valueList[T]](p *place, l L, err error) []T {
	n := p.length(l, err)
	if n == 0 {
		return nil
	}
	v := make([]T, n)
	for i := range v {
		v[i] = l.At(i)
	}
	return v
}
