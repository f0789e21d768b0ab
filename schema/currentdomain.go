package schema

import "errors"

// Check tells whether the current domain fits the domain: one range per dimension, inside the domain, ends in order.
// The error wraps ErrInvalid.
func (c *CurrentDomain) Check(d *Domain) error { return errors.New("not written yet") }

// Covers reports whether every range of old lies in c, as an expansion must.
func (c *CurrentDomain) Covers(d *Domain, old *CurrentDomain) bool { return false }

// Active returns the ranges that restrict the array: nil when c is nil or empty.
func (c *CurrentDomain) Active() []Range {
	if c == nil || c.Empty {
		return nil
	}
	return c.Ranges
}
