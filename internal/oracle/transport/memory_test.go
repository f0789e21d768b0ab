package transport

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/oracle/launch"
	"azulejo/internal/wire"
	"azulejo/query"
	"azulejo/schema"
)

var huge = flag.Int64("transport.huge", 0, "GiB of a single write body, in the test that the server's memory stays bounded")

const mib = 1 << 20

// lineOf is a dense array of n int64 in tiles of 1 MiB.
func lineOf(n int64) *schema.Array {
	zstd := filter.Pipeline{MaxChunk: filter.DefaultMaxChunk, Filters: []filter.Spec{{Code: filter.Zstd, Options: []byte{2, 1, 0, 0, 0}}}}
	return &schema.Array{Version: 22, Type: schema.Dense, Capacity: 10000, CoordsFilters: zstd, OffsetsFilters: zstd, ValidityFilters: zstd,
		Domain: schema.Domain{Dimensions: []schema.Dimension{{Name: "d", Type: datatype.Int64, CellValNum: 1,
			Domain: datatype.Bytes([]int64{0, n - 1}), Extent: datatype.Bytes([]int64{mib / 8})}}},
		Attributes: []schema.Attribute{{Name: "a", Type: datatype.Int64, CellValNum: 1, Fill: schema.DefaultFill(datatype.Int64, 1), Filters: zstd}}}
}

// counting yields the bytes of the numbers 0, 1, 2, ….
type counting struct{ at, end int64 }

func (c *counting) Read(p []byte) (int, error) {
	if c.at == c.end {
		return 0, io.EOF
	}
	n := 0
	for ; n+8 <= len(p) && c.at < c.end; n, c.at = n+8, c.at+1 {
		binary.LittleEndian.PutUint64(p[n:], uint64(c.at))
	}
	return n, nil
}

// call sends a request with a body of known length.
func call(t *testing.T, s *launch.Server, method, path string, body io.Reader, n int64) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = n
	r.Header.Set("X-TILEDB-REST-API-Key", s.Token)
	r.Header.Set("Content-Type", "application/capnp")
	status, answer, err := launch.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

// writeHead is the message of a write of n cells, without the cells.
func writeHead(t *testing.T, s *schema.Array, n int64) []byte {
	t.Helper()
	// The cells are not looked at, only counted.
	w := &query.Write{Layout: schema.RowMajor, Columns: []query.Column{{Name: "a", Data: make([]byte, 8*n)}},
		Subarray: query.Subarray{Ranges: [][]schema.Range{{{Lo: datatype.Bytes([]int64{0}), Hi: datatype.Bytes([]int64{n - 1})}}}}}
	reply, err := wire.EncodeWriteRequest(w, s)
	if err != nil {
		t.Fatal(err)
	}
	var head bytes.Buffer
	if _, err := reply.WriteTo(&limited{&head, reply.Len() - 8*n}); err != errFull {
		t.Fatal(err)
	}
	return head.Bytes()
}

// limited takes only the first bytes.
type limited struct {
	to   io.Writer
	left int64
}

var errFull = fmt.Errorf("full")

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, errFull
	}
	l.left -= int64(len(p))
	return l.to.Write(p)
}

// A body many times as large as the server's memory is written and read back, and the server stays within its limit.
func TestMemoryStaysBounded(t *testing.T) {
	body := int64(256 * mib)
	if *huge > 0 {
		body = *huge << 30
	}
	// Queries 64 MiB, cache 16 MiB; the program itself takes the rest.
	const limit = (64 + 16 + 128) * mib
	s := launch.Start(t, launch.Options{Args: []string{"--total-memory", "64MiB", "--query-memory", "32MiB", "--cache-memory", "16MiB"}})
	n := body / 8
	line := lineOf(n)
	created, err := wire.EncodeSchema(line)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := call(t, s, http.MethodPost, "/v1/arrays/admin/line", bytes.NewReader(created), int64(len(created))); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, answer)
	}
	head := writeHead(t, line, n)
	began := time.Now()
	status, answer := call(t, s, http.MethodPost, "/v3/arrays/admin/line/query/submit?type=WRITE", io.MultiReader(bytes.NewReader(head), &counting{0, n}), int64(len(head))+body)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	took := time.Since(began)
	peak, err := s.PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB written in %v; at most %d MiB in memory", body/mib, took.Round(time.Millisecond), peak/mib)
	if peak > limit {
		t.Errorf("%d MiB in memory, the limit is %d", peak/mib, limit/mib)
	}
	s.Script(t, "testdata/counting.py", 8*time.Minute)
	if peak, err = s.PeakMemory(); err != nil || peak > limit {
		t.Errorf("%d MiB in memory after reading, the limit is %d (%v)", peak/mib, limit/mib, err)
	}
	t.Logf("at most %d MiB in memory after reading", peak/mib)
}
