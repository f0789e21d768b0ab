package vault

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"azulejo/consolidate"
	"azulejo/internal/catalog"
)

// compactMemory bounds what one compaction holds, of the memory of all queries.
const compactMemory = 256 << 20

// Compact applies a policy to every array and group of the catalogue, one after the other, as the server's own upkeep: no
// grant is asked for, as it changes nothing that anybody may see. Assets that are marked read-only are left alone, and so are
// files and notebooks, whose fragments are versions that people go back to. After each one it calls report. It returns an error when ctx ends or the catalogue cannot be read; what goes wrong with one
// asset is told to report alone.
func (v *Vault) Compact(ctx context.Context, p consolidate.Policy, report func(catalog.Asset, consolidate.Done, error)) error {
	return v.catalog.Each(ctx, func(ctx context.Context, a catalog.Asset, at catalog.Location) error {
		if a.Info.ReadOnly || a.Info.FileType == catalog.FileType || a.Info.FileType == catalog.NotebookType {
			return ctx.Err()
		}
		done, err := v.compact(ctx, p, a, at)
		if ctx.Err() == nil {
			report(a, done, err)
		}
		return ctx.Err()
	})
}

// compact applies the policy to one asset, unless it is deleted meanwhile.
func (v *Vault) compact(ctx context.Context, p consolidate.Policy, a catalog.Asset, at catalog.Location) (consolidate.Done, error) {
	if p.Memory == 0 {
		p.Memory = min(compactMemory, v.limits.QueryBytes)
	}
	pass, err := v.gate.Enter(ctx, "", p.Memory)
	if err != nil {
		return consolidate.Done{}, err
	}
	defer pass.Leave()
	asset, end := v.atWork.begin(ctx, a.ID)
	defer end()
	if _, err := v.catalog.Resolve(ctx, a.NamespaceID, a.ID); errors.Is(err, catalog.ErrNotFound) {
		return consolidate.Done{}, nil
	}
	if p.Key, err = v.key(a); err != nil {
		return consolidate.Done{}, err
	}
	done, err := p.Apply(asset, v.fs, at.URI())
	if asset.Err() != nil && ctx.Err() == nil {
		err = nil // the asset is being deleted
	}
	return done, err
}

// atWork knows the assets whose files are being worked on, so that who deletes one can have that end before. It is safe for
// concurrent use.
type atWork struct {
	mu      sync.Mutex
	running map[string]map[*running]bool
}

// running is one work on an asset.
type running struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

// begin returns the context for a work on an asset and what must be called when it has ended.
func (w *atWork) begin(ctx context.Context, id string) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{cancel, make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running[id] == nil {
		w.running[id] = map[*running]bool{}
	}
	w.running[id][r] = true
	return ctx, func() {
		cancel()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.running[id], r)
		if len(w.running[id]) == 0 {
			delete(w.running, id)
		}
		close(r.ended)
	}
}

// stop breaks off all works on an asset and waits until they have ended.
func (w *atWork) stop(ctx context.Context, id string) error {
	w.mu.Lock()
	works := slices.Collect(maps.Keys(w.running[id]))
	w.mu.Unlock()
	for _, r := range works {
		r.cancel()
	}
	for _, r := range works {
		select {
		case <-r.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
