// Package pack holds encoders of compressed formats that work from one byte slice into another, which is what a chunk of a
// tile is. They are the counterpart of package unpack.
package pack
