package bucket

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"azulejo/vfs"
)

// abortTime bounds the time that dropping an unfinished upload takes: whoever aborts may have no time left.
const abortTime = 30 * time.Second

// writer collects a new file. Parts are uploaded while it is written; small files go out whole at Commit.
type writer struct {
	fs               *FS
	uri, bucket, key string
	mark             string
	up               Upload
	// ctx is the context of Create without its end, for the parts; cancel stops them.
	ctx    context.Context
	cancel context.CancelFunc
	parts  *errgroup.Group
	// buf is the part being filled, number and off are its own.
	buf    []byte
	number int
	off    int64
	// free has buffers of parts that are uploaded.
	free chan []byte
	done bool
}

// Create implements vfs.FS. It makes no request: whether the file exists is found out at Commit. Parts are uploaded while it
// is written, until Commit or Abort; the context given here may end before.
func (s *FS) Create(ctx context.Context, uri string) (vfs.Writer, error) {
	bucket, key, err := s.file(ctx, uri)
	if err != nil {
		return nil, fault("create", uri, err)
	}
	w := &writer{fs: s, uri: uri, bucket: bucket, key: key, mark: mark(), free: make(chan []byte, s.opts.parallel()+1)}
	w.up = s.store.Upload(bucket, key, w.mark)
	ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	w.parts, w.ctx = errgroup.WithContext(ctx)
	w.parts.SetLimit(s.opts.parallel())
	return w, nil
}

// Write implements vfs.Writer. It waits while as many parts as allowed are on their way.
func (w *writer) Write(p []byte) (int, error) {
	if w.done {
		return 0, fault("write", w.uri, errClosed)
	}
	n := len(p)
	for size := w.fs.opts.partBytes(); len(p) > 0; {
		if len(w.buf) == size {
			if err := w.ctx.Err(); err != nil {
				return n - len(p), fault("write", w.uri, w.cause())
			}
			w.flush()
		}
		take := min(len(p), size-len(w.buf))
		w.buf = append(w.buf, p[:take]...)
		p = p[take:]
	}
	return n, nil
}

// cause is why the context of the parts ended.
func (w *writer) cause() error {
	if err := w.parts.Wait(); err != nil {
		return err
	}
	return context.Cause(w.ctx)
}

// flush begins the upload of a full part.
func (w *writer) flush() {
	part, number, off := w.buf, w.number, w.off
	w.number, w.off = w.number+1, w.off+int64(len(part))
	w.parts.Go(func() error {
		err := w.fs.opts.Retry.Do(w.ctx, func(int) error { return lacking(w.up.Part(w.ctx, number, off, part)) })
		w.free <- part[:0]
		return err
	})
	select {
	case w.buf = <-w.free:
	default:
		w.buf = make([]byte, 0, w.fs.opts.partBytes())
	}
}

// Commit implements vfs.Writer.
func (w *writer) Commit(ctx context.Context) error {
	if w.done {
		return fault("commit", w.uri, errClosed)
	}
	w.done = true
	defer w.cancel()
	err := w.commit(ctx)
	if err == nil {
		w.buf = nil
		return nil
	}
	// best effort: a part that stays costs storage until the store's own rule sweeps it, and the first fault matters more
	_ = w.drop(ctx)
	return fault("commit", w.uri, err)
}

// lacking leaves out the class of an answer to a write or listing that something does not exist: it is the bucket, or the
// upload, not a file.
func lacking(err error) error {
	if f, ok := errors.AsType[*Fault](err); ok && f.Class == vfs.ErrNotExist {
		f.Class = nil
	}
	return err
}

func (w *writer) commit(ctx context.Context) error {
	stop := context.AfterFunc(ctx, w.cancel)
	defer stop()
	if err := w.parts.Wait(); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.fs.opts.NoConditionalPut {
		switch _, err := w.fs.peek(ctx, w.bucket, w.key, 0); {
		case err == nil:
			return vfs.ErrExist
		case !errors.Is(err, vfs.ErrNotExist):
			return err
		}
	}
	tried := false
	err := w.fs.opts.Retry.Do(ctx, func(before int) error {
		tried = before > 0
		return lacking(w.up.Complete(ctx, w.number, w.off, w.buf))
	})
	if err == nil || !tried {
		return err
	}
	// An earlier attempt may have published the file without our hearing of it.
	if p, e := w.fs.peek(ctx, w.bucket, w.key, 0); e == nil && p.Writer == w.mark {
		return nil
	}
	return err
}

// Abort implements vfs.Writer.
func (w *writer) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	w.cancel()
	return fault("abort", w.uri, w.drop(w.ctx))
}

// drop stops the parts and drops those that were uploaded.
func (w *writer) drop(ctx context.Context) error {
	w.cancel()
	_ = w.parts.Wait() // best effort: they were stopped
	w.buf = nil
	if w.number == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	return w.fs.opts.Retry.Do(ctx, func(int) error { return w.up.Abort(ctx) })
}

// commitsAtOnce is how many files CommitAll publishes at a time.
const commitsAtOnce = 8

// CommitAll implements vfs.Batcher: all files but the last at once, and the last when they are there, for it is the one
// that makes them count. A file before the last may be published although an earlier one was not.
func (s *FS) CommitAll(ctx context.Context, ws []vfs.Writer) error {
	if len(ws) == 0 {
		return nil
	}
	last := len(ws) - 1
	var group errgroup.Group
	group.SetLimit(commitsAtOnce)
	for _, w := range ws[:last] {
		group.Go(func() error { return w.Commit(ctx) })
	}
	if err := group.Wait(); err != nil {
		return errors.Join(err, ws[last].Abort())
	}
	return ws[last].Commit(ctx)
}
