package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"azulejo/arrowio"
	"azulejo/filter"
	"azulejo/schema"
)

// formats maps the endings of file names to formats.
var formats = map[string]string{
	".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
	".arrows": "stream", ".npy": "npy", ".npz": "npz",
}

// formatOf returns the format of a file: what was asked for, or what its name says.
func formatOf(asked, name string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	if f, ok := formats[strings.ToLower(filepath.Ext(name))]; ok {
		return f, nil
	}
	return "", fmt.Errorf("%s: the name does not tell the format; say --format csv, parquet, arrow, stream, npy or npz", name)
}

// commaOf returns the separator of CSV fields: a tab in files that are called .tsv.
func commaOf(asked, name string) (byte, error) {
	switch {
	case asked == "tab" || asked == "" && strings.EqualFold(filepath.Ext(name), ".tsv"):
		return '\t', nil
	case asked == "":
		return ',', nil
	case len(asked) == 1 && asked[0] < 0x80 && asked != "\"" && asked != "\n" && asked != "\r":
		return asked[0], nil
	}
	return 0, fmt.Errorf("--delimiter %q is not one character; 'tab' stands for a tab", asked)
}

// inputs are the open files of an import.
type inputs struct{ files []*os.File }

func (in *inputs) close() error {
	var errs []error
	for _, f := range in.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func (in *inputs) open(name string) (arrowio.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return arrowio.File{}, err
	}
	in.files = append(in.files, f)
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file; an import reads its files twice", name)
	}
	if err != nil {
		return arrowio.File{}, err
	}
	return arrowio.File{Name: name, Data: f, Size: info.Size()}, nil
}

// source opens files of one format as one table. target is the schema of the array they are appended to, or nil.
func (in *inputs) source(ctx context.Context, names []string, asked, delimiter string, nulls []string, target *schema.Array) (*arrowio.Source, error) {
	var files []arrowio.File
	format := ""
	for _, name := range names {
		one, err := formatOf(asked, name)
		if err != nil {
			return nil, err
		}
		if format != "" && one != format {
			return nil, fmt.Errorf("%s is %s, %s is %s; import files of one format at a time", names[0], format, name, one)
		}
		format = one
		f, err := in.open(name)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if format == "csv" {
		comma, err := commaOf(delimiter, names[0])
		if err != nil {
			return nil, err
		}
		return arrowio.CSVSource(ctx, files, arrowio.CSVOptions{Comma: comma, Null: nulls, Fields: target})
	}
	open := map[string]func(context.Context, arrowio.File) (*arrowio.Source, error){
		"parquet": arrowio.ParquetSource, "arrow": arrowio.IPCSource, "stream": arrowio.IPCSource, "npy": arrowio.NPYSource, "npz": arrowio.NPZSource,
	}[format]
	var sources []*arrowio.Source
	for _, f := range files {
		s, err := open(ctx, f)
		if err != nil {
			return nil, err
		}
		sources = append(sources, s)
	}
	return arrowio.Concat(sources...)
}

// parseFilters reads filters such as "BYTESHUFFLE,ZSTD:5", in the order they are applied; "none" is no filter.
func parseFilters(text string) ([]filter.Spec, error) {
	if text == "" {
		return nil, nil
	}
	specs := []filter.Spec{}
	if text == "none" {
		return specs, nil
	}
	for _, part := range strings.Split(text, ",") {
		name, option, has := strings.Cut(part, ":")
		doc := filterJSON{Name: strings.TrimSpace(name)}
		if has {
			n, err := strconv.ParseInt(option, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("--filters: %q is not NAME:NUMBER", part)
			}
			level, window := int32(n), uint32(n)
			doc.Level, doc.Window = &level, &window
		}
		spec, err := doc.spec()
		if err != nil {
			return nil, fmt.Errorf("--filters: %w", err)
		}
		specs = append(specs, spec)
	}
	return specs, nil
}
