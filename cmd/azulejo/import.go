package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"azulejo/array"
	"azulejo/arrowio"
	"azulejo/vfs"
)

// arrayImport makes an array of files, or appends them to one.
type arrayImport struct {
	keyedStore
	Paths      []string `arg:"" name:"file" help:"Files of one format, and last the URI of the array."`
	Format     string   `enum:",csv,parquet,arrow,stream,npy,npz" default:"" help:"csv, parquet, arrow, stream (Arrow), npy or npz; the file's name tells when absent."`
	Sparse     bool     `help:"Make a sparse array; needs --index."`
	Index      []string `help:"Columns that become the dimensions of a sparse array."`
	Tile       []int64  `help:"Tile extent of each dimension."`
	Capacity   uint64   `help:"Cells of a tile of a sparse array."`
	FullDomain bool     `help:"Make domains as large as their types allow, so that anything can be appended."`
	Nullable   bool     `help:"Make all attributes nullable, not just those that have nulls."`
	NoDups     bool     `help:"Refuse several cells at the same coordinates."`
	Filters    string   `help:"Filters such as BYTESHUFFLE,ZSTD:5, or none; ZSTD when absent."`
	Delimiter  string   `help:"Separator of CSV fields; a comma, or a tab in .tsv files, when absent."`
	Null       []string `help:"Texts that stand for null in CSV, beside the empty field."`
	DryRun     bool     `help:"Print the schema that the import would make, and make nothing."`
	JSON       bool     `name:"json" help:"With --dry-run: print it as 'array create' reads it."`
	Append     bool     `help:"Add the rows to the array at the URI."`
	Memory     int64    `default:"64" help:"Cells held at a time, in MiB."`
}

// Run is called by the command line parser.
func (c *arrayImport) Run(ctx context.Context) (err error) {
	if len(c.Paths) < 2 {
		return fmt.Errorf("name one or more files and the URI of the array: azulejo array import FILE... URI")
	}
	if c.Sparse && len(c.Index) == 0 && !c.Append {
		return fmt.Errorf("--sparse needs --index COLUMN,...: the columns that become the dimensions")
	}
	files, target := c.Paths[:len(c.Paths)-1], c.Paths[len(c.Paths)-1]
	fs, uri, key, err := c.keyed(target)
	if err != nil {
		return err
	}
	o := arrowio.Options{Index: c.Index, FullDomain: c.FullDomain, Nullable: c.Nullable, Tile: c.Tile, Capacity: c.Capacity, NoDups: c.NoDups, Portion: c.Memory << 20}
	if o.Filters, err = parseFilters(c.Filters); err != nil {
		return err
	}
	in := &inputs{}
	defer func() { err = errors.Join(err, in.close()) }()
	if c.Append {
		return c.append(ctx, fs, uri, target, in, files, o, key)
	}
	src, err := in.source(ctx, files, c.Format, c.Delimiter, c.Null, nil)
	if err != nil {
		return err
	}
	plan, err := arrowio.Infer(ctx, src, o)
	if err != nil {
		return err
	}
	if c.DryRun {
		if c.JSON {
			return writeSchemaJSON(os.Stdout, plan.Schema)
		}
		fmt.Printf("%d rows would be imported into %s:\n", plan.Rows, target)
		return printSchema(os.Stdout, plan.Schema)
	}
	bar := newProgress("importing", plan.Rows)
	defer bar.done()
	done, err := arrowio.Import(ctx, fs, uri, src, plan, o, bar.at, key)
	if err != nil {
		return notImported(err)
	}
	bar.done()
	fmt.Printf("imported %d rows into %s, %d fragments\n", done.Rows, target, len(done.Fragments))
	return nil
}

// append adds the files to an array that exists.
func (c *arrayImport) append(ctx context.Context, fs vfs.FS, uri, target string, in *inputs, files []string, o arrowio.Options, key array.Option) error {
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.SchemaOnly(), key)
	if err != nil {
		return err
	}
	src, err := in.source(ctx, files, c.Format, c.Delimiter, c.Null, a.Schema)
	if err != nil {
		return err
	}
	if c.DryRun {
		fmt.Printf("the columns of %s would be appended to %s:\n", src.Name, target)
		return printSchema(os.Stdout, a.Schema)
	}
	bar := newProgress("appending", 0)
	defer bar.done()
	done, err := arrowio.Append(ctx, fs, uri, src, o, bar.at, key)
	if err != nil {
		return notImported(err)
	}
	bar.done()
	fmt.Printf("appended %d rows to %s, %d fragments\n", done.Rows, target, len(done.Fragments))
	return nil
}

// notImported adds what a user wants to know most.
func notImported(err error) error {
	return fmt.Errorf("%w\nnothing was imported: repeat the command when the cause is gone", err)
}
