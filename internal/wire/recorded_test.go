package wire

import (
	"bytes"
	"os"
	"testing"

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
