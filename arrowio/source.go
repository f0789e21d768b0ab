package arrowio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
)

// Source is a table that can be read from its beginning any number of times.
type Source struct {
	// Name is what errors call it: a file's name.
	Name string
	// Schema describes the batches.
	Schema *arrow.Schema
	// Shape is the shape of a NumPy array whose values, in row-major order or, with ColMajor, in column-major order, are
	// the rows; nil for tables.
	Shape    []int64
	ColMajor bool

	open func(ctx context.Context) (nextBatch, error)
}

// nextBatch returns one batch after another and then io.EOF.
type nextBatch func() (arrow.RecordBatch, error)

// File is an input file: its name for messages, its bytes, which are read in pieces and may be read in parallel, and
// how many they are.
type File struct {
	Name string
	Data io.ReaderAt
	Size int64
}

// reader returns the file from its beginning.
func (f *File) reader() *io.SectionReader { return io.NewSectionReader(f.Data, 0, f.Size) }

// Records reads the batches from the beginning. The sequence ends after an error, which names the source. Decoders of
// foreign formats are held to errors: a panic of theirs becomes one.
func (s *Source) Records(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		var next nextBatch
		err := guard(s.Name, func() (err error) {
			next, err = s.open(ctx)
			return err
		})
		for err == nil {
			var batch arrow.RecordBatch
			err = guard(s.Name, func() (err error) {
				batch, err = next()
				return err
			})
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && !yield(batch, nil) {
				return
			}
		}
		if err != io.EOF {
			yield(nil, err)
		}
	}
}

// guarded runs do and turns a panic into an error: arrow-go has panics that damaged files reach, while it decodes them and
// when their cells are looked at.
func guarded(do func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: damaged data: %v", ErrInvalid, cause)
		}
	}()
	return do()
}

// guard runs do guarded and names the source in its error, but for the end of the data.
func guard(name string, do func() error) error {
	err := guarded(do)
	switch {
	case err == nil || err == io.EOF:
		return err
	case errors.Is(err, ErrInvalid) || errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s: %w: %w", name, ErrInvalid, hideEOF(err))
}

// hideEOF keeps the end of a file inside a decoder from being taken for the end of the batches.
func hideEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New(err.Error())
	}
	return err
}

// Concat returns the rows of several sources of equal columns one after the other. The error wraps ErrInvalid and names
// the first source whose columns differ.
func Concat(sources ...*Source) (*Source, error) {
	if len(sources) == 0 {
		return nil, fmt.Errorf("%w: there is nothing to import", ErrInvalid)
	}
	first := sources[0]
	if len(sources) == 1 {
		return first, nil
	}
	for _, s := range sources[1:] {
		if s.Shape != nil || first.Shape != nil {
			return nil, fmt.Errorf("%w: NumPy files are imported one at a time", ErrInvalid)
		}
		if len(s.Schema.Fields()) != len(first.Schema.Fields()) {
			return nil, fmt.Errorf("%s: %w: %d columns, %s has %d", s.Name, ErrInvalid, len(s.Schema.Fields()), first.Name, len(first.Schema.Fields()))
		}
		for i, f := range first.Schema.Fields() {
			if g := s.Schema.Field(i); g.Name != f.Name || !arrow.TypeEqual(g.Type, f.Type) {
				return nil, fmt.Errorf("%s: %w: column %d is %q of type %s, in %s it is %q of type %s",
					s.Name, ErrInvalid, i+1, g.Name, g.Type, first.Name, f.Name, f.Type)
			}
		}
	}
	all := *first
	all.open = func(ctx context.Context) (nextBatch, error) {
		at := 0
		next, err := sources[0].open(ctx)
		return func() (arrow.RecordBatch, error) {
			for {
				batch, err := next()
				if err != io.EOF || at+1 == len(sources) {
					return batch, err
				}
				at++
				if next, err = sources[at].open(ctx); err != nil {
					return nil, err
				}
			}
		}, err
	}
	all.Name = fmt.Sprintf("%s and %d more", first.Name, len(sources)-1)
	return &all, nil
}
