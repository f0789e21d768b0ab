package fragment

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"sync"

	"golang.org/x/sync/errgroup"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs"
)

// Run is a stretch of cells of a tile, from Lo up to but not including Hi.
type Run struct{ Lo, Hi int }

// WriterOptions says what a Writer cannot learn from its tiles. The zero value suits sparse fragments.
type WriterOptions struct {
	// Domain is the exact non-empty domain of a dense fragment, one range per dimension, not rounded to tiles. It is
	// kept. Sparse fragments have none: theirs is the bounding box of their cells.
	Domain []schema.Range
	// Timestamps gives every cell of a sparse fragment a time of its own, and Deletes a time of deletion and the place of
	// the delete among Processed: hidden fields, of which Fill is asked after all others, in the order of HiddenFields.
	Timestamps, Deletes bool
	// Processed are the paths, relative to the array and sorted, of the delete commits that were applied to the cells.
	Processed []string
	// Threads bounds the tiles in work at a time; 0 means the number of cores.
	Threads int
	// Key is the array's, array.Array.Key: everything of a fragment of an encrypted array is encrypted, or cannot be read.
	Key *filter.Key
}

// Fill provides one field of one tile: tile counts the tiles of the Append call, field indexes Writer.Fields. It sets
// c.Data and, as the field needs, c.Offsets and c.Validity, either to memory that stays unchanged until Append returns or
// to memory from c. It is called concurrently, never twice for the same tile and field.
type Fill func(tile, field int, c *Cells) error

// Writer writes one new fragment in format version 22 (format_spec/fragment.md). Tiles stream through it: filtered in
// parallel by a bounded pool, appended to the data files in order. Nothing of a fragment is visible before its commit
// file exists, which package array writes. A Writer is not safe for concurrent use.
type Writer struct {
	fs     vfs.FS
	uri    string
	schema *schema.Array
	opts   WriterOptions
	fields []*fieldWriter
	// idle holds the batches not in use; their number bounds the memory held.
	idle chan *batch
	err  error

	mu sync.Mutex
	// files are the files created so far.
	files []vfs.Writer
}

// errBroken is the state of a Writer after a fault, and after its end.
var errBroken = errors.New("fragment writer is closed")

// Create begins the fragment of that name in the array at arrayURI: it makes the folder and nothing else. A fragment of
// that name must not be there, uncommitted leftovers of an earlier try are the caller's to remove. The caller ends the
// Writer by Finish or Abort.
func Create(ctx context.Context, fs vfs.FS, arrayURI string, s *schema.Array, name string, opts WriterOptions) (*Writer, error) {
	if opts.Threads <= 0 {
		opts.Threads = runtime.GOMAXPROCS(0)
	}
	if (s.Type == schema.Dense) != (opts.Domain != nil) {
		return nil, fmt.Errorf("fragment %s: a dense fragment needs its non-empty domain, a sparse one has none", name)
	}
	if s.Type == schema.Dense && (opts.Timestamps || opts.Deletes) {
		return nil, fmt.Errorf("fragment %s: cells of dense fragments have no times", name)
	}
	w := &Writer{fs: fs, uri: vfs.Join(arrayURI, "__fragments", name), schema: s, opts: opts}
	if err := w.addFields(); err != nil {
		return nil, err
	}
	w.idle = make(chan *batch, 2*opts.Threads)
	for range cap(w.idle) {
		w.idle <- new(batch)
	}
	return w, fs.MakeDir(ctx, w.uri)
}

func (w *Writer) addField(f schema.Field, filters filter.Pipeline, slot int, file string) error {
	fw, err := newFieldWriter(w, f, filters, file)
	if err != nil {
		return err
	}
	fw.slot = slot
	w.fields = append(w.fields, fw)
	return nil
}

// URI returns the fragment's folder.
func (w *Writer) URI() string { return w.uri }

// Fields returns the fields of every tile in the order that Fill counts them: attributes, then, when sparse, dimensions
// and hidden fields. The slice is new.
func (w *Writer) Fields() []schema.Field {
	fields := make([]schema.Field, len(w.fields))
	for i, f := range w.fields {
		fields[i] = f.field
	}
	return fields
}

// Append writes the next n tiles. All have as many cells as a tile of the array, only the last tile of a sparse fragment
// may be short. It returns when fill is done with and all tiles are with the file system. After an error only Abort is of
// use.
func (w *Writer) Append(ctx context.Context, n int, fill Fill) error {
	if w.err != nil {
		return w.err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(w.opts.Threads)
	w.spread(gctx, group, n, fill)
	if w.err = group.Wait(); w.err == nil {
		w.err = ctx.Err()
	}
	return w.uriError(w.err)
}

// spread hands all tiles to the group, in batches. Every batch but one waits for a batch handed out before it, so the
// oldest can always be written and its memory used again.
func (w *Writer) spread(ctx context.Context, group *errgroup.Group, n int, fill Fill) {
	pieces := w.opts.Threads / max(1, n*len(w.fields))
	for i, f := range w.fields {
		for first := 0; first < n; {
			var b *batch
			select {
			case <-ctx.Done():
				return
			case b = <-w.idle:
			}
			b.first, b.n, b.pieces = first, min(n-first, f.batchTiles), pieces
			first += b.n
			seq := f.handedOut
			f.handedOut++
			group.Go(func() error {
				if err := f.encode(ctx, b, i, fill); err != nil {
					return fmt.Errorf("field %q: %w", f.field.Name, err)
				}
				return f.deliver(ctx, b, seq)
			})
		}
	}
}

func (w *Writer) uriError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("fragment %s: %w", w.uri, err)
}

// Finish writes the metadata file, which completes the fragment, and makes all files durable; the fragment still has to
// be committed. A fragment without tiles is refused. On an error the caller calls Abort.
func (w *Writer) Finish(ctx context.Context) error {
	if w.err != nil {
		return w.err
	}
	if w.err = w.finish(ctx); w.err != nil {
		return w.uriError(w.err)
	}
	w.err = errBroken
	return nil
}

func (w *Writer) finish(ctx context.Context) error {
	meta, err := w.metadata()
	if err != nil {
		return err
	}
	content, err := format.EncodeFragmentMetadata(meta, w.opts.Key)
	if err != nil {
		return err
	}
	file, err := w.fs.Create(ctx, vfs.Join(w.uri, MetadataFile))
	if err != nil {
		return err
	}
	w.files = append(w.files, file)
	if _, err := file.Write(content); err != nil {
		return err
	}
	return vfs.CommitAll(ctx, w.fs, w.files)
}

// create begins a data file of the fragment. It is called by the tasks of several fields.
func (w *Writer) create(ctx context.Context, name string) (vfs.Writer, error) {
	file, err := w.fs.Create(ctx, vfs.Join(w.uri, name))
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = append(w.files, file)
	return file, nil
}

// Abort ends the Writer and removes what it wrote. It works with a cancelled context, and after Finish as long as the
// fragment is not committed.
func (w *Writer) Abort(ctx context.Context) error {
	w.err = errBroken
	var errs []error
	for _, file := range w.files {
		errs = append(errs, file.Abort())
	}
	errs = append(errs, w.fs.Remove(context.WithoutCancel(ctx), w.uri))
	return w.uriError(errors.Join(errs...))
}
