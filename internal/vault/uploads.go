package vault

import (
	"context"
	"errors"
	"fmt"
	"io"

	"azulejo/internal/access"
	"azulejo/internal/pool"
	"azulejo/internal/upload"
	"azulejo/query"
	"azulejo/schema"
)

// uploadMemory is what the end of an upload holds at most, of the memory of all queries: pieces of its cells, tiles and
// what they are filtered into.
const uploadMemory = 256 << 20

// verifyMemory is what checking one request of an upload holds at most: a piece of its cells and their order.
const verifyMemory = 128 << 20

// BeginUpload makes an upload for a write whose cells come in several requests, in global order or field by field, and
// returns its name. w has no columns yet; what it says of a write in global order is checked.
func (a *Array) BeginUpload(ctx context.Context, w *query.Write) (string, error) {
	if err := permit(a.grant, a.asset, access.ArrayWrite); err != nil {
		return "", err
	}
	if w.Layout == schema.GlobalOrder {
		g, err := query.NewGlobalWriter(ctx, a.arr, w)
		if err != nil {
			return "", err
		}
		if err := g.Abort(ctx); err != nil {
			return "", err
		}
	}
	u, err := upload.Begin(ctx, a.arr.FS, a.arr.URI, w)
	return u.ID, err
}

// Upload keeps the cells of request number n of an upload, read from body, and checks them; before is how many cells the
// requests before brought, and what it returns is that for the next. Cells that are refused, with an error that wraps
// query.ErrInvalid, are not kept.
func (a *Array) Upload(ctx context.Context, id string, n, before uint64, columns []upload.Column, body io.Reader) (cells uint64, err error) {
	if err := permit(a.grant, a.asset, access.ArrayWrite); err != nil {
		return 0, err
	}
	u := upload.Upload{FS: a.arr.FS, Array: a.arr.URI, ID: id}
	if err := u.Append(ctx, n, columns, body); err != nil {
		return 0, err
	}
	pass, err := a.vault.enter(ctx, a.grant, min(verifyMemory, a.vault.limits.QueryBytes))
	if err != nil {
		return 0, err
	}
	defer pass.Leave()
	return u.Verify(ctx, a.arr, n, before)
}

// UploadedFields returns the names of the fields that n requests of an upload brought. The error wraps pool.ErrBudget when
// their cells are more than one query may hold.
func (a *Array) UploadedFields(ctx context.Context, id string, n uint64) ([]string, error) {
	if err := permit(a.grant, a.asset, access.ArrayWrite); err != nil {
		return nil, err
	}
	names, nBytes, err := upload.Upload{FS: a.arr.FS, Array: a.arr.URI, ID: id}.Fields(ctx, a.arr.Schema, n)
	if err == nil && nBytes > a.vault.limits.QueryBytes {
		err = fmt.Errorf("%w: fields of %d bytes written one by one", pool.ErrBudget, nBytes)
	}
	return names, err
}

// EndUpload writes the cells of the n requests of an upload as one fragment. When it returns without an error they are on
// disk and visible.
func (a *Array) EndUpload(ctx context.Context, id string, n uint64) (written query.Written, err error) {
	if err := permit(a.grant, a.asset, access.ArrayWrite); err != nil {
		return query.Written{}, err
	}
	pass, err := a.vault.enter(ctx, a.grant, min(uploadMemory, a.vault.limits.QueryBytes))
	if err != nil {
		return query.Written{}, err
	}
	defer pass.Leave()
	// Two requests that end one upload at a time, one of them a repetition, would write the same files.
	err = a.vault.alone(ctx, a.vault.ending, id, func() (err error) {
		written, err = upload.Upload{FS: a.arr.FS, Array: a.arr.URI, ID: id}.Finish(ctx, a.arr, n)
		return err
	})
	if errors.Is(err, query.ErrClosed) {
		err = fmt.Errorf("%w: %w", upload.ErrGone, err)
	}
	return written, err
}
