package bucket

import (
	"context"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"azulejo/vfs"
)

const (
	// peekBytes come along when a file is opened: small files are then read already, and of large ones the end, where
	// TileDB's files have their footers, in stores that can give it.
	peekBytes = 32 << 10
	// requestBytes is how much one request reads at most, and requests how many of them one read makes at a time.
	requestBytes = 16 << 20
	requests     = 4
	// A gap is what a connection carries, at lineBytes a second, in the time that a small request takes; it starts from
	// usualTime, and lies between leastGap and mostGap.
	lineBytes         = 64 << 20
	usualTime         = 20 * time.Millisecond
	leastGap, mostGap = 64 << 10, 4 << 20
)

// Open implements vfs.FS with one request. The file is the content that was there then: once it was replaced, reads fail
// with an error that wraps ErrChanged.
func (s *FS) Open(ctx context.Context, uri string) (vfs.File, error) {
	bucket, key, err := s.file(ctx, uri)
	if err != nil {
		return nil, fault("open", uri, err)
	}
	p, err := s.peek(ctx, bucket, key, peekBytes)
	if err != nil {
		return nil, fault("open", uri, err)
	}
	return &file{fs: s, uri: uri, bucket: bucket, key: key, nBytes: p.NBytes, tag: p.Tag, data: p.Data, off: p.Off}, nil
}

func (s *FS) peek(ctx context.Context, bucket, key string, n int) (p Piece, err error) {
	err = s.opts.Retry.Do(ctx, func(int) error {
		began := s.opts.now()
		if p, err = s.store.Peek(ctx, bucket, key, n); err == nil {
			s.took(s.opts.now().Sub(began))
		}
		return err
	})
	return p, err
}

// took notes how long a small request took: one in eight parts of what is expected of the next.
func (s *FS) took(d time.Duration) {
	last := s.latency.Load()
	if last == 0 {
		last = int64(usualTime)
	}
	s.latency.Store(last + (int64(d)-last)/8) // of several at the same time one counts
}

// GapBytes implements vfs.Gapper by how long small requests took lately.
func (s *FS) GapBytes(string) int64 {
	last := time.Duration(s.latency.Load())
	if last == 0 {
		last = usualTime
	}
	return min(max(int64(last.Seconds()*lineBytes), leastGap), mostGap)
}

// file is an open file.
type file struct {
	fs               *FS
	uri, bucket, key string
	nBytes           int64
	tag              string

	mu sync.Mutex
	// data are bytes from off on that came with the opening, guarded by mu: dropped at the first read elsewhere, for then
	// this is a data file, and many of them are open at a time.
	data []byte
	off  int64
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(ctx context.Context, p []byte, off int64) error {
	if err := ctx.Err(); err != nil {
		return fault("read", f.uri, err)
	}
	if off < 0 || off > f.nBytes || int64(len(p)) > f.nBytes-off {
		return fault("read", f.uri, io.ErrUnexpectedEOF)
	}
	if len(p) == 0 || f.known(p, off) {
		return nil
	}
	if len(p) <= requestBytes {
		return fault("read", f.uri, f.read(ctx, p, off))
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requests)
	for len(p) > 0 {
		n := min(len(p), requestBytes)
		part, at := p[:n], off
		group.Go(func() error { return f.read(ctx, part, at) })
		p, off = p[n:], off+int64(n)
	}
	return fault("read", f.uri, group.Wait())
}

func (f *file) read(ctx context.Context, p []byte, off int64) error {
	return f.fs.opts.Retry.Do(ctx, func(int) error { return f.fs.store.Read(ctx, f.bucket, f.key, f.tag, p, off) })
}

// known fills p if the bytes came with the opening.
func (f *file) known(p []byte, off int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off < f.off || off+int64(len(p)) > f.off+int64(len(f.data)) {
		f.data = nil
		return false
	}
	copy(p, f.data[off-f.off:])
	return true
}

// Size implements vfs.File.
func (f *file) Size() int64 { return f.nBytes }

// Close implements vfs.File.
func (f *file) Close() error { return nil }
