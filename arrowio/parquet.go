package arrowio

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// batchRows is the number of rows of a batch that a file is read in.
const batchRows = 1 << 16

// ParquetSource returns the table of a Parquet file, which is read column chunk by column chunk. The error wraps
// ErrInvalid.
func ParquetSource(ctx context.Context, f File) (*Source, error) {
	s := &Source{Name: f.Name}
	err := guard(f.Name, func() error {
		r, err := openParquet(&f)
		if err != nil {
			return err
		}
		s.Schema, err = r.Schema()
		return err
	})
	if err != nil {
		return nil, err
	}
	s.open = func(ctx context.Context) (nextBatch, error) {
		r, err := openParquet(&f)
		if err != nil {
			return nil, err
		}
		records, err := r.GetRecordReader(ctx, nil, nil)
		if err != nil {
			return nil, err
		}
		return func() (arrow.RecordBatch, error) {
			if records.Next() {
				return records.RecordBatch(), nil
			}
			if err := records.Err(); err != nil {
				return nil, err
			}
			return nil, io.EOF
		}, nil
	}
	return s, nil
}

func openParquet(f *File) (*pqarrow.FileReader, error) {
	bounded := boundedAllocator{memory.DefaultAllocator}
	props := parquet.NewReaderProperties(bounded)
	props.BufferedStreamEnabled = true
	r, err := file.NewParquetReader(f.reader(), file.WithReadProps(props))
	if err != nil {
		return nil, err
	}
	return pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: batchRows}, bounded)
}

// WriteParquet writes the table as a Parquet file, one row group a batch, compressed with Zstandard. It returns the number
// of rows. progress, when not nil, is called with the number of rows so far.
func WriteParquet(ctx context.Context, t *Table, w io.Writer, progress func(rows int64)) (int64, error) {
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCreatedBy("azulejo"), parquet.WithDictionaryDefault(true))
	t = t.withoutNullFixedLists()
	var out *pqarrow.FileWriter
	err := guard("parquet", func() (err error) {
		out, err = pqarrow.NewFileWriter(t.Schema, keepOpen{w}, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
		return err
	})
	if err != nil {
		return 0, err
	}
	rows, err := each(ctx, t, progress, func(batch arrow.RecordBatch) error { return out.Write(batch) })
	if err != nil {
		return rows, err
	}
	return rows, guard("parquet", out.Close)
}

// withoutNullFixedLists returns the table with lists of any length in place of nullable lists of a fixed one, whose nulls
// the Parquet writer cannot store.
func (t *Table) withoutNullFixedLists() *Table {
	own := *t
	own.columns = append([]*outColumn(nil), t.columns...)
	fields := append([]arrow.Field(nil), t.Schema.Fields()...)
	for i, c := range t.columns {
		if c.form == formFixedLists && c.field.Nullable {
			loose := *c
			loose.form, loose.arrow.Type = formLists, arrow.LargeListOfNonNullable(numbers[c.field.Type.Kind()])
			own.columns[i], fields[i] = &loose, loose.arrow
		}
	}
	own.Schema = arrow.NewSchema(fields, nil)
	return &own
}

// keepOpen hides that a writer can be closed: who opened it closes it.
type keepOpen struct{ io.Writer }

// each hands every batch of the table to write and counts rows.
func each(ctx context.Context, t *Table, progress func(rows int64), write func(arrow.RecordBatch) error) (int64, error) {
	rows := int64(0)
	for batch, err := range t.Records(ctx) {
		if err == nil {
			err = write(batch)
		}
		if err != nil {
			return rows, fmt.Errorf("row %d and after: %w", rows+1, err)
		}
		rows += batch.NumRows()
		if progress != nil {
			progress(rows)
		}
	}
	return rows, nil
}
