package query

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

// readVector is an array of libtiledb's with its answers, see testdata/reads/vectors.py.
type readVector struct {
	Files map[string]hexBytes
	Reads []struct {
		Layout    string
		At        [2]uint64
		Ranges    [][][2]hexBytes
		Condition *vectorCondition
		Columns   []struct {
			Name                    string
			Data, Offsets, Validity hexBytes
		}
		Aggregates []struct {
			Op, Field string
			Data      hexBytes
			Null      bool
		}
	}
}

// vectorCondition is a condition in a vector.
type vectorCondition struct {
	Op, Field         string
	Children          []*vectorCondition
	Value             hexBytes
	Offsets           []uint64
	Null, Enumeration bool
}

var vectorOps = map[string]condition.Op{"lt": condition.LT, "le": condition.LE, "gt": condition.GT, "ge": condition.GE, "eq": condition.EQ,
	"ne": condition.NE, "in": condition.In, "not_in": condition.NotIn, "and": condition.And, "or": condition.Or, "not": condition.Not}

func (c *vectorCondition) node() *condition.Node {
	if c == nil {
		return nil
	}
	n := &condition.Node{Op: vectorOps[c.Op], Field: c.Field, Value: c.Value, Offsets: c.Offsets, Null: c.Null, UseEnumeration: c.Enumeration}
	for _, child := range c.Children {
		n.Children = append(n.Children, child.node())
	}
	return n
}

// TestReadsAreLibtiledbs compares our answers with those of libtiledb about the arrays it wrote.
func TestReadsAreLibtiledbs(t *testing.T) {
	names, _ := filepath.Glob("testdata/reads/*.json.gz")
	if len(names) < 7 {
		t.Fatalf("%d vectors", len(names))
	}
	for _, name := range names {
		v, fs := loadReads(t, name)
		for i := range v.Reads {
			t.Run(fmt.Sprintf("%s/%d", strings.TrimSuffix(filepath.Base(name), ".json.gz"), i), func(t *testing.T) {
				compareRead(t, v, fs, i)
			})
		}
	}
}

func loadReads(t *testing.T, name string) (*readVector, vfs.FS) {
	t.Helper()
	f, err := os.Open(name)
	check(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	check(t, err)
	v := &readVector{}
	check(t, json.NewDecoder(z).Decode(v))
	fs := mem.New()
	for path, content := range v.Files {
		check(t, vfs.WriteAll(context.Background(), fs, vfs.Join("mem://v", path), content))
	}
	return v, fs
}

func compareRead(t *testing.T, v *readVector, fs vfs.FS, i int) {
	t.Helper()
	want := &v.Reads[i]
	a, err := array.Open(context.Background(), fs, "mem://v", array.Interval{Start: want.At[0], End: want.At[1]})
	check(t, err)
	layouts := map[string]schema.Layout{"row-major": schema.RowMajor, "col-major": schema.ColMajor, "global": schema.GlobalOrder, "unordered": schema.Unordered}
	ops := map[string]AggregateOp{"count": Count, "sum": Sum, "mean": Mean, "min": Min, "max": Max, "null_count": NullCount}
	q := &Read{Layout: layouts[want.Layout], Condition: want.Condition.node()}
	for d, ranges := range want.Ranges {
		if d == 0 {
			q.Subarray.Ranges = make([][]schema.Range, len(want.Ranges))
		}
		for _, r := range ranges {
			q.Subarray.Ranges[d] = append(q.Subarray.Ranges[d], schema.Range{Lo: r[0], Hi: r[1]})
		}
	}
	for _, c := range want.Columns {
		q.Fields = append(q.Fields, wants(c.Name)...)
	}
	for k, c := range want.Aggregates {
		q.Aggregates = append(q.Aggregates, Aggregate{fmt.Sprint(k), ops[c.Op], c.Field})
	}
	got, err := Run(context.Background(), a, q)
	check(t, err)
	for k, c := range want.Columns {
		g := got.Columns[k]
		if !bytes.Equal(g.Validity, c.Validity) || !bytes.Equal(g.Offsets, c.Offsets) || !bytes.Equal(g.Data, c.Data) {
			t.Errorf("field %s:\n got %x %v %x\nwant %x %v %x", c.Name, g.Data, datatype.View[uint64](g.Offsets), g.Validity,
				c.Data, datatype.View[uint64](c.Offsets), c.Validity)
		}
	}
	for k, c := range want.Aggregates {
		g := got.Columns[k]
		if null := g.Validity != nil && g.Validity[0] == 0; null != c.Null || !null && !bytes.Equal(g.Data, c.Data) {
			t.Errorf("%s of %q: got %x %v, want %x, null %v", c.Op, c.Field, g.Data, g.Validity, c.Data, c.Null)
		}
	}
}
