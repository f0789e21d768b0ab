package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/vfs"
)

// modeFlag is what a maintenance command is about.
type modeFlag struct {
	storeFlags
	URI  string `arg:"" name:"uri" help:"A directory or a URI of any store."`
	Mode string `default:"fragments" enum:"fragments,commits,fragment_meta,array_meta,group_meta" help:"What to merge or remove: ${enum}."`
}

// place returns the store, the URI as the store takes it, and the mode.
func (f modeFlag) place() (fs vfs.FS, uri string, mode consolidate.Mode, err error) {
	if fs, uri, err = f.store(f.URI); err == nil {
		mode, err = consolidate.ParseMode(f.Mode)
	}
	return fs, uri, mode, err
}

type arrayConsolidate struct {
	modeFlag
	keyFlag
	From            uint64   `help:"Merge only what was written at this time in milliseconds since 1970 or later."`
	To              uint64   `help:"Merge only what was written up to this time; now when absent."`
	Fragments       []string `help:"Merge these fragments, by name."`
	Steps           uint32   `help:"Make at most so many fragments one after the other; 0 means no limit."`
	MinFragments    uint32   `help:"Merge at least so many fragments in a step; all of them when absent."`
	MaxFragments    uint32   `help:"Merge at most so many fragments in a step; 0 means no limit."`
	SizeRatio       float32  `help:"Merge neighbours only whose sizes have at least this ratio, from 0 to 1."`
	Amplification   float64  `default:"1" help:"Merge dense fragments only when the new one has at most so many times their cells."`
	MaxFragmentSize uint64   `help:"Bytes of a new fragment; when they do not suffice several are made. 0 means no limit."`
	Purge           bool     `help:"Drop deleted cells instead of noting when they were deleted."`
}

// Run is called by the command line parser.
func (c *arrayConsolidate) Run(ctx context.Context) error {
	fs, uri, mode, err := c.place()
	if err != nil {
		return err
	}
	key, err := c.key()
	if err != nil {
		return err
	}
	o := consolidate.Options{
		Key:   key,
		Names: c.Fragments, Steps: c.Steps, MinFragments: c.MinFragments, MaxFragments: c.MaxFragments, SizeRatio: c.SizeRatio,
		Amplification: c.Amplification, MaxFragmentSize: c.MaxFragmentSize, Purge: c.Purge,
	}
	if c.From != 0 || c.To != 0 {
		o.At = array.Interval{Start: c.From, End: c.To}
		if c.To == 0 {
			o.At.End = array.Now
		}
	}
	if mode != consolidate.ModeFragments {
		return consolidate.Run(ctx, fs, uri, mode, o)
	}
	names, err := consolidate.Fragments(ctx, fs, uri, o)
	for _, name := range names {
		fmt.Println(name)
	}
	return err
}

type arrayVacuum struct{ modeFlag }

// Run is called by the command line parser.
func (c *arrayVacuum) Run(ctx context.Context) error {
	fs, uri, mode, err := c.place()
	if err != nil {
		return err
	}
	return consolidate.Vacuum(ctx, fs, uri, mode)
}

type arrayRelease struct {
	storeFlags
	URI   string        `arg:"" name:"uri" help:"A directory or a URI of any store."`
	Older time.Duration `default:"0s" help:"Only what was begun so long ago, such as 10m."`
}

// Run is called by the command line parser.
func (c *arrayRelease) Run(ctx context.Context) error {
	fs, uri, err := c.store(c.URI)
	if err != nil {
		return err
	}
	given, err := consolidate.Release(ctx, fs, uri, c.Older)
	for _, p := range given {
		fmt.Printf("released %d fragments from %s, begun %s\n", len(p.Hidden), p.Fragment, p.Since.UTC().Format(time.RFC3339))
	}
	return err
}

type arrayPlan struct {
	uriArg
	Size uint64 `default:"1073741824" help:"Bytes that fragments should have."`
}

// Run is called by the command line parser.
func (c *arrayPlan) Run(ctx context.Context) error {
	fs, uri, err := c.store(c.URI)
	if err != nil {
		return err
	}
	key, err := c.key()
	if err != nil {
		return err
	}
	groups, err := consolidate.Plan(ctx, fs, uri, c.Size, consolidate.Options{At: c.at(), Key: key})
	for _, names := range groups {
		fmt.Println(strings.Join(names, ","))
	}
	return err
}
