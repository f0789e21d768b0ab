package transport

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	"github.com/klauspost/compress/zstd"

	"azulejo/internal/oracle/launch"
	"azulejo/internal/wire"
)

// bombs are bodies of a megabyte or less that become size bytes, behind a head.
func bombs(t *testing.T, head []byte, size int64) map[string][]byte {
	t.Helper()
	var g, z bytes.Buffer
	zip := gzip.NewWriter(&g)
	std, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{zip, std} {
		if _, err := w.Write(head); err != nil {
			t.Fatal(err)
		}
		zeros := make([]byte, mib)
		for range size / mib {
			if _, err := w.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return map[string][]byte{"gzip": g.Bytes(), "zstd": z.Bytes()}
}

// Small bodies that become large ones are refused, whatever they are sent to, and cost the server little memory.
func TestBombsAreRefused(t *testing.T) {
	const limit = (64 + 16 + 128) * mib
	s := launch.Start(t, launch.Options{Args: []string{"--total-memory", "64MiB", "--query-memory", "32MiB", "--cache-memory", "16MiB", "--max-message-body", "128MiB"}})
	line := lineOf(64 * mib)
	created, err := wire.EncodeSchema(line)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := call(t, s, http.MethodPost, "/v1/arrays/admin/line", bytes.NewReader(created), int64(len(created))); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, answer)
	}
	// A segment of 48 MiB of zeros is announced; the write announces 128 MiB less than come.
	message := []byte{0, 0, 0, 0, 0, 0, 0x60, 0}
	write := writeHead(t, line, 12*mib)
	for path, head := range map[string][]byte{"/v1/arrays/admin/new": message, "/v1/arrays/admin/line/array_metadata": message, "/v2/arrays/admin/line/?start_timestamp=0": message,
		"/v3/arrays/admin/line/query/submit?type=WRITE": write, "/v1/token": nil} {
		for coding, body := range bombs(t, head, 256*mib) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-TILEDB-REST-API-Key", s.Token)
			r.Header.Set("Content-Type", "application/capnp")
			r.Header.Set("Content-Encoding", coding)
			status, answer, err := launch.Do(r)
			if err != nil || status < 400 || status >= 500 {
				t.Errorf("%s, %s: %d %.200s (%v)", path, coding, status, answer, err)
			}
		}
	}
	peak, err := s.PeakMemory()
	if err != nil || peak > limit {
		t.Errorf("%d MiB in memory, the limit is %d (%v)", peak/mib, limit/mib, err)
	}
	t.Logf("at most %d MiB in memory", peak/mib)
	if !s.Alive() {
		t.Error("the server has ended")
	}
}
