package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"azulejo/array"
)

// arrayCreate makes an array from a schema document.
type arrayCreate struct {
	keyedStore
	URI    string `arg:"" name:"uri" help:"Where to make the array."`
	Schema string `arg:"" name:"schema" help:"A JSON document as 'array schema --json' prints; - reads standard input."`
}

// Run is called by the command line parser.
func (c *arrayCreate) Run(ctx context.Context) error {
	var in io.Reader = os.Stdin
	if c.Schema != "-" {
		f, err := os.Open(c.Schema)
		if err != nil {
			return err
		}
		defer f.Close() // best effort: it was only read
		in = f
	}
	s, err := readSchemaJSON(in)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Schema, err)
	}
	fs, uri, key, err := c.keyed(c.URI)
	if err != nil {
		return err
	}
	if err := array.Create(ctx, fs, uri, s, key); err != nil {
		return err
	}
	fmt.Printf("created %s: %d dimensions, %d attributes\n", c.URI, len(s.Domain.Dimensions), len(s.Attributes))
	return nil
}
