package upload

import (
	"context"
	"errors"
	"fmt"

	"azulejo/array"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
)

// Verify checks the cells of request number n as the end would: their form, whether they lie in the domain, and in a write
// in global order whether they come after those of the requests before. before is how many these brought. It returns how many there are then.
// When the error wraps query.ErrInvalid the request was taken back, and the upload stands as it did before it.
func (u Upload) Verify(ctx context.Context, a *array.Array, n, before uint64) (cells uint64, err error) {
	s, err := u.settings(ctx)
	if err != nil {
		return 0, err
	}
	verify := u.verifyOrder
	if s.Layout != schema.GlobalOrder {
		verify = u.verifyFields
	}
	// The repetition of a request whose upload has ended meanwhile: its cells were checked, and the parts before are gone.
	if ended, err := u.ended(ctx); ended || err != nil {
		return before, err
	}
	if cells, err = verify(ctx, a, &s, n, before); errors.Is(err, query.ErrInvalid) {
		err = errors.Join(err, u.FS.Remove(ctx, u.part(n)))
	}
	return cells, err
}

// ended reports whether the fragment of the upload is committed.
func (u Upload) ended(ctx context.Context) (bool, error) {
	name, err := vfs.ReadAll(ctx, u.FS, u.file(endFile))
	if errors.Is(err, vfs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return array.Committed(ctx, u.FS, u.Array, string(name))
}

// verifyOrder is Verify for a write in global order.
func (u Upload) verifyOrder(ctx context.Context, a *array.Array, s *settings, n, before uint64) (cells uint64, err error) {
	g, err := query.NewGlobalWriter(ctx, a, s.query())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, g.Abort(ctx)) }()
	if before > 0 {
		if err := u.follow(ctx, a, g, s.Offsets, n, before); err != nil {
			return 0, err
		}
	}
	p, err := openPart(ctx, u.FS, u.part(n), a.Schema, s.Offsets)
	if err != nil {
		return 0, err
	}
	defer p.file.Close()
	for p.next < p.cells {
		columns, err := p.piece(ctx)
		if err == nil {
			err = g.Check(columns)
		}
		if err != nil {
			return 0, err
		}
	}
	return before + p.cells, nil
}

// follow makes a writer check what comes after the last cell before request number n.
func (u Upload) follow(ctx context.Context, a *array.Array, g *query.GlobalWriter, offsets query.OffsetsFormat, n, before uint64) error {
	for n > 0 {
		n--
		p, err := openPart(ctx, u.FS, u.part(n), a.Schema, offsets)
		if err != nil {
			return err
		}
		if p.cells == 0 {
			if err := p.file.Close(); err != nil {
				return err
			}
			continue
		}
		p.next = p.cells - 1
		columns, err := p.piece(ctx)
		if err := errors.Join(err, p.file.Close()); err != nil {
			return err
		}
		return g.After(before, columns)
	}
	return nil
}

// verifyFields is Verify for a write field by field: each has as many cells as the first.
func (u Upload) verifyFields(ctx context.Context, a *array.Array, s *settings, n, before uint64) (uint64, error) {
	p, err := openPart(ctx, u.FS, u.part(n), a.Schema, s.Offsets)
	if err != nil {
		return 0, err
	}
	defer p.file.Close()
	if n > 0 && p.cells != before {
		return 0, fmt.Errorf("%w: field %q has %d cells, those before have %d", query.ErrInvalid, p.columns[0].Name, p.cells, before)
	}
	for p.next < p.cells {
		columns, err := p.piece(ctx)
		if err == nil {
			_, err = query.CheckFields(a.Schema, columns, query.OffsetsFormat{}, s.CheckOutside)
		}
		if err != nil {
			return 0, err
		}
	}
	return p.cells, nil
}
