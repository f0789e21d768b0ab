// Package rest has the unmodified client do over REST what it can do with a local array: writes in several submits, deletes,
// maintenance, dimension labels, plans. Its tests compare values, because the client of libtiledb 2.30 takes some broken
// replies for answers without cells.
package rest
