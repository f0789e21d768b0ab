// Package s3face answers the part of Amazon's S3 that clients use to reach the files of namespaces: libtiledb for
// tiledb:// in its virtual file system, and any S3 tool.
//
// A namespace is a bucket, a key is what package catalog makes of it (catalog.Catalog.Files): a file of an asset, a file in
// a directory that the namespace owns, or one that the namespace keeps beside its assets. Paths are
// /v4/files/{namespace}/{key}, and only path-style addresses are served.
//
// The credential is a REST token in the place of the access key, or in the header of the REST API. Signatures are not
// looked at: clients sign with a secret that everybody knows. What is checked is that the bytes are the ones that were
// sent: lengths, Content-MD5, x-amz-content-sha256 and all x-amz-checksum headers and trailers.
//
// The same rows, checks and order of checks apply as to the REST API (package web). Errors are S3's XML. Nothing is
// answered with a status that clients repeat unless repeating can help: what is not served is a 400.
package s3face
