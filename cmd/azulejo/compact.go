package main

import (
	"context"
	"fmt"
	"time"

	"azulejo/consolidate"
)

// arrayCompact applies a policy once; its defaults are those of consolidate.DefaultPolicy.
type arrayCompact struct {
	storeFlags
	keyFlag
	URI          string        `arg:"" name:"uri" help:"A directory or a URI of any store."`
	Grace        time.Duration `default:"1h" help:"How long replaced files stay for readers that have begun with them; counted from the first run that sees them."`
	History      string        `default:"forever" help:"How far back the array must read as it always did, such as 720h; dense fragments and metadata are merged only when they are older."`
	Fragments    int           `default:"32" help:"Merge fragments when more of them are worth it; 0 for never."`
	Footers      int           `default:"64" help:"Merge fragment footers when more fragments have none that is merged; 0 for never."`
	Commits      int           `default:"64" help:"Merge commits when there are more files of them; 0 for never."`
	Metadata     int           `default:"16" help:"Merge metadata when there are more files of it; 0 for never."`
	FragmentSize uint64        `default:"1073741824" help:"Bytes that fragments should have."`
	MergeSize    uint64        `default:"8589934592" help:"Bytes of fragments that are merged at a time at most; 0 for no limit."`
}

// Run is called by the command line parser.
func (c *arrayCompact) Run(ctx context.Context) error {
	fs, uri, err := c.store(c.URI)
	if err != nil {
		return err
	}
	history, err := consolidate.ParseHistory(c.History)
	if err != nil {
		return err
	}
	key, err := c.key()
	if err != nil {
		return err
	}
	policy := consolidate.Policy{Key: key, Grace: c.Grace, History: history, Fragments: c.Fragments, Footers: c.Footers, Commits: c.Commits, Metadata: c.Metadata,
		FragmentBytes: c.FragmentSize, MergeBytes: c.MergeSize}
	done, err := policy.Apply(ctx, fs, uri)
	if err == nil || done.Any() {
		fmt.Println(done)
	}
	return err
}
