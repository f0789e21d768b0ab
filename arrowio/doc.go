// Package arrowio moves data between arrays and the columnar world: Arrow record batches, Parquet, Arrow IPC, CSV and
// NumPy files. It is the only package of the library that imports arrow-go, and nothing below imports it.
//
// A Source is a table that can be read as a stream of record batches, any number of times; ParquetSource, IPCSource,
// CSVSource and NPYSource make one of files, and Records one of an array. Infer looks at a source once and proposes a
// schema, Import creates or extends an array with its rows, Export writes what a read returns to a file. All of them hold
// a bounded number of rows at a time.
//
// Types map as in TileDB-Py's return_arrow=True and from_pandas where those have a mapping (docs/import-export.md has the
// table). What Arrow has no type for, such as years or picoseconds, travels as whole numbers; the field's metadata entry
// "tiledb:type" keeps its type, so that every export can be imported again.
package arrowio

import "errors"

// ErrInvalid is wrapped by the error for data that cannot be imported or a request that cannot be carried out: malformed
// files, types without a counterpart, options that do not fit.
var ErrInvalid = errors.New("invalid data")
