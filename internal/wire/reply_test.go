package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
	"azulejo/query"
)

// sent returns a reply's bytes and checks its length.
func sent(t testing.TB, r *Reply, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	n, err := r.WriteTo(&w)
	if err != nil || n != r.Len() || int64(w.Len()) != n {
		t.Fatal(n, r.Len(), w.Len(), err)
	}
	return w.Bytes()
}

// received opens a bare reply.
func received(t testing.TB, b []byte) (m capnp.Query, buffers []byte) {
	t.Helper()
	root, rest, err := openMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	return capnp.Query(root), rest
}

// resubmitted makes a reply into the request that a client sends next: it takes over configuration and reader, keeps its
// own headers and repeats the status.
func resubmitted(t testing.TB, request string, reply capnp.Query) []byte {
	t.Helper()
	msg, err := capnplib.Unmarshal(recorded(t, request))
	if err != nil {
		t.Fatal(err)
	}
	to, seg, _ := capnplib.NewMessage(capnplib.SingleSegment(nil))
	old, _ := capnp.ReadRootQuery(msg)
	m, _ := capnp.NewRootQuery(seg)
	err = capnplib.Struct(m).CopyFrom(capnplib.Struct(old))
	status, _ := reply.Status()
	reader, _ := reply.ReaderIndex()
	err = errors.Join(err, m.SetStatus(status), m.SetReaderIndex(reader))
	if reply.HasConfig() {
		config, _ := reply.Config()
		err = errors.Join(err, m.SetConfig(config))
	}
	b, err2 := to.Marshal()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFraming(t *testing.T) {
	q, _ := recordedQuery(t, "table-delete-submit", recordedSchema(t, "table"))
	bare, err := q.EncodeDone(Bare)
	b := sent(t, bare, err)
	prefixed, err := q.EncodeDone(Prefixed)
	p := sent(t, prefixed, err)
	if len(p) != len(b)+8 || binary.LittleEndian.Uint64(p) != uint64(len(b)) || !bytes.Equal(p[8:], b) {
		t.Error(len(p), len(b))
	}
	m, rest := received(t, b)
	kind, _ := m.Type()
	status, _ := m.Status()
	if kind != "DELETE" || status != "COMPLETED" || !m.HasAttributeBufferHeaders() || len(rest) != 0 {
		t.Error(kind, status, m.HasAttributeBufferHeaders(), len(rest))
	}
}

func TestEncodeRead(t *testing.T) {
	q, _ := recordedQuery(t, "small-read-submit", recordedSchema(t, "small"))
	columns := []query.Column{{Name: "w", Data: []byte{1, 0, 2, 0}}, {Name: "n", Data: make([]byte, 16), Validity: []byte{1, 0}}}
	r, err := q.EncodeRead(Bare, &query.Result{Columns: columns, Cells: 2}, "")
	m, buffers := received(t, sent(t, r, err))
	if want := append([]byte{1, 0, 2, 0}, append(make([]byte, 16), 1, 0)...); !bytes.Equal(buffers, want) {
		t.Error("buffers:", buffers)
	}
	headers, _ := m.AttributeBufferHeaders()
	got := []uint64{headers.At(0).FixedLenBufferSizeInBytes(), headers.At(1).FixedLenBufferSizeInBytes(), headers.At(1).ValidityLenBufferSizeInBytes(),
		m.TotalFixedLengthBufferBytes(), m.TotalValidityBufferBytes()}
	if !reflect.DeepEqual(got, []uint64{4, 16, 2, 20, 2}) {
		t.Error("sizes:", got)
	}
	status, _ := m.Status()
	if status != "COMPLETED" || !m.HasDenseReader() || m.HasReader() || m.HasReaderIndex() || m.HasConfig() || m.HasArray() {
		t.Error(status, "reader of the wrong kind, or a configuration or an array that nobody asked for")
	}
	for name, c := range map[string]query.Column{
		"is too large":      {Name: "w", Data: make([]byte, 6)},
		"was not asked for": {Name: "x"},
	} {
		if _, err := q.EncodeRead(Bare, &query.Result{Columns: []query.Column{c}}, ""); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}

// TestRepliesToOldClients have the time range of the client's array, without which its next query would be one at time 0.
func TestRepliesToOldClients(t *testing.T) {
	msg, err := capnplib.Unmarshal(recorded(t, "small-read-submit"))
	if err != nil {
		t.Fatal(err)
	}
	old, _ := capnp.ReadRootQuery(msg)
	array, err := old.Array()
	if err != nil || !array.HasArrayDirectory() {
		t.Fatal("the recorded query has no directory", err)
	}
	const directory = 6 // the pointer of the directory in an array
	array.SetStartTimestamp(3)
	array.SetEndTimestamp(9)
	b, err := msg.Marshal()
	if err := errors.Join(err, capnplib.Struct(array).SetPtr(directory, capnplib.Ptr{})); err != nil || array.HasArrayDirectory() {
		t.Fatal(err)
	}
	without, err := msg.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		request []byte
		want    []any
	}{{b, []any{false, uint64(0), uint64(0)}}, {without, []any{true, uint64(3), uint64(9)}}} {
		q, err := DecodeQuery(bytes.NewReader(c.request), recordedSchema(t, "small"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := q.EncodeDone(Bare)
		m, _ := received(t, sent(t, r, err))
		array, err := m.Array()
		if got := []any{m.HasArray(), array.StartTimestamp(), array.EndTimestamp()}; err != nil || !reflect.DeepEqual(got, c.want) {
			t.Error(got, c.want, err)
		}
	}
}

// An incomplete read travels out and back with its state, its selection and the client's whole configuration, and the
// last reply takes the cursor back.
func TestIncompleteRead(t *testing.T) {
	const request = "table-incomplete-submit"
	table := recordedSchema(t, "table")
	q, _ := recordedQuery(t, request, table)
	state := &query.State{Fragments: []string{"__1_2_00112233445566778899aabbccddeeff_22", ""}, Position: []byte{0, 255, 1}}
	part := query.Column{Name: "plain", Data: []byte("p"), Offsets: make([]byte, 8)}
	r, err := q.EncodeRead(Bare, &query.Result{Columns: []query.Column{part}, Cells: 1, Next: state}, "place-1")
	first, buffers := received(t, sent(t, r, err))
	if status, _ := first.Status(); status != "INCOMPLETE" || len(buffers) != 9 {
		t.Fatal(status, buffers)
	}
	before, after := configOf(t, q.message), configOf(t, first)
	if after[cursorKey] == "" || after["rest.token"] != "very-secret-token" || len(after) != len(before)+1 {
		t.Errorf("configuration of %d entries for one of %d", len(after), len(before))
	}

	opened, err := OpenQuery(bytes.NewReader(resubmitted(t, request, first)))
	if err != nil || opened.Cursor() != "place-1" {
		t.Fatal(err, opened.Cursor())
	}
	again, err := opened.Query(table)
	if err != nil || !reflect.DeepEqual(again.Read.Subarray, q.Read.Subarray) {
		t.Fatalf("%v\n got %s\nwant %s", err, show(again.Read.Subarray), show(q.Read.Subarray))
	}
	if again.Config[cursorKey] != "" || again.Config["rest.token"] != "" {
		t.Error("the cursor or the token is among the settings")
	}
	r, err = again.EncodeRead(Bare, &query.Result{Columns: []query.Column{part}, Cells: 1}, "")
	last, _ := received(t, sent(t, r, err))
	if got := configOf(t, last); !reflect.DeepEqual(got, before) {
		t.Errorf("the last reply has a configuration of %d entries instead of %d", len(got), len(before))
	}

	// With the cursor gone, the next read begins anew.
	other, err := OpenQuery(bytes.NewReader(resubmitted(t, request, last)))
	if err != nil || other.Cursor() != "" {
		t.Error(err, other.Cursor())
	}
}

// configOf returns all of a message's configuration.
func configOf(t testing.TB, m capnp.Query) map[string]string {
	t.Helper()
	c, err := m.Config()
	l, err2 := c.Entries()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	v := map[string]string{}
	for i := range l.Len() {
		key, _ := l.At(i).Key()
		v[key], _ = l.At(i).Value()
	}
	return v
}

func TestEncodeWritten(t *testing.T) {
	q, _ := recordedQuery(t, "small-write-submit", recordedSchema(t, "small"))
	const name = "__5_6_0123456789abcdef0123456789abcdef_22"
	r, err := q.EncodeWritten(Bare, []query.Written{{Fragment: name, Start: 5, End: 6}}, "")
	m, _ := received(t, sent(t, r, err))
	list, _ := m.WrittenFragmentInfo()
	uri, _ := list.At(0).Uri()
	times, _ := list.At(0).TimestampRange()
	if list.Len() != 1 || uri != name || times.At(0) != 5 || times.At(1) != 6 || m.HasConfig() {
		t.Error(list.Len(), uri, m.HasConfig())
	}
	headers, err := m.AttributeBufferHeaders()
	if !m.HasAttributeBufferHeaders() || headers.Len() != 0 || err != nil {
		t.Error("headers:", headers.Len(), err)
	}
	w, _ := m.Writer()
	if !w.CheckCoordDups() || !w.CheckCoordOOB() || w.DedupCoords() {
		t.Error("the writer's settings are not repeated")
	}
	r, err = q.EncodeWritten(Bare, nil, "token-7")
	m, _ = received(t, sent(t, r, err))
	if configOf(t, m)[cursorKey] != "token-7" || m.HasWrittenFragmentInfo() {
		t.Error("session:", configOf(t, m)[cursorKey])
	}
}

func TestEncodeEstimates(t *testing.T) {
	q, _ := recordedQuery(t, "small-estimate-est_result_sizes", recordedSchema(t, "small"))
	b, err := q.EncodeEstimates([]query.Size{{Name: "n", Data: 16, Validity: 2}, {Name: "w", Data: 4}})
	if err != nil {
		t.Fatal(err)
	}
	root, err := openWhole(b)
	if err != nil {
		t.Fatal(err)
	}
	sizes, _ := capnp.EstimatedResultSize(root).ResultSizes()
	entries, _ := sizes.Entries()
	key, _ := entries.At(0).Key()
	value, _ := entries.At(0).Value()
	s := capnp.EstimatedResultSize_ResultSize(value.Struct())
	if entries.Len() != 2 || key.Text() != "n" || s.SizeFixed() != 16 || s.SizeVar() != 0 || s.SizeValidity() != 2 {
		t.Error(entries.Len(), key.Text(), s.SizeFixed(), s.SizeVar(), s.SizeValidity())
	}
}

// The columns of a reply are sent as they are; only the message is built.
func TestReplyCopiesNoCells(t *testing.T) {
	q, _ := recordedQuery(t, "table-order-submit", recordedSchema(t, "table"))
	column := query.Column{Name: "v", Data: make([]byte, 8<<20), Validity: make([]byte, 2<<20)}
	for i := range q.headers {
		q.headers[i].fixed, q.headers[i].present = 8<<20, 2<<20
	}
	result := &query.Result{Columns: []query.Column{column}}
	n := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r, err := q.EncodeRead(Prefixed, result, "")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := r.WriteTo(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if n > 1<<20 {
		t.Errorf("%d bytes allocated for a reply of %d", n, len(column.Data))
	}
}
