package main

import (
	"context"
	"encoding/binary"
	"fmt"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/internal/oracle/npz"
	"azulejo/query"
	"azulejo/schema"
)

// cells is the result of a read: one column per field.
type cells struct {
	columns []query.Column
	fields  []schema.Field
}

// readCells performs a read, in parts of at most limit cells when limit is not 0, and puts the parts together.
func readCells(ctx context.Context, a *array.Array, rd *read, limit int) (*cells, error) {
	rd, labels, err := withoutLabels(ctx, a, rd)
	if err != nil {
		return nil, err
	}
	q, out, err := cellQuery(a, rd, limit)
	if err != nil {
		return nil, err
	}
	labels.restrict(a, q)
	if len(q.Fields) == 0 && len(labels.fields) > 0 {
		return out, labels.add(ctx, a, q, out)
	}
	for {
		res, err := query.Run(ctx, a, q)
		if err != nil {
			return nil, err
		}
		for i, c := range res.Columns {
			out.append(i, c)
		}
		if res.Next == nil {
			return out, labels.add(ctx, a, q, out)
		}
		if res.Cells == 0 {
			if limit == 0 {
				return nil, fmt.Errorf("an incomplete part without cells and without a limit")
			}
			limit *= 2
			if q.Fields, err = wants(a.Schema, out.fields, limit); err != nil {
				return nil, err
			}
		}
		q.Resume = res.Next
	}
}

// cellQuery returns the query of a read and the columns to fill.
func cellQuery(a *array.Array, rd *read, limit int) (*query.Read, *cells, error) {
	names := rd.Fields
	if names == nil {
		for _, n := range a.Schema.FieldNames() {
			if f, _ := a.Schema.Field(n); !f.Dimension || a.Schema.Type == schema.Sparse {
				names = append(names, n)
			}
		}
	}
	out := &cells{}
	for _, n := range names {
		f, ok := a.Schema.Field(n)
		if !ok {
			return nil, nil, fmt.Errorf("no field %q", n)
		}
		out.fields = append(out.fields, f)
		out.columns = append(out.columns, query.Column{Name: n})
	}
	q, err := baseQuery(a, rd)
	if err != nil {
		return nil, nil, err
	}
	q.Fields, err = wants(a.Schema, out.fields, limit)
	return q, out, err
}

// baseQuery returns a query with the layout, ranges and condition of a read.
func baseQuery(a *array.Array, rd *read) (*query.Read, error) {
	ranges, err := subarray(a.Schema, rd.Ranges)
	if err != nil {
		return nil, err
	}
	var cond *condition.Node
	if rd.Condition != nil {
		if cond, err = buildCondition(a.Schema, rd.Condition); err != nil {
			return nil, err
		}
	}
	return &query.Read{Layout: layouts[rd.Layout], Subarray: query.Subarray{Ranges: ranges}, Condition: cond}, nil
}

// wants returns the fields with room for limit cells each, and eight values in a var-sized one; any number when limit
// is 0.
func wants(s *schema.Array, fields []schema.Field, limit int) ([]query.Want, error) {
	var out []query.Want
	for _, f := range fields {
		w := query.Want{Name: f.Name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1}
		if limit > 0 {
			w.DataCap = int64(limit * f.CellSize())
			w.OffsetsCap, w.ValidityCap = int64(8*limit), int64(limit)
			if f.Var() {
				w.DataCap = int64(limit * 8 * f.Type.Size())
			}
		}
		out = append(out, w)
	}
	return out, nil
}

// append adds one part of column i; offsets are moved behind the data that is there.
func (c *cells) append(i int, part query.Column) {
	col := &c.columns[i]
	base := uint64(len(col.Data))
	for _, o := range datatype.View[uint64](part.Offsets) {
		col.Offsets = binary.LittleEndian.AppendUint64(col.Offsets, base+o)
	}
	col.Data = append(col.Data, part.Data...)
	col.Validity = append(col.Validity, part.Validity...)
}

// write makes an npz file of the columns.
func (c *cells) write(path string) error {
	var out []npz.Array
	for i, col := range c.columns {
		out = append(out, npz.Array{Name: "data:" + col.Name, Type: "|u1", Count: len(col.Data), Data: col.Data})
		if c.fields[i].Var() {
			offsets := binary.LittleEndian.AppendUint64(col.Offsets, uint64(len(col.Data)))
			out = append(out, npz.Array{Name: "offsets:" + col.Name, Type: "<u8", Count: len(offsets) / 8, Data: offsets})
		}
		if c.fields[i].Nullable {
			out = append(out, npz.Array{Name: "validity:" + col.Name, Type: "|u1", Count: len(col.Validity), Data: col.Validity})
		}
	}
	return npz.Write(path, out)
}

var aggregateOps = map[string]query.AggregateOp{
	"count": query.Count, "sum": query.Sum, "mean": query.Mean, "min": query.Min, "max": query.Max, "null_count": query.NullCount,
}

// aggregate performs an aggregate read; each aggregate is "count" or [operator, field].
func aggregate(ctx context.Context, a *array.Array, rd *read) (any, error) {
	q, err := baseQuery(a, rd)
	if err != nil {
		return nil, err
	}
	for i, spec := range rd.Aggregates {
		op, field := fmt.Sprint(spec), ""
		if pair, ok := spec.([]any); ok && len(pair) == 2 {
			op, field = fmt.Sprint(pair[0]), fmt.Sprint(pair[1])
		}
		q.Aggregates = append(q.Aggregates, query.Aggregate{Output: fmt.Sprintf("agg%d", i), Op: aggregateOps[op], Field: field})
	}
	res, err := query.Run(ctx, a, q)
	if err != nil {
		return nil, err
	}
	if len(res.Columns) != len(q.Aggregates) {
		return nil, fmt.Errorf("%d columns for %d aggregates", len(res.Columns), len(q.Aggregates))
	}
	out := []object{}
	for i, agg := range q.Aggregates {
		out = append(out, describeAggregate(a.Schema, agg, res.Columns[i]))
	}
	return out, nil
}

func describeAggregate(s *schema.Array, agg query.Aggregate, col query.Column) object {
	f, _ := s.Field(agg.Field)
	t := aggregateType(agg.Op, f.Type)
	o := object{"op": opName(agg.Op), "field": nil, "type": t.String(), "hex": hexText(col.Data)}
	if agg.Field != "" {
		o["field"] = agg.Field
	}
	if f.Nullable && agg.Op != query.NullCount {
		o["valid"] = col.Validity[0]
		if col.Validity[0] == 0 {
			o["hex"] = nil
		}
	}
	if o["hex"] != nil && t.Size() > 1 && len(col.Data) >= t.Size() {
		o["value"] = plainValue(t, col.Data)
	}
	return o
}

// aggregateType returns the type of an aggregate's result over values of type t.
func aggregateType(op query.AggregateOp, t datatype.Type) datatype.Type {
	switch {
	case op == query.Count, op == query.NullCount:
		return datatype.Uint64
	case op == query.Mean, op == query.Sum && t.IsFloat():
		return datatype.Float64
	case op == query.Sum && t.Kind().Signed():
		return datatype.Int64
	case op == query.Sum:
		return datatype.Uint64
	}
	return t
}

func opName(op query.AggregateOp) string {
	for name, o := range aggregateOps {
		if o == op {
			return name
		}
	}
	return ""
}
