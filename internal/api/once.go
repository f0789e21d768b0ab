package api

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"time"

	"azulejo/format"
	"azulejo/internal/repeat"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/query"
)

// watched is a body of which a hash is taken while it is read.
type watched struct {
	io.ReadCloser
	sum hash.Hash
}

// Read passes on what is read.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.sum.Write(p[:n])
	return n, err
}

// watchBody begins to take the hash of a body.
func watchBody(r *web.Request) { r.Body = &watched{r.Body, sha256.New()} }

// requestID names a request by all that makes a repetition one: who asks with which token, what of which array, and the
// body, which was read to its end.
func requestID(r *web.Request) string {
	h := sha256.New()
	for _, part := range []string{r.Subject.UserID, r.Subject.TokenID, r.Method, r.URL.EscapedPath(), r.URL.RawQuery, asset(r).ID} {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	h.Write(r.Body.(*watched).sum.Sum(nil))
	return hex.EncodeToString(h.Sum(nil))
}

// once is a write that is carried out once, however often the client sends it before it got the reply.
type once struct{ *repeat.Write }

// begin fixes the name of the fragment that a write makes, before it is begun.
func (a *API) begin(r *web.Request, q *wire.Query) (once, error) {
	at := q.Write.Timestamp
	if at == 0 {
		at = uint64(time.Now().UnixMilli())
	}
	w, err := a.repeats.Begin(r.Context(), requestID(r), format.NewName(at, at, format.Version).String())
	if err == nil {
		q.Write.Fragment = w.Fragment
	}
	return once{w}, err
}

// writeOnce carries out a write, unless that was done before, and returns the fragment it made.
func writeOnce(r *web.Request, arr *vault.Array, w *query.Write, o once) ([]query.Written, error) {
	if o.Done {
		name, err := format.ParseName(o.Fragment)
		return []query.Written{{Fragment: o.Fragment, Start: name.Start, End: name.End}}, err
	}
	written, err := arr.Write(r.Context(), w)
	if err != nil || written.Fragment == "" {
		return nil, err
	}
	return []query.Written{written}, nil
}

// failed ends a write that failed. Where a commit may be there all the same, a repetition finds it.
func (o once) failed(r *web.Request, err error) error {
	if errors.Is(err, query.ErrInvalid) {
		return o.Forget(r.Context())
	}
	return o.End(r.Context(), false)
}

// answered ends a write that succeeded, which made a fragment or had no cells, with the error of sending the reply. The reply counts as sent when all of it was
// handed to the connection and the client was still there.
func (o once) answered(w http.ResponseWriter, r *web.Request, made bool, err error) error {
	if err == nil {
		if err = http.NewResponseController(w).Flush(); errors.Is(err, http.ErrNotSupported) {
			err = nil
		}
	}
	if err != nil || r.Context().Err() != nil {
		return o.End(r.Context(), made)
	}
	return o.Forget(r.Context())
}
