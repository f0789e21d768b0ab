package query

import (
	"context"
	"errors"

	"azulejo/array"
)

// Size is an estimate of the bytes a read returns for one field; Offsets is 0 for fixed fields, Validity 0 unless the
// field is nullable.
type Size struct {
	Name                    string
	Data, Offsets, Validity uint64
}

// Estimate returns how many bytes each of q's fields would need, in their order: exact for fixed fields of dense
// arrays, else from the overlap of the ranges with the tiles' bounding boxes. Conditions are not taken into account.
func Estimate(ctx context.Context, a *array.Array, q *Read) ([]Size, error) {
	return nil, errors.New("not written yet")
}
