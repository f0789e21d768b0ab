package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"azulejo/array"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/query"
	"azulejo/schema"
)

// reading is a read query being answered, in one part or several.
type reading struct {
	api     *API
	w       http.ResponseWriter
	r       *web.Request
	arr     *vault.Array
	query   *wire.Query
	framing wire.Framing
	sel     vault.Selection
	// more tells that the client takes further parts in the same answer; sent counts those it got.
	more bool
	sent int
	// broken tells that the connection failed.
	broken bool
	// next is where the last part that was sent ended, nil at the end.
	next *query.State
}

// errFull ends an answer of several parts when the client's buffers have no room for another cell.
var errFull = errors.New("no room for another cell")

// read answers a read query. A resumed one goes on with the fragments it began with, whatever came since.
func (a *API) read(w http.ResponseWriter, r *web.Request, arr *vault.Array, q *wire.Query, framing wire.Framing) error {
	if q.Read.Resume != nil {
		err := a.unseal(r, q.Read.Resume)
		if err != nil {
			return err
		}
		arr, err = opened(r, func(ctx context.Context, g access.Grant, x catalog.Asset, at array.Interval) (*vault.Array, error) {
			return a.vault.Reopen(ctx, g, x, at, q.Read.Resume.Fragments)
		})
		if err != nil {
			return err
		}
	}
	all, err := r.Flag("read_all")
	if err != nil {
		return err
	}
	p := &reading{api: a, w: w, r: r, arr: arr, query: q, framing: framing, sel: selection(q), more: all && framing == wire.Prefixed && q.TakesParts()}
	p.sel.Check = func(region [][]schema.Range) error {
		return checkRegion(q.Read.Resume, region)
	}
	for {
		err := p.part()
		switch {
		case err != nil && p.sent > 0 && !p.broken:
			// What was sent says that it is incomplete: the client learns the reason when it goes on.
			return nil
		case err != nil || p.next == nil || !p.more:
			return err
		}
		q.Read.Resume = p.next
	}
}

// part reads as much as fits and sends it.
func (p *reading) part() error {
	began := time.Now()
	return p.arr.Read(p.r.Context(), p.query.Read, p.sel, func(result *query.Result) error {
		if p.next = result.Next; p.next != nil {
			if p.sent > 0 && result.Cells == 0 {
				return errFull
			}
			if len(p.sel.LabelRanges) > 0 {
				addRegion(result.Next, p.query.Read.Subarray.Ranges)
			}
			sealed := &query.State{Fragments: p.next.Fragments, Position: append([]byte(nil), p.next.Position...)}
			p.api.seal(p.r, sealed)
			result.Next = sealed
		}
		p.query.Took = time.Since(began)
		reply, err := p.query.EncodeRead(p.framing, result)
		if err != nil {
			return err
		}
		p.take(result)
		if p.sent++; p.sent == 1 && (p.next == nil || !p.more) {
			err = send(p.w, p.r, reply)
		} else {
			p.w.Header().Set("Content-Type", "application/capnp")
			_, err = reply.WriteTo(p.w)
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
