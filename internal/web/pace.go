package web

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// Pace is how fast a client must send a body and take a reply: Grace for all of it and a second for every Rate bytes. Only
// the time counts that the server waits for the client. A Rate of 0 asks nothing of anybody.
type Pace struct {
	Grace time.Duration
	Rate  int64 // bytes a second
}

// left returns how long a client that moved n bytes may still be waited for.
func (p Pace) left(n int64, waited time.Duration) time.Duration {
	const most = 1 << 30 // seconds
	return p.Grace + time.Duration(min(float64(n)/float64(p.Rate), most)*float64(time.Second)) - waited
}

// errSlow is the class of bodies that come too slowly.
var errSlow = errors.New("the body came too slowly")

// pacedBody is a body that has to keep pace. What waits for the connection ends by a deadline, which is taken off at the
// end of the body: from then on the server listens there for the client going away. A body that came too slowly leaves its
// deadline behind, so that nobody waits for the rest.
type pacedBody struct {
	io.ReadCloser
	pace    Pace
	control *http.ResponseController
	n       int64
	waited  time.Duration
	err     error
}

// Read returns errSlow when the client is too slow.
func (b *pacedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	began := time.Now()
	b.control.SetReadDeadline(began.Add(b.pace.left(b.n, b.waited))) // best effort: a connection without deadlines is a test's
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(began)
	b.n += int64(n)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSlow
	}
	if b.err = err; err == io.EOF {
		b.control.SetReadDeadline(time.Time{}) // best effort: likewise
	}
	return n, err
}

const (
	// patient is how much of a reply is sent without looking at the pace: what fits into the system's buffers.
	patient = 64 << 10
	// stride is how much of a reply is sent at once, so that its progress shows.
	stride = 256 << 10
)

// pacedWrite writes a part of a long reply at the pace of the recorder.
func (w *recorder) pacedWrite(p []byte) (int, error) {
	total := 0
	for {
		step := p[:min(stride, len(p))]
		began := time.Now()
		w.control.SetWriteDeadline(began.Add(w.pace.left(w.bytes+int64(len(step)), w.waited))) // best effort: as in pacedBody
		n, err := w.ResponseWriter.Write(step)
		w.waited += time.Since(began)
		w.bytes += int64(n)
		total += n
		p = p[len(step):]
		if err != nil || len(p) == 0 {
			return total, err
		}
	}
}

// settle sends what is left of a long reply and takes the deadline off the connection.
func (w *recorder) settle() error {
	if w.waited == 0 {
		return nil
	}
	err := w.control.Flush()
	w.control.SetWriteDeadline(time.Time{}) // best effort: as in pacedBody
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
