package format

import (
	"errors"

	"azulejo/condition"
)

// ConsolidatedCommit is one commit listed in a .con file.
type ConsolidatedCommit struct {
	// Path is relative to the array, such as "__commits/__t1_t2_uuid_22.wrt"; its extension tells the kind.
	Path string
	// Condition is the content of the .del or .upd file; nil for fragments. It shares the input's memory.
	Condition []byte
}

// EncodeConsolidatedCommits returns the content of a .con file (format_spec/consolidated_commits_file.md).
func EncodeConsolidatedCommits(commits []ConsolidatedCommit) ([]byte, error) {
	return nil, errors.New("not written yet")
}

// DecodeConsolidatedCommits decodes the content of a .con file.
func DecodeConsolidatedCommits(file []byte) ([]ConsolidatedCommit, error) {
	return nil, errors.New("not written yet")
}

// EncodeLines returns the content of a .vac or .ign file: each path followed by a new line. Paths in .vac files of this
// version are relative to the array and begin with a slash (format_spec/vacuum_file.md, ignore_file.md).
func EncodeLines(paths []string) ([]byte, error) { return nil, errors.New("not written yet") }

// DecodeLines decodes the content of a .vac or .ign file into the paths as written; before version 19 they are absolute.
func DecodeLines(file []byte) ([]string, error) { return nil, errors.New("not written yet") }

// DecodeDeleteCommit decodes the content of a .del file: the stored condition, which is the negation of the user's
// (format_spec/delete_commit_file.md). A cell survives the delete when the condition holds.
func DecodeDeleteCommit(file []byte) (*condition.Node, error) {
	return nil, errors.New("not written yet")
}

// EncodeDeleteCommit returns the content of a .del file for a stored condition, as DecodeDeleteCommit returns it.
func EncodeDeleteCommit(stored *condition.Node) ([]byte, error) {
	return nil, errors.New("not written yet")
}
