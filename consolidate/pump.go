package consolidate

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/sync/errgroup"

	"azulejo/query"
	"azulejo/schema"
)

// pump reads portion after portion, the next one while take works on the one before, and calls finish in the end. take
// must be done with a portion when it returns.
func (j *job) pump(ctx context.Context, read *query.Read, fields []schema.Field, take func(context.Context, *portion) error, finish func(context.Context) error) error {
	group, gctx := errgroup.WithContext(ctx)
	portions := make(chan *portion)
	group.Go(func() error {
		defer close(portions)
		return j.read(gctx, read, fields, func(p *portion) error {
			select {
			case portions <- p:
				return nil
			case <-gctx.Done():
				return gctx.Err()
			}
		})
	})
	group.Go(func() error {
		for p := range portions {
			if err := take(gctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return finish(ctx)
}

// portionsHeld is how many portions, and copies of parts of them, are in memory at a time: one is read, one is written, and
// reading takes about as much again.
const portionsHeld = 8

// read reads in portions of a part of the memory allowed.
func (j *job) read(ctx context.Context, read *query.Read, fields []schema.Field, use func(*portion) error) error {
	read.Threads = j.Threads
	read.Offsets = query.OffsetsFormat{Extra: true}
	for room := j.Memory / portionsHeld; ; {
		read.Fields = wants(fields, room)
		result, err := query.Run(ctx, j.a, read)
		if err != nil {
			return err
		}
		if result.Cells == 0 && result.Next != nil {
			if room > math.MaxInt64/8 {
				return fmt.Errorf("consolidate %s: a cell does not fit into memory", j.a.URI)
			}
			room *= 4
			continue
		}
		if result.Cells > 0 {
			if err := use(newPortion(fields, result)); err != nil {
				return err
			}
		}
		if result.Next == nil {
			return nil
		}
		read.Resume = result.Next
	}
}

// varShare is what the values of a var-sized cell are expected to take, in bytes: no more than a hint, as reading stops
// where one column is full.
const varShare = 32

// wants divides room among the columns of fields.
func wants(fields []schema.Field, room int64) []query.Want {
	perCell := int64(0)
	for i := range fields {
		if fields[i].Var() {
			perCell += 8 + varShare
		} else {
			perCell += int64(fields[i].CellSize())
		}
		if fields[i].Nullable {
			perCell++
		}
	}
	cells := max(room/perCell, 1)
	list := make([]query.Want, len(fields))
	for i := range fields {
		list[i] = query.Want{Name: fields[i].Name, DataCap: cells * int64(fields[i].CellSize()), ValidityCap: cells}
		if fields[i].Var() {
			list[i].DataCap, list[i].OffsetsCap = cells*varShare, 8*(cells+1)
		}
	}
	return list
}
