package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/condition"
	"azulejo/internal/wire/capnp"
	"azulejo/query"
	"azulejo/schema"
)

func TestDecodeDenseRead(t *testing.T) {
	q, r := recordedQuery(t, "small-read-submit", recordedSchema(t, "small"))
	if q.Type != ReadQuery || q.Layout != schema.RowMajor || q.Status != Initialized || q.reader != denseReader || r.Len() != 0 {
		t.Error(q.Type, q.Layout, q.Status, q.reader, r.Len())
	}
	want := &query.Read{
		Layout:   schema.RowMajor,
		Subarray: query.Subarray{Ranges: [][]schema.Range{{{Lo: little(int32(3)), Hi: little(int32(4))}}}},
		Fields:   []query.Want{{Name: "w", DataCap: 4}, {Name: "n", DataCap: 16, ValidityCap: 2}},
		Offsets:  query.OffsetsFormat{Bits: 64},
	}
	if !reflect.DeepEqual(q.Read, want) {
		t.Errorf("got %+v\nwant %+v", q.Read, want)
	}
}

func TestDecodeSparseRead(t *testing.T) {
	table := recordedSchema(t, "table")
	q, _ := recordedQuery(t, "table-read-ranges-submit", table)
	text := func(lo, hi string) schema.Range { return schema.Range{Lo: []byte(lo), Hi: []byte(hi)} }
	number := func(lo, hi int64) schema.Range { return schema.Range{Lo: little(lo), Hi: little(hi)} }
	ranges := [][]schema.Range{{number(5, 9), number(200, 400)}, {text("aa", "aa"), text("b", "cc")}}
	if q.reader != indexReader || q.Layout != schema.Unordered || !reflect.DeepEqual(q.Read.Subarray.Ranges, ranges) {
		t.Error(q.reader, q.Layout, show(q.Read.Subarray))
	}
	names := map[string]query.Want{}
	for _, f := range q.Read.Fields {
		names[f.Name] = f
	}
	const capacity = 10 << 20
	if len(names) != 3 || names["k"].OffsetsCap != capacity || names["k"].DataCap != capacity || names["v"].ValidityCap == 0 || names["v"].OffsetsCap != 0 {
		t.Error(show(names))
	}
	q, _ = recordedQuery(t, "table-order-submit", table)
	whole := [][]schema.Range{{number(5, 500)}, {text("aa", "mmm")}} // the client puts in the current domain
	if q.reader != legacyReader || q.Layout != schema.RowMajor || !reflect.DeepEqual(q.Read.Subarray.Ranges, whole) {
		t.Error(q.reader, q.Layout, show(q.Read.Subarray))
	}
}

func TestDecodeConditions(t *testing.T) {
	table := recordedSchema(t, "table")
	leaf := func(op condition.Op, field string, value any) *condition.Node {
		b, ok := value.([]byte)
		if !ok {
			b = little(value)
		}
		return &condition.Node{Op: op, Field: field, Value: b, UseEnumeration: true}
	}
	null := func(op condition.Op, field string) *condition.Node {
		return &condition.Node{Op: op, Field: field, Null: true, UseEnumeration: true}
	}
	join := func(op condition.Op, children ...*condition.Node) *condition.Node {
		return &condition.Node{Op: op, Children: children}
	}
	colors := leaf(condition.In, "color", []byte("redblue"))
	colors.Offsets = []uint64{0, 3}
	numbers := leaf(condition.NotIn, "x", []int64{1, 2, 7})
	numbers.Offsets = []uint64{0, 8, 16}
	for name, want := range map[string]*condition.Node{
		"and": join(condition.And, leaf(condition.GT, "v", float32(1.25)), leaf(condition.LE, "x", int64(300))),
		"nested": join(condition.And,
			join(condition.Or, leaf(condition.GT, "v", float32(1.25)), leaf(condition.GT, "x", int64(300))), colors),
		"null": join(condition.And, null(condition.EQ, "v"), null(condition.NE, "text")),
		"text": leaf(condition.EQ, "plain", []byte{}),
		"set":  numbers,
		"enum": join(condition.And, leaf(condition.EQ, "size", int64(20)), leaf(condition.NE, "color", []byte("green"))),
	} {
		q, _ := recordedQuery(t, "table-cond-"+name+"-submit", table)
		if !reflect.DeepEqual(q.Read.Condition, want) {
			t.Errorf("%s:\n got %s\nwant %s", name, show(q.Read.Condition), show(want))
		}
	}
	q, _ := recordedQuery(t, "table-delete-submit", table)
	if want := leaf(condition.GT, "x", int64(10)); q.Type != DeleteQuery || !reflect.DeepEqual(q.Delete, want) {
		t.Errorf("delete: %s", show(q.Delete))
	}
}

func TestDecodeAggregates(t *testing.T) {
	q, _ := recordedQuery(t, "table-aggregate-submit", recordedSchema(t, "table"))
	got := map[query.Aggregate]bool{}
	for _, a := range q.Read.Aggregates {
		a.Output = ""
		got[a] = true
	}
	want := map[query.Aggregate]bool{{Op: query.Sum, Field: "v"}: true, {Op: query.Mean, Field: "v"}: true, {Op: query.Min, Field: "v"}: true,
		{Op: query.NullCount, Field: "v"}: true, {Op: query.Max, Field: "size"}: true, {Op: query.Count}: true}
	if !reflect.DeepEqual(got, want) || len(q.Read.Fields) != 0 {
		t.Errorf("%+v, fields %+v", q.Read.Aggregates, q.Read.Fields)
	}
}

func TestDecodeWrites(t *testing.T) {
	small, table := recordedSchema(t, "small"), recordedSchema(t, "table")
	q, r := recordedQuery(t, "small-write-submit", small)
	if n, ok := q.BufferBytes(); n != 33 || !ok || r.Len() != 33 {
		t.Fatal(n, ok, r.Len())
	}
	if err := q.ReadColumns(iotest.HalfReader(r), 33, InMemory); err != nil {
		t.Fatal(err)
	}
	region := [][]schema.Range{{{Lo: little(int32(2)), Hi: little(int32(4))}}}
	columns := []query.Column{{Name: "w", Data: little([]int16{1, 2, 3})}, {Name: "n", Data: little([]int64{7, 0, 9}), Validity: []byte{1, 0, 1}}}
	if !reflect.DeepEqual(q.Write.Subarray.Ranges, region) || !reflect.DeepEqual(q.Write.Columns, columns) {
		t.Error(show(q.Write))
	}
	q, r = recordedQuery(t, "table-write-submit", table)
	if err := q.ReadColumns(r, tableBuffers, InMemory); err != nil {
		t.Fatal(err)
	}
	got := map[string]query.Column{}
	for _, c := range q.Write.Columns {
		got[c.Name] = c
	}
	text := query.Column{Name: "text", Data: []byte("xzażółć"), Offsets: little([]uint64{0, 1, 1}), Validity: []byte{1, 1, 1}}
	if len(got) != 7 || !reflect.DeepEqual(got["text"], text) || !reflect.DeepEqual(got["x"].Data, little([]int64{7, 8, 300})) {
		t.Error(show(got))
	}
	if q.Write.Layout != schema.Unordered || q.Write.Subarray.Ranges != nil || !q.Write.CheckDups || q.Write.DedupCoords || !q.Write.CheckOutOfBounds {
		t.Error(show(q.Write))
	}
	q, r = recordedQuery(t, "global-order-submit", globalSchema())
	if err := q.ReadColumns(r, 40, InMemory); err != nil || q.Layout != schema.GlobalOrder || len(q.Write.Columns[0].Data) != 40 {
		t.Error(err, show(q.Write))
	}
}

// globalSchema is the part of the schema of the recorded global order write that decoding looks at.
func globalSchema() *schema.Array {
	return &schema.Array{Domain: schema.Domain{Dimensions: []schema.Dimension{{Name: "d", CellValNum: 1}}},
		Attributes: []schema.Attribute{{Name: "a", CellValNum: 1}}}
}

func TestReadColumnsFaults(t *testing.T) {
	small := recordedSchema(t, "small")
	body := recorded(t, "small-write-submit")
	fault := errors.New("connection reset")
	for name, c := range map[string]struct {
		body  io.Reader
		limit int64
		want  error
	}{
		"cut off":     {bytes.NewReader(body[:len(body)-1]), 33, ErrMalformed},
		"one more":    {io.MultiReader(bytes.NewReader(body), strings.NewReader("x")), 34, ErrMalformed},
		"over limit":  {bytes.NewReader(body), 32, ErrTooLarge},
		"broken line": {io.MultiReader(bytes.NewReader(body[:len(body)-5]), iotest.ErrReader(fault)), 33, fault},
	} {
		q, err := DecodeQuery(c.body, small)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.ReadColumns(c.body, c.limit, InMemory); !errors.Is(err, c.want) || q.Write.Columns != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// alteredQuery decodes a recorded query after change.
func alteredQuery(t testing.TB, name string, a *schema.Array, change func(m capnp.Query)) (*Query, error) {
	t.Helper()
	msg, err := capnplib.Unmarshal(recorded(t, name))
	if err != nil {
		t.Fatal(err)
	}
	to, seg, _ := capnplib.NewMessage(capnplib.SingleSegment(nil))
	old, _ := capnp.ReadRootQuery(msg)
	m, _ := capnp.NewRootQuery(seg)
	if err := capnplib.Struct(m).CopyFrom(capnplib.Struct(old)); err != nil {
		t.Fatal(err)
	}
	change(m)
	b, err := to.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return DecodeQuery(bytes.NewReader(b), a)
}

func header0(m capnp.Query) capnp.AttributeBufferHeader {
	l, _ := m.AttributeBufferHeaders()
	return l.At(0)
}

func TestQueryFaults(t *testing.T) {
	table := recordedSchema(t, "table")
	node := func(m capnp.Query) capnp.ASTNode {
		r, _ := m.ReaderIndex()
		c, _ := r.Condition()
		n, _ := c.Tree()
		return n
	}
	subarray := func(m capnp.Query) capnp.Subarray {
		r, _ := m.ReaderIndex()
		s, _ := r.Subarray()
		return s
	}
	for want, change := range map[string]func(m capnp.Query){
		`type: malformed message: unknown value "READS"`:              func(m capnp.Query) { m.SetType("READS") },
		`type: not supported: query of type UPDATE`:                   func(m capnp.Query) { m.SetType("UPDATE") },
		`status: malformed message`:                                   func(m capnp.Query) { m.SetStatus("DONE") },
		`attributeBufferHeaders[0].name: malformed message: no field`: func(m capnp.Query) { header0(m).SetName("nothing") },
		`attributeBufferHeaders[0].name: not supported: zipped`:       func(m capnp.Query) { header0(m).SetName("__coords") },
		`attributeBufferHeaders[1].name: malformed message: "size" co`: func(m capnp.Query) {
			l, _ := m.AttributeBufferHeaders()
			l.At(0).SetName("size")
			l.At(1).SetName("size")
		},
		`readerIndex.condition.tree.op: malformed message`:              func(m capnp.Query) { node(m).SetOp("LIKE") },
		`readerIndex.condition.tree.fieldName: malformed message: no f`: func(m capnp.Query) { node(m).SetFieldName("y") },
		`readerIndex.condition.tree.offsets: malformed message: 2 posi`: func(m capnp.Query) { node(m).SetOffsets(little([]uint64{0, 99})) },
		`readerIndex.condition.tree.children: malformed message: 0 of`:  func(m capnp.Query) { node(m).SetIsExpression(true); node(m).SetCombinationOp("AND") },
		`readerIndex.subarray.ranges: malformed message: 1 for 2 dime`:  func(m capnp.Query) { subarray(m).NewRanges(1) },
		`readerIndex.subarray.attributeRanges: not supported`: func(m capnp.Query) {
			a, _ := subarray(m).NewAttributeRanges()
			a.NewEntries(1)
		},
		`readerIndex.subarray.ranges[0].bufferSizes[0]: malformed message: 15 bytes for a range`: func(m capnp.Query) {
			l, _ := subarray(m).Ranges()
			l.At(0).SetHasDefaultRange(false)
			s, _ := l.At(0).NewBufferSizes(1)
			s.Set(0, 15)
		},
		`readerIndex.subarray.ranges[1].bufferStartSizes[0]: malformed message: 3 of 2 bytes`: func(m capnp.Query) {
			l, _ := subarray(m).Ranges()
			l.At(1).SetHasDefaultRange(false)
			l.At(1).SetBuffer([]byte("ab"))
			n, _ := l.At(1).NewBufferSizes(1)
			n.Set(0, 2)
			n, _ = l.At(1).NewBufferStartSizes(1)
			n.Set(0, 3)
		},
		`channels[0].aggregates[0].name: malformed message: unknown value "MEDIAN"`: func(m capnp.Query) {
			c, _ := m.NewChannels(1)
			a, _ := c.At(0).NewAggregates(1)
			a.At(0).SetName("MEDIAN")
			a.At(0).SetInputFieldName("v")
			a.At(0).SetOutputFieldName("median")
		},
		`attributeBufferHeaders: malformed message: no buffer for the aggregate "n"`: func(m capnp.Query) {
			c, _ := m.NewChannels(1)
			a, _ := c.At(0).NewAggregates(1)
			a.At(0).SetName("COUNT")
			a.At(0).SetOutputFieldName("n")
		},
		`malformed message: a read without a reader`: func(m capnp.Query) { m.SetReaderIndex(capnp.ReaderIndex{}) },
		`orderedDimLabelReader: not supported`: func(m capnp.Query) {
			m.SetReaderIndex(capnp.ReaderIndex{})
			m.NewOrderedDimLabelReader()
		},
	} {
		q, err := alteredQuery(t, "table-cond-set-submit", table, change)
		if q != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

func TestWriteHeaderFaults(t *testing.T) {
	small := recordedSchema(t, "small") // the first header is w, an int16; the second is n, a nullable int64
	for want, change := range map[string]func(m capnp.Query){
		`attributeBufferHeaders[0].fixedLenBufferSizeInBytes: malformed message: 5 bytes are no whole cells of 2`: func(m capnp.Query) {
			header0(m).SetFixedLenBufferSizeInBytes(5)
		},
		`attributeBufferHeaders[0].varLenBufferSizeInBytes: malformed message: 1 for a field of fixed size`: func(m capnp.Query) {
			header0(m).SetVarLenBufferSizeInBytes(1)
		},
		`attributeBufferHeaders[0].validityLenBufferSizeInBytes: malformed message: 3 for a field without nulls`: func(m capnp.Query) {
			header0(m).SetValidityLenBufferSizeInBytes(3)
		},
		`attributeBufferHeaders[1].validityLenBufferSizeInBytes: malformed message: 2 for 3 cells`: func(m capnp.Query) {
			l, _ := m.AttributeBufferHeaders()
			l.At(1).SetValidityLenBufferSizeInBytes(2)
		},
		`attributeBufferHeaders: malformed message: sizes overflow`: func(m capnp.Query) {
			header0(m).SetFixedLenBufferSizeInBytes(1<<64 - 2)
		},
	} {
		q, err := alteredQuery(t, "small-write-submit", small, change)
		if err == nil {
			err = q.ReadColumns(bytes.NewReader(make([]byte, 100)), 100, InMemory)
		}
		if !errors.Is(err, ErrMalformed) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// A condition in the older form is read when there is no tree.
func TestDecodeClauses(t *testing.T) {
	q, err := alteredQuery(t, "table-cond-and-submit", recordedSchema(t, "table"), func(m capnp.Query) {
		r, _ := m.ReaderIndex()
		c, _ := r.Condition()
		c.SetTree(capnp.ASTNode{})
	})
	if err != nil {
		t.Fatal(err)
	}
	c := q.Read.Condition
	if c.Op != condition.And || len(c.Children) != 2 || c.Children[0].Field != "v" || !reflect.DeepEqual(c.Children[1].Value, little(int64(300))) {
		t.Error(show(c))
	}
}

// setConfig replaces the query's configuration.
func setConfig(m capnp.Query, kv ...string) {
	c, _ := m.NewConfig()
	l, _ := c.NewEntries(int32(len(kv) / 2))
	for i := range l.Len() {
		l.At(i).SetKey(kv[2*i])
		l.At(i).SetValue(kv[2*i+1])
	}
}

func TestOffsetsFormat(t *testing.T) {
	table := recordedSchema(t, "table")
	for _, c := range []struct {
		config []string
		want   query.OffsetsFormat
	}{
		{[]string{"sm.var_offsets.mode", "elements", "sm.var_offsets.bitsize", "32", "sm.var_offsets.extra_element", "true"}, query.OffsetsFormat{Bits: 32, Elements: true, Extra: true}},
		{nil, query.OffsetsFormat{Bits: 32, Extra: true}},
	} {
		q, err := alteredQuery(t, "table-order-submit", table, func(m capnp.Query) {
			setConfig(m, c.config...)
			m.SetVarOffsetsBitsize(32)
			m.SetVarOffsetsAddExtraElement(true)
		})
		if err != nil || q.Read.Offsets != c.want {
			t.Errorf("%v: %+v, want %+v", err, q.Read.Offsets, c.want)
		}
	}
	_, err := alteredQuery(t, "table-order-submit", table, func(m capnp.Query) {
		setConfig(m, "sm.var_offsets.mode", "bytes", "sm.var_offsets.bitsize", "16")
	})
	if !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

// Extra offsets count no cell; validity is compared with cells.
func TestExtraOffset(t *testing.T) {
	table := recordedSchema(t, "table")
	q := &Query{Type: WriteQuery, schema: table, Write: &query.Write{Offsets: query.OffsetsFormat{Bits: 32, Extra: true}},
		headers: []header{{name: "text", fixed: 12, vary: 5, present: 2}}}
	if err := q.ReadColumns(bytes.NewReader(make([]byte, 19)), 19, InMemory); err != nil {
		t.Error(err)
	}
	q.headers[0].present = 3
	if err := q.ReadColumns(bytes.NewReader(make([]byte, 20)), 20, InMemory); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func FuzzQuery(f *testing.F) {
	seeds(f)
	tables := []*schema.Array{recordedSchema(f, "table"), recordedSchema(f, "small"), globalSchema()}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, a := range tables {
			r := bytes.NewReader(b)
			q, err := DecodeQuery(r, a)
			if err != nil {
				continue
			}
			if q.Type == WriteQuery {
				_ = q.ReadColumns(r, int64(r.Len()), InMemory)
			}
			reply, err := q.EncodeDone(Prefixed)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := reply.WriteTo(io.Discard); n != reply.Len() || err != nil {
				t.Error(n, reply.Len(), err)
			}
		}
	})
}
