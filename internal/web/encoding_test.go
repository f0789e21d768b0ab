package web

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"azulejo/internal/access"
)

// unpack takes off the coding of a reply.
func unpack(t *testing.T, coding string, body io.Reader) []byte {
	t.Helper()
	r, err := body, error(nil)
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(body)
	case "deflate":
		r, err = zlib.NewReader(body)
	case "zstd":
		r, err = zstd.NewReader(body)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sends is an operation that answers a body.
func sends(body *[]byte) Operation {
	return Operation{ID: "sends", Method: "GET", Path: "/sends", Action: access.Public, Handle: func(rw http.ResponseWriter, r *Request) error {
		return Send(rw, r, 200, Bytes(*body))
	}}
}

func TestRepliesAreCompressedAsTheClientWants(t *testing.T) {
	var body []byte
	w := newWorld(t, sends(&body))
	for _, n := range []int{compressFrom, wholeUpTo, wholeUpTo + 1, 5 << 20} {
		body = bytes.Repeat([]byte("compressible "), n/13+1)[:n]
		for accept, want := range map[string]string{
			"deflate, gzip, zstd": "zstd", "gzip": "gzip", "GZIP;q=0.5, deflate": "deflate", "deflate;q=0.1": "deflate", "*": "zstd", "*;q=0.5, gzip": "gzip",
			"zstd;q=0, *": "gzip", "": "", "identity": "", "br": "", "gzip;q=0": "", "zstd;q=nonsense": ""} {
			rec := w.do("GET", "/sends", header{"Accept-Encoding": accept})
			if got := rec.Header().Get("Content-Encoding"); got != want || rec.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("%q: coding %q, want %q", accept, got, want)
			}
			if short := rec.Body.Len() < n/5; short != (want != "") {
				t.Errorf("%q: %d of %d bytes", accept, rec.Body.Len(), n)
			}
			if length := rec.Header().Get("Content-Length"); (length == "") != (want != "" && n > wholeUpTo) {
				t.Errorf("%q, %d bytes: Content-Length %q", accept, n, length)
			}
			if !bytes.Equal(unpack(t, want, rec.Body), body) {
				t.Errorf("%q: other bytes", accept)
			}
		}
	}
}

// streams is an operation that answers parts.
func streams(parts *[][]byte) Operation {
	return Operation{ID: "streams", Method: "GET", Path: "/streams", Action: access.Public, Handle: func(rw http.ResponseWriter, r *Request) error {
		s := NewStream(rw, r)
		for _, part := range *parts {
			if err := s.Send(Bytes(part)); err != nil {
				return err
			}
		}
		return s.Close()
	}}
}

// A reply of several parts is compressed if the first of them shrinks, and what was sent can be decoded after every part.
func TestRepliesOfSeveralParts(t *testing.T) {
	var parts [][]byte
	w := newWorld(t, streams(&parts))
	noise := make([]byte, 3<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	plain := bytes.Repeat([]byte("compressible "), 100000)
	for _, c := range []struct {
		parts [][]byte
		pays  bool
	}{
		{[][]byte{plain, noise, plain[:7]}, true}, {[][]byte{plain[:compressFrom], plain}, true}, {[][]byte{plain[:compressFrom-1], plain}, false},
		{[][]byte{noise, plain}, false}, {[][]byte{noise[:2000], plain}, false}, {nil, false},
	} {
		parts = c.parts
		want := bytes.Join(parts, nil)
		for accept, coding := range map[string]string{"deflate, gzip, zstd": "zstd", "gzip": "gzip", "deflate": "deflate", "": ""} {
			if !c.pays {
				coding = ""
			}
			for range 2 { // the second time with encoders that were used before
				rec := w.do("GET", "/streams", header{"Accept-Encoding": accept})
				if got := rec.Header().Get("Content-Encoding"); got != coding || rec.Code != http.StatusOK {
					t.Errorf("%q: %d, coding %q, want %q", accept, rec.Code, got, coding)
				}
				if !bytes.Equal(unpack(t, coding, rec.Body), want) {
					t.Errorf("%q: other bytes", accept)
				}
			}
		}
	}
}

// A part is with the client before the next one is made.
func TestPartsAreSentAtOnce(t *testing.T) {
	for _, c := range newCodings() {
		var sent bytes.Buffer
		r := &Request{Request: httptest.NewRequest("GET", "/", nil), codings: codings{c}}
		r.Header.Set("Accept-Encoding", c.name)
		rec := httptest.NewRecorder()
		rec.Body = &sent
		s := NewStream(rec, r)
		part := bytes.Repeat([]byte("abcdefgh"), 1000)
		for n := 1; n <= 3; n++ {
			if err := s.Send(Bytes(part)); err != nil {
				t.Fatal(err)
			}
			if got := begins(t, c.name, sent.Bytes(), n*len(part)); !bytes.Equal(got, bytes.Repeat(part, n)) {
				t.Errorf("%s: %d bytes after %d parts", c.name, len(got), n)
			}
		}
	}
}

// begins returns the first n bytes of what was compressed and is not at its end.
func begins(t *testing.T, coding string, sent []byte, n int) []byte {
	t.Helper()
	var r io.Reader
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(bytes.NewReader(sent))
	case "deflate":
		r, err = zlib.NewReader(bytes.NewReader(sent))
	default:
		r, err = zstd.NewReader(bytes.NewReader(sent), zstd.WithDecoderConcurrency(1))
	}
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, n)
	got, err := io.ReadFull(r, b)
	if err != nil {
		t.Errorf("%s: %v", coding, err)
	}
	return b[:got]
}

func TestRepliesThatDoNotShrinkAreSentAsTheyAre(t *testing.T) {
	var body []byte
	w := newWorld(t, sends(&body))
	for _, n := range []int{10, compressFrom - 1, compressFrom, wholeUpTo, 3 << 20} {
		body = make([]byte, n)
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		for i := range body {
			body[i] = byte(rng.Uint32())
		}
		rec := w.do("GET", "/sends", header{"Accept-Encoding": "gzip, zstd"})
		if coding := rec.Header().Get("Content-Encoding"); coding != "" || !bytes.Equal(rec.Body.Bytes(), body) {
			t.Errorf("%d bytes: coding %q", n, coding)
		}
	}
	// A head that is alike and cells that are not: the sample decides by all of it.
	copy(body, make([]byte, 64<<10))
	if coding := w.do("GET", "/sends", header{"Accept-Encoding": "zstd"}).Header().Get("Content-Encoding"); coding != "" {
		t.Errorf("coding %q for noise behind a regular head", coding)
	}
}

func TestClientsOnTheSameMachineGetNoCompression(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 1<<16)
	w := newWorld(t, sends(&body))
	for _, tc := range []struct {
		policy           Compression
		address, through string
		compressed       bool
	}{
		{CompressRemote, "127.0.0.1:5", "", false}, {CompressRemote, "[::1]:5", "", false}, {CompressRemote, "127.0.0.1:5", "X-Forwarded-For", true},
		{CompressRemote, "192.0.2.7:5", "", true}, {CompressRemote, "127.0.0.1:5", "Via", true}, {CompressAll, "127.0.0.1:5", "", true}, {CompressNone, "192.0.2.7:5", "", false},
	} {
		w.Compression = tc.policy
		r := httptest.NewRequest("GET", "/sends", nil)
		r.RemoteAddr = tc.address
		r.Header.Set("Accept-Encoding", "gzip")
		if tc.through != "" {
			r.Header.Set(tc.through, "198.51.100.1")
		}
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if got := rec.Header().Get("Content-Encoding") != ""; got != tc.compressed {
			t.Errorf("%+v: compressed %v", tc, got)
		}
	}
}

// pack compresses a request body.
func pack(t *testing.T, coding string, p []byte) string {
	t.Helper()
	var b bytes.Buffer
	var z io.WriteCloser
	switch coding {
	case "gzip":
		z = gzip.NewWriter(&b)
	case "deflate":
		z = zlib.NewWriter(&b)
	case "zstd":
		var err error
		if z, err = zstd.NewWriter(&b); err != nil {
			t.Fatal(err)
		}
	}
	_, err := z.Write(p)
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCompressedBodies(t *testing.T) {
	var got int64
	w := newWorld(t, Operation{ID: "takes", Method: "POST", Path: "/takes", Action: access.Public, MaxBody: 1 << 20, Handle: func(_ http.ResponseWriter, r *Request) error {
		var err error
		got, err = io.Copy(io.Discard, r.Body)
		return err
	}}, Operation{ID: "raw", Method: "POST", Path: "/raw", Action: access.Public, RawBody: true, Handle: func(_ http.ResponseWriter, r *Request) error {
		var err error
		got, err = io.Copy(io.Discard, r.Body)
		return err
	}})
	plain := []byte(strings.Repeat("a body ", 1000))
	for _, coding := range []string{"gzip", "deflate", "zstd"} {
		h, packed := header{"Content-Encoding": coding}, pack(t, coding, plain)
		if w.want(w.do("POST", "/takes", h, packed), 200, coding); got != int64(len(plain)) {
			t.Errorf("%s: %d bytes arrived", coding, got)
		}
		if w.want(w.do("POST", "/raw", h, packed), 200, coding); got != int64(len(packed)) {
			t.Errorf("%s left to the handler: %d bytes arrived", coding, got)
		}
		w.want(w.do("POST", "/takes", h, packed[:len(packed)/2]), 400, coding+" cut off")
		w.want(w.do("POST", "/takes", h, packed[:3]), 400, coding+" cut off at once")
		w.want(w.do("POST", "/takes", h, "no such thing at all"), 400, coding+" that is none")
		damaged := []byte(packed)
		damaged[len(damaged)/2] ^= 0xFF
		w.want(w.do("POST", "/takes", h, string(damaged)), 400, coding+" damaged")
		// What a bomb becomes is refused at the limit, whatever it says of itself.
		w.want(w.do("POST", "/takes", h, pack(t, coding, make([]byte, 16<<20))), 413, coding+" bomb")
	}
	w.want(w.do("POST", "/takes", header{"Content-Encoding": "identity"}, "abc"), 200, "identity")
	for _, coding := range []string{"br", "gzip, gzip", "zstd,gzip", "nonsense"} {
		w.want(w.do("POST", "/takes", header{"Content-Encoding": coding}, "abc"), 415, coding)
	}
}

// A frame that claims a window of gigabytes is refused before memory is taken for it.
func TestCompressedBodiesWithLargeWindows(t *testing.T) {
	w := newWorld(t, Operation{ID: "takes", Method: "POST", Path: "/takes", Action: access.Public, MaxBody: 1 << 30, Handle: func(_ http.ResponseWriter, r *Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	}})
	frame := "\x28\xB5\x2F\xFD" + "\x00" + "\xA8" + "\x01\x00\x00" // a window of 2 GiB, then an empty last block
	w.want(w.do("POST", "/takes", header{"Content-Encoding": "zstd"}, frame), 400, "large window")
}

func FuzzDecodeBody(f *testing.F) {
	for _, coding := range []string{"gzip", "deflate", "zstd"} {
		f.Add(coding, []byte("\x28\xB5\x2F\xFD\x00\xA8\x01\x00\x00"))
		f.Add(coding, []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	}
	f.Fuzz(func(t *testing.T, coding string, raw []byte) {
		body, err := decodeBody(coding, io.NopCloser(bytes.NewReader(raw)))
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(body, 1<<20))
			if err := body.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil && !errors.Is(err, ErrBadRequest) && !errors.Is(err, errCoding) {
			t.Fatalf("class of %v", err)
		}
	})
}
