package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Compression says which replies may be compressed.
type Compression uint8

// The compressions.
const (
	// CompressRemote compresses for clients on other machines: on one and the same the time is better spent otherwise.
	CompressRemote Compression = iota
	// CompressAll compresses for every client that takes it, CompressNone for none.
	CompressAll
	CompressNone
)

// Body is a reply that is whole: its length in bytes, and its bytes, which must not change before they are written.
type Body interface {
	Len() int64
	io.WriterTo
}

// Bytes is a Body of one slice.
type Bytes []byte

// Len returns the number of bytes.
func (b Bytes) Len() int64 { return int64(len(b)) }

// WriteTo writes them.
func (b Bytes) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b)
	return int64(n), err
}

const (
	compressFrom = 1400    // bytes; shorter replies fit in one packet anyway
	wholeUpTo    = 1 << 20 // bytes; shorter replies are compressed before the first byte goes out
	samples      = 8
	sampleSize   = 8 << 10
)

// Send sends a whole reply, compressed if the client takes that and the reply, or a sample of a long one, becomes a fifth
// shorter. The caller has set the Content-Type.
func Send(w http.ResponseWriter, r *Request, status int, body Body) error {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	n := body.Len()
	c := r.coding(n)
	switch {
	case c == nil:
		return sendPlain(w, status, body)
	case n > wholeUpTo:
		pays, err := c.paysFor(body)
		if err != nil {
			return err
		}
		if !pays {
			return sendPlain(w, status, body)
		}
		h.Set("Content-Encoding", c.name)
		w.WriteHeader(status)
		return c.encode(w, body)
	}
	var short bytes.Buffer
	if err := c.encode(&short, body); err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	if !worth(int64(short.Len()), n) {
		return sendPlain(w, status, body)
	}
	h.Set("Content-Encoding", c.name)
	return sendPlain(w, status, Bytes(short.Bytes()))
}

// Stream is a reply of several whole parts, of which the later ones are not known when the first is sent. It is compressed if the
// client takes that and its first part becomes a fifth shorter. Its memory does not grow with the parts.
type Stream struct {
	w       http.ResponseWriter
	r       *Request
	begun   bool
	coding  *coding
	encoder encoder
}

// NewStream returns a reply without parts. The caller has set the Content-Type.
func NewStream(w http.ResponseWriter, r *Request) *Stream { return &Stream{w: w, r: r} }

// Send sends the next part, all that the client needs to decode it. After an error the stream is of no use any more.
func (s *Stream) Send(part Body) error {
	if !s.begun {
		if err := s.begin(part); err != nil {
			return err
		}
	}
	if s.encoder == nil {
		_, err := part.WriteTo(s.w)
		return err
	}
	if _, err := part.WriteTo(s.encoder); err != nil {
		return err
	}
	return s.encoder.Flush()
}

// begin decides by the first part.
func (s *Stream) begin(part Body) error {
	s.begun = true
	h := s.w.Header()
	h.Add("Vary", "Accept-Encoding")
	if c := s.r.coding(part.Len()); c != nil {
		pays, err := c.paysFor(part)
		if err != nil {
			return err
		}
		if pays {
			h.Set("Content-Encoding", c.name)
			s.coding, s.encoder = c, c.to(s.w)
		}
	}
	s.w.WriteHeader(http.StatusOK)
	return nil
}

// Close ends a reply all of whose parts were sent.
func (s *Stream) Close() error {
	if s.encoder == nil {
		return nil
	}
	return s.coding.end(s.encoder)
}

func sendPlain(w http.ResponseWriter, status int, body Body) error {
	w.Header().Set("Content-Length", strconv.FormatInt(body.Len(), 10))
	w.WriteHeader(status)
	_, err := body.WriteTo(w)
	return err
}

// worth tells whether n bytes that became short are to be sent short.
func worth(short, n int64) bool { return short <= n-n/5 }

// sampler keeps a stretch of sampleSize bytes out of every so many that are written to it.
type sampler struct {
	every, at int64
	kept      []byte
}

func (s *sampler) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		in := s.at % s.every
		step := min(s.every-in, int64(len(p)))
		if in < sampleSize {
			step = min(sampleSize-in, step)
			s.kept = append(s.kept, p[:step]...)
		}
		s.at += step
		p = p[step:]
	}
	return n, nil
}

// coding returns how a reply of n bytes may be compressed for the client, nil for not at all.
func (r *Request) coding(n int64) *coding {
	if n < compressFrom || r.codings == nil {
		return nil
	}
	return r.codings.choose(r.Header.Values("Accept-Encoding"))
}

// coding is one way to compress.
type coding struct {
	name string
	make func(io.Writer) encoder
	// idle keeps encoders, which are costly to make.
	idle sync.Pool
}

// encoder is what the encoders of all codings do.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

// codings are all ways to compress, the best first.
type codings []*coding

// newCodings returns the codings with no encoder made.
func newCodings() codings {
	return codings{
		{name: "zstd", make: func(w io.Writer) encoder {
			// These options are valid, and only invalid ones give an error.
			z, _ := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10),
				zstd.WithLowerEncoderMem(true))
			return z
		}},
		{name: "gzip", make: func(w io.Writer) encoder {
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is valid
			return z
		}},
		{name: "deflate", make: func(w io.Writer) encoder { // which is zlib's form
			z, _ := zlib.NewWriterLevel(w, zlib.BestSpeed) // the level is valid
			return z
		}},
	}
}

// choose returns the first coding that the values of Accept-Encoding give the greatest weight, nil if they allow none.
func (all codings) choose(accept []string) *coding {
	weights := map[string]float64{}
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			name, parameter, _ := strings.Cut(part, ";")
			q := 1.0
			if text, ok := strings.CutPrefix(strings.ReplaceAll(parameter, " ", ""), "q="); ok {
				var err error
				if q, err = strconv.ParseFloat(text, 64); err != nil {
					q = 0
				}
			}
			weights[strings.ToLower(strings.TrimSpace(name))] = q
		}
	}
	var best *coding
	most := 0.0
	for _, c := range all {
		q, named := weights[c.name]
		if !named {
			q = weights["*"]
		}
		if q > most {
			best, most = c, q
		}
	}
	return best
}

// encode writes a body to w, compressed.
func (c *coding) encode(w io.Writer, body Body) error {
	z := c.to(w)
	_, err := body.WriteTo(z)
	if err != nil {
		return errors.Join(err, z.Close())
	}
	return c.end(z)
}

// to returns an encoder that writes to w.
func (c *coding) to(w io.Writer) encoder {
	z, ok := c.idle.Get().(encoder)
	if !ok {
		return c.make(w)
	}
	z.Reset(w)
	return z
}

// end closes an encoder and keeps it for another reply.
func (c *coding) end(z encoder) error {
	if err := z.Close(); err != nil {
		return err
	}
	z.Reset(io.Discard)
	c.idle.Put(z)
	return nil
}

// paysFor tells whether a body should be compressed: all of a short one is looked at, samples of a long one.
func (c *coding) paysFor(body Body) (bool, error) {
	s := &sampler{every: max(body.Len()/samples, sampleSize)}
	if _, err := body.WriteTo(s); err != nil {
		return false, fmt.Errorf("reply: %w", err)
	}
	var short bytes.Buffer
	if err := c.encode(&short, Bytes(s.kept)); err != nil {
		return false, fmt.Errorf("reply: %w", err)
	}
	return worth(int64(short.Len()), int64(len(s.kept))), nil
}

// compresses tells whether replies to a request may be compressed. A proxy on the same machine names itself and stands for
// clients elsewhere.
func (c Compression) compresses(r *http.Request) bool {
	switch c {
	case CompressAll:
		return true
	case CompressNone:
		return false
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "Via"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	ip := net.ParseIP(address(r))
	return ip == nil || !ip.IsLoopback()
}

// errCoding is the class of bodies in a coding that is not understood.
var errCoding = errors.New("the body's Content-Encoding must be one of gzip, zstd, deflate")

// maxWindow is the memory in bytes that a compressed body may make its decoder keep.
const maxWindow = 8 << 20

// decodedBody is a body without its compression. Memory for it does not grow with what the body says of itself.
type decodedBody struct {
	io.Reader
	raw   io.Closer
	close func()
}

// Close closes the decoder and the body below.
func (d *decodedBody) Close() error {
	d.close()
	return d.raw.Close()
}

// Read marks what the decoder finds wrong as a fault of the request; other errors pass as they are.
func (d *decodedBody) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	return n, decodeError(err)
}

// decodeError makes an error of a decoder one of the request, and lets those of the connection and of the limits pass.
func decodeError(err error) error {
	var long *http.MaxBytesError
	var broken net.Error
	if err == nil || err == io.EOF || errors.As(err, &long) || errors.As(err, &broken) || errors.Is(err, errSlow) {
		return err
	}
	return fmt.Errorf("%w: the compressed body is damaged or ends early", ErrBadRequest)
}

// decodeBody takes the compression off a body, one layer. Bytes read are limited by the caller, before and after.
func decodeBody(name string, raw io.ReadCloser) (io.ReadCloser, error) {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "identity":
		return raw, nil
	case "zstd":
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, decodeError(err)
		}
		return &decodedBody{z, raw, z.Close}, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, decodeError(cutShort(err))
		}
		return &decodedBody{z, raw, func() {}}, nil
	case "deflate":
		z, err := zlib.NewReader(raw)
		if err != nil {
			return nil, decodeError(cutShort(err))
		}
		return &decodedBody{z, raw, func() {}}, nil
	}
	return nil, errCoding
}

// cutShort turns the end of a body inside the head of its compression into the error it is.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
