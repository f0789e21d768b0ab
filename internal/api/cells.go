package api

import (
	"errors"

	"azulejo/internal/web"
	"azulejo/internal/wire"
)

const (
	// spoolFrom is the size in bytes from which the cells of a write are kept in a file until it is carried out.
	spoolFrom = 8 << 20
	// writeMemory is what a write of any size holds at most besides its cells and their order: tiles and what they are
	// filtered into.
	writeMemory = 64 << 20
)

// columns reads the cells of a write: few into memory, which is waited for in turn with other queries before any is taken,
// many into a file, so that a slow client holds no memory. leave gives back both; the cells are gone then.
func (a *API) columns(r *web.Request, q *wire.Query) (leave func(), err error) {
	n, ok := q.BufferBytes()
	if !ok || n > a.limits.MessageBytes {
		return nil, q.ReadColumns(r.Body, a.limits.MessageBytes, wire.InMemory) // which says so
	}
	from := a.limits.SpoolFrom
	if from == 0 {
		from = spoolFrom
	}
	sorting := q.SortBytes()
	if n < from {
		if leave, err = a.vault.Hold(r.Context(), r.Grant, 2*n+sorting); err != nil {
			return nil, err
		}
		if err = q.ReadColumns(r.Body, a.limits.MessageBytes, wire.InMemory); err != nil {
			leave()
		}
		return leave, err
	}
	f, err := a.spool.Create()
	if err != nil {
		return nil, err
	}
	var giveBack func()
	if err = q.ReadColumns(r.Body, a.limits.MessageBytes, f.Take); err == nil {
		giveBack, err = a.vault.Hold(r.Context(), r.Grant, writeMemory+sorting)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		giveBack()
		f.Close() // best effort: the cells are written, and the file has no name
	}, nil
}
