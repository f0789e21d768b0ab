package label

import (
	"context"
	"fmt"
	"time"

	"azulejo/array"
	"azulejo/query"
	"azulejo/schema"
)

// Write stores labels for a range of coordinates, nil for the whole dimension, at a time in milliseconds since 1970, 0 for
// now. The column need not bear a name; its offsets have 64 bits and count bytes. The labels must rise or fall; that they do so beside those already there is the
// caller's care, Find refuses them otherwise.
func Write(ctx context.Context, a *array.Array, name string, coordinates *schema.Range, column query.Column, timestamp uint64) error {
	return write(ctx, a, name, coordinates, column, &query.Write{Timestamp: timestamp})
}

// write is Write with the time and the form of offsets of another write.
func write(ctx context.Context, a *array.Array, name string, coordinates *schema.Range, column query.Column, like *query.Write) error {
	labels, err := Open(ctx, a, name, array.ForWriting())
	if err != nil {
		return err
	}
	column.Name = a.Schema.Label(name).Attribute
	w := &query.Write{Layout: schema.RowMajor, Columns: []query.Column{column}, Timestamp: like.Timestamp, Offsets: like.Offsets}
	if coordinates != nil {
		w.Subarray.Ranges = [][]schema.Range{{*coordinates}}
	}
	if _, err := query.Submit(ctx, labels, w); err != nil {
		return fmt.Errorf("dimension label %q: %w", name, err)
	}
	return nil
}

// Submit is query.Submit for writes to dense arrays that bring labels along: columns that bear the name of a label hold
// those of the range that is written of its dimension. Labels are stored before the cells, so that nobody finds cells
// without their labels. A write of labels alone makes no fragment of the array.
func Submit(ctx context.Context, a *array.Array, w *query.Write) (query.Written, error) {
	cells := *w
	cells.Columns = nil
	var labels []query.Column
	for _, c := range w.Columns {
		if a.Schema.Label(c.Name) != nil {
			labels = append(labels, c)
		} else {
			cells.Columns = append(cells.Columns, c)
		}
	}
	if len(labels) > 0 && cells.Timestamp == 0 {
		cells.Timestamp = uint64(time.Now().UnixMilli())
	}
	for _, c := range labels {
		var at *schema.Range
		if d := a.Schema.Label(c.Name).Dimension; int(d) < len(w.Subarray.Ranges) {
			ranges := w.Subarray.Ranges[d]
			if len(ranges) > 1 {
				return query.Written{}, fmt.Errorf("%w: labels are written for one range", query.ErrInvalid)
			}
			if len(ranges) == 1 {
				at = &ranges[0]
			}
		}
		if err := write(ctx, a, c.Name, at, c, &cells); err != nil {
			return query.Written{}, err
		}
	}
	if len(cells.Columns) == 0 && len(labels) > 0 {
		return query.Written{}, nil
	}
	return query.Submit(ctx, a, &cells)
}
