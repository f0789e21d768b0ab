package vfs

import "strings"

// Stage is what a file of an array or group does for readers. Whoever removes many files one by one goes through the stages
// upwards, whoever writes them goes downwards: so readers never take a part of an array for the whole.
type Stage uint8

// The stages.
const (
	// Schema files are needed to open an array, the newest one above all.
	Schema Stage = iota
	// Identity files make a directory a group, or an array of an old format.
	Identity
	// Commit files make fragments count.
	Commit
	// Data is everything else.
	Data
)

// StageOf returns the stage of a file by its URI.
func StageOf(uri string) Stage {
	name := Base(uri)
	parent := Base(uri[:len(uri)-len(name)])
	switch {
	case parent == "__schema":
		return Schema
	case name == "__array_schema.tdb", name == "__tiledb_group.tdb", parent == "__group":
		return Identity
	case parent == "__commits", strings.HasSuffix(name, ".ok"):
		return Commit
	default:
		return Data
	}
}
