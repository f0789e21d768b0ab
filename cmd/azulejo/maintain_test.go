package main

import (
	"context"
	"encoding/binary"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/file"
)

// fragmentsScript makes a dense array with a number of fragments of one cell each, written at times 10, 20, …
func fragmentsScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fragments directory count")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	number := func(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
	ctx, fs, uri := context.Background(), file.New(), ts.MkAbs(args[0])
	ts.Check(array.Create(ctx, fs, uri, &schema.Array{
		Version: format.Version, Type: schema.Dense, TileOrder: schema.RowMajor, CellOrder: schema.RowMajor, Capacity: 1,
		Domain: schema.Domain{Dimensions: []schema.Dimension{
			{Name: "x", Type: datatype.Int32, CellValNum: 1, Domain: append(number(0), number(n-1)...), Extent: number(n)}}},
		Attributes: []schema.Attribute{{Name: "v", Type: datatype.Int32, CellValNum: 1, Fill: number(0)}},
	}))
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting())
	ts.Check(err)
	for i := range n {
		_, err := query.Submit(ctx, a, &query.Write{Layout: schema.RowMajor, Timestamp: uint64(10 * (i + 1)),
			Subarray: query.Subarray{Ranges: [][]schema.Range{{{Lo: number(i), Hi: number(i)}}}},
			Columns:  []query.Column{{Name: "v", Data: number(10 * (i + 1))}}})
		ts.Check(err)
	}
}
