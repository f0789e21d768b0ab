package wire

import (
	"azulejo/datatype"
	"azulejo/schema"
)

var layoutNames = [...]string{
	schema.RowMajor:    "row-major",
	schema.ColMajor:    "col-major",
	schema.GlobalOrder: "global-order",
	schema.Unordered:   "unordered",
	schema.Hilbert:     "hilbert",
}

var arrayTypeNames = [...]string{schema.Dense: "dense", schema.Sparse: "sparse"}

var orderNames = [...]string{
	schema.UnorderedData:  "unordered",
	schema.IncreasingData: "increasing",
	schema.DecreasingData: "decreasing",
}

// named returns the value whose name is s, recording a fault when there is none.
func named[T ~uint8](p *place, names []string, s string, err error) T {
	if !p.check(err) {
		return 0
	}
	for i, name := range names {
		if name == s {
			return T(i)
		}
	}
	p.fail("unknown value %q", s)
	return 0
}

// nameOf returns the name of v, or nothing when v is not a value of its type.
func nameOf[T ~uint8](names []string, v T) string {
	if int(v) >= len(names) {
		return ""
	}
	return names[v]
}

// datatype returns a datatype by its name, recording a fault when there is none.
func (p *place) datatype(s string, err error) datatype.Type {
	if !p.check(err) {
		return 0
	}
	t, ok := datatype.Parse(s)
	if !ok {
		p.fail("unknown datatype %q", s)
	}
	return t
}
