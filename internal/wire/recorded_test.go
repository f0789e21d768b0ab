package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"testing"

	"azulejo/datatype"
	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

// recorded returns a request body of testdata (record.py).
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recordedSchema returns the schema of one of the recorded arrays.
func recordedSchema(t testing.TB, name string) *schema.Array {
	t.Helper()
	s, err := DecodeSchema(recorded(t, name+"-create"))
	if err != nil {
		t.Fatal(name, err)
	}
	return s
}

// recordedQuery returns a recorded query and the reader behind its message.
func recordedQuery(t testing.TB, name string, a *schema.Array) (*Query, *bytes.Reader) {
	t.Helper()
	r := bytes.NewReader(recorded(t, name))
	q, err := DecodeQuery(r, a)
	if err != nil {
		t.Fatal(name, err)
	}
	return q, r
}

// show returns v as JSON, which follows pointers.
func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// little returns the little-endian form of a value or slice.
func little(v any) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic(err)
	}
	return b
}

// decodeNonEmptyDomain reads a non-empty domain back; only tests need to.
func decodeNonEmptyDomain(p *place, m capnp.NonEmptyDomainList, err error) []schema.Range {
	p.check(err)
	list, err := m.NonEmptyDomains()
	v := make([]schema.Range, p.length(list, err))
	for i := range v {
		d, err := list.At(i).NonEmptyDomain()
		p.check(err)
		b := decodeDomainArray(p, datatype.KindUint8, d)
		cut := len(b) / 2
		if sizes, err := list.At(i).Sizes(); p.length(sizes, err) > 0 {
			cut = int(sizes.At(0))
		}
		v[i] = schema.Range{Lo: b[:cut], Hi: b[cut:]}
	}
	return v
}
