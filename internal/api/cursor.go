package api

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"azulejo/array"
	"azulejo/internal/web"
	"azulejo/query"
	"azulejo/schema"
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

// addRegion notes in a place, before it is sealed, which coordinates the labels of a query stood for.
func addRegion(s *query.State, region [][]schema.Range) {
	s.Position = append(s.Position, digest(region)...)
}

// checkRegion takes off what addRegion added to an unsealed place and refuses to go on when labels stand for other
// coordinates by now. Nil is the place of a read that begins.
func checkRegion(s *query.State, region [][]schema.Range) error {
	if s == nil {
		return nil
	}
	n := len(s.Position) - sha256.Size
	if n < 0 || !bytes.Equal(s.Position[n:], digest(region)) {
		return fmt.Errorf("%w: the dimension labels of the read were changed while it went on; start it again", array.ErrSnapshotLost)
	}
	s.Position = s.Position[:n]
	return nil
}

// digest returns a hash of ranges of coordinates.
func digest(region [][]schema.Range) []byte {
	h := sha256.New()
	part := func(b []byte) {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, ranges := range region {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(ranges))))
		for _, r := range ranges {
			part(r.Lo)
			part(r.Hi)
		}
	}
	return h.Sum(nil)
}
