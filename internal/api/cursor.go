package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"azulejo/internal/web"
	"azulejo/query"
)

// macSize is the length of the seal at the end of a sealed position.
const macSize = sha256.Size

// seal makes the place of an incomplete read good for nobody but this user and array: the client carries it and must not
// be able to forge one.
func (a *API) seal(r *web.Request, s *query.State) {
	s.Position = append(s.Position, a.mac(r, s.Fragments, s.Position)...)
}

// unseal checks and takes off what seal added.
func (a *API) unseal(r *web.Request, s *query.State) error {
	n := len(s.Position) - macSize
	if n < 0 || !hmac.Equal(s.Position[n:], a.mac(r, s.Fragments, s.Position[:n])) {
		return fmt.Errorf("%w: the place to resume at was not made by this server for this user and array; start the read again", web.ErrBadRequest)
	}
	s.Position = s.Position[:n]
	return nil
}

func (a *API) mac(r *web.Request, fragments []string, position []byte) []byte {
	h := hmac.New(sha256.New, a.key)
	part := func(b []byte) {
		var size [8]byte
		binary.LittleEndian.PutUint64(size[:], uint64(len(b)))
		h.Write(size[:])
		h.Write(b)
	}
	part([]byte(r.Subject.UserID))
	part([]byte(asset(r).ID))
	for _, name := range fragments {
		part([]byte(name))
	}
	part(nil)
	part(position)
	return h.Sum(nil)
}
