// Package upload keeps writes whose cells come in several requests, until they become one fragment: writes in global order,
// portion by portion until one is the last, and unordered writes, field by field until all are there.
//
// An upload is a folder of its own in the array's, which readers do not look at:
//
//	ARRAY/.azulejo-upload-<milliseconds>-<id>/begin       how the cells are to be written
//	                                          part-<n>    the cells of request n
//	                                          end         the name of the fragment that they become
//
// A part is durable before its request is answered, and whichever server process takes the next request, also after a
// crash, finds it there. Parts go to storage as they arrive and come back in pieces: neither needs memory for more than
// pieceBytes of cells. A request that is repeated finds its part and is answered as the first time. The name in end is
// fixed before the fragment is begun, so that a repeated end commits nothing twice.
package upload

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/metadata"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
)

// ErrGone is wrapped by the error for an upload that is not there: it ended, was swept up, or never was.
var ErrGone = errors.New("no such upload")

// ErrConflict is wrapped by the error for a part that is there with other cells: two writers share one upload.
var ErrConflict = errors.New("the upload has other cells there")

// ErrCorrupt is wrapped by the error for a file of an upload that is damaged.
var ErrCorrupt = errors.New("corrupt upload")

// life is how long an upload may take. What is older is removed when another one begins in the same array.
const life = 7 * 24 * time.Hour

const (
	folderPrefix = metadata.OwnPrefix + "upload-"
	beginFile    = "begin"
	endFile      = "end"
	partPrefix   = "part-"
)

// Column is the sizes in bytes of one field's cells in the body of a request: the fixed part (offsets of var-sized fields),
// the var-sized part, the validity.
type Column struct {
	Name                 string
	Fixed, Vary, Present uint64
}

// Upload is one upload of an array. It is a value; its methods may be called by several processes.
type Upload struct {
	FS vfs.FS
	// Array is the URI of the array.
	Array string
	// ID is the name of the upload.
	ID string
}

// settings are what begin holds: a write without its cells.
type settings struct {
	Layout                               schema.Layout
	Ranges                               [][]schema.Range
	Offsets                              query.OffsetsFormat
	CheckDups, DedupCoords, CheckOutside bool
	Timestamp                            uint64
}

// query returns the write without its cells.
func (s *settings) query() *query.Write {
	return &query.Write{Layout: s.Layout, Subarray: query.Subarray{Ranges: s.Ranges}, CheckDups: s.CheckDups, DedupCoords: s.DedupCoords, CheckOutOfBounds: s.CheckOutside}
}

// Begin makes an upload for a write of which the columns are not looked at, and removes what is left of old ones. Its
// timestamp is settled now.
func Begin(ctx context.Context, fs vfs.FS, uri string, w *query.Write) (Upload, error) {
	now := time.Now()
	if err := sweep(ctx, fs, uri, now.Add(-life)); err != nil {
		return Upload{}, err
	}
	u := Upload{FS: fs, Array: uri, ID: strconv.FormatInt(now.UnixMilli(), 10) + "-" + uuid.NewString()}
	s := settings{Layout: w.Layout, Ranges: w.Subarray.Ranges, Offsets: w.Offsets, CheckDups: w.CheckDups, DedupCoords: w.DedupCoords, CheckOutside: w.CheckOutOfBounds,
		Timestamp: w.Timestamp}
	if s.Timestamp == 0 {
		s.Timestamp = uint64(now.UnixMilli())
	}
	content, err := json.Marshal(s)
	if err != nil {
		return Upload{}, err
	}
	return u, vfs.WriteAll(ctx, fs, u.file(beginFile), content)
}

// sweep removes the uploads of an array that began before a time.
func sweep(ctx context.Context, fs vfs.FS, uri string, before time.Time) error {
	entries, err := fs.List(ctx, uri)
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, ok := strings.CutPrefix(e.Name, folderPrefix)
		text, _, _ := strings.Cut(id, "-")
		millis, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil || millis >= before.UnixMilli() {
			continue
		}
		if err := fs.Remove(ctx, vfs.Join(uri, e.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (u Upload) file(name string) string { return vfs.Join(u.Array, folderPrefix+u.ID, name) }

func (u Upload) part(n uint64) string { return u.file(partPrefix + strconv.FormatUint(n, 10)) }

// settings reads how the cells are to be written.
func (u Upload) settings(ctx context.Context) (s settings, err error) {
	content, err := vfs.ReadAll(ctx, u.FS, u.file(beginFile))
	if errors.Is(err, vfs.ErrNotExist) {
		return s, fmt.Errorf("%w: it has ended, or took more than %v", ErrGone, life)
	}
	if err == nil {
		if err = json.Unmarshal(content, &s); err != nil {
			err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	return s, err
}

// Append keeps the cells of request number n, which it reads from body, where they lie column after column. A request that
// was kept before is compared with what is there. The error wraps ErrGone or ErrConflict, or is that of body or the
// storage.
func (u Upload) Append(ctx context.Context, n uint64, columns []Column, body io.Reader) (err error) {
	if _, err := u.settings(ctx); err != nil {
		return err
	}
	head, err := json.Marshal(columns)
	if err != nil {
		return err
	}
	w, err := u.FS.Create(ctx, u.part(n))
	if err != nil {
		return err
	}
	sum := sha256.New()
	to := io.MultiWriter(w, sum)
	_, err = to.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(head))), head...))
	for _, c := range columns {
		if err == nil {
			_, err = io.CopyN(to, body, int64(c.Fixed+c.Vary+c.Present))
		}
	}
	if err == nil {
		_, err = w.Write(sum.Sum(nil))
	}
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	if err = w.Commit(ctx); errors.Is(err, vfs.ErrExist) {
		return u.compare(ctx, n, sum.Sum(nil))
	}
	return err
}

// compare tells whether the part that is there has the content that was sent again.
func (u Upload) compare(ctx context.Context, n uint64, sum []byte) error {
	there, _, err := vfs.ReadTail(ctx, u.FS, u.part(n), make([]byte, sha256.Size))
	if err == nil && string(there) != string(sum) {
		return fmt.Errorf("%w: request %d came twice, with other cells", ErrConflict, n)
	}
	return err
}

// Finish writes the cells of the first n requests into a, the array of the upload open for writing, as one fragment, and
// commits it. Repeated after it succeeded, it answers the same. The error wraps ErrGone or query.ErrInvalid, upon which the
// upload has ended.
//
// Cells of an unordered write are all held at once; the caller sees to it that they may be (Fields).
func (u Upload) Finish(ctx context.Context, a *array.Array, n uint64) (query.Written, error) {
	s, err := u.settings(ctx)
	if err != nil {
		return query.Written{}, err
	}
	name, err := u.fragment(ctx, s.Timestamp)
	if err != nil {
		return query.Written{}, err
	}
	w := s.query()
	w.Fragment = name
	write := u.write
	if s.Layout != schema.GlobalOrder {
		write = u.writeFields
	}
	written, err := write(ctx, a, w, s.Offsets, n)
	if err != nil {
		if errors.Is(err, query.ErrInvalid) {
			err = errors.Join(err, u.Drop(ctx))
		}
		return query.Written{}, err
	}
	// What is left tells a repeated request how the first ended, until it is swept up.
	for i := range n {
		if err := u.FS.Remove(ctx, u.part(i)); err != nil {
			return query.Written{}, err
		}
	}
	return written, nil
}

// fragment settles the name of the fragment, once for all.
func (u Upload) fragment(ctx context.Context, at uint64) (string, error) {
	name := format.NewName(at, at, format.Version).String()
	err := vfs.WriteAll(ctx, u.FS, u.file(endFile), []byte(name))
	if !errors.Is(err, vfs.ErrExist) {
		return name, err
	}
	content, err := vfs.ReadAll(ctx, u.FS, u.file(endFile))
	return string(content), err
}

// write moves the cells of all parts into a fragment, unless it is committed already.
func (u Upload) write(ctx context.Context, a *array.Array, w *query.Write, offsets query.OffsetsFormat, n uint64) (query.Written, error) {
	done, err := array.Committed(ctx, u.FS, u.Array, w.Fragment)
	if err != nil {
		return query.Written{}, err
	}
	g, err := query.NewGlobalWriter(ctx, a, w)
	if err != nil {
		return query.Written{}, err
	}
	for i := uint64(0); i < n && !done; i++ {
		if err := u.replay(ctx, a.Schema, g, offsets, i); err != nil {
			return query.Written{}, errors.Join(err, g.Abort(ctx))
		}
	}
	return g.Finalize(ctx)
}

// writeFields writes the fields of all parts into a fragment.
func (u Upload) writeFields(ctx context.Context, a *array.Array, w *query.Write, offsets query.OffsetsFormat, n uint64) (query.Written, error) {
	done, err := array.Committed(ctx, u.FS, u.Array, w.Fragment)
	if err != nil {
		return query.Written{}, err
	}
	for i := uint64(0); i < n && !done; i++ {
		p, err := openPart(ctx, u.FS, u.part(i), a.Schema, offsets)
		if err != nil {
			return query.Written{}, err
		}
		p.limit = math.MaxInt64
		columns, err := p.piece(ctx)
		if err := errors.Join(err, p.file.Close()); err != nil {
			return query.Written{}, err
		}
		w.Columns = append(w.Columns, columns...)
	}
	if done {
		name, err := format.ParseName(w.Fragment)
		return query.Written{Fragment: w.Fragment, Start: name.Start, End: name.End}, err
	}
	return query.Submit(ctx, a, w)
}

// Fields returns the names of the fields that the first n requests brought, and the bytes of their cells.
func (u Upload) Fields(ctx context.Context, s *schema.Array, n uint64) (names []string, nBytes int64, err error) {
	begin, err := u.settings(ctx)
	if err != nil {
		return nil, 0, err
	}
	for i := range n {
		p, err := openPart(ctx, u.FS, u.part(i), s, begin.Offsets)
		if err != nil {
			return nil, 0, err
		}
		nBytes += p.file.Size()
		for _, c := range p.columns {
			names = append(names, c.Name)
		}
		if err := p.file.Close(); err != nil {
			return nil, 0, err
		}
	}
	return names, nBytes, nil
}

// Drop removes the upload.
func (u Upload) Drop(ctx context.Context) error {
	return u.FS.Remove(ctx, vfs.Join(u.Array, folderPrefix+u.ID))
}

// replay hands the cells of one part to a writer, piece by piece.
func (u Upload) replay(ctx context.Context, s *schema.Array, g *query.GlobalWriter, offsets query.OffsetsFormat, n uint64) error {
	p, err := openPart(ctx, u.FS, u.part(n), s, offsets)
	if err != nil {
		return err
	}
	defer p.file.Close()
	for p.next < p.cells {
		columns, err := p.piece(ctx)
		if err != nil {
			return err
		}
		if err := g.Submit(ctx, columns); err != nil {
			return err
		}
	}
	return nil
}

// offsetSize returns the bytes of one offset.
func offsetSize(f query.OffsetsFormat) uint64 {
	if f.Bits == 32 {
		return 4
	}
	return 8
}

// byteOffsets turns offsets of a form into bytes of values of size bytes.
func byteOffsets(raw []byte, f query.OffsetsFormat, size int) []uint64 {
	unit := uint64(1)
	if f.Elements {
		unit = uint64(size)
	}
	if f.Bits == 32 {
		out := make([]uint64, len(raw)/4)
		for i, v := range datatype.View[uint32](raw) {
			out[i] = uint64(v) * unit
		}
		return out
	}
	out := make([]uint64, len(raw)/8)
	for i, v := range datatype.View[uint64](raw) {
		out[i] = v * unit
	}
	return out
}
