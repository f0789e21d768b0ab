// Package basic has tests only: unmodified clients create, write and slice arrays of every kind of cell, through the server and beside it.
package basic
