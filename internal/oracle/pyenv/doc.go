// Package pyenv gives tests a Python interpreter with the pinned, unmodified TileDB clients, and runs programs for them.
//
// The environment is made once per machine and content of requirements.txt, in the user's cache directory, under a
// file lock, because the packages of `go test ./...` are separate processes that start at the same moment. It is
// built in a directory of its own and renamed when complete, so a build that was cut off is never used. What cannot
// be had is an error that says what is missing; tests that need it fail, they are never skipped.
//
// Nothing here is part of the product: only tests and test programs import it.
package pyenv
