// Package fragment reads and writes one fragment: a folder with a metadata file and the tiles of every field
// (format_spec/fragment.md).
//
// A Reader is made from the footer alone; every other part of the metadata and every tile is fetched when it is asked
// for. Readers are safe for concurrent use and hold no open file.
package fragment

import (
	"context"
	"errors"

	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs"
)

// MetadataFile is the name of the metadata file in a fragment's folder.
const MetadataFile = "__fragment_metadata.tdb"

// ErrCorrupt is wrapped by the error for a fragment whose files do not fit together.
var ErrCorrupt = errors.New("corrupt fragment")

// Reader gives access to the tiles and statistics of one fragment. Safe for concurrent use.
type Reader struct {
	fs     vfs.FS
	uri    string
	name   format.Name
	footer *format.Footer
}

// Open reads the footer of the fragment in folder uri, in one read of the end of its metadata file. schemaOf returns the
// schema with that file name; it is called once.
func Open(ctx context.Context, fs vfs.FS, uri string, name format.Name, schemaOf func(name string) (*schema.Array, error)) (*Reader, error) {
	return nil, errors.New("not written yet")
}

// URI returns the fragment's folder.
func (r *Reader) URI() string { return r.uri }

// Name returns the fragment's name, which has its timestamps.
func (r *Reader) Name() format.Name { return r.name }

// Footer returns the decoded footer; it must not be modified.
func (r *Reader) Footer() *format.Footer { return r.footer }

// Schema returns the schema that the fragment was written with.
func (r *Reader) Schema() *schema.Array { return r.footer.Schema }

// Dense reports whether the fragment is dense.
func (r *Reader) Dense() bool { return r.footer.Dense }

// NonEmptyDomain returns one range per dimension, or nil when the fragment says that it has none; not to be modified.
func (r *Reader) NonEmptyDomain() []schema.Range { return r.footer.NonEmptyDomain }

// NumTiles returns the number of tiles.
func (r *Reader) NumTiles() uint64 { return r.footer.NumTiles() }

// TileCells returns the number of cells of tile i.
func (r *Reader) TileCells(i uint64) uint64 { return r.footer.TileCells(i) }
