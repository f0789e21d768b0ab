// Package deletes has tests only: libtiledb deletes cells and fragments and consolidates what it deleted, and we read it; we delete, and
// libtiledb reads it.
package deletes
