package api

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"time"

	"azulejo/internal/upload"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/query"
	"azulejo/schema"
)

// session is the place of a write in global order between two requests: the name of its upload, the number of the next
// request, and how many cells came so far. Like the place of an incomplete read it travels in the client's configuration, sealed.
type session struct {
	upload      string
	next, cells uint64
}

// sealSession returns the text form of a session, good for this user and array alone.
func (a *API) sealSession(r *web.Request, s session) string {
	b := append(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, s.next), s.cells), s.upload...)
	return base64.RawURLEncoding.EncodeToString(append(b, a.mac(r, b)...))
}

// unsealSession reads what sealSession made.
func (a *API) unsealSession(r *web.Request, text string) (session, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	n := len(b) - macSize
	if err != nil || n < 16 || !hmac.Equal(b[n:], a.mac(r, b[:n])) {
		return session{}, fmt.Errorf("%w: the write to go on with was not begun at this server by this user in this array; start it again", web.ErrBadRequest)
	}
	return session{next: binary.LittleEndian.Uint64(b), cells: binary.LittleEndian.Uint64(b[8:]), upload: string(b[16:n])}, nil
}

// inFields tells whether a write brings only some of the fields of its cells, and others in further requests.
func inFields(q *wire.Query, s *schema.Array) bool {
	return q.Layout == schema.Unordered && s.Type == schema.Sparse && (q.Session != "" || q.SomeFields())
}

// upload takes one of the requests of a write that comes in several. The last one makes the fragment: of a write in global
// order the one that says so, of one field by field that which brings the last field.
func (a *API) upload(w http.ResponseWriter, r *web.Request, q *wire.Query, framing wire.Framing, last bool) error {
	began := time.Now()
	sizes, err := q.Columns(a.limits.MessageBytes)
	if err != nil {
		return err
	}
	arr, err := opened(r, a.vault.OpenArray)
	if err != nil {
		return err
	}
	var s session
	if q.Session != "" {
		s, err = a.unsealSession(r, q.Session)
	} else if q.Write.Timestamp, err = queryTime(r, q); err == nil {
		s.upload, err = arr.BeginUpload(r.Context(), q.Write)
	}
	if err != nil {
		return err
	}
	if len(sizes) > 0 {
		columns := make([]upload.Column, len(sizes))
		for i, c := range sizes {
			columns[i] = upload.Column(c)
		}
		if s.cells, err = arr.Upload(r.Context(), s.upload, s.next, s.cells, columns, r.Body); err != nil {
			return wire.BufferError(err)
		}
		s.next++
	}
	if err := wire.AtEnd(r.Body); err != nil {
		return err
	}
	var made []query.Written
	text := ""
	if q.Layout == schema.Unordered {
		if q.WrittenFields, err = arr.UploadedFields(r.Context(), s.upload, s.next); err != nil {
			return err
		}
		last = len(q.WrittenFields) == len(arr.Schema().Attributes)+len(arr.Schema().Domain.Dimensions)
	}
	if last {
		written, err := arr.EndUpload(r.Context(), s.upload, s.next)
		if err != nil {
			return err
		}
		if written.Fragment != "" {
			made = append(made, written)
		}
	} else {
		text = a.sealSession(r, s)
	}
	q.Took = time.Since(began)
	reply, err := q.EncodeWritten(framing, made, text)
	if err != nil {
		return err
	}
	return send(w, r, reply)
}

// endFields answers the finalize of a write of some fields at a time, which ends it if it has not ended.
func (a *API) endFields(w http.ResponseWriter, r *web.Request, q *wire.Query) error {
	s, err := a.unsealSession(r, q.Session)
	if err != nil {
		return err
	}
	arr, err := opened(r, a.vault.OpenArray)
	if err != nil {
		return err
	}
	if _, err := arr.EndUpload(r.Context(), s.upload, s.next); err != nil {
		return err
	}
	reply, err := q.EncodeDone(wire.Bare)
	if err != nil {
		return err
	}
	return send(w, r, reply)
}
