package schema

import "math"

// Active returns the ranges that restrict the array: nil when c is nil or empty.
func (c *CurrentDomain) Active() []Range {
	if c == nil || c.Empty {
		return nil
	}
	return c.Ranges
}

// Check tells whether the current domain fits the domain: one range per dimension, inside the domain, ends in order.
// The error wraps ErrInvalid.
func (c *CurrentDomain) Check(d *Domain) error {
	ranges := c.Active()
	if len(ranges) != len(d.Dimensions) {
		return invalid("current domain: %d ranges for %d dimensions", len(ranges), len(d.Dimensions))
	}
	for i := range ranges {
		dim, r := &d.Dimensions[i], ranges[i]
		if err := dim.CheckRange(r); err != nil {
			return invalid("current domain: %w", err)
		}
		if !dim.Var() && !dim.Contains(dim.DomainRange(), r) {
			return invalid("current domain: dimension %q leaves the domain", dim.Name)
		}
	}
	return nil
}

// CheckRange tells whether r is a range of the dimension: ends of the right size, numbers, in order. It need not lie in
// the domain. The error wraps ErrInvalid.
func (d *Dimension) CheckRange(r Range) error {
	if !d.Var() {
		if size := d.Type.Size(); len(r.Lo) != size || len(r.Hi) != size {
			return invalid("dimension %q: a range of %d and %d bytes for %s", d.Name, len(r.Lo), len(r.Hi), d.Type)
		}
		if d.Type.IsFloat() && (math.IsNaN(float(d.Type, r.Lo)) || math.IsNaN(float(d.Type, r.Hi))) {
			return invalid("dimension %q: a range cannot end at NaN", d.Name)
		}
	}
	if d.Compare(r.Lo, r.Hi) > 0 {
		return invalid("dimension %q: the range ends before it starts", d.Name)
	}
	return nil
}

// Covers reports whether every range of old lies in c, as an expansion must. Both fit the domain; an empty old one is
// covered by all.
func (c *CurrentDomain) Covers(d *Domain, old *CurrentDomain) bool {
	ranges := c.Active()
	for i, r := range old.Active() {
		if i >= len(ranges) || !d.Dimensions[i].Contains(ranges[i], r) {
			return false
		}
	}
	return true
}
