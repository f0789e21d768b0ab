package main

import (
	"context"
	"fmt"
	"os"

	"azulejo/array"
	"azulejo/format"
)

type arrayUpgrade struct {
	keyedStore
	URI string `arg:"" name:"uri" help:"A directory or a URI of any store."`
}

// Run is called by the command line parser.
func (c *arrayUpgrade) Run(ctx context.Context) error {
	fs, uri, key, err := c.keyed(c.URI)
	if err != nil {
		return err
	}
	from, err := array.Upgrade(ctx, fs, uri, key)
	if err != nil {
		return err
	}
	if from >= format.Version {
		fmt.Fprintf(os.Stdout, "already of format version %d\n", from)
		return nil
	}
	fmt.Fprintf(os.Stdout, "upgraded from format version %d to %d\n", from, format.Version)
	return nil
}
