package api

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"azulejo/format"
	"azulejo/internal/catalog"
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

// requestID names a request by all that makes a repetition one: who asks with which token, what of which object, and the
// body, which was read to its end. What removes an object has neither: later there is none, or another one of its name.
func requestID(r *web.Request, objectID string) string {
	h := sha256.New()
	for _, part := range []string{r.Subject.UserID, r.Subject.TokenID, r.Method, r.URL.EscapedPath(), r.URL.RawQuery, objectID} {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	if w, ok := r.Body.(*watched); ok {
		h.Write(w.sum.Sum(nil))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// once is a change that is made once, however often the client asks for it before it got the reply.
type once struct{ *repeat.Write }

// begin fixes the name of the fragment that a write makes, before it is begun.
func (a *API) begin(r *web.Request, q *wire.Query) (once, error) {
	at := q.Write.Timestamp
	if at == 0 {
		at = uint64(time.Now().UnixMilli())
	}
	w, err := a.repeats.Begin(r.Context(), requestID(r, r.Object.ID), format.NewName(at, at, format.Version).String())
	if err == nil {
		q.Write.Fragment = w.Name
	}
	return once{w}, err
}

// beginChange fixes the UUID in the name of the file that a change writes, before it is begun.
func (a *API) beginChange(r *web.Request) (once, error) {
	w, err := a.repeats.Begin(r.Context(), requestID(r, r.Object.ID), format.NewName(0, 0, 0).UUID)
	return once{w}, err
}

// writeOnce carries out a write, unless that was done before, and returns the fragment it made.
func writeOnce(r *web.Request, arr *vault.Array, w *query.Write, o once) ([]query.Written, error) {
	if o.Done {
		name, err := format.ParseName(o.Name)
		return []query.Written{{Fragment: o.Name, Start: name.Start, End: name.End}}, err
	}
	written, err := arr.Write(r.Context(), w)
	if err != nil || written.Fragment == "" {
		return nil, err
	}
	return []query.Written{written}, nil
}

// changer is what changes an array or a group, or makes one, once.
type changer func(r *web.Request, body []byte, o once) error

// changes is the handler of an operation whose request is one message and whose reply is that it is done.
func (a *API) changes(request wire.Kind, do changer) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		watchBody(r)
		body, leave, err := a.heldMessage(r, request)
		if err != nil {
			return err
		}
		defer leave()
		o, err := a.beginChange(r)
		if err != nil {
			return err
		}
		if err := do(r, body, o); err != nil {
			return errors.Join(err, o.refused(r))
		}
		w.WriteHeader(http.StatusNoContent)
		return o.answered(w, r, true, nil)
	}
}

// repeatable is a change that comes to the same when it is made twice.
func repeatable(do func(r *web.Request, body []byte) error) changer {
	return func(r *web.Request, body []byte, o once) error {
		if o.Done {
			return nil
		}
		return do(r, body)
	}
}

// written makes a change that is a file with the UUID of its name, unless an earlier try wrote the file.
func (o once) written(r *web.Request, in interface {
	Wrote(context.Context, vault.Folder, string) (bool, error)
}, f vault.Folder, write func(context.Context) error) error {
	made, err := o.Done, error(nil)
	if o.Again && !made {
		made, err = in.Wrote(r.Context(), f, o.Name)
	}
	if made || err != nil {
		return err
	}
	return write(format.Naming(r.Context(), o.Name))
}

// created makes an array or a group with the UUID of the change, unless an earlier try made it.
func (a *API) created(r *web.Request, n catalog.NewAsset, o once, create func(catalog.NewAsset) (catalog.Asset, error)) error {
	id, err := uuid.Parse(o.Name)
	if err != nil {
		return err
	}
	n.ID = id.String()
	if o.Again {
		if err := a.endCrashed(r); err != nil {
			return err
		}
		found, err := a.catalog.Resolve(r.Context(), r.Object.NamespaceID, n.ID)
		if !errors.Is(err, catalog.ErrNotFound) {
			r.Found = found
			return err
		}
	}
	made, err := create(n)
	r.Found = made
	return err
}

// endCrashed ends what a server that crashed has left half done, where others use its database too; a single one did that
// when it started.
func (a *API) endCrashed(r *web.Request) error {
	if !a.catalog.Shared() {
		return nil
	}
	return a.vault.Recover(r.Context())
}

// removes makes a row one that removes what it is about, once: a repetition finds nothing there, or something new.
func (a *API) removes(op web.Operation, status int, do func(r *web.Request) error) web.Operation {
	op.Handle = func(w http.ResponseWriter, r *web.Request) error {
		began, err := a.repeats.Begin(r.Context(), requestID(r, ""), r.Object.ID)
		if err != nil {
			return err
		}
		o := once{began}
		if !o.Done && o.Name == r.Object.ID {
			if err := do(r); err != nil {
				return errors.Join(err, o.refused(r))
			}
		}
		w.WriteHeader(status)
		return o.answered(w, r, true, nil)
	}
	op.Gone = func(w http.ResponseWriter, r *web.Request) (bool, error) {
		id := requestID(r, "")
		if known, err := a.repeats.Known(r.Context(), id); err != nil || !known {
			return false, err
		}
		began, err := a.repeats.Begin(r.Context(), id, "")
		if err != nil {
			return false, err
		}
		o := once{began}
		if !o.Again { // whoever began it has the reply by now
			return false, o.Forget(r.Context())
		}
		if err := a.endCrashed(r); err != nil {
			return false, errors.Join(err, o.End(r.Context(), false))
		}
		w.WriteHeader(status)
		return true, o.answered(w, r, true, nil)
	}
	return op
}

// failed ends a write that failed. Where a commit may be there all the same, a repetition finds it.
func (o once) failed(r *web.Request, err error) error {
	if errors.Is(err, query.ErrInvalid) {
		return o.Forget(r.Context())
	}
	return o.End(r.Context(), false)
}

// refused ends a change that was not made. A client that is still there learns why; where it is gone, the change may have been made
// all the same, and a repetition finds out.
func (o once) refused(r *web.Request) error {
	if r.Context().Err() == nil {
		return o.Forget(r.Context())
	}
	return o.End(r.Context(), false)
}

// answered ends a change that succeeded, which made something or, a write without cells, nothing, with the error of sending the reply. The reply counts as sent when all of it was
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
