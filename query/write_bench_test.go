package query

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

// BenchmarkWriteDense writes a smooth plane of doubles with some noise, as the bench's write-full row does.
func BenchmarkWriteDense(b *testing.B) {
	const n, tile = 2048, 512
	data := datatype.AlignedBytes(n * n * 8)
	cells, _ := datatype.Alias[float64](data)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range cells {
		y, x := float64(i/n), float64(i%n)
		smooth := math.Floor(64 * (40*math.Sin(y/97)*math.Cos(x/131) + y/64))
		cells[i] = (smooth + float64(rng.IntN(64))) / 64
	}
	for _, order := range []schema.Layout{schema.RowMajor, schema.ColMajor} {
		b.Run([]string{"same-order", "crossed"}[order], func(b *testing.B) {
			s := testSchema(schema.Dense, order, []schema.Dimension{intDim("y", 0, n-1, tile), intDim("x", 0, n-1, tile)},
				schema.Attribute{Name: "a", Type: datatype.Float64, CellValNum: 1, Filters: schema.DefaultCoordsFilters()})
			a := &array.Array{FS: mem.New(), URI: "mem://a", Schema: s}
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				_, err := Submit(context.Background(), a, &Write{Columns: []Column{{Name: "a", Data: data}}})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWriteUnordered writes shuffled points with two attributes.
func BenchmarkWriteUnordered(b *testing.B) {
	const n = 1_000_000
	rng := rand.New(rand.NewPCG(1, 2))
	x, y, v := datatype.AlignedBytes(n*8), datatype.AlignedBytes(n*8), datatype.AlignedBytes(n*8)
	for i := range n {
		binary.LittleEndian.PutUint64(x[i*8:], rng.Uint64N(1_000_000))
		binary.LittleEndian.PutUint64(y[i*8:], rng.Uint64N(1_000_000))
		binary.LittleEndian.PutUint64(v[i*8:], rng.Uint64N(1000))
	}
	s := testSchema(schema.Sparse, schema.RowMajor, []schema.Dimension{intDim("x", 0, 999_999, 10_000), intDim("y", 0, 999_999, 10_000)},
		schema.Attribute{Name: "v", Type: datatype.Int64, CellValNum: 1, Filters: schema.DefaultCoordsFilters()})
	s.Capacity = 100_000
	a := &array.Array{FS: mem.New(), URI: "mem://a", Schema: s}
	b.SetBytes(3 * n * 8)
	for b.Loop() {
		_, err := Submit(context.Background(), a, &Write{Layout: schema.Unordered, CheckOutOfBounds: true,
			Columns: []Column{{Name: "x", Data: x}, {Name: "y", Data: y}, {Name: "v", Data: v}}})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func intDim(name string, lo, hi, extent int64) schema.Dimension {
	return schema.Dimension{Name: name, Type: datatype.Int64, CellValNum: 1,
		Domain: datatype.Bytes([]int64{lo, hi}), Extent: datatype.Bytes([]int64{extent})}
}

// testSchema is a schema of the version that is written, with the default filters.
func testSchema(kind schema.ArrayType, cellOrder schema.Layout, dims []schema.Dimension, attrs ...schema.Attribute) *schema.Array {
	return &schema.Array{Name: "__1_1_00000000000000000000000000000000", Version: format.Version, Type: kind,
		CellOrder: cellOrder, Capacity: schema.DefaultCapacity, CoordsFilters: schema.DefaultCoordsFilters(),
		OffsetsFilters: schema.DefaultOffsetsFilters(), ValidityFilters: schema.DefaultValidityFilters(),
		Domain: schema.Domain{Dimensions: dims}, Attributes: attrs}
}
