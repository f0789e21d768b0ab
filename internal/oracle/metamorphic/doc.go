// Package metamorphic has tests only: random lists of everything that can be done to an array, on arrays that differ in all
// that must not change an answer, compared with a model of Go maps at many times, in whole and after faults; and libtiledb
// answers about a sample of the same arrays.
package metamorphic
