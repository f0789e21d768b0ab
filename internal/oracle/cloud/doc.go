// Package cloud has the unmodified tiledb-cloud client do what it does with the catalogue's kinds of assets: files and
// notebooks go up and come down again, byte for byte.
package cloud
