package vault

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// gateUnit is the grain in which memory is booked.
const gateUnit = 1 << 20

// gate makes queries wait until the memory they may hold is free, in the order they came.
type gate struct {
	units int64
	free  *semaphore.Weighted
}

func newGate(nBytes int64) *gate {
	units := max(nBytes/gateUnit, 1)
	return &gate{units: units, free: semaphore.NewWeighted(units)}
}

// enter waits for nBytes, at most all there is, and returns the function that gives them back.
func (g *gate) enter(ctx context.Context, nBytes int64) (leave func(), err error) {
	n := min(max((nBytes+gateUnit-1)/gateUnit, 1), g.units)
	if err := g.free.Acquire(ctx, n); err != nil {
		return nil, err
	}
	return func() { g.free.Release(n) }, nil
}
