package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"azulejo/array"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
)

// reading is a read query being answered, in one part or several.
type reading struct {
	api     *API
	w       http.ResponseWriter
	r       *web.Request
	at      array.Interval
	message *wire.Message
	arr     *vault.Array
	query   *wire.Query
	framing wire.Framing
	sel     vault.Selection
	// place is that of the next part: where the read goes on, nil when it begins.
	place *cursor
	// more tells that the client takes further parts in the same answer; sent counts those it got.
	more bool
	sent int
	// stream is the answer of several parts, nil for one.
	stream *web.Stream
	// broken tells that the connection failed.
	broken bool
	// next is where the last part that was sent ended, nil at the end.
	next *query.State
}

// errFull ends an answer of several parts when the client's buffers have no room for another cell.
var errFull = errors.New("no room for another cell")

// beginTries bounds how often a read that begins lists the array anew because fragments are removed meanwhile.
const beginTries = 4

// read answers a read query. The first answer fixes the fragments and deletes that count; a resumed read goes on with
// them, whatever came since.
func (a *API) read(w http.ResponseWriter, r *web.Request, framing wire.Framing) error {
	message, err := wire.OpenQuery(r.Body)
	if err != nil {
		return err
	}
	p := &reading{api: a, w: w, r: r, message: message, framing: framing}
	if p.at, err = interval(r); err != nil {
		return err
	}
	if text := message.Cursor(); text != "" {
		if p.place, err = a.unseal(r, text); err != nil {
			return err
		}
	}
	resumed := p.place != nil
	for try := 1; ; try++ {
		if err = p.open(); err == nil {
			err = p.answer()
		}
		gone := errors.Is(err, array.ErrSnapshotLost) || errors.Is(err, vfs.ErrNotExist)
		switch {
		case gone && !resumed && p.sent == 0 && try < beginTries:
			// A vacuum came between; a new listing does without what it removed.
			p.place, p.next = nil, nil
		case errors.Is(err, array.ErrSnapshotLost):
			return fmt.Errorf("%w; start the read again", err)
		case gone && resumed:
			return fmt.Errorf("%w: %w; start the read again", array.ErrSnapshotLost, err)
		default:
			return err
		}
	}
}

// open opens the array, or the snapshot that the read began with, and decodes the query.
func (p *reading) open() (err error) {
	v, ctx, g, x := p.api.vault, p.r.Context(), p.r.Grant, asset(p.r)
	switch {
	case p.place == nil:
		p.arr, err = v.OpenArray(ctx, g, x, p.at)
	case p.place.snapshot != "":
		p.arr, err = v.Reopen(ctx, g, x, p.place.snapshot)
	default:
		p.arr, err = v.ReopenNamed(ctx, g, x, p.place.at, p.place.names)
	}
	if err != nil {
		return err
	}
	if p.query, err = p.message.Query(p.arr.Schema()); err != nil {
		return err
	}
	if err := queryFits(p.query, p.r); err != nil {
		return err
	}
	hash := queryHash(p.query, p.at)
	if p.place == nil {
		p.place = &cursor{query: hash}
	} else if p.place.query != hash {
		return fmt.Errorf("%w: an incomplete read can only go on as it began, with the same fields, ranges, condition and layout; start another one anew", web.ErrBadRequest)
	} else {
		p.query.Read.Resume = &query.State{Fragments: p.arr.Pin(), Position: p.place.position}
	}
	p.sel = selection(p.query)
	p.sel.Check = func(region [][]schema.Range) error {
		return checkRegion(p.query.Read.Resume, region)
	}
	all, err := p.r.Flag("read_all")
	p.more = all && p.framing == wire.Prefixed && p.query.TakesParts()
	return err
}

// answer sends the answer.
func (p *reading) answer() error {
	err := p.parts()
	if err == nil && p.stream != nil {
		err = p.stream.Close()
	}
	return err
}

// parts sends the parts of the answer.
func (p *reading) parts() error {
	for {
		err := p.part()
		switch {
		case err != nil && p.sent > 0 && !p.broken:
			// What was sent says that it is incomplete: the client learns the reason when it goes on.
			return nil
		case err != nil || p.next != nil && !p.more:
			return err
		case p.next == nil:
			return p.end()
		}
		p.query.Read.Resume = p.next
	}
}

// end gives up the snapshot of a read that is complete. It was answered: what fails now is not the client's business, and
// what stays ends by itself.
func (p *reading) end() error {
	if p.place.snapshot != "" {
		_ = p.arr.EndRead(context.WithoutCancel(p.r.Context())) // best effort: the snapshot ends by itself
	}
	return nil
}

// keep makes the cursor with which the client's next request goes on, and before the first one keeps the snapshot.
func (p *reading) keep(next *query.State) (text string, err error) {
	if p.place.snapshot == "" && p.place.names == nil {
		if p.place.snapshot, err = p.arr.Suspend(p.r.Context()); err != nil {
			return "", err
		}
		if p.place.snapshot == "" {
			p.place.at, p.place.names = p.arr.At(), p.arr.Pin()
		}
	}
	p.place.position = next.Position
	return p.api.seal(p.r, p.place)
}

// part reads as much as fits and sends it.
func (p *reading) part() error {
	began := time.Now()
	return p.arr.Read(p.r.Context(), p.query.Read, p.sel, func(result *query.Result) error {
		cursor := ""
		if p.next = result.Next; p.next != nil {
			if p.sent > 0 && result.Cells == 0 {
				return errFull
			}
			if len(p.sel.LabelRanges) > 0 {
				addRegion(result.Next, p.query.Read.Subarray.Ranges)
			}
			var err error
			if cursor, err = p.keep(result.Next); err != nil {
				return err
			}
		}
		p.query.Took = time.Since(began)
		reply, err := p.query.EncodeRead(p.framing, result, cursor)
		if err != nil {
			return err
		}
		p.take(result)
		if p.sent++; p.sent == 1 && (p.next == nil || !p.more) {
			err = send(p.w, p.r, reply)
		} else {
			if p.stream == nil {
				p.w.Header().Set("Content-Type", "application/capnp")
				p.stream = web.NewStream(p.w, p.r)
			}
			err = p.stream.Send(reply)
		}
		p.broken = err != nil
		return err
	})
}

// take takes the room that a part needs of the client's buffers.
func (p *reading) take(result *query.Result) {
	for i := range p.query.Read.Fields {
		f, c := &p.query.Read.Fields[i], &result.Columns[i]
		f.DataCap -= int64(len(c.Data))
		f.OffsetsCap -= int64(len(c.Offsets))
		f.ValidityCap -= int64(len(c.Validity))
	}
}

// selection returns what a read selects by labels and by the client's copy of the schema.
func selection(q *wire.Query) vault.Selection {
	sel := vault.Selection{Labels: q.Labels, LabelRanges: map[string][]schema.Range{}, CurrentDomain: q.CurrentDomain}
	for _, x := range q.LabelRanges {
		sel.LabelRanges[x.Name] = x.Ranges
	}
	return sel
}
