// Package part has the words in which people say which part of an array they share (decision 140): attributes, ranges of
// dimensions, a condition and keys of metadata. It makes the engine's query.Restriction of them. It is pure.
//
// The words are one JSON object, kept with the share as text. What a share says of an array that has changed since is bound
// anew at every open, and what does not fit any more opens nothing.
package part

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/internal/jsonvalue"
	"azulejo/query"
	"azulejo/schema"
)

// ErrInvalid is the class of errors about words that are none, or that do not fit the array.
var ErrInvalid = errors.New("invalid policy")

// MaxBytes bounds the words of a part.
const MaxBytes = 64 << 10

// maxDepth bounds how deep a condition nests.
const maxDepth = 50

// Part is a part of an array in words.
type Part struct {
	// Attributes are the attributes that are shown, those added to the array later not among them. Where people say Hidden
	// instead, it is all others of the moment.
	Attributes []string `json:"attributes,omitempty"`
	Hidden     []string `json:"hidden,omitempty"`
	// Masked are those shown without values.
	Masked []string `json:"masked,omitempty"`
	// Ranges has the first and the last coordinate that are shown, by dimension.
	Ranges map[string][]any `json:"ranges,omitempty"`
	// Condition is what cells that are shown satisfy.
	Condition *Condition `json:"condition,omitempty"`
	// Metadata are the keys of the array's metadata that are shown.
	Metadata []string `json:"metadata,omitempty"`
}

// Condition is a comparison of a field with a value, or a combination of others. A null value compares with null; fields with
// an enumeration are compared by its labels.
type Condition struct {
	All []Condition `json:"all,omitempty"`
	Any []Condition `json:"any,omitempty"`
	Not *Condition  `json:"not,omitempty"`

	Field string          `json:"field,omitempty"`
	Op    string          `json:"op,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// ops are the comparisons; "in" and "not in" compare with a list.
var ops = map[string]condition.Op{"<": condition.LT, "<=": condition.LE, ">": condition.GT, ">=": condition.GE, "==": condition.EQ, "!=": condition.NE,
	"in": condition.In, "not in": condition.NotIn}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

// Decode reads the words of a part. An unknown one is an error, for what it was to withhold would be shown.
func Decode(text []byte) (Part, error) {
	if len(text) > MaxBytes {
		return Part{}, invalid("it has %d bytes, at most %d are kept", len(text), MaxBytes)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	d.UseNumber()
	var p Part
	if err := d.Decode(&p); err != nil {
		return Part{}, invalid("%w; it is an object of attributes, hidden, masked, ranges, condition and metadata", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Part{}, invalid("there is more behind it")
	}
	return p, nil
}

// Fit checks the words against the newest schema of the array, which must have the enumerations that Labels names, and returns
// the text that is kept.
func (p Part) Fit(s *schema.Array) (text string, err error) {
	if p.Hidden != nil && p.Attributes != nil {
		return "", invalid("it has both attributes, which are shown, and hidden ones; one of them says it")
	}
	for _, name := range p.Hidden {
		if !isAttribute(s, name) {
			return "", invalid("the array has no attribute %q to hide; dimensions are always shown", name)
		}
	}
	if p.Attributes == nil {
		for i := range s.Attributes {
			if name := s.Attributes[i].Name; !slices.Contains(p.Hidden, name) {
				p.Attributes = append(p.Attributes, name)
			}
		}
	}
	p.Hidden = nil
	w, err := p.Restriction(s)
	if err != nil {
		return "", err
	}
	if err := w.Check(s); err != nil {
		return "", invalid("%w", err)
	}
	b, err := json.Marshal(p)
	if err == nil && len(b) > MaxBytes {
		err = invalid("it has %d bytes, at most %d are kept", len(b), MaxBytes)
	}
	return string(b), err
}

func isAttribute(s *schema.Array, name string) bool {
	f, ok := s.Field(name)
	return ok && !f.Dimension
}

// Labels returns the names of the enumerations that the condition's labels are of.
func (p Part) Labels(s *schema.Array) []string {
	var names []string
	p.Condition.each(0, func(c *Condition) {
		if f, ok := s.Field(c.Field); ok && !f.Dimension {
			if name := s.Attributes[f.Index].Enumeration; name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	})
	return names
}

// each calls do for every comparison.
func (c *Condition) each(depth int, do func(*Condition)) {
	if c == nil || depth > maxDepth {
		return
	}
	if c.Not != nil {
		c.Not.each(depth+1, do)
	}
	for _, list := range [][]Condition{c.All, c.Any} {
		for i := range list {
			list[i].each(depth+1, do)
		}
	}
	if c.Field != "" || c.Op != "" {
		do(c)
	}
}

// Restriction returns the part as the engine has it, for a schema with the enumerations that Labels names. Attributes that the
// schema does not have are left to the engine.
func (p Part) Restriction(s *schema.Array) (*query.Restriction, error) {
	w := &query.Restriction{Attributes: p.Attributes, Masked: p.Masked}
	dims := s.Domain.Dimensions
	for name, ends := range p.Ranges {
		i := slices.IndexFunc(dims, func(d schema.Dimension) bool { return d.Name == name })
		if i < 0 {
			return nil, invalid("the array has no dimension %q", name)
		}
		if len(ends) != 2 {
			return nil, invalid("the range of dimension %q has %d ends instead of two", name, len(ends))
		}
		if w.Box == nil {
			w.Box = make([]schema.Range, len(dims))
		}
		var r [2][]byte
		for k := range ends {
			b, err := jsonvalue.Parse(dims[i].Type, ends[k])
			if err != nil {
				return nil, invalid("%v is no coordinate of dimension %q: %w", ends[k], name, err)
			}
			r[k] = append([]byte{}, b...) // an empty text is one
		}
		w.Box[i] = schema.Range{Lo: r[0], Hi: r[1]}
	}
	var err error
	if p.Condition != nil {
		w.Condition, err = p.Condition.node(s, 0)
	}
	return w, err
}

// node returns the condition as the engine has it.
func (c *Condition) node(s *schema.Array, depth int) (*condition.Node, error) {
	if depth > maxDepth {
		return nil, invalid("the condition nests more than %d deep", maxDepth)
	}
	forms := 0
	for _, has := range []bool{c.All != nil, c.Any != nil, c.Not != nil, c.Field != "" || c.Op != "" || c.Value != nil} {
		if has {
			forms++
		}
	}
	switch {
	case forms != 1:
		return nil, invalid("each part of a condition has one of all, any, not, or else field, op and value")
	case c.Not != nil:
		n, err := c.Not.node(s, depth+1)
		if err != nil {
			return nil, err
		}
		return condition.Negated(n), nil
	case c.All == nil && c.Any == nil:
		return c.comparison(s)
	}
	op, list := condition.And, c.All
	if c.Any != nil {
		op, list = condition.Or, c.Any
	}
	if len(list) == 0 {
		return nil, invalid("a condition combines nothing")
	}
	out := &condition.Node{Op: op}
	for i := range list {
		n, err := list[i].node(s, depth+1)
		if err != nil {
			return nil, err
		}
		out.Children = append(out.Children, n)
	}
	return out, nil
}

// comparison returns a comparison as the engine has it.
func (c *Condition) comparison(s *schema.Array) (*condition.Node, error) {
	f, ok := s.Field(c.Field)
	if !ok {
		return nil, invalid("the condition is on %q, and the array has no such attribute or dimension", c.Field)
	}
	op, ok := ops[c.Op]
	if !ok {
		return nil, invalid("the condition on %q has the operator %q; there are <, <=, >, >=, ==, !=, in and not in", c.Field, c.Op)
	}
	if c.Value == nil {
		return nil, invalid("the condition on %q has no value", c.Field)
	}
	n := &condition.Node{Op: op, Field: c.Field}
	d := json.NewDecoder(bytes.NewReader(c.Value))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, invalid("the value for %q: %w", c.Field, err)
	}
	labels, t := (*schema.Enumeration)(nil), f.Type
	if !f.Dimension && s.Attributes[f.Index].Enumeration != "" {
		if labels = s.Enumerations[s.Attributes[f.Index].Enumeration]; labels == nil {
			return nil, invalid("the labels of %q are not loaded", c.Field)
		}
		t, n.UseEnumeration = labels.Type, true
	}
	if v == nil {
		if !f.Nullable || op != condition.EQ && op != condition.NE {
			return nil, invalid("only nullable attributes compare with null, and by == and != alone; %q is compared by %s", c.Field, c.Op)
		}
		n.Null, n.UseEnumeration = true, false
		return n, nil
	}
	list, isList := v.([]any)
	if isList != (op == condition.In || op == condition.NotIn) {
		return nil, invalid("in and not in compare with a list, others with one value; the value for %q is not so", c.Field)
	}
	if !isList {
		b, err := valueOf(c.Field, t, v, labels)
		n.Value = b
		return n, err
	}
	n.Value, n.Offsets = []byte{}, []uint64{}
	for _, x := range list {
		b, err := valueOf(c.Field, t, x, labels)
		if err != nil {
			return nil, err
		}
		n.Offsets, n.Value = append(n.Offsets, uint64(len(n.Value))), append(n.Value, b...)
	}
	return n, nil
}

// valueOf returns the bytes of a value, of a label if there are labels.
func valueOf(field string, t datatype.Type, v any, labels *schema.Enumeration) ([]byte, error) {
	b, err := jsonvalue.Parse(t, v)
	if truth, ok := v.(bool); ok && t == datatype.Bool {
		b, err = []byte{0}, nil
		if truth {
			b[0] = 1
		}
	}
	if err != nil {
		return nil, invalid("%v cannot be compared with %q: %w", v, field, err)
	}
	if labels != nil {
		if _, ok := labels.Index(b); !ok {
			return nil, invalid("%q has no label %v", field, v)
		}
	}
	return append([]byte{}, b...), nil
}
