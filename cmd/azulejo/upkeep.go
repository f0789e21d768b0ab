package main

import (
	"context"
	"time"

	"azulejo/consolidate"
	"azulejo/internal/catalog"
)

// keepCompact compacts arrays and groups, one at a time and with one thread, at each tick until ctx ends.
func (s *server) keepCompact(ctx context.Context, ticks <-chan time.Time) {
	c := s.settings.Compact
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		p := consolidate.DefaultPolicy()
		p.Grace, p.History, p.Fragments, p.Commits, p.Threads = c.Grace, c.History, c.Fragments, c.Commits, 1
		p.FragmentBytes, p.MergeBytes = uint64(c.FragmentSize), 8*uint64(c.FragmentSize)
		begun := time.Now()
		err := s.vault.Compact(ctx, p, func(a catalog.Asset, done consolidate.Done, err error) {
			took := time.Since(begun)
			begun = time.Now()
			s.compacted.Add(done, err)
			asset := a.Namespace + "/" + a.Name
			if err != nil {
				s.log.Error("compact", "asset", asset, "error", err)
			}
			if done.Any() {
				s.log.Info("compacted", "asset", asset, "merged", done.Merged, "made", done.Made, "merged_bytes", done.MergedBytes, "made_bytes", done.MadeBytes,
					"commits", done.Commits, "footers", done.Footers, "metadata", done.Metadata, "removed", done.Removed, "removed_bytes", done.RemovedBytes,
					"waiting", done.Waiting, "took", took)
			}
		})
		if err != nil && ctx.Err() == nil {
			s.log.Error("compact", "error", err)
		}
	}
}
