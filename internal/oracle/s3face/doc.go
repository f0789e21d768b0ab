// Package s3face has tests only: the unmodified TileDB client and Amazon's client for Python use files of namespaces, by
// tiledb:// and as an S3 server.
package s3face
