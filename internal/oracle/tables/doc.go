// Package tables has tests only: pandas, pyarrow, NumPy and libtiledb read what 'azulejo array import' made and what 'azulejo
// array export' wrote.
package tables
