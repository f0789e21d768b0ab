package query

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// parallel runs do for every number below n on up to threads goroutines and waits for all of them. It stops handing out
// numbers after an error or when ctx ends, and returns the error of the lowest number that failed.
func parallel(ctx context.Context, threads, n int, do func(ctx context.Context, i int) error) error {
	if threads <= 1 || n <= 1 {
		for i := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
	p := pooled{failed: n}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for range min(threads, n) {
		wg.Go(func() {
			for {
				i := int(p.next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				if err := do(ctx, i); err != nil {
					p.fail(i, err)
					cancel()
				}
			}
		})
	}
	wg.Wait()
	if p.err != nil {
		return p.err
	}
	return ctx.Err()
}

// pooled is the state that the goroutines of one call of parallel share.
type pooled struct {
	next atomic.Int64

	mu sync.Mutex
	// failed is the lowest number that failed and err its error; both are guarded by mu.
	failed int
	err    error
}

// fail records an error. One that only says that the others were cancelled never hides their cause.
func (p *pooled) fail(i int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cancelled := errors.Is(err, context.Canceled)
	known := p.err != nil && !errors.Is(p.err, context.Canceled)
	if p.err == nil || !cancelled && (!known || i < p.failed) {
		p.failed, p.err = i, err
	}
}
