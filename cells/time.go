package cells

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
)

// unit is what one step of a date or time type is: so many seconds, or a part of one.
type unit struct{ seconds, parts int64 }

// units has the types whose steps all have one length; years and months have not.
var units = map[datatype.Type]unit{
	datatype.DateTimeWeek: {7 * 86400, 1}, datatype.DateTimeDay: {86400, 1}, datatype.DateTimeHR: {3600, 1},
	datatype.DateTimeMin: {60, 1}, datatype.DateTimeSec: {1, 1}, datatype.DateTimeMS: {1, 1e3}, datatype.DateTimeUS: {1, 1e6},
	datatype.DateTimeNS: {1, 1e9}, datatype.DateTimePS: {1, 1e12}, datatype.DateTimeFS: {1, 1e15}, datatype.DateTimeAS: {1, 1e18},
	datatype.TimeHR: {3600, 1}, datatype.TimeMin: {60, 1}, datatype.TimeSec: {1, 1}, datatype.TimeMS: {1, 1e3}, datatype.TimeUS: {1, 1e6},
	datatype.TimeNS: {1, 1e9}, datatype.TimePS: {1, 1e12}, datatype.TimeFS: {1, 1e15}, datatype.TimeAS: {1, 1e18},
}

// NaT is the value of a date or time that is none, "not a time"; it is the types' fill value.
const NaT = math.MinInt64

// FromTime returns a moment as a value of one of the DATETIME types, rounded down to the type's unit. The error wraps
// query.ErrInvalid when the type is another or cannot hold the moment. The zero time.Time is NaT.
func FromTime(t datatype.Type, v time.Time) (int64, error) {
	v = v.UTC()
	switch {
	case v.IsZero():
		return NaT, nil
	case t == datatype.DateTimeYear:
		return int64(v.Year()) - 1970, nil
	case t == datatype.DateTimeMonth:
		return (int64(v.Year())-1970)*12 + int64(v.Month()) - 1, nil
	case !t.IsDateTime():
		return 0, fmt.Errorf("%w: %v holds no moments of time", query.ErrInvalid, t)
	}
	n, ok := steps(units[t], v.Unix(), int64(v.Nanosecond()))
	if !ok {
		return 0, fmt.Errorf("%w: %v cannot hold %s", query.ErrInvalid, t, v.Format(time.RFC3339Nano))
	}
	return n, nil
}

// steps returns seconds and nanoseconds in units, rounded down; false when they do not fit.
func steps(u unit, seconds, nanos int64) (int64, bool) {
	if u.parts == 1 {
		return floorDiv(seconds, u.seconds), true
	}
	whole, ok := multiply(seconds, u.parts)
	part := nanos
	if u.parts >= 1e9 {
		part *= u.parts / 1e9
	} else {
		part /= 1e9 / u.parts
	}
	sum := whole + part
	return sum, ok && sum >= whole && sum != NaT
}

// multiply returns a*b for b > 0; false when it does not fit.
func multiply(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(max(a, -a)), uint64(b))
	if hi != 0 || lo > math.MaxInt64 || a == math.MinInt64 {
		return 0, false
	}
	if a < 0 {
		return -int64(lo), true
	}
	return int64(lo), true
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// ToTime returns a value of one of the DATETIME types as a moment, rounded down to nanoseconds; NaT as the zero
// time.Time. The error wraps query.ErrInvalid when the type is another or the moment is beyond what time.Time can hold.
func ToTime(t datatype.Type, v int64) (time.Time, error) {
	u := units[t]
	switch {
	case v == NaT && t.IsDateTime():
		return time.Time{}, nil
	case t == datatype.DateTimeYear && v > -1<<30 && v < 1<<30:
		return time.Date(int(1970+v), 1, 1, 0, 0, 0, 0, time.UTC), nil
	case t == datatype.DateTimeMonth && v > -1<<30 && v < 1<<30:
		return time.Date(1970, time.Month(1+v), 1, 0, 0, 0, 0, time.UTC), nil
	case !t.IsDateTime() || u.seconds == 0:
		return time.Time{}, fmt.Errorf("%w: %d of type %v is no moment of time", query.ErrInvalid, v, t)
	case u.parts == 1:
		seconds, ok := multiply(v, u.seconds)
		if !ok {
			return time.Time{}, fmt.Errorf("%w: %d of type %v is out of the range of times", query.ErrInvalid, v, t)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	seconds := floorDiv(v, u.parts)
	part := v - seconds*u.parts
	if u.parts >= 1e9 {
		part /= u.parts / 1e9
	} else {
		part *= 1e9 / u.parts
	}
	return time.Unix(seconds, part).UTC(), nil
}

// Times returns a column of moments of a field of one of the DATETIME types; the errors are those of FromTime.
func Times(name string, t datatype.Type, v []time.Time) (query.Column, error) {
	out := make([]int64, len(v))
	for i := range v {
		var err error
		if out[i], err = FromTime(t, v[i]); err != nil {
			return query.Column{}, fmt.Errorf("cell %d of %q: %w", i, name, err)
		}
	}
	return Of(name, out), nil
}

// TimesOf returns the cells of a column of one of the DATETIME types, null cells and NaT as the zero time.Time.
func TimesOf(t *Table, name string) ([]time.Time, error) {
	c, f, err := t.column(name)
	if err != nil {
		return nil, err
	}
	if f.Var() || !f.Type.IsDateTime() {
		return nil, mismatch(f, "moments of time")
	}
	out := make([]time.Time, len(c.Data)/8)
	for i, v := range datatype.View[int64](c.Data) {
		if c.Validity != nil && i < len(c.Validity) && c.Validity[i] == 0 {
			continue
		}
		if out[i], err = ToTime(f.Type, v); err != nil {
			return nil, fmt.Errorf("cell %d of %q: %w", i, name, err)
		}
	}
	return out, nil
}

// BetweenTimes returns the inclusive range of a dimension of one of the DATETIME types; the errors are those of FromTime.
func BetweenTimes(t datatype.Type, lo, hi time.Time) (schema.Range, error) {
	from, err := FromTime(t, lo)
	if err != nil {
		return schema.Range{}, err
	}
	to, err := FromTime(t, hi)
	return schema.Between(from, to), err
}

// Ratio returns how many units of the finer date or time type make one of the coarser. It is false when that is no whole
// number, or not always the same one: for years and months.
func Ratio(coarser, finer datatype.Type) (int64, bool) {
	if coarser == finer {
		return 1, true
	}
	c, f := units[coarser], units[finer]
	if c.seconds == 0 || f.seconds == 0 || c.parts > f.parts || c.parts == f.parts && c.seconds%f.seconds != 0 {
		return 0, false
	}
	up, ok := multiply(f.parts/c.parts, c.seconds/f.seconds)
	return up, ok && up > 0
}
