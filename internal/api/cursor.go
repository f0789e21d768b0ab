package api

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/internal/bin"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/query"
	"azulejo/schema"
)

// macSize is the length of the seal at the end of what clients carry of an upload.
const macSize = sha256.Size

// cursorVersion begins every cursor, so that one of another release is recognised and refused.
const cursorVersion = 3

// cursor is the place of an incomplete read between two requests, which the client carries (docs/decisions/116-snapshots.md).
type cursor struct {
	// snapshot names what vault.Array.Suspend keeps. When that could not be kept it is empty, and at and names are what
	// the read began with.
	snapshot string
	at       array.Interval
	names    []string
	// query is a hash of what the read asks for.
	query [sha256.Size]byte
	// position is where the engine goes on.
	position []byte
}

// encode returns the form that is sealed.
func (c *cursor) encode() []byte {
	var w bin.Writer
	w.U8(cursorVersion)
	w.String32(c.snapshot)
	w.U64(c.at.Start)
	w.U64(c.at.End)
	w.U32(uint32(len(c.names)))
	for _, name := range c.names {
		w.String32(name)
	}
	w.Bytes(c.query[:])
	w.U32(uint32(len(c.position)))
	w.Bytes(c.position)
	return w.B
}

// decodeCursor reads what encode returned. The error wraps web.ErrBadRequest.
func decodeCursor(b []byte) (*cursor, error) {
	r := bin.NewReader(b)
	if v := r.U8("version"); v != cursorVersion {
		return nil, fmt.Errorf("%w: the read to go on with was begun at another version of this server; start it again", web.ErrBadRequest)
	}
	c := &cursor{snapshot: r.String32("snapshot"), at: array.Interval{Start: r.U64("start"), End: r.U64("end")}}
	if n := r.Count("names", uint64(r.U32("names")), 4); n > 0 {
		c.names = make([]string, n)
	}
	for i := range c.names {
		c.names[i] = r.String32("name")
	}
	copy(c.query[:], r.Bytes("query", sha256.Size))
	c.position = append([]byte(nil), r.Bytes("position", uint64(r.U32("position")))...)
	if err := r.Err(); err != nil || r.Len() > 0 {
		return nil, fmt.Errorf("%w: the place to resume at is damaged", web.ErrBadRequest)
	}
	return c, nil
}

// cursorPad is the multiple of bytes that cursors are made long, so that their length tells nothing.
const cursorPad = 256

// cursorCipher encrypts cursors: places and names of fragments tell of cells that not everybody who reads may know of.
func (a *API) cursorCipher() (cipher.AEAD, error) {
	h := hmac.New(sha256.New, a.key)
	hashPart(h, []byte("cursors of reads"))
	block, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal makes the text of a cursor that is good for nobody but this user, grant and array, and that nobody else can read: the
// client carries it and must not be able to forge one.
func (a *API) seal(r *web.Request, c *cursor) (string, error) {
	box, err := a.cursorCipher()
	if err != nil {
		return "", err
	}
	b := c.encode()
	var w bin.Writer
	w.U32(uint32(len(b)))
	w.Bytes(b)
	w.Bytes(make([]byte, (cursorPad-len(w.B)%cursorPad)%cursorPad))
	return base64.RawURLEncoding.EncodeToString(box.Seal(nil, nil, w.B, a.mac(r, nil))), nil
}

// unseal decrypts what seal made. The error wraps web.ErrBadRequest.
func (a *API) unseal(r *web.Request, text string) (*cursor, error) {
	box, err := a.cursorCipher()
	if err != nil {
		return nil, err
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		b, err = box.Open(nil, nil, b, a.mac(r, nil))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the place to resume at was not made by this server for this user, array and what of it is shared; start the read again", web.ErrBadRequest)
	}
	place := bin.NewReader(b)
	return decodeCursor(place.Bytes("cursor", uint64(place.U32("length"))))
}

// mac seals bytes for the user, the array, and the grant of a request with the part that it covers.
func (a *API) mac(r *web.Request, b []byte) []byte {
	h := hmac.New(sha256.New, a.key)
	x := asset(r)
	for _, text := range []string{r.Subject.UserID, x.ID, x.Part(), r.Grant.Action().String(), r.Grant.Part()} {
		hashPart(h, []byte(text))
	}
	hashPart(h, b)
	return h.Sum(nil)
}

// hashPart hashes bytes so that no other parts have the same hash.
func hashPart(h hash.Hash, b []byte) {
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(b)))
	h.Write(size[:])
	h.Write(b)
}

// hashNumber hashes a number.
func hashNumber[T ~uint8 | ~uint32 | ~uint64 | ~int](h hash.Hash, n T) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}

// hashRanges hashes ranges of each dimension.
func hashRanges(h hash.Hash, region [][]schema.Range) {
	for _, ranges := range region {
		hashNumber(h, len(ranges))
		for _, r := range ranges {
			hashPart(h, r.Lo)
			hashPart(h, r.Hi)
		}
	}
}

// hashCondition hashes a condition.
func hashCondition(h hash.Hash, n *condition.Node) {
	if n == nil {
		hashPart(h, nil)
		return
	}
	hashPart(h, []byte(n.Field))
	hashNumber(h, n.Op)
	fmt.Fprint(h, n.Null, n.UseEnumeration, n.Offsets)
	hashPart(h, n.Value)
	hashNumber(h, len(n.Children))
	for _, child := range n.Children {
		hashCondition(h, child)
	}
}

// queryHash returns a hash of what a read asks for: all that says which cells come in which order. Buffers may differ from
// request to request, and the coordinates that labels stand for are not looked at: see addRegion.
func queryHash(q *wire.Query, at array.Interval) (sum [sha256.Size]byte) {
	h := sha256.New()
	hashNumber(h, at.Start)
	hashNumber(h, at.End)
	hashNumber(h, q.Layout)
	fmt.Fprint(h, q.Read.Offsets)
	for _, list := range [][]query.Want{q.Read.Fields, q.Labels} {
		names := make([]string, len(list))
		for i := range list {
			names[i] = list[i].Name
		}
		slices.Sort(names)
		hashNumber(h, len(names))
		for _, name := range names {
			hashPart(h, []byte(name))
		}
	}
	hashNumber(h, len(q.Read.Subarray.Ranges))
	hashRanges(h, q.Read.Subarray.Ranges)
	labels := slices.SortedFunc(slices.Values(q.LabelRanges), func(x, y wire.LabelRanges) int { return cmp.Compare(x.Name, y.Name) })
	hashNumber(h, len(labels))
	for _, l := range labels {
		hashPart(h, []byte(l.Name))
		hashRanges(h, [][]schema.Range{l.Ranges})
	}
	hashCondition(h, q.Read.Condition)
	if c := q.CurrentDomain.Active(); c != nil {
		hashRanges(h, [][]schema.Range{c})
	}
	h.Sum(sum[:0])
	return sum
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
	hashRanges(h, region)
	return h.Sum(nil)
}
