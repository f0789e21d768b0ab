package arrowio

import (
	"bytes"
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// ipcMagic begins an Arrow IPC file; a stream has none.
var ipcMagic = []byte("ARROW1")

// IPCSource returns the table of an Arrow IPC file or stream, which is read batch by batch. The error wraps ErrInvalid.
func IPCSource(ctx context.Context, f File) (*Source, error) {
	s := &Source{Name: f.Name, open: func(ctx context.Context) (nextBatch, error) { return openIPC(&f, nil) }}
	err := guard(f.Name, func() error {
		_, err := openIPC(&f, &s.Schema)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openIPC begins to read; schema, when not nil, receives the file's.
func openIPC(f *File, schema **arrow.Schema) (nextBatch, error) {
	head := make([]byte, len(ipcMagic))
	_, err := f.Data.ReadAt(head, 0)
	isFile := err == nil && bytes.Equal(head, ipcMagic)
	if err := checkIPC(f, isFile); err != nil {
		return nil, err
	}
	bounded := ipc.WithAllocator(boundedAllocator{memory.DefaultAllocator})
	if isFile {
		r, err := ipc.NewFileReader(f.reader(), bounded)
		if err != nil {
			return nil, err
		}
		if schema != nil {
			*schema = r.Schema()
		}
		at := 0
		return func() (arrow.RecordBatch, error) {
			if at >= r.NumRecords() {
				return nil, io.EOF
			}
			at++
			return r.RecordBatchAt(at - 1)
		}, nil
	}
	r, err := ipc.NewReader(f.reader(), bounded)
	if err != nil {
		return nil, err
	}
	if schema != nil {
		*schema = r.Schema()
	}
	return func() (arrow.RecordBatch, error) {
		if r.Next() {
			return r.RecordBatch(), nil
		}
		if err := r.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}, nil
}

// WriteIPC writes the table as an Arrow IPC file or, with stream, as a stream. It returns the number of rows. progress,
// when not nil, is called with the number of rows so far.
func WriteIPC(ctx context.Context, t *Table, w io.Writer, stream bool, progress func(rows int64)) (int64, error) {
	var out interface {
		Write(arrow.RecordBatch) error
		Close() error
	}
	if stream {
		out = ipc.NewWriter(w, ipc.WithSchema(t.Schema))
	} else {
		fileWriter, err := ipc.NewFileWriter(w, ipc.WithSchema(t.Schema))
		if err != nil {
			return 0, err
		}
		out = fileWriter
	}
	rows, err := each(ctx, t, progress, out.Write)
	if err != nil {
		return rows, err
	}
	return rows, out.Close()
}
