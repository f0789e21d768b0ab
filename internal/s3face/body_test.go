package s3face

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// chunked encodes a content as clients do, in chunks of size bytes, with a signature if signed and the trailers given.
func chunked(content string, size int, signed bool, trailers ...string) string {
	var b strings.Builder
	extra := ""
	if signed {
		extra = ";chunk-signature=" + strings.Repeat("0", 64)
	}
	for len(content) > 0 {
		n := min(size, len(content))
		fmt.Fprintf(&b, "%x%s\r\n%s\r\n", n, extra, content[:n])
		content = content[n:]
	}
	fmt.Fprintf(&b, "0%s\r\n", extra)
	for _, t := range trailers {
		b.WriteString(t + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

func b64(p []byte) string { return base64.StdEncoding.EncodeToString(p) }

// digests are the right digests of a content by name.
func digests(content string) map[string]string {
	c32, c32c, c64 := crc32.NewIEEE(), crc32.New(crc32.MakeTable(crc32.Castagnoli)), crc64.New(crc64.MakeTable(nvme))
	for _, w := range []io.Writer{c32, c32c, c64} {
		io.WriteString(w, content)
	}
	s1, s256 := sha1.Sum([]byte(content)), sha256.Sum256([]byte(content))
	return map[string]string{"crc32": b64(c32.Sum(nil)), "crc32c": b64(c32c.Sum(nil)), "crc64nvme": b64(c64.Sum(nil)), "sha1": b64(s1[:]), "sha256": b64(s256[:])}
}

// The check value that the catalogue of parametrised CRCs gives for CRC-64/NVME.
func TestNVMe(t *testing.T) {
	if got := crc64.Checksum([]byte("123456789"), crc64.MakeTable(nvme)); got != 0xae8b14860a799888 {
		t.Errorf("%x", got)
	}
}

func TestChunkedBodies(t *testing.T) {
	w := newWorld(t)
	for _, content := range []string{"", "x", strings.Repeat("0123456789", 100_000)} {
		length := fmt.Sprint(len(content))
		for name, digest := range digests(content) {
			trailer := checksumPrefix + name
			w.wantAs(request{w.Full, put, "/ann/f", chunked(content, 65536, false, trailer+":"+digest), []string{bodyDigest, "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
				"Content-Encoding", "aws-chunked", decodedLength, length, "X-Amz-Trailer", trailer}, true}, 200, "")
			w.wantAs(request{w.Full, put, "/ann/g", content, []string{trailer, digest}, false}, 200, "")
		}
		w.wantAs(request{w.Full, put, "/ann/h", chunked(content, 1000, true), []string{bodyDigest, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", decodedLength, length}, true}, 200, "")
		w.wantAs(request{w.Full, put, "/ann/i", strings.TrimSuffix(chunked(content, 1000, true, "x-amz-trailer-signature:00"), "\r\n"), []string{bodyDigest,
			"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", decodedLength, length}, false}, 200, "")
		for _, key := range []string{"f", "g", "h", "i"} {
			if got := w.want(get, "/ann/"+key, "", 200, "").Body.String(); got != content {
				t.Errorf("%s: %d bytes, want %d", key, len(got), len(content))
			}
		}
	}
}

// Nothing that is not as the client says becomes visible, not even a replacement.
func TestWrongBodies(t *testing.T) {
	w := newWorld(t)
	w.want(put, "/ann/f", "old", 200, "")
	sum, other := md5.Sum([]byte("content")), sha256.Sum256([]byte("other"))
	streaming := []string{bodyDigest, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Trailer", "x-amz-checksum-crc32"}
	right := "x-amz-checksum-crc32:" + digests("content")["crc32"]
	for _, c := range []struct {
		body, code string
		header     []string
	}{
		{"Content", "BadDigest", []string{"Content-MD5", b64(sum[:])}},
		{"content", "InvalidDigest", []string{"Content-MD5", "AAAA"}},
		{"content", "XAmzContentSHA256Mismatch", []string{bodyDigest, hex.EncodeToString(other[:])}},
		{"content", "InvalidArgument", []string{bodyDigest, strings.Repeat("z", 64)}},
		{"content", "BadDigest", []string{"x-amz-checksum-crc32c", "AAAAAA=="}},
		{"content", "InvalidRequest", []string{"x-amz-checksum-crc32c", "AAAA"}},
		{"content", "InvalidRequest", []string{"X-Amz-Trailer", "x-amz-checksum-crc32c"}},
		{chunked("content", 3, false), "MalformedTrailerError", streaming},
		{chunked("Content", 3, false, right), "BadDigest", streaming},
		{chunked("content", 3, false, "x-amz-checksum-crc32:AA"), "InvalidRequest", streaming},
		{chunked("content", 3, false, right), "IncompleteBody", append([]string{decodedLength, "8"}, streaming...)},
		{chunked("content", 3, false, right), "IncompleteBody", append([]string{decodedLength, "6"}, streaming...)},
		{chunked("content", 3, false, right), "InvalidArgument", append([]string{decodedLength, "-1"}, streaming...)},
		{chunked("content", 3, false, right), "EntityTooLarge", append([]string{decodedLength, "6000000000"}, streaming...)},
		{"7\r\ncontent", "IncompleteBody", streaming},
		{"7\r\nconte", "IncompleteBody", streaming},
		{"", "IncompleteBody", streaming},
		{"zz\r\n", "InvalidRequest", streaming},
		{"-1\r\nx\r\n", "InvalidRequest", streaming},
		{"ffffffffffffffffff\r\n", "InvalidRequest", streaming},
		{"3\r\ncontent\r\n0\r\n\r\n", "InvalidRequest", streaming},
		{strings.Repeat("0", 5000), "InvalidRequest", streaming},
		{"0\r\n" + strings.Repeat("a:b\r\n", 20) + "\r\n", "InvalidRequest", streaming},
	} {
		w.wantAs(request{w.Full, put, "/ann/f", c.body, c.header, false}, 400, "<Code>"+c.code+"</Code>")
		w.wantAs(request{w.Full, put, "/ann/new", c.body, c.header, true}, 400, "<Code>"+c.code+"</Code>")
	}
	w.want(get, "/ann/f", "", 200, "old")
	w.want(get, "/ann/new", "", 404, "NoSuchKey")
	for _, body := range []string{"", "<Delete>", "<Delete><Object>", "no xml", "<Delete>" + strings.Repeat("<Object><Key>a</Key></Object>", 1001) + "</Delete>",
		"<Delete>" + strings.Repeat("<a>", 100_000)} {
		w.want(post, "/ann?delete", body, 400, "MalformedXML")
	}
	w.want(post, "/ann?delete", "<Delete><Object><Key>"+strings.Repeat("a", maxXML)+"</Key></Object></Delete>", 400, "EntityTooLarge")
}

// FuzzChunks decodes anything: it ends, holds no more than it was given, and finds again what was encoded.
func FuzzChunks(f *testing.F) {
	for _, text := range []string{"", chunked("hello", 2, true), chunked("hello", 9, false, "a:b"), "5\r\nhel", "0\r\n\r\n", "0", "\r\n", "1;\r\nx\n0\r\n"} {
		f.Add([]byte(text), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		c := &chunkReader{r: bufio.NewReader(bytes.NewReader(text))}
		got, err := io.ReadAll(c)
		if len(got) > len(text) {
			t.Errorf("%d bytes of %d", len(got), len(text))
		}
		if err == nil && len(c.trailer) > maxTrailer {
			t.Errorf("%d trailers", len(c.trailer))
		}
		encoded := chunked(string(text), max(size%1000, 1), size%2 == 0, "name: value")
		back := &chunkReader{r: bufio.NewReader(iotest.OneByteReader(strings.NewReader(encoded)))}
		if again, err := io.ReadAll(back); err != nil || !bytes.Equal(again, text) || back.trailer["name"] != "value" {
			t.Errorf("%q became %q, %v, %v", text, again, back.trailer, err)
		}
	})
}

// FuzzRange never gives a range that is not in the file.
func FuzzRange(f *testing.F) {
	for _, text := range []string{"bytes=0-1", "bytes=-5", "bytes=3-", "bytes=9-2", "bytes=0-1,3-4", "bytes=--", "bytes=99999999999999999999-", "items=1-2"} {
		f.Add(text, int64(10))
	}
	f.Fuzz(func(t *testing.T, text string, nBytes int64) {
		nBytes = max(nBytes, 0)
		lo, hi, ok, err := parseRange(text, nBytes)
		if ok && (err != nil || lo < 0 || hi < lo || hi >= nBytes) {
			t.Errorf("%q of %d bytes: %d-%d, %v", text, nBytes, lo, hi, err)
		}
	})
}
