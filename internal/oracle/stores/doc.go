// Package stores has tests only: libtiledb and our engine read in object stores what the other wrote there.
package stores
