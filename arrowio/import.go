package arrowio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/metadata"
	"azulejo/schema"
	"azulejo/vfs"
)

// Imported says what an import did.
type Imported struct {
	Rows int64
	// Fragments are the names of the new fragments.
	Fragments []string
}

// Import makes the array of a plan, as Infer returned it, and writes the source's rows into it. All rows become visible
// at one moment, at the end; until then the array is empty, and after an error there is none. progress, when not nil, is
// called with the number of rows written so far. The error wraps ErrInvalid, array.ErrExists or those of query.Submit.
func Import(ctx context.Context, fs vfs.FS, uri string, src *Source, plan *Plan, o Options, progress func(rows int64), opts ...array.Option) (Imported, error) {
	if err := array.Create(ctx, fs, uri, plan.Schema, opts...); err != nil {
		return Imported{}, err
	}
	done, err := appendRows(ctx, fs, uri, src, o, 0, progress, opts)
	if err == nil {
		err = describe(ctx, fs, uri, opts)
	}
	if err != nil {
		return Imported{}, errors.Join(err, array.Delete(context.WithoutCancel(ctx), fs, uri))
	}
	return done, nil
}

// Append writes the source's rows into an array that exists; those of a dense array go behind its last. All rows become
// visible at one moment, at the end, or, after an error, none. progress and errors are those of Import.
func Append(ctx context.Context, fs vfs.FS, uri string, src *Source, o Options, progress func(rows int64), opts ...array.Option) (Imported, error) {
	first, err := nextRow(ctx, fs, uri, opts)
	if err != nil {
		return Imported{}, err
	}
	return appendRows(ctx, fs, uri, src, o, first, progress, opts)
}

func appendRows(ctx context.Context, fs vfs.FS, uri string, src *Source, o Options, first uint64, progress func(rows int64), opts []array.Option) (Imported, error) {
	a, err := array.Open(ctx, fs, uri, array.Latest(), append(opts, array.ForWriting())...)
	if err != nil {
		return Imported{}, err
	}
	w, err := NewWriter(ctx, a, src.Schema, o, first)
	if err != nil {
		return Imported{}, fmt.Errorf("%s: %w", src.Name, err)
	}
	for batch, err := range src.Records(ctx) {
		if err == nil {
			err = w.Write(ctx, batch)
		}
		if err != nil {
			return Imported{}, errors.Join(err, w.Abort(ctx))
		}
		if progress != nil {
			progress(w.Rows())
		}
	}
	names, err := w.Commit(ctx)
	if err != nil {
		return Imported{}, errors.Join(err, w.Abort(ctx))
	}
	return Imported{Rows: w.Rows(), Fragments: names}, nil
}

// describe writes the metadata with which TileDB-Py's open_dataframe finds the index columns and restores pandas' types.
func describe(ctx context.Context, fs vfs.FS, uri string, opts []array.Option) error {
	a, err := array.Open(ctx, fs, uri, array.Latest(), append(opts, array.SchemaOnly())...)
	if err != nil {
		return err
	}
	index, types := map[string]string{}, map[string]string{}
	for _, d := range a.Schema.Domain.Dimensions {
		name := numpyName(d.Type)
		if name == "" || a.Schema.Type == schema.Dense && d.Name != rowsName {
			return nil // a NumPy array is no table
		}
		index[d.Name] = name
	}
	for i := range a.Schema.Attributes {
		switch t := &a.Schema.Attributes[i]; {
		case t.CellValNum != 1 || t.Enumeration != "":
		case t.Type == datatype.Bool && t.Nullable:
			types[t.Name] = "boolean"
		case t.Type == datatype.Bool:
			types[t.Name] = "bool"
		case t.Nullable && t.Type.IsInteger():
			types[t.Name] = kindName(t.Type)
		}
	}
	entries := []format.MetadataEntry{}
	for key, values := range map[string]map[string]string{"__pandas_index_dims": index, "__pandas_attribute_repr": types} {
		if len(values) == 0 {
			continue
		}
		text, err := json.Marshal(values)
		if err != nil {
			return err
		}
		entries = append(entries, metadata.Text(key, string(text)))
	}
	return a.PutMetadata(ctx, entries, 0)
}

// numpyName is NumPy's name of a dimension's type; empty when it has none.
func numpyName(t datatype.Type) string {
	units := map[datatype.Type]string{
		datatype.DateTimeYear: "Y", datatype.DateTimeMonth: "M", datatype.DateTimeWeek: "W", datatype.DateTimeDay: "D", datatype.DateTimeHR: "h",
		datatype.DateTimeMin: "m", datatype.DateTimeSec: "s", datatype.DateTimeMS: "ms", datatype.DateTimeUS: "us", datatype.DateTimeNS: "ns",
	}
	switch {
	case t == datatype.StringASCII:
		return "<U0"
	case units[t] != "":
		return "datetime64[" + units[t] + "]"
	case t.IsInteger() || t.IsFloat():
		return strings.ToLower(t.String())
	}
	return ""
}
