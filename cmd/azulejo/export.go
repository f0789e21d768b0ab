package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"azulejo/array"
	"azulejo/arrowio"
	"azulejo/cells"
	"azulejo/query"
	"azulejo/schema"
)

// arrayExport writes cells of an array to a file.
type arrayExport struct {
	keyedStore
	URI       string `arg:"" name:"uri" help:"The array."`
	File      string `arg:"" name:"file" help:"The file to write; - is standard output."`
	At        uint64 `help:"Open as of this time in milliseconds since 1970; now when absent."`
	Format    string `enum:",csv,parquet,arrow,stream,npy,npz" default:"" help:"csv, parquet, arrow, stream (Arrow), npy or npz; the file's name tells when absent."`
	Attrs     string `help:"Attributes to write, separated by commas; all when absent."`
	NoDims    bool   `help:"Leave out the dimensions."`
	Range     string `help:"Inclusive ranges lo:hi, one per dimension, separated by commas; an empty one is all."`
	Where     string `help:"Conditions such as 'a < 100 and s == \"x\"', joined by and, or."`
	Delimiter string `help:"Separator of CSV fields; a comma, or a tab in .tsv files, when absent."`
}

// rowsDimension numbers the rows of imported dense tables and is not exported.
const rowsDimension = "__tiledb_rows"

// Run is called by the command line parser.
func (c *arrayExport) Run(ctx context.Context) error {
	format, err := formatOf(c.Format, c.File)
	if err != nil {
		return err
	}
	fs, uri, key, err := c.keyed(c.URI)
	if err != nil {
		return err
	}
	at := array.Latest()
	if c.At != 0 {
		at.End = c.At
	}
	arr, err := array.Open(ctx, fs, uri, at, key)
	if err != nil {
		return err
	}
	q := &query.Read{Layout: schema.RowMajor}
	if arr.Schema.Type == schema.Sparse && arr.Schema.CellOrder == schema.Hilbert {
		q.Layout = schema.Unordered
	}
	if q.Subarray, err = parseSubarray(c.Range, arr.Schema); err != nil {
		return err
	}
	if arr.Schema.Type == schema.Dense {
		if err := withinData(arr, &q.Subarray); err != nil {
			return err
		}
	}
	if c.Where != "" {
		if q.Condition, err = parseWhere(c.Where, arr.Schema); err != nil {
			return err
		}
	}
	q.Fields = cells.Fields(c.fields(arr.Schema, format)...)
	rows, err := c.write(ctx, arr, q, format)
	if err != nil {
		return err
	}
	if c.File != "-" {
		fmt.Printf("exported %d rows to %s\n", rows, c.File)
	}
	return nil
}

// withinData ends the ranges that were not asked for with the data: the domain of a dense array may be larger than any file.
func withinData(arr *array.Array, sub *query.Subarray) error {
	box := arr.NonEmptyDomain()
	if box == nil {
		return fmt.Errorf("%s holds no cells", arr.URI)
	}
	for i, r := range box {
		if i == len(sub.Ranges) {
			sub.Ranges = append(sub.Ranges, nil)
		}
		if sub.Ranges[i] == nil {
			sub.Ranges[i] = []schema.Range{r}
		}
	}
	return nil
}

// fields lists what is written: the dimensions, but for the number of a row and those that the shape of a NumPy array
// stands for, and the attributes asked for.
func (c *arrayExport) fields(s *schema.Array, format string) []string {
	var names []string
	shaped := s.Type == schema.Dense && (format == "npy" || format == "npz")
	for _, d := range s.Domain.Dimensions {
		if !c.NoDims && !shaped && format != "npy" && d.Name != rowsDimension {
			names = append(names, d.Name)
		}
	}
	if c.Attrs != "" {
		return append(names, strings.Split(c.Attrs, ",")...)
	}
	for _, a := range s.Attributes {
		names = append(names, a.Name)
	}
	return names
}

// write writes the file under another name first, so that it is whole or not there.
func (c *arrayExport) write(ctx context.Context, arr *array.Array, q *query.Read, format string) (rows int64, err error) {
	if c.File == "-" {
		out := bufio.NewWriterSize(os.Stdout, 1<<16)
		rows, err = c.encode(ctx, arr, q, format, out)
		return rows, errors.Join(err, out.Flush())
	}
	partial := c.File + ".partial"
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	rows, err = c.encode(ctx, arr, q, format, out)
	if err = errors.Join(err, out.Flush(), f.Close()); err == nil {
		err = os.Rename(partial, c.File)
	}
	if err != nil {
		return rows, errors.Join(err, os.Remove(partial))
	}
	return rows, nil
}

func (c *arrayExport) encode(ctx context.Context, arr *array.Array, q *query.Read, format string, out io.Writer) (int64, error) {
	bar := newProgress("exporting", 0)
	defer bar.done()
	switch format {
	case "npy":
		return arrowio.WriteNPY(ctx, arr, q, out, bar.at)
	case "npz":
		return arrowio.WriteNPZ(ctx, arr, q, out, bar.at)
	}
	table, err := arrowio.NewTable(ctx, arr, q, 0)
	if err != nil {
		return 0, err
	}
	switch format {
	case "parquet":
		return arrowio.WriteParquet(ctx, table, out, bar.at)
	case "csv":
		comma, err := commaOf(c.Delimiter, c.File)
		if err != nil {
			return 0, err
		}
		return arrowio.WriteCSV(ctx, table, out, comma, bar.at)
	}
	return arrowio.WriteIPC(ctx, table, out, format == "stream", bar.at)
}
