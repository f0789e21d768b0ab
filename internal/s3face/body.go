package s3face

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"

	"azulejo/internal/web"
)

// body is the content that a request carries, decoded and checked: its last Read returns io.EOF only when the length and
// every digest that the client sent are right.
type body struct {
	src io.Reader
	// want is the length, -1 if the client does not say; limit the greatest one.
	want, limit, n int64
	checks         []check
	chunks         *chunkReader
	done           error
}

// check is a digest that the content must have.
type check struct {
	hash.Hash
	// name is the header or trailer that has it, want the digest in bytes, nil as long as its trailer is to come.
	name string
	want []byte
	code string
}

// nvme is the reversed polynomial of the CRC-64 that the clients call crc64nvme.
const nvme = 0x9a6c9329ac4bc9b5

// algorithms are the digests of x-amz-checksum-NAME.
var algorithms = map[string]func() hash.Hash{
	"crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(nvme)) },
	"sha1":      sha1.New,
	"sha256":    sha256.New,
}

const (
	checksumPrefix = "x-amz-checksum-"
	bodyDigest     = "X-Amz-Content-Sha256"
	decodedLength  = "X-Amz-Decoded-Content-Length"
	readBytes      = 256 << 10
)

// newBody returns the content of a request, of at most limit bytes.
func newBody(r *web.Request, limit int64) (*body, error) {
	b := &body{src: r.Body, want: r.ContentLength, limit: limit}
	digest := r.Header.Get(bodyDigest)
	if strings.HasPrefix(digest, "STREAMING-") || strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
		b.chunks = &chunkReader{r: bufio.NewReaderSize(r.Body, readBytes)}
		b.src, b.want = b.chunks, -1
		if text := r.Header.Get(decodedLength); text != "" {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 {
				return nil, bad("InvalidArgument", "%s is no length", decodedLength)
			}
			b.want = n
		}
	}
	if b.want > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	return b, b.addChecks(r.Header, digest)
}

// addChecks notes the digests that headers have, and the trailers that they announce.
func (b *body) addChecks(h http.Header, digest string) error {
	if len(digest) == 2*sha256.Size {
		want, err := hex.DecodeString(digest)
		if err != nil {
			return bad("InvalidArgument", "%s is no SHA-256 in hexadecimal digits", bodyDigest)
		}
		b.checks = append(b.checks, check{sha256.New(), bodyDigest, want, "XAmzContentSHA256Mismatch"})
	}
	if text := h.Get("Content-Md5"); text != "" {
		want, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(want) != md5.Size {
			return &Error{http.StatusBadRequest, "InvalidDigest", "Content-MD5 is no MD5 in base64"}
		}
		b.checks = append(b.checks, check{md5.New(), "Content-MD5", want, "BadDigest"})
	}
	for name, make := range algorithms {
		if text := h.Get(checksumPrefix + name); text != "" {
			c := check{make(), checksumPrefix + name, nil, "BadDigest"}
			if err := c.expect(text); err != nil {
				return err
			}
			b.checks = append(b.checks, c)
		}
	}
	for name := range strings.SplitSeq(h.Get("X-Amz-Trailer"), ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		make, ok := algorithms[strings.TrimPrefix(name, checksumPrefix)]
		if !ok || !strings.HasPrefix(name, checksumPrefix) {
			continue
		}
		if b.chunks == nil {
			return bad("InvalidRequest", "a trailer is announced, but the body has no place for it")
		}
		b.checks = append(b.checks, check{make(), name, nil, "BadDigest"})
	}
	return nil
}

// expect sets the digest in base64 that the content must have.
func (c *check) expect(text string) error {
	want, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(want) != c.Size() {
		return bad("InvalidRequest", "%s is no digest of that kind in base64", c.name)
	}
	c.want = want
	return nil
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.done != nil {
		return 0, b.done
	}
	n, err := b.src.Read(p)
	b.n += int64(n)
	for _, c := range b.checks {
		c.Write(p[:n]) // never fails
	}
	switch {
	case b.n > b.limit:
		err = &http.MaxBytesError{Limit: b.limit}
	case b.want >= 0 && b.n > b.want:
		err = errIncomplete
	case err == io.EOF:
		err = b.verify()
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errIncomplete
	}
	b.done = err
	if err != nil && err != io.EOF {
		n = 0 // what is wrong is of no use
	}
	return n, err
}

// verify returns io.EOF when the content is what the client says.
func (b *body) verify() error {
	if b.want >= 0 && b.n != b.want {
		return errIncomplete
	}
	for i := range b.checks {
		c := &b.checks[i]
		if c.want == nil {
			text, ok := b.chunks.trailer[c.name]
			if !ok {
				return bad("MalformedTrailerError", "the trailer %s is announced, but did not come", c.name)
			}
			if err := c.expect(text); err != nil {
				return err
			}
		}
		if !bytes.Equal(c.Sum(nil), c.want) {
			return bad(c.code, "%s is not that of the bytes that came", c.name)
		}
	}
	return io.EOF
}

// chunkReader decodes the encoding aws-chunked: chunks of a length in hexadecimal digits, perhaps a signature, and as many
// bytes; a chunk of no bytes is the last, and trailers follow. Signatures are passed over.
type chunkReader struct {
	r    *bufio.Reader
	left int64
	// begun says that a chunk has been read, whose end of line is still to come.
	begun   bool
	trailer map[string]string
	err     error
}

const (
	maxLine    = 4096 // bytes of a line between chunks, or of a trailer
	maxTrailer = 16   // lines
)

var errChunk = &Error{http.StatusBadRequest, "InvalidRequest", "the body is not in the encoding aws-chunked that its headers name"}

// Read implements io.Reader.
func (c *chunkReader) Read(p []byte) (int, error) {
	for c.err == nil && c.left == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	c.err = err
	return n, err
}

// next reads the line before a chunk; after the last chunk it reads the trailers and returns io.EOF.
func (c *chunkReader) next() error {
	if c.begun {
		if line, err := c.line(); err != nil || line != "" {
			return cmp.Or[error](err, errChunk)
		}
	}
	c.begun = true
	line, err := c.line()
	if err != nil {
		return err
	}
	digits, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 63)
	if err != nil {
		return errChunk
	}
	if c.left = int64(n); n > 0 {
		return nil
	}
	return c.trailers()
}

func (c *chunkReader) trailers() error {
	c.trailer = map[string]string{}
	for range maxTrailer {
		line, err := c.line()
		if errors.Is(err, io.ErrUnexpectedEOF) && line == "" || err == nil && line == "" {
			return io.EOF // some clients leave the last empty line out
		}
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return errChunk
		}
		c.trailer[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return errChunk
}

// line reads a line without its end.
func (c *chunkReader) line() (string, error) {
	var b []byte
	for len(b) < maxLine {
		x, err := c.r.ReadByte()
		switch {
		case err == io.EOF:
			return string(b), io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		case x == '\n':
			return strings.TrimSuffix(string(b), "\r"), nil
		}
		b = append(b, x)
	}
	return "", errChunk
}
