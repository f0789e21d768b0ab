package arrowio

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	arrowarray "github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"azulejo/datatype"
	"azulejo/schema"
)

// CSVOptions say how CSV text is read.
type CSVOptions struct {
	// Comma separates fields; 0 means a comma.
	Comma byte
	// Null lists texts that stand for null beside the empty field without quotes.
	Null []string
	// Fields, when not nil, gives the columns of these names the types that can be appended to the array; others are
	// inferred.
	Fields *schema.Array
}

// csvFile is one CSV file with the kinds of its columns.
type csvFile struct {
	File
	options CSVOptions
	nulls   map[string]bool
	kinds   []csvKind
	schema  *arrow.Schema
}

// CSVSource returns the table of CSV files with equal first lines, which name the columns; the files are read once to find
// the columns' types. A field without quotes and anything in it is null, "" is the empty text. The error wraps
// ErrInvalid and names file, line and field.
func CSVSource(ctx context.Context, files []File, o CSVOptions) (*Source, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: there is nothing to import", ErrInvalid)
	}
	if o.Comma == 0 {
		o.Comma = ','
	}
	nulls := map[string]bool{}
	for _, text := range o.Null {
		nulls[text] = true
	}
	var names []string
	var seen []csvKinds
	var values []bool
	for _, f := range files {
		c := &csvFile{File: f, options: o, nulls: nulls}
		err := guard(f.Name, func() error { return c.infer(ctx, &names, &seen, &values) })
		if err != nil {
			return nil, err
		}
	}
	kinds := make([]csvKind, len(names))
	fields := make([]arrow.Field, len(names))
	for i, name := range names {
		kinds[i] = seen[i].kind(values[i])
		if o.Fields != nil {
			if f, ok := o.Fields.Field(name); ok {
				kinds[i] = kindOf(f, kinds[i])
			}
		}
		fields[i] = arrow.Field{Name: name, Type: csvTypes[kinds[i]], Nullable: true}
	}
	var sources []*Source
	table := arrow.NewSchema(fields, nil)
	for _, f := range files {
		c := &csvFile{File: f, options: o, nulls: nulls, kinds: kinds, schema: table}
		sources = append(sources, &Source{Name: f.Name, Schema: table, open: c.open})
	}
	return Concat(sources...)
}

// kindOf returns the kind that fields of an array's field are read as.
func kindOf(f schema.Field, inferred csvKind) csvKind {
	switch {
	case isBytes(f.Type):
		return csvText
	case f.Type == datatype.Bool:
		return csvBool
	case f.Type == datatype.Uint64:
		return csvUint
	case f.Type.IsInteger():
		return csvInt
	case f.Type.IsFloat():
		return csvFloat
	case f.Type == datatype.DateTimeDay:
		return csvDate
	case f.Type == datatype.DateTimeSec:
		return csvSeconds
	case f.Type.IsDateTime() && inferred == csvText:
		return csvNanos
	}
	return inferred
}

// infer looks at all fields of the file. names, seen and values are shared by all files: the columns' names, the kinds
// that their fields can have, and whether they have a value.
func (c *csvFile) infer(ctx context.Context, names *[]string, seen *[]csvKinds, values *[]bool) error {
	s := newCSVScanner(c.reader(), c.options.Comma)
	header, err := readHeader(s)
	if err != nil {
		return err
	}
	if *names == nil {
		*names = header
		for range header {
			*seen, *values = append(*seen, allKinds), append(*values, false)
		}
	}
	if len(header) != len(*names) {
		return fmt.Errorf("%w: line 1: %d columns, the first file has %d", ErrInvalid, len(header), len(*names))
	}
	for i, name := range *names {
		if header[i] != name {
			return fmt.Errorf("%w: line 1, field %d: column %q, in the first file it is %q", ErrInvalid, i+1, header[i], name)
		}
	}
	for rows := 0; ; rows++ {
		if rows%batchRows == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		more, err := c.row(s, len(header))
		if err != nil || !more {
			return err
		}
		for i := range header {
			if field := s.field(i); !c.null(field, s.quoted[i]) {
				(*seen)[i], (*values)[i] = (*seen)[i].narrow(field), true
			}
		}
	}
}

// readHeader reads the line with the columns' names; a column without one is called as pandas does.
func readHeader(s *csvScanner) ([]string, error) {
	more, err := s.record()
	if err != nil {
		return nil, err
	}
	if !more {
		return nil, fmt.Errorf("%w: the file is empty; its first line names the columns", ErrInvalid)
	}
	names := make([]string, len(s.ends))
	at := map[string]int{}
	for i := range names {
		if names[i] = string(s.field(i)); names[i] == "" {
			names[i] = "Unnamed: " + strconv.Itoa(i)
		}
		if first, ok := at[names[i]]; ok {
			return nil, fmt.Errorf("%w: line 1: fields %d and %d are both called %q; rename one", ErrInvalid, first+1, i+1, names[i])
		}
		at[names[i]] = i
	}
	return names, nil
}

// row reads the next line that is not empty; in a table of one column an empty line is a null.
func (c *csvFile) row(s *csvScanner, columns int) (bool, error) {
	for {
		more, err := s.record()
		if err != nil || !more {
			return false, err
		}
		if len(s.ends) == columns {
			return true, nil
		}
		if len(s.data) > 0 || len(s.ends) > 1 || s.quoted[0] {
			return false, fmt.Errorf("%w: line %d has %d fields, the first line %d", ErrInvalid, s.line, len(s.ends), columns)
		}
	}
}

func (c *csvFile) null(field []byte, quoted bool) bool {
	return len(field) == 0 && !quoted || len(c.nulls) > 0 && c.nulls[string(field)]
}

// open begins to read batches.
func (c *csvFile) open(ctx context.Context) (nextBatch, error) {
	s := newCSVScanner(c.reader(), c.options.Comma)
	if _, err := readHeader(s); err != nil {
		return nil, err
	}
	b := arrowarray.NewRecordBuilder(memory.DefaultAllocator, c.schema)
	return func() (arrow.RecordBatch, error) {
		nBytes := 0
		for rows := 0; rows < batchRows && nBytes < DefaultBatch; rows++ {
			more, err := c.row(s, len(c.kinds))
			if err != nil {
				return nil, err
			}
			if !more && rows == 0 {
				return nil, io.EOF
			}
			if !more {
				break
			}
			nBytes += len(s.data)
			for i, kind := range c.kinds {
				field := s.field(i)
				if c.null(field, s.quoted[i]) {
					b.Field(i).AppendNull()
				} else if !appendField(b.Field(i), kind, field) {
					return nil, fmt.Errorf("%w: line %d, field %d: column %q takes values of type %s, not %.100q",
						ErrInvalid, s.line, i+1, c.schema.Field(i).Name, csvTypes[kind], field)
				}
			}
		}
		return b.NewRecordBatch(), nil
	}, nil
}

// appendField adds a field to a column; false when it has not the column's kind.
func appendField(b arrowarray.Builder, kind csvKind, field []byte) (ok bool) {
	switch kind {
	case csvBool:
		var v bool
		if v, ok = parseBool(field); ok {
			b.(*arrowarray.BooleanBuilder).Append(v)
		}
	case csvInt:
		var v int64
		if v, ok = parseInt(field); ok {
			b.(*arrowarray.Int64Builder).Append(v)
		}
	case csvUint:
		var v uint64
		if v, ok = parseUint(field); ok {
			b.(*arrowarray.Uint64Builder).Append(v)
		}
	case csvFloat:
		var v float64
		if v, ok = parseFloat(field); ok {
			b.(*arrowarray.Float64Builder).Append(v)
		}
	case csvDate:
		var v int32
		if v, ok = parseDate(field); ok {
			b.(*arrowarray.Date32Builder).Append(arrow.Date32(v))
		}
	case csvSeconds:
		if t, good := parseTime(field); good && t.Nanosecond() == 0 {
			b.(*arrowarray.TimestampBuilder).Append(arrow.Timestamp(t.Unix()))
			ok = true
		}
	case csvNanos:
		var v int64
		if v, ok = parseNanos(field); ok {
			b.(*arrowarray.TimestampBuilder).Append(arrow.Timestamp(v))
		}
	default:
		b.(*arrowarray.LargeStringBuilder).BinaryBuilder.Append(field)
		ok = true
	}
	return ok
}
