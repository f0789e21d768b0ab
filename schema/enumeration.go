package schema

import "errors"

// Len returns the number of labels.
func (e *Enumeration) Len() int { return 0 }

// Label returns the bytes of label i, sharing memory; i must be below Len.
func (e *Enumeration) Label(i int) []byte { return nil }

// Index returns the position of a label, and false when there is no such label.
func (e *Enumeration) Index(label []byte) (int, bool) { return 0, false }

// Check tells whether the enumeration is well formed: known type, sizes that fit, offsets in order, distinct labels. The
// error wraps ErrInvalid.
func (e *Enumeration) Check() error { return errors.New("not written yet") }

// Extends reports whether e begins with all labels of old and has the same type and order flag, as an extension must.
func (e *Enumeration) Extends(old *Enumeration) error { return errors.New("not written yet") }
